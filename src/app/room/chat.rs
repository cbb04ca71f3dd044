//! The messages and the field to write them in.

mod attach;
mod composer;
mod delivery;
mod lines;
mod links;
mod log;
mod recipient;
mod transfers;
mod typing;

use converge_p2p::hooks::{use_channel, use_peers, use_presence, use_room, use_transfers};
use converge_p2p::{Activity, Event as RoomEvent, LocalFile, PeerId, without_hidden};
use leptos::ev::{ClipboardEvent, Event};
use leptos::html::Button;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use self::attach::send_files;
use self::composer::Composer;
use self::delivery::Deliveries;
use self::lines::Line;
pub(super) use self::lines::Lines;
use self::log::Log;
use self::transfers::Transfers;
use super::{Profile, Shared};
use crate::platform::{self, Brought, Moment};
use crate::words;

/// What travels: text now, more kinds later. JSON, so that a page written in any language can take part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Said {
    /// Names it among its sender's, for acknowledgements; 0 from a page that wants none.
    #[serde(default)]
    id: u32,
    text: String,
}

#[component]
pub(super) fn Chat() -> impl IntoView {
    let room = use_room();
    let profiles = use_presence::<Profile>();
    let channel = use_channel::<Said>("chat");
    let Shared { names, lines, problem, to, sounds, .. } = Shared::get();
    let deliveries = Deliveries::new();
    let attach = NodeRef::<Button>::new();
    let name_of = move |peer| names.peek(peer, profiles.peek(peer).as_ref());

    channel.on_message(move |message| {
        let name = names.author(message.from, profiles.peek(message.from).as_ref());
        let direct = if message.direct { words::chat::DIRECT_TO_YOU } else { "" }.to_owned();
        let Said { id, text } = message.value;
        deliveries.shown(message.from, id);
        let at = Moment::default();
        let line = Line { from: message.from, name, text: text.into(), direct, mine: false, at, delivery: None };
        // One sound for all messages of one frame.
        if lines.push(line) && sounds.get_untracked() {
            platform::beep(659.0);
        }
    });
    // The member that nothing gets through to, and how that was said: it is taken back when something does.
    let stalled = StoredValue::new(None::<(PeerId, String)>);
    // Those whose messages can't be read.
    let unreadable = StoredValue::new(Vec::<PeerId>::new());
    room.on_event(move |event| match event {
        RoomEvent::Undelivered { peer, messages } => {
            problem.set(words::chat::undelivered(&name_of(*peer), *messages));
        }
        RoomEvent::Stalled { peer } => {
            let text = words::chat::stalled(&name_of(*peer));
            stalled.set_value(Some((*peer, text.clone())));
            problem.set(text);
        }
        RoomEvent::PeerConnected { peer } => take_back(stalled, *peer, problem),
        RoomEvent::ActivityChanged { peer, activity } if *activity != Activity::Stale => {
            take_back(stalled, *peer, problem)
        }
        // It may come back with another page.
        RoomEvent::PeerLeft { peer, .. } => {
            unreadable.update_value(|known| known.retain(|other| other != peer));
        }
        _ => {}
    });
    Effect::new(move |_| {
        // Once for each sender, and in words of this page.
        if let Some(from) = channel.error().get().map(|bad| bad.from)
            && unreadable.with_value(|known| !known.contains(&from))
        {
            unreadable.update_value(|known| known.push(from));
            problem.set(words::chat::unreadable(&name_of(from)));
        }
    });

    let (transfers, peers) = (use_transfers(), use_peers());
    let send = move |files: Vec<LocalFile>| send_files(transfers, peers, to.get_untracked(), problem, files);
    let bring = move |Brought { files, folders }: Brought| {
        let sent = !files.is_empty();
        send(files);
        if !folders.is_empty() {
            let names: Vec<String> = folders.iter().map(|folder| words::isolated(without_hidden(folder))).collect();
            let failed = if sent { problem.get_untracked() } else { String::new() };
            problem.set(format!("{failed} {}", words::chat::folders(&names)).trim().to_owned());
        }
    };
    // Files are taken from wherever people are used to put them; beside the chat too, where the browser would open them
    // in place of the room. What is dragged within the page, and texts, are the browser's.
    let dropping = RwSignal::new(false);
    let class = Signal::derive(move || if dropping.get() { "chat dropping" } else { "chat" }.to_owned());
    Effect::new(move |_| {
        let own = StoredValue::new(false);
        let on = |name: &'static str, act: fn(&Event, RwSignal<bool>) -> bool| {
            window_event_listener_untyped(name, move |event| {
                if !own.get_value() && platform::carries_files(&event) && act(&event, dropping) {
                    bring(platform::dropped(&event));
                }
            })
        };
        let over = |event: &Event, dropping: RwSignal<bool>| {
            platform::allow_drop(event);
            dropping.set(true);
            false
        };
        let listeners = [
            window_event_listener_untyped("dragstart", move |_| own.set_value(true)),
            // A dragged element that is removed gets no dragend. No pointer moves while something is dragged.
            window_event_listener_untyped("dragend", move |_| own.set_value(false)),
            window_event_listener_untyped("pointermove", move |_| own.set_value(false)),
            on("dragenter", over),
            on("dragover", over),
            on("dragleave", |event, dropping| {
                if platform::left_window(event) {
                    dropping.set(false);
                }
                false
            }),
            on("drop", |event, dropping| {
                event.prevent_default();
                dropping.set(false);
                true
            }),
        ];
        on_cleanup(move || listeners.into_iter().for_each(WindowListenerHandle::remove));
    });
    let pasted = move |event: ClipboardEvent| {
        let brought = platform::pasted(&event);
        if !brought.files.is_empty() || !brought.folders.is_empty() {
            event.prevent_default();
            bring(brought);
        }
    };
    view! {
        <section
            class=class
            aria-label=words::chat::CHAT
            on:paste=pasted
        >
            <Log/>
            <Transfers attach/>
            <Composer channel attach deliveries/>
        </section>
    }
    .into_any()
}

/// Clears the notice that `peer` is unreachable, if it is still shown.
fn take_back(stalled: StoredValue<Option<(PeerId, String)>>, peer: PeerId, problem: RwSignal<String>) {
    let said = stalled.try_update_value(|stalled| stalled.take_if(|(whom, _)| *whom == peer)).flatten();
    if let Some((_, text)) = said
        && problem.with_untracked(|problem| *problem == text)
    {
        problem.set(String::new());
    }
}
