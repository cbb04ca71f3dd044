//! The hooks in a few lines.

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::platform;

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
    view! {
        <section class="api" id="api">
            <div>
                <h2>"A room in your own page"</h2>
                <p>
                    "The hooks need a topic and nothing else. Whoever names the same one is in the list; what they show \
                     and say arrives as signals."
                </p>
                <p>
                    "The README has the plain client too, every setting of the server, and the page as a template; the \
                     protocol is in " <code>"src/signal/PROTOCOL.md"</code> ", the rest in the crates' documentation."
                </p>
            </div>
            <div class="api-code">
                <pre tabindex="0" role="region" aria-label="Example">
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
            said.try_set(if copied { "Copied" } else { "This browser doesn't let the page copy: select it by hand." });
        });
    };
    view! {
        <div class="copy-code">
            <button class="button" type="button" disabled=asleep on:click=copy>
                "Copy code"
            </button>
            <p role="status">{said}</p>
        </div>
    }
    .into_any()
}
