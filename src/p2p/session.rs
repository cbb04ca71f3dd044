//! What two peers remember of each other's reliable lanes, whatever becomes of the connections between them.
//!
//! Each side names its memory by a token, and says in its hello which token it knows of the other. If both know each
//! other's, both resume; else at least one has lost its memory (it was reloaded, or had given the other up), and both
//! begin anew: what was sent and not acknowledged is given up, for nobody can say whether it arrived.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::lane::{Delivery, Lane};
use crate::link::{Flow, Link, Load};
use crate::room::Output;
use crate::stream::{Incoming, Outgoing, Place, Taken};
use crate::timer::{Time, Timings};
use crate::wire::{Frame, Hello, WireError};

/// A lane's send buffer is granted this much whenever it has drained to its low-water mark: with that mark of 64 KiB it
/// holds at most 256 KiB, some round trips of a fast link (browsers fail a channel that holds more than 16 MiB).
const GRANT: usize = 192 * 1024;
/// The same for lane 2, whose mark is 256 KiB: 768 KiB at most keep a link busy while this page does something else.
const BULK_GRANT: usize = 512 * 1024;

/// A frame takes at least this much of the grant: to a browser a frame is worth some kilobytes, however small it is. Who
/// sends many small messages at once thus has the later ones wait a moment, and they go together.
const FRAME_COST: usize = 4 * 1024;

#[derive(Debug)]
pub(crate) struct Session {
    token: u32,
    theirs: Option<u32>,
    /// By lane; none where a lane is not reliable.
    lanes: Vec<Option<Reliable>>,
    /// When to acknowledge what has arrived.
    ack_at: Option<Time>,
    /// When something that waits last moved.
    moved: Time,
    /// When the present connection began, or this machine woke.
    greeted: Time,
    /// The application has been told that nothing moves.
    pub(crate) stalled: bool,
}

#[derive(Debug, Default)]
struct Reliable {
    out: Outgoing,
    inc: Incoming,
}

/// What became of two memories that met.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Met {
    /// They are of each other.
    Resumed,
    /// They are not: so many messages are given up.
    Anew(usize),
}

/// Fresh grants for each lane of a new connection.
pub(crate) fn flows(lanes: &[Delivery]) -> Vec<Flow> {
    (0..lanes.len()).map(|lane| Flow { grant: grant(lane), waiting: false }).collect()
}

fn grant(lane: usize) -> usize {
    if lane == Lane::BULK.index() { BULK_GRANT } else { GRANT }
}

/// Sends a frame and takes it off its lane's grant.
pub(crate) fn transmit(link: &mut Link, lane: Lane, frame: Arc<[u8]>, out: &mut VecDeque<Output>) {
    let id = link.id;
    let Some(flow) = link.flows.get_mut(lane.index()) else { return };
    link.sent_bytes += frame.len() as u64;
    flow.grant = flow.grant.saturating_sub(frame.len().max(FRAME_COST));
    out.push_back(Output::SendFrame { link: id, lane, frame });
    if flow.grant == 0 && !flow.waiting {
        flow.waiting = true;
        out.push_back(Output::AwaitWritable { link: id, lane });
    }
}

/// The driver says that a lane's buffer has drained.
pub(crate) fn writable(link: &mut Link, lane: Lane) {
    if let Some(flow) = link.flows.get_mut(lane.index()) {
        *flow = Flow { grant: grant(lane.index()), waiting: false };
    }
}

/// Whether a lane may be sent on now.
pub(crate) fn may_send(link: &Link, lane: Lane) -> bool {
    let known = link.ready || lane == Lane::RELIABLE;
    link.is_open() && known && link.flows.get(lane.index()).is_some_and(|flow| flow.grant > 0)
}

impl Session {
    pub(crate) fn new(now: Time, token: u32, lanes: &[Delivery]) -> Self {
        let reliable = |lane: &Delivery| lane.is_reliable().then(Reliable::default);
        Self {
            // 0 stands for none.
            token: token.max(1),
            theirs: None,
            lanes: lanes.iter().map(reliable).collect(),
            ack_at: None,
            moved: now,
            greeted: now,
            stalled: false,
        }
    }

