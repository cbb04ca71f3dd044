//! What has been said in this room, as far as it is kept.

use std::sync::Arc;

use converge_p2p::PeerId;
use leptos::prelude::*;

use super::delivery::Delivery;
use crate::platform::{self, Moment};

/// A message as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) from: PeerId,
    /// The name at that time: people rename themselves and go.
    pub(super) name: String,
    pub(super) text: Arc<str>,
    /// To whom it was, where it was to one.
    pub(super) direct: String,
    pub(super) mine: bool,
    pub(super) at: Moment,
    /// How far it has come, of one's own.
    pub(super) delivery: Option<Delivery>,
}

/// Older lines are let go.
const MAX_LINES: usize = 500;

/// And so are those over this many bytes of text, for a single one may have sixteen million.
const MAX_TEXT_BYTES: usize = 64 * 1024 * 1024;

/// What has been said in this room. Small and `Copy`.
#[derive(Clone, Copy)]
pub(in crate::room) struct Lines {
    kept: RwSignal<Kept>,
    unread: RwSignal<u32>,
    /// Where what this person has not seen yet begins; stays until something comes that they see come.
    pub(super) new_from: RwSignal<Option<u64>>,
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
    pub(in crate::room) fn new(unread: RwSignal<u32>) -> Self {
        Self {
            kept: RwSignal::new(Kept::default()),
            unread,
            new_from: RwSignal::new(None),
            seen: StoredValue::new(true),
        }
    }

    pub(super) fn push(self, mut line: Line) {
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
    pub(super) fn set_seen(self, seen: bool) {
        self.seen.set_value(seen);
        if seen && self.unread.get_untracked() > 0 {
            self.unread.set(0);
        }
    }

    /// The numbers of the lines that are kept; none is used twice.
    pub(super) fn numbers(self) -> Vec<u64> {
        self.kept.with(|kept| (kept.gone..kept.gone + kept.lines.len() as u64).collect())
    }

    pub(super) fn line(self, number: u64) -> Option<Line> {
        self.kept.with_untracked(|kept| kept.lines.get(usize::try_from(number.checked_sub(kept.gone)?).ok()?).cloned())
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
