//! The files on their way to and from the others.

use std::collections::VecDeque;

use converge_p2p::hooks::{UseTransfers, use_presence, use_room, use_transfers};
use converge_p2p::{Event, PeerId, Transfer, TransferId, TransferState};
use leptos::html::{Button, Canvas, Li};
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::Profile;
use crate::parts::{Bounded, list, live, live_span, spoken};
use crate::platform::{self, Preview};
use crate::room::{Shared, name_of};
use crate::words;

/// Every transfer, the newest first; nothing, where there is none.
#[component]
pub(super) fn Transfers(
    /// Where the focus goes when a row is removed.
    attach: NodeRef<Button>,
) -> impl IntoView {
    let transfers = use_transfers();
    let ids = transfers.list();
    let newest_first = Signal::derive(move || ids.get().into_iter().rev().collect());
    let none = Signal::derive(move || ids.with(Vec::is_empty));
    let shown = Bounded::first(newest_first, SHOWN_FILES);
    view! {
        <Announcement/>
        <AcceptAll/>
        <Folded/>
        <ul class="transfers" aria-label=words::chat::TRANSFERS hidden=none>
            {list(shown.shown, move |id| transfers.peek(id).map(|first| view! { <Row first attach/> }).into_any())}
        </ul>
        {shown.button(words::chat::show_transfers)}
    }
    .into_any()
}

/// The rows that the page shows at first.
const SHOWN_FILES: usize = 100;

/// The most withdrawn or failed offers that are listed of one member: the newest.
const MAX_ENDED_EACH: usize = 4;

/// The most of all members together.
const MAX_ENDED: usize = 64;

/// The listed offers that have ended, oldest first.
struct Ended<Id>(VecDeque<(PeerId, Id)>);

impl<Id: Copy + PartialEq> Ended<Id> {
    /// Adds an offer. Returns the offer that it evicts.
    fn push(&mut self, peer: PeerId, id: Id) -> Option<Id> {
        if self.0.iter().any(|(_, other)| *other == id) {
            return None;
        }
        self.0.push_back((peer, id));
        let own = self.0.iter().filter(|(other, _)| *other == peer).count();
        let oldest = if own > MAX_ENDED_EACH {
            self.0.iter().position(|(other, _)| *other == peer)
        } else if self.0.len() > MAX_ENDED {
            Some(0)
        } else {
            None
        };
        oldest.and_then(|at| self.0.remove(at)).map(|(_, id)| id)
    }
}

/// Removes all but the newest ended offers of each member from the list, and shows how many it removed.
#[component]
fn Folded() -> impl IntoView {
    let transfers = use_transfers();
    let ended = StoredValue::new(Ended::<TransferId>(VecDeque::new()));
    let folded = RwSignal::new(0);
    use_room().on_event(move |event| {
        if let Event::Connected { .. } = event {
            // A room that is joined again numbers its transfers from the beginning.
            ended.update_value(|ended| {
                ended.0.retain(|(peer, id)| transfers.peek(*id).is_some_and(|known| known.peer == *peer))
            });
        }
        let Event::Transfer(transfer) = event else { return };
        if transfer.outgoing || !transfer.state.is_over() || transfer.state == TransferState::Done {
            return;
        }
        let (peer, id) = (transfer.peer, transfer.id);
        if let Some(oldest) = ended.try_update_value(|ended| ended.push(peer, id)).flatten() {
            transfers.forget(oldest);
            folded.update(|folded| *folded += 1);
        }
    });
    Effect::new(move |_| {
        if transfers.list().with(Vec::is_empty) && folded.get_untracked() > 0 {
            folded.set(0);
        }
    });
    let none = Signal::derive(move || folded.get() == 0);
    let text = Signal::derive(move || words::chat::folded(folded.get()));
    view! { <p class="transfers-folded" hidden=none use:live=text></p> }.into_any()
}

