//! One reliable lane to one peer: messages in order, over any number of connections.
//!
//! Both ends count messages. What has been handed to a connection is kept until the other end acknowledges it, and handed
//! to the next connection where that one says it left off: at a message, or in the middle of one. The data channel beneath
//! keeps order and repeats what is lost, so nothing need be numbered on the wire while a connection lasts.
//!
//! A message that fits a frame is sent as it is kept, its first byte being [`wire::WHOLE`]; a larger one is split
//! into [`wire::FIRST`] and [`wire::MORE`] parts; small ones that wait together go as one [`wire::PACK`].

use std::collections::VecDeque;
use std::sync::Arc;

use crate::link::Load;
use crate::timer::Time;
use crate::wire::{self, MAX_MESSAGE_BYTES, MAX_PACK_BYTES, MORE, PACK, WireError};

/// At most this many messages wait for a peer on one lane, or for its acknowledgement.
pub const MAX_QUEUED_MESSAGES: usize = 4096;

/// At most this many bytes of messages do: one of the largest messages, or many small ones.
pub const MAX_QUEUED_BYTES: usize = MAX_MESSAGE_BYTES + 64 * 1024;

/// At most this many answers to a peer's requests and offers wait beside the application's messages, with
/// [`MAX_QUEUED_BYTES`] of their own. A peer that makes this side answer thus takes no room from the application.
pub const MAX_QUEUED_ANSWERS: usize = 1024;

/// Who waits until a lane is ready may send again when no more than this is unacknowledged: some round trips of a fast
/// link, and little enough to hold for each peer.
pub const READY_BYTES: usize = 1024 * 1024;
pub(crate) const READY_MESSAGES: usize = MAX_QUEUED_MESSAGES / 2;

/// Messages of up to so many bytes go together where several wait: a larger one costs little more than its bytes.
const SMALL_BYTES: usize = 1024;

/// What is written in front of each of them, at most.
const LENGTH_BYTES: usize = 2;

/// The receiver acknowledges at the latest after so much, whatever its timers do.
const ACK_MESSAGES: u32 = 64;
const ACK_BYTES: usize = 256 * 1024;

/// A place in the sequence of messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// How many messages lie before it.
    pub(crate) messages: u64,
    /// How many bytes of the one at it do.
    pub(crate) bytes: u64,
}

/// The sending end of a reliable lane.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    /// From the first unacknowledged one on.
    queue: VecDeque<Arc<[u8]>>,
    bytes: usize,
    /// Queued answers to the other end ([`wire::is_answer`]).
    answers: usize,
    answer_bytes: usize,
    /// The number of the first in the queue.
    base: u64,
    /// What the other end has acknowledged, within the first message too.
    acked: Place,
    /// What comes next on this connection.
    next: Place,
    /// The furthest that was ever handed to a connection: beyond it nothing can have arrived.
    tried: Place,
    /// How many messages were ever accepted.
    accepted: u64,
}

impl Outgoing {
    /// Takes a message (behind its [`wire::WHOLE`] byte) in; false if too much waits.
    pub(crate) fn push(&mut self, message: Arc<[u8]>) -> bool {
        let answer = wire::is_answer(&message);
        let (messages, bytes, most) = if answer {
            (self.answers, self.answer_bytes, MAX_QUEUED_ANSWERS)
        } else {
            (self.queue.len() - self.answers, self.bytes - self.answer_bytes, MAX_QUEUED_MESSAGES)
        };
        if messages >= most || bytes + message.len() > MAX_QUEUED_BYTES {
            return false;
        }
        if answer {
            self.answers += 1;
            self.answer_bytes += message.len();
        }
        self.bytes += message.len();
        self.queue.push_back(message);
        self.accepted += 1;
        true
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn messages(&self) -> usize {
        self.queue.len()
    }

    /// How many messages were ever accepted: the number of the newest, from 1.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted
    }

    /// How many of them are acknowledged or given up.
    pub(crate) fn settled(&self) -> u64 {
        self.accepted - self.queue.len() as u64
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.bytes - self.answer_bytes <= READY_BYTES && self.queue.len() - self.answers <= READY_MESSAGES
    }

