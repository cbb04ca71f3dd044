//! Files go to whom messages go.

use converge_p2p::hooks::{Peer, UseTransfers, use_peers, use_transfers};
use converge_p2p::{LocalFile, PeerId, without_hidden};
use leptos::html::{Button, Input};
use leptos::prelude::*;

use super::Shared;
use crate::{platform, words};

/// Offers files to whom messages go.
pub(super) fn send_files(
    transfers: UseTransfers,
    peers: Signal<Vec<Peer>>,
    to: Option<PeerId>,
    problem: RwSignal<String>,
    files: Vec<LocalFile>,
) {
    if files.is_empty() {
        return;
    }
    if to.is_none() && peers.with_untracked(Vec::is_empty) {
        return problem.set(words::chat::NOBODY_FOR_FILE.to_owned());
    }
    problem.set(String::new());
    for file in files {
        let name = words::isolated(without_hidden(file.name()));
        if let Err(error) = transfers.send(to, file) {
            problem.set(words::chat::file_not_sent(&name, &error));
        }
    }
}

/// The button.
#[component]
pub(super) fn Attach(button: NodeRef<Button>) -> impl IntoView {
    let (transfers, peers) = (use_transfers(), use_peers());
    let Shared { problem, to, ready, .. } = Shared::get();
    let asleep = Signal::derive(move || !ready.get());
    let field = NodeRef::<Input>::new();
    let choose = move |_| {
        if let Some(field) = field.get_untracked() {
            field.click();
        }
    };
    let chosen = move |_| {
        let files = field.get_untracked().map(|field| platform::take_files(&field)).unwrap_or_default();
        send_files(transfers, peers, to.get_untracked(), problem, files);
    };
    view! {
        <div class="attach">
            <label class="visually-hidden" for="file">
                {words::chat::FILE}
            </label>
            // Reached by the button, which keyboards and eyes find.
            <input
                id="file"
                class="visually-hidden"
                type="file"
                multiple
                tabindex="-1"
                disabled=asleep
                node_ref=field
                on:change=chosen
            />
            <button class="button" type="button" disabled=asleep node_ref=button on:click=choose>
                {words::chat::ATTACH}
            </button>
        </div>
    }
    .into_any()
}