/// One press for many files that others offer; nothing for one or none.
#[component]
fn AcceptAll() -> impl IntoView {
    let transfers = use_transfers();
    // In the order of ids, which is that of their coming.
    let offered = StoredValue::new(Vec::<TransferId>::new());
    let count = RwSignal::new(0);
    let change = move |change: &dyn Fn(&mut Vec<TransferId>)| {
        let new = offered.try_update_value(|offered| {
            change(offered);
            offered.len()
        });
        if let Some(new) = new.filter(|new| count.try_get_untracked() != Some(*new)) {
            count.try_set(new);
        }
    };
    use_room().on_event(move |event| {
        let Event::Transfer(transfer) = event else { return };
        let here = is_offered_here(transfer);
        change(&|offered| match offered.binary_search(&transfer.id) {
            Err(at) if here => offered.insert(at, transfer.id),
            Ok(at) if !here => drop(offered.remove(at)),
            _ => {}
        });
    });
    // A room that is joined again begins without any.
    Effect::new(move |_| {
        if transfers.list().with(Vec::is_empty) {
            change(&Vec::clear);
        }
    });
    let few = Signal::derive(move || count.get() < 2);
    let label = Signal::derive(move || words::chat::accept_all(count.get()));
    let accept = move |_| {
        for id in offered.get_value() {
            transfers.accept(id);
        }
    };
    view! {
        <p class="transfers-all" hidden=few>
            <button class="button" type="button" on:click=accept use:live=label></button>
        </p>
    }
    .into_any()
}

/// Tells those who don't see the list that somebody offers a file, and that one has arrived.
#[component]
fn Announcement() -> impl IntoView {
    let profiles = use_presence::<Profile>();
    let names = Shared::get().names;
    let said = RwSignal::new(String::new());
    use_room().on_event(move |event| {
        let Event::Transfer(transfer @ Transfer { outgoing: false, .. }) = event else { return };
        let name = || names.author(transfer.peer, profiles.peek(transfer.peer).as_ref());
        match transfer.state {
            TransferState::Offered => said.set(words::chat::offered(&name())),
            TransferState::Done => said.set(words::chat::arrived(&name())),
            _ => {}
        }
    });
    view! {
        {spoken(said)}
    }
}

#[component]
fn Row(first: Transfer, attach: NodeRef<Button>) -> impl IntoView {
    let transfers = use_transfers();
    let Transfer { id, peer, outgoing, size, .. } = first;
    let name = first.name.clone();
    let transfer = transfers.get(id);
    let row = NodeRef::<Li>::new();

    let other = name_of(peer);
    let with = Signal::derive(move || words::chat::with(outgoing, &other.get()));
    let text = move |words: fn(&Transfer) -> String| {
        Signal::derive(move || transfer.with(|transfer| transfer.as_ref().map(words)).unwrap_or_default())
    };
    let unless = move |shown: fn(&Transfer) -> bool| {
        Signal::derive(move || !transfer.with(|transfer| transfer.as_ref().is_some_and(shown)))
    };
    let described = format!("transfer-{}", id.number());
    // What was pressed goes away by that: the focus must not.
    let button = |label: &'static str, class: &'static str, hidden: Signal<bool>, act: fn(UseTransfers, TransferId)| {
        let press = move |_| {
            if let Some(row) = row.get_untracked() {
                let _ = row.focus();
            }
            act(transfers, id);
        };
        view! {
            <button class=class type="button" hidden=hidden aria-describedby=described.clone() on:click=press>
                {label}
            </button>
        }
        .into_any()
    };
    let remove = move |_| {
        if let Some(attach) = attach.get_untracked() {
            let _ = attach.focus();
        }
        transfers.forget(id);
    };
    // It is there by the time that the transfer is done.
    let saved = Signal::derive(move || {
        let arrived = transfer.with(|it| it.as_ref().is_some_and(|it| !it.outgoing && it.state == TransferState::Done));
        arrived.then(|| transfers.saved(id)).flatten()
    });
    let not_saved = Signal::derive(move || saved.with(Option::is_none));
    let preview = is_picture(&first.mime).then(|| view! { <Picture name=name.clone() saved/> }.into_any());
    view! {
        <li class="transfer" data-state=text(|it| word(&it.state).to_owned()) tabindex="-1" node_ref=row>
            <p class="transfer-file">
                <bdi class="transfer-name" id=described.clone() title=name.clone() translate="no">
                    {name.clone()}
                </bdi>
                <span class="transfer-size">{words::size(size)}</span>
            </p>
            <p class="transfer-doing">
                {live_span("transfer-with", with)}
                {live_span("transfer-state", text(words::chat::transfer))}
                <span class="transfer-part" translate="no" use:live=text(words::chat::part)></span>
            </p>
            <progress
                class="transfer-progress"
                aria-label=name.clone()
                max=size.max(1).to_string()
                value=text(|it| done(it).to_string())
            ></progress>
            {preview}
            <div class="transfer-actions">
                {button(words::chat::ACCEPT, "button primary", unless(is_offered_here), UseTransfers::accept)}
                {button(words::chat::DECLINE, "button", unless(is_offered_here), UseTransfers::decline)}
                {button(words::chat::CANCEL, "button", unless(|it| !it.state.is_over() && !is_offered_here(it)), UseTransfers::cancel)}
                <a class="button primary" download=name.clone() href=saved hidden=not_saved>
                    <span class="transfer-save" translate="no">
                        {words::chat::save(&words::isolated(name.clone()))}
                    </span>
                </a>
                <button
                    class="button quiet"
                    type="button"
                    hidden=unless(|it| it.state.is_over())
                    aria-describedby=described.clone()
                    on:click=remove
                >
                    {words::chat::REMOVE}
                </button>
            </div>
        </li>
    }
    .into_any()
}