    /// The next frame for a connection that takes frames of up to `limit` bytes.
    pub(crate) fn frame(&mut self, limit: usize) -> Option<Arc<[u8]>> {
        let index = usize::try_from(self.next.messages - self.base).ok()?;
        if let Some(frame) = self.pack(index, limit) {
            return Some(frame);
        }
        let message = self.queue.get(index)?;
        // Without the byte in front.
        let total = message.len() - 1;
        if self.next.bytes == 0 && message.len() <= limit {
            self.next.messages += 1;
            self.tried = self.tried.max(self.next);
            return Some(message.clone());
        }
        let done = usize::try_from(self.next.bytes).ok()?;
        let head = if done == 0 { wire::first(total) } else { vec![MORE] };
        let end = total.min(done + limit.saturating_sub(head.len()).max(1));
        let frame = [&head, &message[1 + done..1 + end]].concat();
        if end == total {
            self.next = Place { messages: self.next.messages + 1, bytes: 0 };
        } else {
            self.next.bytes = end as u64;
        }
        self.tried = self.tried.max(self.next);
        Some(frame.into())
    }

    /// Several small messages as one frame, from the one at `index` on; none if fewer than two wait there.
    fn pack(&mut self, index: usize, limit: usize) -> Option<Arc<[u8]>> {
        let limit = limit.min(MAX_PACK_BYTES);
        let mut bytes = 1;
        let waiting = self.queue.iter().skip(index);
        let small = waiting.take_while(|message| {
            bytes += LENGTH_BYTES + message.len();
            message.len() <= SMALL_BYTES && bytes <= limit
        });
        let count = if self.next.bytes == 0 { small.count() } else { 0 };
        if count < 2 {
            return None;
        }
        let mut frame = Vec::with_capacity(limit);
        frame.push(PACK);
        for message in self.queue.iter().skip(index).take(count) {
            wire::pack(&mut frame, &message[1..]);
        }
        self.next.messages += count as u64;
        self.tried = self.tried.max(self.next);
        Some(frame.into())
    }

    /// Whether [`frame`](Self::frame) has something.
    pub(crate) fn has_more(&self) -> bool {
        self.next.messages - self.base < self.queue.len() as u64
    }

    /// The other end has everything before this place. Whether that is news.
    ///
    /// # Errors
    /// If it can't, since that was never sent.
    pub(crate) fn acknowledge(&mut self, place: Place) -> Result<bool, WireError> {
        if place > self.tried || (place.messages == self.tried.messages && place.bytes > self.tried.bytes) {
            return Err(WireError::Impossible { what: "acknowledgement" });
        }
        if place <= self.acked {
            // Late, or said twice.
            return Ok(false);
        }
        while self.base < place.messages && self.pop() {
            self.base += 1;
        }
        self.acked = place;
        Ok(true)
    }

    /// Begins on a new connection, whose other end has everything before this place. Whether that is news.
    ///
    /// # Errors
    /// If it can't, or has lost what it said it had.
    pub(crate) fn resume(&mut self, place: Place) -> Result<bool, WireError> {
        let within = self.queue.get(usize::try_from(place.messages.saturating_sub(self.base)).unwrap_or(usize::MAX));
        let fits = place.bytes == 0 || within.is_some_and(|message| (place.bytes as usize) < message.len());
        if place < self.acked || !fits {
            return Err(WireError::Impossible { what: "place to resume at" });
        }
        let moved = self.acknowledge(place)?;
        self.next = place;
        Ok(moved)
    }

    /// The other end has lost its memory of this one. What was ever handed over may or may not have arrived, and is
    /// given up: returns how many messages. The rest is kept.
    pub(crate) fn start_over(&mut self) -> usize {
        let partly = u64::from(self.tried.bytes > 0);
        let tried = (self.tried.messages + partly).saturating_sub(self.base);
        let tried = usize::try_from(tried).unwrap_or(usize::MAX).min(self.queue.len());
        for _ in 0..tried {
            self.pop();
        }
        *self = Self {
            queue: std::mem::take(&mut self.queue),
            bytes: self.bytes,
            answers: self.answers,
            answer_bytes: self.answer_bytes,
            accepted: self.accepted,
            ..Self::default()
        };
        tried
    }

    /// Drops every message. Returns how many.
    pub(crate) fn abandon(&mut self) -> usize {
        let given_up = self.queue.len();
        *self = Self { accepted: self.accepted, ..Self::default() };
        given_up
    }

    /// Removes the first message; `false` if the queue is empty.
    fn pop(&mut self) -> bool {
        let Some(message) = self.queue.pop_front() else { return false };
        self.bytes -= message.len();
        if wire::is_answer(&message) {
            self.answers -= 1;
            self.answer_bytes -= message.len();
        }
        true
    }

