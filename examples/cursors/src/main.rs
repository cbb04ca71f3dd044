//! Everybody's cursor on a blank page.
//!
//! The address says where: `#name` is the room (else `cursors`), `?server=wss://…` the server (else the page's own).

use converge_p2p::hooks::{Peer, provide_room, use_peers, use_presence_slot, use_room_status};
use converge_p2p::{Options, PeerId};
use leptos::ev::PointerEvent;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// Where somebody points, as a share of the window's width and height: screens differ.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Cursor {
    x: f64,
    y: f64,
}

fn main() {
    leptos::mount::mount_to_body(App);
}

#[component]
fn App() -> impl IntoView {
    provide_room(options());
    view! { <Board/> }
}

fn options() -> Options {
    let location = window().location();
    let hash = location.hash().unwrap_or_default();
    let topic = hash.strip_prefix('#').filter(|topic| !topic.is_empty()).unwrap_or("cursors");
    let options = Options::new(topic);
    let search = location.search().unwrap_or_default();
    match search.strip_prefix("?server=") {
        Some(server) => options.server(server),
        None => options,
    }
}

#[component]
fn Board() -> impl IntoView {
    let (peers, status) = (use_peers(), use_room_status());
    let cursor = use_presence_slot::<Option<Cursor>>("cursor");
    let point = move |event: PointerEvent| {
        let size = |length: Result<leptos::wasm_bindgen::JsValue, _>| length.ok().and_then(|length| length.as_f64());
        if let (Some(width), Some(height)) = (size(window().inner_width()), size(window().inner_height())) {
            let cursor_now = Cursor { x: f64::from(event.client_x()) / width, y: f64::from(event.client_y()) / height };
            cursor.mine().set(Some(cursor_now));
        }
    };
    view! {
        <main
            style="position: fixed; inset: 0; font: 16px system-ui"
            on:pointermove=point
            on:pointerleave=move |_| cursor.mine().set(None)
        >
            <p>{move || status.get().as_str()} ", " {move || peers.get().len()} " others: move your pointer"</p>
            <For each=move || peers.get() key=|peer| peer.id() let:peer>
                <Other peer/>
            </For>
        </main>
    }
}

/// Another's cursor. Only this is run again when it moves.
#[component]
fn Other(peer: Peer) -> impl IntoView {
    let cursor = use_presence_slot::<Option<Cursor>>("cursor").of(peer.id());
    let style = move || match cursor.get().flatten() {
        Some(Cursor { x, y }) => {
            // A peer may send any number.
            let (x, y) = (100.0 * x.clamp(0.0, 1.0), 100.0 * y.clamp(0.0, 1.0));
            format!("position: fixed; translate: {x:.2}vw {y:.2}vh; inset: 0 auto auto 0; color: {}", colour(peer.id()))
        }
        None => "display: none".to_owned(),
    };
    view! {
        <div class="cursor" style=style>
            "➤ " {peer.id().short()}
        </div>
    }
}

fn colour(peer: PeerId) -> String {
    format!("hsl({} 80% 40%)", u32::from(peer.as_bytes()[0]) * 360 / 256)
}