    fn reliable(&mut self) -> impl Iterator<Item = (Lane, &mut Reliable)> {
        let lanes = self.lanes.iter_mut().enumerate();
        lanes.filter_map(|(id, lane)| Some((Lane(u8::try_from(id).ok()?), lane.as_mut()?)))
    }

    fn lane(&self, lane: Lane) -> Option<&Reliable> {
        self.lanes.get(lane.index())?.as_ref()
    }

    /// Takes a message in, to be sent when the lane can take it; false if too much waits.
    pub(crate) fn push(&mut self, now: Time, lane: Lane, message: Arc<[u8]>) -> bool {
        if self.waiting_bytes() == 0 {
            self.moved = now;
        }
        self.lanes.get_mut(lane.index()).and_then(Option::as_mut).is_some_and(|lane| lane.out.push(message))
    }

    /// Whether little waits on a lane; none if it isn't a reliable one.
    pub(crate) fn is_ready(&self, lane: Lane) -> Option<bool> {
        self.lane(lane).map(|lane| lane.out.is_ready())
    }

    /// Bytes that are sent and not acknowledged, or wait to be sent.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.lanes.iter().flatten().map(|lane| lane.out.bytes()).sum()
    }

    /// Bytes of messages of which the rest is to come.
    pub(crate) fn joining_bytes(&self) -> usize {
        self.lanes.iter().flatten().map(|lane| lane.inc.bytes()).sum()
    }

    pub(crate) fn unacknowledged(&self, lane: Lane) -> Load {
        self.lane(lane).map(|lane| lane.inc.unacknowledged()).unwrap_or_default()
    }

    /// Returns when an incomplete message is dropped because its parts stopped arriving.
    pub(crate) fn parts_due(&self, timings: &Timings) -> Option<Time> {
        self.lanes.iter().flatten().filter_map(|lane| lane.inc.moved()).min().map(|moved| moved + timings.stall)
    }

    /// Whether senders wait for a peer that has had a connection for [`Timings::stall`], and acknowledged nothing.
    pub(crate) fn holds_up(&self, now: Time, timings: &Timings) -> bool {
        self.stalled
            && now.since(self.greeted) >= timings.stall
            && self.lanes.iter().flatten().any(|lane| !lane.out.is_ready())
    }

    /// Messages that are not acknowledged.
    pub(crate) fn waiting(&self) -> usize {
        self.lanes.iter().flatten().map(|lane| lane.out.messages()).sum()
    }

    /// The number of the newest message that a lane has accepted.
    pub(crate) fn accepted(&self, lane: Lane) -> Option<u64> {
        self.lane(lane).map(|lane| lane.out.accepted())
    }

    /// Messages of a lane up to this number are acknowledged or given up.
    pub(crate) fn settled(&self, lane: Lane) -> Option<u64> {
        self.lane(lane).map(|lane| lane.out.settled())
    }

    /// The same of every reliable lane.
    pub(crate) fn all_settled(&self) -> Vec<(Lane, u64)> {
        let lanes = self.lanes.iter().enumerate();
        lanes.filter_map(|(id, lane)| Some((Lane(u8::try_from(id).ok()?), lane.as_ref()?.out.settled()))).collect()
    }

    /// Messages that were not handed to a connection whole.
    pub(crate) fn unsent(&self) -> usize {
        self.lanes.iter().flatten().map(|lane| lane.out.unsent()).sum()
    }

    /// What to begin a connection with.
    pub(crate) fn hello(&mut self, lanes: &[Delivery], activity: u8) -> Hello {
        // It says what an acknowledgement would.
        self.ack_at = None;
        let place = |lane: &mut Reliable| {
            let place = lane.inc.acknowledge();
            (place.messages, place.bytes)
        };
        Hello {
            token: self.token,
            yours: self.theirs.unwrap_or(0),
            lanes: lanes.iter().map(|lane| lane.tag()).collect(),
            received: self.reliable().map(|(_, lane)| place(lane)).collect(),
            activity,
        }
    }

    /// Takes the other side's hello in.
    ///
    /// # Errors
    /// If what it says can't be.
    pub(crate) fn greet(&mut self, now: Time, hello: &Hello, lanes: &[Delivery]) -> Result<Met, WireError> {
        if !hello.lanes.iter().copied().eq(lanes.iter().map(|lane| lane.tag())) {
            return Err(WireError::Lanes);
        }
        if hello.received.len() != self.reliable().count() || hello.token == 0 || hello.activity > 2 {
            return Err(WireError::Malformed);
        }
        if hello.yours != self.token || self.theirs != Some(hello.token) {
            let given_up = self.start_over();
            self.theirs = Some(hello.token);
            self.has_moved(now);
            return Ok(Met::Anew(given_up));
        }
        self.greeted = now;
        // A connection after another on which nothing moves is no progress.
        let mut moved = false;
        for ((_, lane), (messages, bytes)) in self.reliable().zip(&hello.received) {
            moved |= lane.out.resume(Place { messages: *messages, bytes: *bytes })?;
        }
        if moved {
            self.has_moved(now);
        }
        self.excuse_parts(now);
        Ok(Met::Resumed)
    }

    fn start_over(&mut self) -> usize {
        self.ack_at = None;
        self.reliable()
            .map(|(_, lane)| {
                lane.inc.start_over();
                lane.out.start_over()
            })
            .sum()
    }

    /// Drops every queued message. Returns how many.
    pub(crate) fn abandon(&mut self) -> usize {
        self.reliable().map(|(_, lane)| lane.out.abandon()).sum()
    }

    /// Forgets the other side, under a new name. Returns how many messages are given up.
    pub(crate) fn forget(&mut self, token: u32) -> usize {
        self.token = if token == self.token { token.wrapping_add(1) } else { token }.max(1);
        self.theirs = None;
        self.start_over()
    }

    /// Sends what waits, as far as the lanes can take it.
    pub(crate) fn pump(&mut self, link: &mut Link, out: &mut VecDeque<Output>) {
        let limit = link.max_frame;
        for (lane, reliable) in self.reliable() {
            while reliable.out.has_more() && may_send(link, lane) {
                let Some(frame) = reliable.out.frame(limit) else { break };
                transmit(link, lane, frame, out);
            }
        }
    }

    /// The other side has received everything before a place.
    ///
    /// # Errors
    /// If that was never sent.
    pub(crate) fn acknowledged(&mut self, now: Time, lane: Lane, place: Place) -> Result<(), WireError> {
        let known = self.lanes.get_mut(lane.index()).and_then(Option::as_mut);
        let Some(lane) = known else { return Err(WireError::Impossible { what: "acknowledgement" }) };
        if lane.out.acknowledge(place)? {
            self.has_moved(now);
        }
        Ok(())
    }

    fn has_moved(&mut self, now: Time) {
        (self.moved, self.stalled) = (now, false);
    }

    /// This machine has slept: the time that has passed says nothing of the other side.
    pub(crate) fn slept(&mut self, now: Time) {
        (self.moved, self.greeted) = (now, now);
        self.excuse_parts(now);
    }

    fn excuse_parts(&mut self, now: Time) {
        for (_, lane) in self.reliable() {
            lane.inc.excuse(now);
        }
    }

    fn incoming(&mut self, lane: Lane) -> Result<&mut Incoming, WireError> {
        let known = self.lanes.get_mut(lane.index()).and_then(Option::as_mut);
        Ok(&mut known.ok_or(WireError::Impossible { what: "message on a lane that is not reliable" })?.inc)
    }

    /// A whole message came.
    ///
    /// # Errors
    /// If it can't have.
    pub(crate) fn whole(&mut self, lane: Lane, bytes: usize) -> Result<(), WireError> {
        self.incoming(lane)?.whole(bytes)
    }

    /// A message's first part came.
    ///
    /// # Errors
    /// If it can't have, or the message is too long.
    pub(crate) fn first(&mut self, now: Time, lane: Lane, total: u64, bytes: &[u8]) -> Result<(), WireError> {
        self.incoming(lane)?.first(now, total, bytes)
    }

    /// Another part came.
    ///
    /// # Errors
    /// If it can't have.
    pub(crate) fn more(&mut self, now: Time, lane: Lane, bytes: &[u8]) -> Result<Taken, WireError> {
        self.incoming(lane)?.more(now, bytes)
    }

    /// Acknowledges what has arrived on a lane, now or in a while.
    pub(crate) fn settle(
        &mut self,
        now: Time,
        lane: Lane,
        link: &mut Link,
        timings: &Timings,
        out: &mut VecDeque<Output>,
    ) {
        let Some(reliable) = self.lanes.get_mut(lane.index()).and_then(Option::as_mut) else { return };
        if reliable.inc.owes_much() {
            acknowledge(lane, &mut reliable.inc, link, out);
            if !self.lanes.iter().flatten().any(|lane| lane.inc.owes()) {
                self.ack_at = None;
            }
        } else if reliable.inc.owes() {
            self.ack_at.get_or_insert(now + timings.ack);
        }
    }

    /// Acknowledges what has arrived on all lanes.
    pub(crate) fn acknowledge(&mut self, link: &mut Link, out: &mut VecDeque<Output>) {
        self.ack_at = None;
        for (lane, reliable) in self.reliable() {
            if reliable.inc.owes() {
                acknowledge(lane, &mut reliable.inc, link, out);
            }
        }
    }

    pub(crate) fn owes_by(&self) -> Option<Time> {
        self.ack_at
    }

    /// When the application is to be told that nothing moves.
    pub(crate) fn stalls_at(&self, timings: &Timings) -> Option<Time> {
        (!self.stalled && self.waiting_bytes() > 0).then(|| self.moved + timings.stall)
    }
}

