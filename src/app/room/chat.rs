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
use converge_p2p::{Activity, Event, LocalFile, PeerId};
use leptos::ev::{ClipboardEvent, DragEvent};
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
use crate::platform::{self, Moment};
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
    let Shared { lines, problem, to, sounds, .. } = Shared::get();
    let deliveries = Deliveries::new();
    let attach = NodeRef::<Button>::new();
    let name_of = move |peer| Profile::name(profiles.peek(peer).as_ref(), peer);

    channel.on_message(move |message| {
        let name = name_of(message.from);
        let direct = if message.direct { words::chat::DIRECT_TO_YOU } else { "" }.to_owned();
        let Said { id, text } = message.value;
        deliveries.shown(message.from, id);
        if sounds.get_untracked() {
            platform::beep(659.0);
        }
        let at = Moment::default();
        lines.push(Line { from: message.from, name, text: text.into(), direct, mine: false, at, delivery: None });
    });
    // Whom nothing gets through to, and how that was said: it is taken back when something does.
    let stalled = StoredValue::new(None::<(PeerId, String)>);
    room.on_event(move |event| match event {
        Event::Undelivered { peer, messages } => {
            problem.set(words::chat::undelivered(&name_of(*peer), *messages));
        }
        Event::Stalled { peer } => {
            let text = words::chat::stalled(&name_of(*peer));
            stalled.set_value(Some((*peer, text.clone())));
            problem.set(text);
        }
        Event::PeerConnected { peer } => mended(stalled, *peer, problem),
        Event::ActivityChanged { peer, activity } if *activity != Activity::Stale => mended(stalled, *peer, problem),
        _ => {}
    });
    Effect::new(move |_| {
        if let Some(error) = channel.error().get() {
            problem.set(error.to_string());
        }
    });

    let (transfers, peers) = (use_transfers(), use_peers());
    let send = move |files: Vec<LocalFile>| send_files(transfers, peers, to.get_untracked(), problem, files);
    // Files are taken from wherever people are used to put them.
    let dropping = RwSignal::new(false);
    let class = Signal::derive(move || if dropping.get() { "chat dropping" } else { "chat" }.to_owned());
    let over = move |event: DragEvent| {
        event.prevent_default();
        dropping.set(true);
    };
    let dropped = move |event: DragEvent| {
        event.prevent_default();
        dropping.set(false);
        send(platform::files_with(&event));
    };
    let pasted = move |event: ClipboardEvent| {
        let files = platform::files_with(&event);
        if !files.is_empty() {
            event.prevent_default();
            send(files);
        }
    };
    view! {
        <section
            class=class
            aria-label=words::chat::CHAT
            on:dragover=over
            on:dragleave=move |_| dropping.set(false)
            on:drop=dropped
            on:paste=pasted
        >
            <Log/>
            <Transfers attach/>
            <Composer channel attach deliveries/>
        </section>
    }
    .into_any()
}

/// Takes back that nothing gets through to somebody, if that is what is still said.
fn mended(stalled: StoredValue<Option<(PeerId, String)>>, peer: PeerId, problem: RwSignal<String>) {
    let said = stalled.try_update_value(|stalled| stalled.take_if(|(whom, _)| *whom == peer)).flatten();
    if let Some((_, text)) = said
        && problem.with_untracked(|problem| *problem == text)
    {
        problem.set(String::new());
    }
}
