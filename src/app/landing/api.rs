//! The hooks in a few lines.

use leptos::prelude::*;

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
            </div>
            <pre tabindex="0" role="region" aria-label="Example">
                <code>{EXAMPLE}</code>
            </pre>
        </section>
    }
}