/// Where lane 0 is full it is said when that has drained: who doesn't read acknowledgements gets no more of them.
fn acknowledge(lane: Lane, inc: &mut Incoming, link: &mut Link, out: &mut VecDeque<Output>) {
    if !may_send(link, Lane::RELIABLE) {
        return;
    }
    let place = inc.acknowledge();
    let ack = Frame::Ack { lane: lane.0, messages: place.messages, bytes: place.bytes };
    if let Ok(frame) = ack.encode() {
        transmit(link, Lane::RELIABLE, frame.into(), out);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::link::{LinkId, Liveness, Role, Stage};
    use crate::wire::{Body, Packet, Value};

    const NOW: Time = Time::ZERO;

    fn lanes() -> Vec<Delivery> {
        Delivery::lanes(&[])
    }

    fn link() -> Link {
        let mut link = Link::new(LinkId(1), 1, Role::Offerer, true, 1, NOW, flows(&lanes()));
        link.stage = Stage::Open(Liveness::new(NOW));
        link.ready = true;
        link
    }

    fn body(bytes: &[u8]) -> Arc<[u8]> {
        let value = Value { codec: 0, bytes };
        Body::Message { channel: "c", direct: false, value }.encode().unwrap().into()
    }

    fn frames(out: &mut VecDeque<Output>) -> Vec<(Lane, Arc<[u8]>)> {
        let frame = |output| match output {
            Output::SendFrame { lane, frame, .. } => Some((lane, frame)),
            _ => None,
        };
        out.drain(..).filter_map(frame).collect()
    }

    /// Has `to` take frames in; returns the bodies that came whole.
    fn deliver(frames: &[(Lane, Arc<[u8]>)], to: &mut Session) -> Vec<Vec<u8>> {
        let mut got = Vec::new();
        for (lane, frame) in frames {
            match Packet::decode(frame).unwrap() {
                Packet::Whole(_) => {
                    to.whole(*lane, frame.len()).unwrap();
                    got.push(frame[1..].to_vec());
                }
                Packet::Pack(mut bodies) => {
                    while !bodies.is_empty() {
                        let (body, bytes) = crate::wire::unpack(&mut bodies).unwrap();
                        to.whole(*lane, bytes).unwrap();
                        got.push(body.encode().unwrap()[1..].to_vec());
                    }
                }
                Packet::First { total, bytes } => to.first(NOW, *lane, total, bytes).unwrap(),
                Packet::More(bytes) => {
                    if let Taken::Joined(body) = to.more(NOW, *lane, bytes).unwrap() {
                        got.push(body);
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        got
    }

    fn greet(one: &mut Session, two: &mut Session) -> (Met, Met) {
        let (hello, reply) = (one.hello(&lanes(), 0), two.hello(&lanes(), 0));
        (one.greet(NOW, &reply, &lanes()).unwrap(), two.greet(NOW, &hello, &lanes()).unwrap())
    }

    fn pair() -> (Session, Session) {
        let (mut one, mut two) = (Session::new(NOW, 1, &lanes()), Session::new(NOW, 2, &lanes()));
        assert_eq!(greet(&mut one, &mut two), (Met::Anew(0), Met::Anew(0)));
        (one, two)
    }

    #[test]
    fn a_connection_may_end_at_any_frame_and_nothing_is_lost_or_doubled() {
        let big = vec![7; 300_000];
        let bodies: Vec<Arc<[u8]>> = [&[1][..], &big, &[2], &[], &big].iter().map(|bytes| body(bytes)).collect();
        for cut in 0..16 {
            let (mut one, mut two) = pair();
            for body in &bodies {
                assert!(one.push(NOW, Lane::RELIABLE, body.clone()));
            }
            let (mut got, mut out) = (Vec::new(), VecDeque::new());
            let mut sent = 0;
            while got.len() < bodies.len() {
                let mut link = link();
                loop {
                    one.pump(&mut link, &mut out);
                    writable(&mut link, Lane::RELIABLE);
                    let mut frames = frames(&mut out);
                    if frames.is_empty() {
                        break;
                    }
                    // The first connection ends here.
                    frames.truncate(if sent <= cut { cut - sent } else { frames.len() });
                    sent += frames.len();
                    got.extend(deliver(&frames, &mut two));
                    if sent == cut {
                        break;
                    }
                }
                if got.len() < bodies.len() {
                    assert_eq!(greet(&mut one, &mut two), (Met::Resumed, Met::Resumed));
                    sent = sent.max(cut + 1);
                }
            }
            assert!(got.iter().zip(&bodies).all(|(got, body)| **got == body[1..]), "cut at {cut}");
            greet(&mut one, &mut two);
            assert_eq!((one.waiting(), one.waiting_bytes()), (0, 0));
        }
    }

    #[test]
    fn many_small_messages_go_together_once_they_wait() {
        let (mut one, mut two) = pair();
        let (mut link, mut out) = (link(), VecDeque::new());
        for number in 0..1000u16 {
            assert!(one.push(NOW, Lane::RELIABLE, body(&number.to_le_bytes())));
            one.pump(&mut link, &mut out);
        }
        let single = frames(&mut out);
        assert_eq!(single.len(), GRANT / FRAME_COST, "the first ones don't wait");
        let mut got = deliver(&single, &mut two);
        // The connection ends under what comes next, and it goes together again on another.
        writable(&mut link, Lane::RELIABLE);
        one.pump(&mut link, &mut out);
        let lost = frames(&mut out).len();
        assert!(lost < 4, "{lost} frames");
        assert_eq!(greet(&mut one, &mut two), (Met::Resumed, Met::Resumed));
        link = self::link();
        one.pump(&mut link, &mut out);
        let again = frames(&mut out);
        assert!(again.iter().all(|(_, frame)| frame.len() <= crate::wire::MAX_PACK_BYTES));
        got.extend(deliver(&again, &mut two));
        let sent: Vec<Vec<u8>> = (0..1000u16).map(|number| body(&number.to_le_bytes())[1..].to_vec()).collect();
        assert!(got == sent, "each once, and in order");
        greet(&mut one, &mut two);
        assert_eq!(one.waiting(), 0);
    }

    #[test]
    fn a_memory_that_is_lost_begins_anew_on_both_sides() {
        let (mut one, _) = pair();
        let mut out = VecDeque::new();
        one.push(NOW, Lane::RELIABLE, body(b"sent"));
        one.pump(&mut link(), &mut out);
        one.push(NOW, Lane::BULK, body(b"not sent"));
        let mut two = Session::new(NOW, 3, &lanes());
        assert_eq!(greet(&mut one, &mut two), (Met::Anew(1), Met::Anew(0)));
        assert_eq!((one.waiting(), one.unsent()), (1, 1));
        out.clear();
        one.pump(&mut link(), &mut out);
        assert_eq!(deliver(&frames(&mut out), &mut two).len(), 1);
        assert_eq!(greet(&mut one, &mut two), (Met::Resumed, Met::Resumed));
        assert_eq!(one.waiting(), 0);
    }

    #[test]
    fn what_can_not_be_is_refused() {
        let (mut one, mut two) = pair();
        let mut ack = |messages, bytes| one.acknowledged(NOW, Lane::RELIABLE, Place { messages, bytes });
        assert!(ack(1, 0).is_err() && ack(0, 1).is_err() && ack(u64::MAX, u64::MAX).is_err());
        assert!(ack(0, 0).is_ok());
        assert!(one.acknowledged(NOW, Lane::LOSSY, Place::default()).is_err());
        assert!(one.acknowledged(NOW, Lane(77), Place::default()).is_err());
        assert!(two.more(NOW, Lane::RELIABLE, &[1]).is_err(), "there was no first part");
        assert!(two.first(NOW, Lane::RELIABLE, u64::MAX, &[1]).is_err());
        assert!(two.first(NOW, Lane::RELIABLE, 1, &[1]).is_err());
        assert!(two.first(NOW, Lane::LOSSY, 10, &[1]).is_err());
        assert!(two.first(NOW, Lane::RELIABLE, 3, &[1]).is_ok());
        assert!(two.first(NOW, Lane::RELIABLE, 3, &[1]).is_err() && two.whole(Lane::RELIABLE, 1).is_err());
        assert!(two.more(NOW, Lane::RELIABLE, &[1, 2, 3]).is_err() && two.more(NOW, Lane::RELIABLE, &[]).is_err());
        let mut hello = two.hello(&lanes(), 0);
        hello.received[0] = (5, 0);
        assert!(one.greet(NOW, &hello, &lanes()).is_err());
        hello.lanes.push(0);
        assert_eq!(one.greet(NOW, &hello, &lanes()), Err(WireError::Lanes));
    }

    #[test]
    fn a_lane_is_granted_no_more_than_its_buffer_holds() {
        let (mut one, _) = pair();
        let (mut link, mut out) = (link(), VecDeque::new());
        one.push(NOW, Lane::RELIABLE, body(&vec![0; 4_000_000]));
        one.pump(&mut link, &mut out);
        let awaits = matches!(out.back(), Some(Output::AwaitWritable { lane: Lane::RELIABLE, .. }));
        assert!(awaits, "{:?}", out.back());
        let bytes: usize = frames(&mut out).iter().map(|(_, frame)| frame.len()).sum();
        assert!((GRANT..GRANT + link.max_frame).contains(&bytes), "{bytes}");
        one.pump(&mut link, &mut out);
        assert_eq!(out.len(), 0);
        writable(&mut link, Lane::RELIABLE);
        one.pump(&mut link, &mut out);
        assert!(!out.is_empty());
    }

    #[test]
    fn too_much_is_refused() {
        let (mut one, _) = pair();
        let small = body(&[0]);
        let mut pushed = 0;
        while one.push(NOW, Lane::RELIABLE, small.clone()) {
            pushed += 1;
        }
        assert_eq!(pushed, crate::stream::MAX_QUEUED_MESSAGES);
        assert_eq!((one.is_ready(Lane::RELIABLE), one.is_ready(Lane::BULK)), (Some(false), Some(true)));
        assert_eq!(one.is_ready(Lane::LOSSY), None);
    }
}
