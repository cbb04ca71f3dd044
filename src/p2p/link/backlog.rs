//! Frames that a peer has sent on a link and this page has not handled yet.
//!
//! Frames wait here so that one peer can't keep the page busy: the room serves the links in turn, and the driver stops
//! when its time slice ends. Waiting messages are not acknowledged, so the sender's credit bounds them
//! ([`MAX_QUEUED_MESSAGES`], [`MAX_QUEUED_BYTES`]): back-pressure slows a fast sender, and nothing is lost. Frames
//! without credit are coalesced (presence, activity), dropped where their lane allows it, or bounded in number.

use std::collections::VecDeque;

use crate::lane::Lane;
use crate::map::SortedMap;
use crate::stream::{MAX_QUEUED_ANSWERS, MAX_QUEUED_BYTES, MAX_QUEUED_MESSAGES};
use crate::wire::{self, Frame, MAX_SLOTS, WireError};

/// At most this many frames without credit wait: pings, acknowledgements, negotiation, the credit of files. A page that
/// was frozen while its own 4,096 messages were acknowledged finds about a hundred.
const CONTROL_FRAMES: usize = 2048;

/// At most this many bytes of these frames wait; negotiation and presence make the large ones.
const CONTROL_BYTES: usize = 4 * 1024 * 1024;

/// At most this many messages of lossy lanes wait; beyond it, the newest are dropped.
const LOOSE_FRAMES: usize = 1024;

/// At most this many bytes of these messages wait.
const LOOSE_BYTES: usize = 1024 * 1024;

/// A pack is handled in steps of this many bodies, because each may cost the application much.
const STEP_BODIES: usize = 32;

/// An entry and its allocation take about this much beside the frame: frames of two bytes are no small load.
const ENTRY_BYTES: usize = 64;

/// The counts of sender and receiver may differ by this much: lengths in front of packed bodies.
const SLACK_BYTES: usize = 64 * 1024;

/// An entry that waits for its turn.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A frame received on this lane.
    Frame(Lane, Vec<u8>),
    /// The connection is closed: nothing follows.
    Closed,
}

#[derive(Debug)]
struct Waiting {
    kind: Kind,
    entry: Entry,
    /// In a pack, the bytes of the bodies already handled.
    done: usize,
}

/// How an entry is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Acknowledged data, in which this many messages begin.
    Messages(usize),
    /// A piece of a file: the credit of its transfer bounds it.
    File,
    /// A message of a lossy lane.
    Loose,
    /// A presence value of this version.
    Presence(u64),
    /// The peer's activity.
    Activity,
    /// Any other frame.
    Control,
}

/// Messages of one lane, or frames of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

impl Load {
    fn add(&mut self, messages: usize, bytes: usize) {
        self.messages += messages;
        self.bytes += bytes;
    }

    fn take(&mut self, messages: usize, bytes: usize) {
        self.messages -= messages;
        self.bytes -= bytes;
    }
}

/// The waiting frames of one link, in order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    entries: VecDeque<Waiting>,
    /// The number of entries popped so far: entry number `n` is at index `n - taken`.
    taken: u64,
    /// The number of the entry that holds the newest value of each presence slot.
    slots: SortedMap<String, u64>,
    /// The same for the peer's activity.
    activity: Option<u64>,
    /// The waiting messages, by lane.
    messages: Vec<Load>,
    loose: Load,
    control: Load,
    bytes: usize,
}

impl Backlog {
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the bytes that all waiting frames take, with their entries.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Queues a frame. `handled`: messages handled on the lane and not acknowledged yet.
    ///
    /// # Errors
    /// Returns [`WireError::Overload`] if the peer ignores its credit, or more frames without credit wait than a converge
    /// peer sends.
    pub(crate) fn push(&mut self, lane: Lane, bytes: Vec<u8>, handled: Load) -> Result<(), WireError> {
        let length = bytes.len();
        let kind = kind(&bytes);
        match kind {
            Kind::Messages(messages) => {
                if self.messages.len() <= lane.index() {
                    self.messages.resize(lane.index() + 1, Load::default());
                }
                let waiting = &mut self.messages[lane.index()];
                waiting.add(messages, length);
                // Answers have a share of their own, of as many bytes.
                if waiting.messages + handled.messages > MAX_QUEUED_MESSAGES + MAX_QUEUED_ANSWERS
                    || waiting.bytes + handled.bytes > 2 * MAX_QUEUED_BYTES + SLACK_BYTES
                {
                    return Err(WireError::Overload { what: "unacknowledged messages" });
                }
            }
            Kind::File => {}
            Kind::Loose if self.loose.messages >= LOOSE_FRAMES || self.loose.bytes + length > LOOSE_BYTES => {
                return Ok(());
            }
            Kind::Loose => self.loose.add(1, length),
            Kind::Presence(_) | Kind::Activity | Kind::Control => {
                if let Some(at) = self.older_value(&bytes, kind) {
                    self.replace(at, kind, lane, bytes);
                    return Ok(());
                }
                self.control.add(1, length);
                if self.control.messages > CONTROL_FRAMES || self.control.bytes > CONTROL_BYTES {
                    return Err(WireError::Overload { what: "control frames" });
                }
            }
        }
        self.bytes += length + ENTRY_BYTES;
        self.entries.push_back(Waiting { kind, entry: Entry::Frame(lane, bytes), done: 0 });
        Ok(())
    }

