//! Requests and their replies.

use std::time::Duration;

use converge_signal::PeerId;

use super::inbox::owned;
use super::{Event, RoomCore, checked};
use crate::codec::Payload;
use crate::error::{RequestError, SendError};
use crate::event::RequestId;
use crate::timer::Time;
use crate::wire::{Answer, Body, MAX_PAYLOAD_BYTES, MAX_REASON_BYTES, Value};

/// At most this many requests of one peer wait for a reply of this side; more are answered with "busy".
const MAX_ASKS: usize = 64;

/// At most this many requests of this side wait for a reply.
const MAX_ASKED: usize = 1024;

/// A request of this side.
#[derive(Debug)]
pub(super) struct Asked {
    peer: PeerId,
    deadline: Time,
}

impl RoomCore {
    /// Asks a member for a reply on a channel. What comes of it follows as one [`Event::Reply`].
    ///
    /// # Errors
    /// If the request is too large, the member isn't there, or too much waits for it already.
    pub fn request(
        &mut self,
        now: Time,
        to: PeerId,
        channel: &str,
        payload: &Payload,
        timeout: Duration,
    ) -> Result<RequestId, SendError> {
        self.may_send()?;
        let value = checked(channel, payload, MAX_PAYLOAD_BYTES)?;
        if self.peers.get(&to).is_none() {
            return Err(SendError::UnknownPeer { peer: to });
        }
        let request = self.last_request.wrapping_add(1);
        let full = self.asked.len() >= MAX_ASKED;
        if full || !self.send_body(now, to, &Body::Request { request, channel, value }) {
            return Err(SendError::QueueFull { peers: vec![to] });
        }
        self.last_request = request;
        self.asked.insert(request, Asked { peer: to, deadline: now + timeout });
        Ok(RequestId(request))
    }

    /// Does not wait for a reply any longer; the member is told. No [`Event::Reply`] follows.
    pub fn cancel_request(&mut self, now: Time, request: RequestId) {
        self.assert_drained();
        if let Some(asked) = self.asked.remove(&request.0) {
            // If too much waits there, the reply will come for nothing: no harm.
            self.send_body(now, asked.peer, &Body::Cancel(request.0));
        }
    }

    /// Whether this side replies to requests on a channel. Where it doesn't, the asker is told at once.
    pub fn serve(&mut self, channel: &str, serves: bool) {
        self.served.retain(|served| served != channel);
        if serves {
            self.served.push(channel.to_owned());
        }
    }

    /// Replies to a member's request, or refuses with a reason (of which the first 1,024 bytes are sent). Nothing happens
    /// if the member has cancelled it, or has gone.
    ///
    /// # Errors
    /// If the reply is too large (the asker is told of a refusal), or too much waits for the member already.
    pub fn reply(
        &mut self,
        now: Time,
        to: PeerId,
        request: u32,
        result: Result<&Payload, &str>,
    ) -> Result<(), SendError> {
        self.assert_drained();
        let Some(peer) = self.peers.get_mut(&to) else { return Ok(()) };
        let asks = peer.asks.len();
        peer.asks.retain(|ask| *ask != request);
        if peer.asks.len() == asks {
            return Ok(());
        }
        let too_large = result.ok().map(|payload| payload.bytes.len()).filter(|bytes| *bytes > MAX_PAYLOAD_BYTES);
        let answer = match result {
            Ok(_) if too_large.is_some() => Answer::Refused("the reply is too large"),
            Ok(payload) => Answer::Value(Value { codec: payload.codec, bytes: &payload.bytes }),
            Err(why) => Answer::Refused(shortened(why)),
        };
        let sent = self.send_body(now, to, &Body::Reply { request, answer });
        match too_large {
            Some(bytes) => Err(SendError::TooLarge { bytes, limit: MAX_PAYLOAD_BYTES }),
            None if sent => Ok(()),
            None => Err(SendError::QueueFull { peers: vec![to] }),
        }
    }

    pub(super) fn requested(&mut self, now: Time, id: PeerId, request: u32, channel: &str, value: Value<'_>) {
        let served = self.served.iter().any(|served| served == channel);
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let refusal = if !served {
            Answer::NotServed
        } else if peer.asks.len() >= MAX_ASKS || peer.asks.contains(&request) {
            Answer::Busy
        } else {
            peer.asks.push(request);
            let (channel, payload) = (channel.to_owned(), owned(value));
            return self.emit(Event::Request { from: id, channel, request, payload });
        };
        // If too much waits there, the asker's time-out will tell it.
        self.send_body(now, id, &Body::Reply { request, answer: refusal });
    }

    pub(super) fn replied(&mut self, id: PeerId, request: u32, answer: Answer<'_>) {
        // Late, or a reply that nobody asked for.
        if self.asked.get(&request).is_none_or(|asked| asked.peer != id) {
            return;
        }
        let result = match answer {
            Answer::Value(value) => Ok(owned(value)),
            Answer::NotServed => Err(RequestError::NotServed),
            Answer::Busy => Err(RequestError::Busy),
            Answer::Refused(why) => Err(RequestError::Refused(why.to_owned())),
        };
        self.answered(request, result);
    }

    fn answered(&mut self, request: u32, result: Result<Payload, RequestError>) {
        self.asked.remove(&request);
        self.emit(Event::Reply { request: RequestId(request), result });
    }

    pub(super) fn request_cancelled(&mut self, id: PeerId, request: u32) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let asks = peer.asks.len();
        peer.asks.retain(|ask| *ask != request);
        if peer.asks.len() < asks {
            self.emit(Event::RequestCancelled { from: id, request });
        }
    }

    /// No more replies will come from a peer.
    pub(super) fn unanswered(&mut self, id: PeerId) {
        self.fail_requests(RequestError::Gone, |asked| asked.peer == id);
    }

    pub(super) fn ask_timeouts(&mut self, now: Time) {
        for (request, peer) in self.fail_requests(RequestError::Timeout, |asked| now >= asked.deadline) {
            self.send_body(now, peer, &Body::Cancel(request));
        }
    }

    /// Returns which requests they were, and to whom.
    fn fail_requests(&mut self, error: RequestError, which: impl Fn(&Asked) -> bool) -> Vec<(u32, PeerId)> {
        let failing = self.asked.iter().filter(|(_, asked)| which(asked));
        let failed: Vec<(u32, PeerId)> = failing.map(|(id, asked)| (*id, asked.peer)).collect();
        for (request, _) in &failed {
            self.answered(*request, Err(error.clone()));
        }
        failed
    }

    pub(super) fn ask_deadline(&self) -> Option<Time> {
        self.asked.values().map(|asked| asked.deadline).min()
    }
}

fn shortened(why: &str) -> &str {
    let mut end = why.len().min(MAX_REASON_BYTES);
    while !why.is_char_boundary(end) {
        end -= 1;
    }
    &why[..end]
}
