//! The messages and the field to write them in.

mod composer;
mod log;

use converge_p2p::Event;
use converge_p2p::PeerId;
use converge_p2p::hooks::{use_channel, use_presence, use_room};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use self::composer::Composer;
use self::log::Log;
use super::{Profile, Shared};
use crate::platform;

/// What travels: text now, more kinds later. JSON, so that a page written in any language can take part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Said {
    text: String,
}

/// A message as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    from: PeerId,
    /// The name at that time: people rename themselves and go.
    name: String,
    text: String,
    /// To whom it was, where it was to one.
    direct: String,
    mine: bool,
    time: String,
}

/// Older lines are let go.
const MAX_LINES: usize = 500;

/// What has been said in this room. Small and `Copy`.
#[derive(Clone, Copy)]
pub(super) struct Lines(RwSignal<Kept>);

#[derive(Default)]
struct Kept {
    lines: Vec<Line>,
    /// How many were let go: the number of the first line that is still there.
    gone: u64,
}

impl Lines {
    pub(super) fn new() -> Self {
        Self(RwSignal::new(Kept::default()))
    }

    fn push(self, mut line: Line) {
        line.time = platform::now();
        self.0.update(|kept| {
            if kept.lines.len() >= MAX_LINES {
                kept.lines.remove(0);
                kept.gone += 1;
            }
            kept.lines.push(line);
        });
    }

    /// The numbers of the lines that are kept; none is used twice.
    fn numbers(self) -> Vec<u64> {
        self.0.with(|kept| (kept.gone..kept.gone + kept.lines.len() as u64).collect())
    }

    fn line(self, number: u64) -> Option<Line> {
        self.0.with_untracked(|kept| kept.lines.get(usize::try_from(number.checked_sub(kept.gone)?).ok()?).cloned())
    }
}

#[component]
pub(super) fn Chat() -> impl IntoView {
    let room = use_room();
    let profiles = use_presence::<Profile>();
    let channel = use_channel::<Said>("chat");
    let Shared { lines, problem, .. } = Shared::get();

    channel.on_message(move |message| {
        let name = Profile::name(profiles.peek(message.from).as_ref(), message.from);
        let direct = if message.direct { "direct, to you" } else { "" }.to_owned();
        let time = String::new();
        lines.push(Line { from: message.from, name, text: message.value.text, direct, mine: false, time });
    });
    room.on_event(move |event| {
        if let Event::Undelivered { messages, .. } = event {
            problem.set(format!("{messages} message(s) could not be delivered: the person has left."));
        }
    });
    Effect::new(move |_| {
        if let Some(error) = channel.error().get() {
            problem.set(error.to_string());
        }
    });

    view! {
        <section class="chat" aria-label="Chat">
            <Log/>
            <Composer channel/>
        </section>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_lines_are_let_go_and_numbers_are_never_used_twice() {
        let owner = Owner::new();
        owner.with(|| {
            let lines = Lines::new();
            let line = |text: u64| Line {
                from: PeerId::from_bytes([1; 32]),
                name: String::new(),
                text: text.to_string(),
                direct: String::new(),
                mine: false,
                time: String::new(),
            };
            for text in 0..MAX_LINES as u64 + 3 {
                lines.push(line(text));
            }
            let numbers = lines.numbers();
            assert_eq!((numbers.len(), numbers[0]), (MAX_LINES, 3));
            assert_eq!(lines.line(3).map(|line| line.text), Some("3".to_owned()));
            assert_eq!(lines.line(2), None);
        });
    }
}
