//! What is shown where there is no page.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::parts::Brand;
use crate::words;

/// Says so, and leads back. The status code is the server's to set: its fallback renders this.
#[component]
pub(crate) fn NotFound() -> impl IntoView {
    let [before, after] = words::page::MISTYPED;
    view! {
        <Title text=words::page::NOT_FOUND/>
        <div class="page">
            <header class="page-header">
                <Brand/>
            </header>
            <main class="notice">
                <h1>{words::page::NOTHING_HERE}</h1>
                <p>{before} <code>"/r/"</code> {after}</p>
                <p>
                    <a class="button" href="/">
                        {words::page::OPEN_ROOM}
                    </a>
                </p>
            </main>
        </div>
    }
}
