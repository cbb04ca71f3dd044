//! What is shown where there is no page.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::parts::Brand;

/// Says so, and leads back. The status code is the server's to set: its fallback renders this.
#[component]
pub(crate) fn NotFound() -> impl IntoView {
    view! {
        <Title text="Not found"/>
        <div class="page">
            <header class="page-header">
                <Brand/>
            </header>
            <main class="notice">
                <h1>"There is nothing here"</h1>
                <p>"The address may be mistyped. Rooms are at " <code>"/r/"</code> " and their name."</p>
                <p>
                    <a class="button" href="/">
                        "Open a room"
                    </a>
                </p>
            </main>
        </div>
    }
}