    /// How many messages have not been handed to a connection whole.
    pub(crate) fn unsent(&self) -> usize {
        usize::try_from((self.base + self.queue.len() as u64).saturating_sub(self.tried.messages)).unwrap_or(0)
    }
}

/// The receiving end of a reliable lane.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    received: u64,
    /// What has come of the message that is under way.
    part: Vec<u8>,
    /// How long that will be; 0 if none is under way.
    total: usize,
    unacked_messages: u32,
    unacked_bytes: usize,
    /// When the last part of the incomplete message arrived.
    moved: Time,
}

/// What became of a frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// More parts are to come.
    Part,
    /// These were the last bytes of a message.
    Joined(Vec<u8>),
}

impl Incoming {
    /// Takes note of a whole message.
    ///
    /// # Errors
    /// In the middle of another.
    pub(crate) fn whole(&mut self, bytes: usize) -> Result<(), WireError> {
        if self.total > 0 {
            return Err(WireError::Impossible { what: "message within another" });
        }
        self.received += 1;
        self.note(bytes);
        self.unacked_messages += 1;
        Ok(())
    }

    /// The first part of a message of `total` bytes.
    ///
    /// # Errors
    /// If that is too long, or no length for one that was split, or in the middle of another.
    pub(crate) fn first(&mut self, now: Time, total: u64, bytes: &[u8]) -> Result<(), WireError> {
        let total = usize::try_from(total).unwrap_or(usize::MAX);
        if total > MAX_MESSAGE_BYTES {
            return Err(WireError::TooMuch { what: "message", limit: MAX_MESSAGE_BYTES });
        }
        if self.total > 0 || bytes.is_empty() || bytes.len() >= total {
            return Err(WireError::Impossible { what: "first part of a message" });
        }
        self.total = total;
        // Grows as parts come: a remote's word is no reason to set memory aside.
        self.part.extend_from_slice(bytes);
        self.moved = now;
        self.note(bytes.len());
        Ok(())
    }

    /// Another part.
    ///
    /// # Errors
    /// If there was no first one, or this one is longer than what is missing.
    pub(crate) fn more(&mut self, now: Time, bytes: &[u8]) -> Result<Taken, WireError> {
        if self.total == 0 || bytes.is_empty() || self.part.len() + bytes.len() > self.total {
            return Err(WireError::Impossible { what: "part of a message" });
        }
        self.part.extend_from_slice(bytes);
        self.moved = now;
        self.note(bytes.len());
        if self.part.len() < self.total {
            return Ok(Taken::Part);
        }
        self.total = 0;
        self.received += 1;
        self.unacked_messages += 1;
        Ok(Taken::Joined(std::mem::take(&mut self.part)))
    }

    fn note(&mut self, bytes: usize) {
        self.unacked_bytes += bytes;
    }

    /// Everything before this has arrived.
    pub(crate) fn place(&self) -> Place {
        Place { messages: self.received, bytes: self.part.len() as u64 }
    }

    /// Bytes of the message that is under way.
    pub(crate) fn bytes(&self) -> usize {
        self.part.len()
    }

    /// Returns when the last part of the incomplete message arrived; `None` without such a message.
    pub(crate) fn moved(&self) -> Option<Time> {
        (self.total > 0).then_some(self.moved)
    }

    /// Restarts the wait for parts, because this page slept.
    pub(crate) fn excuse(&mut self, now: Time) {
        self.moved = now;
    }

    pub(crate) fn unacknowledged(&self) -> Load {
        Load { messages: self.unacked_messages as usize, bytes: self.unacked_bytes }
    }

    /// There is something to acknowledge.
    pub(crate) fn owes(&self) -> bool {
        self.unacked_bytes > 0
    }

    /// There is so much to acknowledge that it should not wait.
    pub(crate) fn owes_much(&self) -> bool {
        self.unacked_messages >= ACK_MESSAGES || self.unacked_bytes >= ACK_BYTES
    }

    /// The place to acknowledge.
    pub(crate) fn acknowledge(&mut self) -> Place {
        (self.unacked_messages, self.unacked_bytes) = (0, 0);
        self.place()
    }

    /// The other end has begun anew.
    pub(crate) fn start_over(&mut self) {
        *self = Self::default();
    }
}
