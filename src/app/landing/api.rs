//! The hooks in a few lines.

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::{platform, words};

/// Compiles as the first example of `converge_p2p::hooks`.
const EXAMPLE: &str = r#"provide_room(Options::new("lobby"));

let peers = use_peers();
let name = use_presence::<String>();
let chat = use_channel::<String>("chat");

name.mine().set("Ada".to_owned());
chat.broadcast(&"hello".to_owned())?;

view! {
    <For each=move || peers.get() key=|peer| peer.id() let:peer>
        <p>{name.of(peer.id())}</p>
    </For>
}"#;

/// What using the hooks looks like.
#[component]
pub(crate) fn Api() -> impl IntoView {
    let [before, after] = words::landing::API_MORE;
    view! {
        <section class="api" id="api">
            <div>
                <h2>{words::landing::API}</h2>
                <p>{words::landing::API_HOOKS}</p>
                <p>{before} <code>"src/signal/PROTOCOL.md"</code> {after}</p>
            </div>
            <div class="api-code">
                <pre tabindex="0" role="region" aria-label=words::landing::EXAMPLE>
                    <code>{EXAMPLE}</code>
                </pre>
                <CopyCode/>
            </div>
        </section>
    }
}

/// Copies the example, or says that the browser doesn't let the page.
#[island]
fn CopyCode() -> impl IntoView {
    let said = RwSignal::new("");
    let asleep = RwSignal::new(true);
    Effect::new(move |_| asleep.set(false));
    let copy = move |_| {
        spawn_local(async move {
            let copied = platform::copy(EXAMPLE.to_owned()).await;
            said.try_set(if copied { words::landing::COPIED } else { words::landing::CANNOT_COPY });
        });
    };
    view! {
        <div class="copy-code">
            <button class="button" type="button" disabled=asleep on:click=copy>
                {words::landing::COPY_CODE}
            </button>
            <p role="status">{said}</p>
        </div>
    }
    .into_any()
}
