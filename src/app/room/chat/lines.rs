//! What has been said in this room, as far as it is kept.

use std::sync::Arc;

use converge_p2p::PeerId;
use converge_p2p::hooks::with_next_frame;
use leptos::prelude::*;

use super::delivery::Delivery;
use super::log::MAX_LINKS;
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

/// So many lines are kept.
const MAX_LINES: usize = 500;

/// And at most this many bytes of text beside the newest line, for a single one may have sixteen million.
const MAX_TEXT_BYTES: usize = 64 * 1024 * 1024;

/// The log adds rows of about this many elements with one frame of the screen: the browser lays them out in one task.
const ELEMENTS_PER_FRAME: usize = 200;

/// The elements of a row beside its links.
const ROW_ELEMENTS: usize = 10;

/// What has been said in this room. Small and `Copy`.
#[derive(Clone, Copy)]
pub(in crate::room) struct Lines {
    kept: RwSignal<Kept>,
    unread: RwSignal<u32>,
    /// Where what this person has not seen yet begins; stays until something comes that they see come.
    pub(super) new_from: RwSignal<Option<u64>>,
    /// The end of the log is in view.
    seen: StoredValue<bool>,
    /// Something has come since the last frame of the screen.
    fires: StoredValue<bool>,
}

#[derive(Default)]
struct Kept {
    /// In the order of their numbers.
    lines: Vec<(u64, Line)>,
    /// Each author's share of these.
    authors: Vec<(PeerId, Share)>,
    /// The number of the next line.
    next: u64,
    /// The log has rows for lines with lower numbers, and for one's own.
    shown: u64,
    text_bytes: usize,
}

/// One author's lines.
#[derive(Default)]
struct Share {
    lines: usize,
    text_bytes: usize,
}

impl Kept {
    /// Returns the line's number.
    fn push(&mut self, line: Line) -> u64 {
        let number = self.next;
        self.next += 1;
        self.text_bytes += line.text.len();
        let at = self.authors.iter().position(|(author, _)| *author == line.from).unwrap_or_else(|| {
            self.authors.push((line.from, Share::default()));
            self.authors.len() - 1
        });
        let share = &mut self.authors[at].1;
        (share.lines, share.text_bytes) = (share.lines + 1, share.text_bytes + line.text.len());
        self.lines.push((number, line));
        // The newest is kept whatever its size.
        while self.lines.len() > 1 && self.text_bytes > MAX_TEXT_BYTES {
            self.drop_oldest(|share| share.text_bytes);
        }
        while self.lines.len() > MAX_LINES {
            self.drop_oldest(|share| share.lines);
        }
        number
    }

    /// Returns the numbers of the lines that the log shows.
    fn numbers(&self) -> Vec<u64> {
        let shown = self.lines.iter().filter(|(number, line)| *number < self.shown || line.mine);
        shown.map(|(number, _)| *number).collect()
    }

    /// Shows the log as many more lines as one frame has time for, and at least one. Returns whether others wait.
    fn show_more(&mut self) -> bool {
        let mut left = ELEMENTS_PER_FRAME;
        let first = self.lines.partition_point(|(number, _)| *number < self.shown);
        for (number, line) in &self.lines[first..] {
            let elements = ROW_ELEMENTS + line.text.matches("://").take(MAX_LINKS).count();
            if elements > left && left < ELEMENTS_PER_FRAME {
                return true;
            }
            left = left.saturating_sub(elements);
            self.shown = number + 1;
        }
        false
    }

    /// Drops the oldest line of the author with the most, so that a flood evicts its own lines. The newest line stays.
    fn drop_oldest(&mut self, most: impl Fn(&Share) -> usize) {
        let most = self.authors.iter().max_by_key(|(_, share)| most(share)).map(|(author, _)| *author);
        let older = &self.lines[..self.lines.len() - 1];
        let at = most.and_then(|most| older.iter().position(|(_, line)| line.from == most)).unwrap_or_default();
        let (_, line) = self.lines.remove(at);
        self.text_bytes -= line.text.len();
        if let Some(at) = self.authors.iter().position(|(author, _)| *author == line.from) {
            let share = &mut self.authors[at].1;
            (share.lines, share.text_bytes) = (share.lines - 1, share.text_bytes - line.text.len());
            if share.lines == 0 {
                self.authors.swap_remove(at);
            }
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
            fires: StoredValue::new(false),
        }
    }

    /// Adds a line. The log shows it with the next frame of the screen, together with the others that have come by then,
    /// unless they are too many for one frame; one's own at once. Returns whether no other was waiting.
    pub(super) fn push(self, mut line: Line) -> bool {
        line.at = platform::now();
        let mine = line.mine;
        let Some(number) = self.kept.try_write_untracked().map(|mut kept| kept.push(line)) else { return false };
        let (mut new_from, mut unread) = (self.new_from.write_untracked(), self.unread.write_untracked());
        if mine || self.seen.get_value() {
            *new_from = None;
        } else {
            *unread += 1;
            new_from.get_or_insert(number);
        }
        drop((new_from, unread));
        if mine {
            // Others' lines keep to the frame that they wait for.
            self.notify();
            return false;
        }
        let is_first = self.fires.try_update_value(|fires| !std::mem::replace(fires, true)) == Some(true);
        if is_first {
            with_next_frame(move || self.fire());
        }
        is_first
    }

    fn fire(self) {
        if self.fires.try_update_value(std::mem::take) != Some(true) {
            return;
        }
        let Some(others_wait) = self.kept.try_write_untracked().map(|mut kept| kept.show_more()) else { return };
        self.notify();
        if others_wait {
            self.fires.set_value(true);
            with_next_frame(move || self.fire());
        }
    }

    fn notify(self) {
        self.kept.notify();
        self.new_from.notify();
        self.unread.notify();
    }