/// A preview of a received picture. The sender is untrusted: its dimensions are checked before it is decoded.
#[component]
fn Picture(name: String, saved: Signal<Option<String>>) -> impl IntoView {
    let canvas = NodeRef::<Canvas>::new();
    let preview = RwSignal::new(None::<Preview>);
    Effect::new(move |_| {
        let (Some(url), Some(canvas)) = (saved.get(), canvas.get()) else { return };
        spawn_local(async move {
            let drawn = platform::draw(url, canvas).await;
            preview.try_set(Some(drawn));
        });
    });
    let not_drawn = Signal::derive(move || preview.get() != Some(Preview::Drawn));
    let text = Signal::derive(move || {
        let text = match preview.get() {
            Some(Preview::TooLarge) => words::chat::TOO_LARGE_TO_SHOW,
            Some(Preview::Unreadable) => words::chat::NO_PREVIEW,
            Some(Preview::Drawn) | None => "",
        };
        text.to_owned()
    });
    view! {
        <div class="transfer-picture">
            <canvas class="transfer-preview" role="img" aria-label=name hidden=not_drawn node_ref=canvas></canvas>
            <p class="transfer-no-preview" use:live=text></p>
        </div>
    }
    .into_any()
}

/// Whether a received file gets a preview: pictures whose header bounds the decoded size. An SVG is a document; an AVIF
/// is decoded at the size in its stream, not the one in its header.
fn is_picture(mime: &str) -> bool {
    ["image/png", "image/jpeg", "image/gif", "image/webp"].contains(&mime)
}

/// Whether it is this person's to say if they want it.
fn is_offered_here(transfer: &Transfer) -> bool {
    !transfer.outgoing && transfer.state == TransferState::Offered
}

/// The state, for style sheets.
fn word(state: &TransferState) -> &'static str {
    match state {
        TransferState::Offered => "offered",
        TransferState::Moving => "moving",
        TransferState::Done => "done",
        TransferState::Declined => "declined",
        TransferState::Cancelled => "cancelled",
        _ => "failed",
    }
}

/// What the bar shows, of `size.max(1)`.
fn done(transfer: &Transfer) -> u64 {
    // A file of no bytes has arrived whole, too.
    if transfer.state == TransferState::Done { transfer.size.max(1) } else { transfer.moved }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ended_offers_are_few_for_each_member_and_for_all() {
        let mut ended = Ended(VecDeque::new());
        let mut numbers = 0..;
        let mut next = || -> u64 { numbers.next().unwrap_or_default() };
        let peer = |byte| PeerId::from_bytes([byte; 32]);
        let honest = next();
        assert_eq!(ended.push(peer(1), honest), None);
        assert_eq!(ended.push(peer(1), honest), None, "the same once more");
        let dropped = (0..5000).filter_map(|_| ended.push(peer(2), next())).count();
        assert_eq!(dropped, 5000 - MAX_ENDED_EACH);
        assert!(ended.0.contains(&(peer(1), honest)), "one's flood leaves the others' rows");
        for byte in 3..200 {
            ended.push(peer(byte), next());
        }
        assert_eq!(ended.0.len(), MAX_ENDED);
    }
}
