//! The messages and the field to write them in.

mod composer;
mod delivery;
mod links;
mod log;
mod transfers;

use std::sync::Arc;

use converge_p2p::hooks::{use_channel, use_peers, use_presence, use_room, use_transfers};
use converge_p2p::{Activity, Event, LocalFile, PeerId};
use leptos::ev::{ClipboardEvent, DragEvent};
use leptos::html::Button;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use self::composer::{Composer, send_files};
use self::delivery::Deliveries;
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

/// A message as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    from: PeerId,
    /// The name at that time: people rename themselves and go.
    name: String,
    text: Arc<str>,
    /// To whom it was, where it was to one.
    direct: String,
    mine: bool,
    at: Moment,
    /// Who has it, of one's own.
    delivery: Option<RwSignal<String>>,
}

/// Older lines are let go.
const MAX_LINES: usize = 500;

/// And so are those over this many bytes of text, for a single one may have sixteen million.
const MAX_TEXT_BYTES: usize = 64 * 1024 * 1024;

/// What has been said in this room. Small and `Copy`.
#[derive(Clone, Copy)]
pub(super) struct Lines {
    kept: RwSignal<Kept>,
    unread: RwSignal<u32>,
    /// Where what this person has not seen yet begins; stays until something comes that they see come.
    new_from: RwSignal<Option<u64>>,
    /// The end of the log is in view.
    seen: StoredValue<bool>,
}

#[derive(Default)]
struct Kept {
    lines: Vec<Line>,
    /// How many were let go: the number of the first line that is still there.
    gone: u64,
    text_bytes: usize,
}

impl Kept {
    fn push(&mut self, line: Line) {
        self.text_bytes += line.text.len();
        self.lines.push(line);
        // The newest is kept whatever its size.
        while self.lines.len() > MAX_LINES || self.lines.len() > 1 && self.text_bytes > MAX_TEXT_BYTES {
            self.text_bytes -= self.lines.remove(0).text.len();
            self.gone += 1;
        }
    }
}

impl Lines {
    pub(super) fn new(unread: RwSignal<u32>) -> Self {
        Self {
            kept: RwSignal::new(Kept::default()),
            unread,
            new_from: RwSignal::new(None),
            seen: StoredValue::new(true),
        }
    }

    fn push(self, mut line: Line) {
        line.at = platform::now();
        let mine = line.mine;
        let number = self.kept.try_update(|kept| {
            kept.push(line);
            kept.gone + kept.lines.len() as u64 - 1
        });
        if mine || self.seen.get_value() {
            if self.new_from.with_untracked(Option::is_some) {
                self.new_from.set(None);
            }
        } else {
            self.unread.update(|unread| *unread += 1);
            if self.new_from.with_untracked(Option::is_none) {
                self.new_from.set(number);
            }
        }
    }

    /// Whether the newest line is before this person's eyes.
    fn set_seen(self, seen: bool) {
        self.seen.set_value(seen);
        if seen && self.unread.get_untracked() > 0 {
            self.unread.set(0);
        }
    }

    /// The numbers of the lines that are kept; none is used twice.
    fn numbers(self) -> Vec<u64> {
        self.kept.with(|kept| (kept.gone..kept.gone + kept.lines.len() as u64).collect())
    }

    fn line(self, number: u64) -> Option<Line> {
        self.kept.with_untracked(|kept| kept.lines.get(usize::try_from(number.checked_sub(kept.gone)?).ok()?).cloned())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_unseen_is_counted_until_it_is_seen() {
        let owner = Owner::new();
        owner.with(|| {
            let unread = RwSignal::new(0);
            let lines = Lines::new(unread);
            let line = |mine| Line {
                from: PeerId::from_bytes([1; 32]),
                name: String::new(),
                text: "".into(),
                direct: String::new(),
                mine,
                at: Moment::default(),
                delivery: None,
            };
            lines.push(line(false));
            assert_eq!((unread.get_untracked(), lines.new_from.get_untracked()), (0, None));
            lines.set_seen(false);
            lines.push(line(false));
            lines.push(line(false));
            assert_eq!((unread.get_untracked(), lines.new_from.get_untracked()), (2, Some(1)));
            lines.set_seen(true);
            assert_eq!((unread.get_untracked(), lines.new_from.get_untracked()), (0, Some(1)), "the mark stays");
            lines.push(line(false));
            assert_eq!(lines.new_from.get_untracked(), None);
        });
    }

    #[test]
    fn old_lines_are_let_go_and_numbers_are_never_used_twice() {
        let owner = Owner::new();
        owner.with(|| {
            let lines = Lines::new(RwSignal::new(0));
            let line = |text: u64| Line {
                from: PeerId::from_bytes([1; 32]),
                name: String::new(),
                text: text.to_string().into(),
                direct: String::new(),
                mine: false,
                at: Moment::default(),
                delivery: None,
            };
            for text in 0..MAX_LINES as u64 + 3 {
                lines.push(line(text));
            }
            let numbers = lines.numbers();
            assert_eq!((numbers.len(), numbers[0]), (MAX_LINES, 3));
            assert_eq!(lines.line(3).map(|line| line.text), Some("3".into()));
            assert_eq!(lines.line(2), None);

            // A few that are huge are as many as fit, and one that fits with nothing is kept.
            let huge = |bytes: usize| Line { text: "x".repeat(bytes).into(), ..line(0) };
            for _ in 0..5 {
                lines.push(huge(MAX_TEXT_BYTES / 4));
            }
            assert_eq!(lines.numbers().len(), 4);
            lines.push(huge(MAX_TEXT_BYTES + 1));
            assert_eq!(lines.numbers().len(), 1);
        });
    }
}