    /// Whether the newest line is before this person's eyes.
    pub(super) fn set_seen(self, seen: bool) {
        self.seen.set_value(seen);
        if seen && self.unread.get_untracked() > 0 {
            self.unread.set(0);
        }
    }

    /// The numbers of the lines that are kept and shown; none is used twice.
    pub(super) fn numbers(self) -> Vec<u64> {
        self.kept.with(Kept::numbers)
    }

    pub(super) fn line(self, number: u64) -> Option<Line> {
        self.kept.with_untracked(|kept| {
            let at = kept.lines.binary_search_by_key(&number, |(number, _)| *number).ok()?;
            Some(kept.lines[at].1.clone())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(from: u8, text: impl ToString) -> Line {
        Line {
            from: PeerId::from_bytes([from; 32]),
            name: String::new(),
            text: text.to_string().into(),
            direct: String::new(),
            mine: false,
            at: Moment::default(),
            delivery: None,
        }
    }

    #[test]
    fn unseen_lines_are_counted_until_they_are_seen() {
        let owner = Owner::new();
        owner.with(|| {
            let unread = RwSignal::new(0);
            let lines = Lines::new(unread);
            lines.push(line(1, ""));
            assert_eq!((unread.get_untracked(), lines.new_from.get_untracked()), (0, None));
            lines.set_seen(false);
            lines.push(line(1, ""));
            lines.push(line(1, ""));
            assert_eq!((unread.get_untracked(), lines.new_from.get_untracked()), (2, Some(1)));
            lines.set_seen(true);
            assert_eq!((unread.get_untracked(), lines.new_from.get_untracked()), (0, Some(1)), "the mark stays");
            lines.push(line(1, ""));
            assert_eq!(lines.new_from.get_untracked(), None);
        });
    }

    #[test]
    fn old_lines_are_dropped_and_numbers_are_never_used_twice() {
        let owner = Owner::new();
        owner.with(|| {
            let lines = Lines::new(RwSignal::new(0));
            for text in 0..MAX_LINES + 3 {
                lines.push(line(1, text));
            }
            let numbers = lines.numbers();
            assert_eq!((numbers.len(), numbers[0]), (MAX_LINES, 3));
            assert_eq!(lines.line(3).map(|line| line.text), Some("3".into()));
            assert_eq!(lines.line(2), None);

            // A few that are huge are as many as fit, and one that fits with nothing is kept.
            for _ in 0..5 {
                lines.push(line(1, "x".repeat(MAX_TEXT_BYTES / 4)));
            }
            assert_eq!(lines.numbers().len(), 4);
            lines.push(line(1, "x".repeat(MAX_TEXT_BYTES + 1)));
            assert_eq!(lines.numbers().len(), 1);
        });
    }

    #[test]
    fn long_lines_of_one_author_do_not_push_out_the_lines_of_others() {
        let mut kept = Kept::default();
        for text in 0..20 {
            kept.push(line(1, text));
        }
        for _ in 0..9 {
            kept.push(line(2, "x".repeat(MAX_TEXT_BYTES / 4)));
        }
        assert!((0..20).all(|at| kept.lines[at].1.from == PeerId::from_bytes([1; 32])));
        assert_eq!(kept.lines.len(), 20 + 3);
        // The newest is kept, and nothing beside it that it leaves no room for.
        kept.push(line(1, "x".repeat(MAX_TEXT_BYTES + 1)));
        assert_eq!(kept.lines.len(), 1);
        assert_eq!(kept.text_bytes, MAX_TEXT_BYTES + 1);
    }

    #[test]
    fn a_frame_shows_as_many_lines_as_it_has_time_for() {
        let mut kept = Kept::default();
        for _ in 0..30 {
            kept.push(line(1, ""));
        }
        assert!(kept.show_more());
        assert_eq!(kept.shown, 20);
        // One's own are shown at once.
        kept.push(Line { mine: true, ..line(2, "") });
        assert_eq!(kept.numbers(), (0..20).chain([30]).collect::<Vec<_>>());
        assert!(!kept.show_more());
        assert_eq!(kept.shown, 31);

        // Addresses are elements too, as far as they become links.
        for _ in 0..10 {
            kept.push(line(1, "http://a ".repeat(400)));
        }
        assert!(kept.show_more());
        assert_eq!(kept.shown, 34);
        while kept.show_more() {}
        assert_eq!(kept.shown, 41);

        // Lines that were dropped meanwhile are passed over.
        for _ in 0..2 * MAX_LINES {
            kept.push(line(1, ""));
        }
        assert!(kept.show_more());
        assert_eq!(kept.lines[0].0, 30, "another author's line stays");
        assert_eq!(kept.shown, kept.lines[1].0 + 20);
    }

    #[test]
    fn a_flood_of_one_author_does_not_push_out_the_lines_of_others() {
        let mut kept = Kept::default();
        for text in 0..20 {
            kept.push(line(1, text));
        }
        for text in 0..2000 {
            kept.push(line(2, text));
        }
        assert_eq!(kept.lines.len(), MAX_LINES);
        assert!((0..20).all(|at| kept.lines[at].1.from == PeerId::from_bytes([1; 32])));
        assert_eq!(kept.lines.last().map(|(number, line)| (*number, &*line.text)), Some((2019, "1999")));
        // Nor do several together.
        for text in 0..2000 {
            kept.push(line(3 + (text % 3) as u8, text));
        }
        assert!((0..20).all(|at| kept.lines[at].1.from == PeerId::from_bytes([1; 32])));
        assert_eq!(kept.authors.len(), 5);
        assert_eq!(kept.authors.iter().map(|(_, share)| share.lines).sum::<usize>(), MAX_LINES);
    }
}