    /// Returns the index of the waiting value that this frame replaces. Without one, records this frame's number.
    fn older_value(&mut self, bytes: &[u8], kind: Kind) -> Option<usize> {
        let next = self.taken + self.entries.len() as u64;
        let number = match kind {
            Kind::Presence(_) => {
                let slot = slot(bytes)?;
                let waiting = self.slots.get(slot).copied();
                // A peer with more slots than allowed has its link closed once they are handled.
                if waiting.is_none() && self.slots.len() <= MAX_SLOTS {
                    self.slots.insert(slot.to_owned(), next);
                }
                waiting?
            }
            Kind::Activity => {
                let waiting = self.activity;
                self.activity = waiting.or(Some(next));
                waiting?
            }
            _ => return None,
        };
        usize::try_from(number.checked_sub(self.taken)?).ok()
    }

    fn replace(&mut self, at: usize, newer: Kind, lane: Lane, bytes: Vec<u8>) {
        let Some(Waiting { kind, entry: Entry::Frame(of, older), .. }) = self.entries.get_mut(at) else { return };
        // Unordered lanes may deliver the older value last.
        if let (Kind::Presence(newer), Kind::Presence(older)) = (newer, *kind)
            && newer < older
        {
            return;
        }
        self.bytes = self.bytes - older.len() + bytes.len();
        self.control.bytes = self.control.bytes - older.len() + bytes.len();
        (*kind, *of, *older) = (newer, lane, bytes);
    }

    /// Queues the end of the connection behind the waiting frames.
    pub(crate) fn close(&mut self) {
        self.entries.push_back(Waiting { kind: Kind::Control, entry: Entry::Closed, done: 0 });
    }

    /// Removes the next entry; of a large pack, a pack of its next bodies.
    pub(crate) fn pop(&mut self) -> Option<Entry> {
        let first = self.entries.front_mut()?;
        if let (Kind::Messages(messages @ STEP_BODIES..), Entry::Frame(lane, bytes)) = (&mut first.kind, &first.entry)
            && bytes.first() == Some(&wire::PACK)
        {
            let rest = &bytes[1 + first.done..];
            let (bodies, length) = wire::measure_packed(rest, STEP_BODIES);
            if length < rest.len() {
                let step = [&[wire::PACK], &rest[..length]].concat();
                let lane = *lane;
                first.done += length;
                *messages -= bodies;
                self.bytes -= length;
                self.messages[lane.index()].take(bodies, length);
                return Some(Entry::Frame(lane, step));
            }
        }
        let Waiting { kind, entry, done } = self.entries.pop_front()?;
        self.taken += 1;
        let Entry::Frame(lane, mut bytes) = entry else { return Some(entry) };
        let length = bytes.len() - done;
        self.bytes -= length + ENTRY_BYTES;
        match kind {
            Kind::Messages(messages) => self.messages[lane.index()].take(messages, length),
            Kind::File => {}
            Kind::Loose => self.loose.take(1, length),
            Kind::Presence(_) | Kind::Activity | Kind::Control => self.control.take(1, length),
        }
        match kind {
            Kind::Presence(_) => {
                slot(&bytes).and_then(|slot| self.slots.remove(slot));
            }
            Kind::Activity => self.activity = None,
            _ => {}
        }
        if done > 0 {
            bytes.drain(1..=done);
        }
        Some(Entry::Frame(lane, bytes))
    }
}

/// The slot of a presence value.
fn slot(bytes: &[u8]) -> Option<&str> {
    match Frame::decode(bytes) {
        Ok(Frame::Presence { slot, .. }) => Some(slot),
        _ => None,
    }
}

