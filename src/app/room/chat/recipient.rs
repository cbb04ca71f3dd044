//! To whom messages go.

use converge_p2p::PeerId;
use converge_p2p::hooks::{Peer, use_peers, use_room};
use leptos::html::Select;
use leptos::prelude::*;

use super::Shared;
use crate::parts::list;
use crate::room::name_of;
use crate::{platform, words};

/// Everyone, or one of those who are here.
#[component]
pub(super) fn Recipient() -> impl IntoView {
    let (room, to) = (use_room(), Shared::get().to);
    let peers = use_peers();
    let select = NodeRef::<Select>::new();
    // One that was chosen and has gone stays in the list: what was meant for one must not go to all.
    let options = Signal::derive(move || {
        let mut options: Vec<PeerId> = peers.get().into_iter().map(|peer| peer.id()).collect();
        options.extend(to.get().filter(|to| !options.contains(to)));
        options
    });
    // The browser chooses another option by itself when the list around the chosen one changes.
    Effect::new(move |_| {
        options.with(|_| ());
        let value = to.get().map(|to| to.to_string()).unwrap_or_default();
        request_animation_frame(move || {
            if let Some(select) = select.try_get_untracked().flatten()
                && select.value() != value
            {
                select.set_value(&value);
            }
        });
    });
    view! {
        <div class="recipient">
            <label for="to">{words::chat::TO}</label>
            <select
                id="to"
                class="field"
                node_ref=select
                on:change=move |event| {
                    if let Some(value) = platform::value(&event) {
                        to.set(value.parse().ok());
                    }
                }
            >
                <option value="">{words::chat::EVERYONE}</option>
                {list(options, move |id| view! { <Addressee peer=room.peer(id)/> }.into_any())}
            </select>
        </div>
    }
    .into_any()
}

#[component]
fn Addressee(peer: Peer) -> impl IntoView {
    let here = use_peers();
    let name = name_of(peer.id());
    let label = Signal::derive(move || {
        let name = name.get();
        if here.with(|here| here.contains(&peer)) { name } else { words::chat::has_left(&name) }
    });
    view! {
        <option value=peer.id().to_string() translate="no">
            {label}
        </option>
    }
}