fn kind(bytes: &[u8]) -> Kind {
    match bytes.first() {
        Some(&(wire::WHOLE | wire::FIRST)) => Kind::Messages(1),
        Some(&wire::MORE) => Kind::Messages(0),
        // An oversized pack is refused when it is handled.
        Some(&wire::PACK) if bytes.len() > wire::MAX_PACK_BYTES => Kind::Messages(1),
        Some(&wire::PACK) => Kind::Messages(wire::measure_packed(&bytes[1..], usize::MAX).0),
        Some(&wire::FILE) => Kind::File,
        Some(&wire::LOOSE) => Kind::Loose,
        Some(&(wire::PRESENCE | wire::ACTIVITY)) => match Frame::decode(bytes) {
            Ok(Frame::Presence { counter, .. }) => Kind::Presence(counter),
            Ok(Frame::Activity(_)) => Kind::Activity,
            _ => Kind::Control,
        },
        _ => Kind::Control,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::wire::{Body, Value};

    fn presence(slot: &str, counter: u64, bytes: &[u8]) -> Vec<u8> {
        Frame::Presence { slot, counter, value: Some(Value { codec: 0, bytes }) }.encode().unwrap()
    }

    fn loose() -> Vec<u8> {
        Frame::Loose { channel: "c", direct: false, value: Value { codec: 0, bytes: &[0; 1000] } }.encode().unwrap()
    }

    fn push(backlog: &mut Backlog, bytes: Vec<u8>) -> Result<(), WireError> {
        backlog.push(Lane::RELIABLE, bytes, Load::default())
    }

    fn drain(backlog: &mut Backlog) -> Vec<Vec<u8>> {
        let frame = |entry| match entry {
            Entry::Frame(_, bytes) => bytes,
            Entry::Closed => Vec::new(),
        };
        let all = std::iter::from_fn(|| backlog.pop()).map(frame).collect();
        let counts = (backlog.bytes, backlog.control, backlog.loose, backlog.slots.len());
        assert_eq!(counts, (0, Load::default(), Load::default(), 0));
        assert!(backlog.messages.iter().all(|load| *load == Load::default()));
        all
    }

    #[test]
    fn frames_come_out_as_they_went_in() {
        let mut backlog = Backlog::default();
        let frames =
            [vec![wire::WHOLE, 3, 1], vec![wire::FIRST, 9, 1], vec![wire::MORE, 1], vec![wire::FILE, 1, 0, 7], loose()];
        for frame in &frames {
            push(&mut backlog, frame.clone()).unwrap();
        }
        backlog.close();
        assert_eq!(backlog.bytes(), frames.concat().len() + frames.len() * ENTRY_BYTES);
        let mut expected = frames.to_vec();
        expected.push(Vec::new());
        assert_eq!(drain(&mut backlog), expected);
        assert!(backlog.is_empty());
    }

    #[test]
    fn of_presence_and_activity_only_the_newest_waits() {
        let mut backlog = Backlog::default();
        push(&mut backlog, vec![wire::WHOLE, 3, 1]).unwrap();
        for counter in 1..=1400 {
            push(&mut backlog, presence("a", counter, &[0; 15_000])).unwrap();
            push(&mut backlog, presence("b", counter, b"b")).unwrap();
            push(&mut backlog, Frame::Activity((counter % 3) as u8).encode().unwrap()).unwrap();
        }
        // An overtaken value from the lossy lane.
        push(&mut backlog, presence("a", 7, b"late")).unwrap();
        let newest =
            [presence("a", 1400, &[0; 15_000]), presence("b", 1400, b"b"), Frame::Activity(2).encode().unwrap()];
        assert!(drain(&mut backlog)[1..] == newest);
        // A handled value is not replaced.
        push(&mut backlog, presence("a", 1401, b"c")).unwrap();
        assert_eq!(drain(&mut backlog), [presence("a", 1401, b"c")]);
    }

    #[test]
    fn a_pack_is_handled_in_steps_that_lose_nothing() {
        let mut backlog = Backlog::default();
        let mut frame = vec![wire::PACK];
        for number in 0..1000 {
            wire::pack(&mut frame, &Body::Cancel(number).encode().unwrap()[1..]);
        }
        push(&mut backlog, frame.clone()).unwrap();
        push(&mut backlog, vec![wire::WHOLE, 3, 1]).unwrap();
        let steps = drain(&mut backlog);
        assert_eq!(steps.len(), 1000_usize.div_ceil(STEP_BODIES) + 1);
        let bodies: Vec<u8> = steps[..steps.len() - 1].iter().flat_map(|step| step[1..].to_vec()).collect();
        assert_eq!(bodies, frame[1..]);
    }

    #[test]
    fn a_peer_that_ignores_its_credit_is_refused() {
        let mut backlog = Backlog::default();
        let most = MAX_QUEUED_MESSAGES + MAX_QUEUED_ANSWERS;
        let handled = Load { messages: 100, bytes: 0 };
        let sent = (0..).find(|_| backlog.push(Lane::RELIABLE, vec![wire::WHOLE, 3, 1], handled).is_err());
        assert_eq!(sent, Some(most - 100));
        let (mut backlog, mut sent) = (Backlog::default(), 0);
        while push(&mut backlog, [&[wire::MORE][..], &[0; 65_535]].concat()).is_ok() {
            sent += 65_536;
        }
        assert!((2 * MAX_QUEUED_BYTES..2 * MAX_QUEUED_BYTES + 2 * SLACK_BYTES).contains(&sent), "{sent}");
    }

    #[test]
    fn frames_without_credit_are_bounded() {
        let mut backlog = Backlog::default();
        for _ in 0..10_000 {
            push(&mut backlog, loose()).unwrap();
        }
        assert!(backlog.bytes() <= LOOSE_BYTES + LOOSE_FRAMES * ENTRY_BYTES);
        let refused = (0..).find(|n| push(&mut backlog, Frame::Ping(*n).encode().unwrap()).is_err());
        assert_eq!(refused, Some(CONTROL_FRAMES as u32));
        let mut backlog = Backlog::default();
        let large = Frame::Negotiation(&"x".repeat(60_000)).encode().unwrap();
        assert!((0..1000).any(|_| push(&mut backlog, large.clone()).is_err()));
    }
}
