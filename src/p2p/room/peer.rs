//! The other members: meeting them, making links to them, noticing when they have gone.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use converge_signal::protocol::Member;
use converge_signal::{Incarnation, PeerId, Seq};

use super::server::Socket;
use super::{LinkEvent, MAX_PEERS, MAX_QUEUED_BYTES, MAX_QUEUED_MESSAGES, Output, RoomCore};
use crate::codec::Payload;
use crate::event::{DisconnectReason, Event, PeerState};
use crate::link::{Dial, Link, LinkId, Liveness, Negotiation, Pulse, Role, Stage};
use crate::presence::{Own, Theirs};
use crate::timer::{Time, Timings};
use crate::wire::{self, Frame, Value, WireError};

/// A link that was just lost is made again after this: if the peer's page is closing, the server will say so first.
const REDIAL: Duration = Duration::from_millis(300);

/// A peer may start over this often per [`START_WINDOW`]; more is ignored, for each time costs a connection.
const MAX_STARTS: u32 = 10;
const START_WINDOW: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) incarnation: Incarnation,
    seq: Seq,
    /// The server says that it is in the room.
    listed: bool,
    pub(super) arrival: u64,
    link: Option<Link>,
    failures: u32,
    /// When to dial, or to ask for an offer; kept while there is no link.
    next_try: Option<Time>,
    /// When to give it up, unless the server lists it again; kept while there is no open link.
    evict_at: Option<Time>,
    queue: VecDeque<Arc<[u8]>>,
    queued_bytes: usize,
    /// Slots of our presence that it has yet to be shown, for the link was congested.
    unseen: Vec<String>,
    pub(super) presence: Theirs,
    presence_incarnation: Incarnation,
    starts: u32,
    starts_since: Time,
}

impl Peer {
    fn new(now: Time, member: Member, arrival: u64) -> Self {
        Self {
            incarnation: member.incarnation,
            seq: member.seq,
            listed: true,
            arrival,
            link: None,
            failures: 0,
            next_try: None,
            evict_at: None,
            queue: VecDeque::new(),
            queued_bytes: 0,
            unseen: Vec::new(),
            presence: Theirs::default(),
            presence_incarnation: member.incarnation,
            starts: 0,
            starts_since: now,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.link.as_ref().is_some_and(Link::is_open)
    }

    /// Its first offer is still to come.
    pub(super) fn awaits_offer(&self) -> bool {
        self.link.is_none() && self.failures == 0 && self.listed
    }

    pub(super) fn state(&self) -> PeerState {
        match (self.is_open(), self.failures) {
            (true, _) => PeerState::Connected,
            (false, 0) => PeerState::Connecting,
            (false, _) => PeerState::Unreachable,
        }
    }

    /// `joined`: the server can carry signals; without it there is no point in waking up to dial.
    pub(super) fn deadline(&self, joined: bool, timings: &Timings) -> Option<Time> {
        let link = self.link.as_ref().map(|link| link.deadline(timings));
        let next_try = self.next_try.filter(|_| joined);
        [link, next_try, self.evict_at].into_iter().flatten().min()
    }

    /// Sends a frame, or lets it wait for the link; false if too much waits already.
    pub(super) fn send(&mut self, frame: &Arc<[u8]>, out: &mut VecDeque<Output>) -> bool {
        if let Some(link) = self.link.as_ref().filter(|link| link.is_open() && link.writable)
            && self.queue.is_empty()
        {
            out.push_back(Output::SendFrame { link: link.id, frame: frame.clone() });
            return true;
        }
        let fits = self.queue.len() < MAX_QUEUED_MESSAGES && self.queued_bytes + frame.len() <= MAX_QUEUED_BYTES;
        if fits {
            self.queued_bytes += frame.len();
            self.queue.push_back(frame.clone());
        }
        fits
    }

    /// Shows a slot of our presence: now, or the newest value when the link can take it. Without a channel there is
    /// nothing to do: it gets every slot when one opens.
    pub(super) fn show(&mut self, own: &Own, slot: &str, out: &mut VecDeque<Output>) {
        let Some(link) = self.link.as_ref().filter(|link| !matches!(link.stage, Stage::Dialling { .. })) else {
            return;
        };
        if !link.writable {
            if !self.unseen.iter().any(|unseen| unseen == slot) {
                self.unseen.push(slot.to_owned());
            }
        } else if let Some(Ok(frame)) = own.frame(slot) {
            out.push_back(Output::SendFrame { link: link.id, frame: frame.into() });
        }
    }

    fn flush(&mut self, own: &Own, out: &mut VecDeque<Output>) {
        let Some(link) = self.link.as_ref().filter(|link| link.is_open() && link.writable) else { return };
        for frame in self.queue.drain(..) {
            out.push_back(Output::SendFrame { link: link.id, frame });
        }
        self.queued_bytes = 0;
        for slot in std::mem::take(&mut self.unseen) {
            self.show(own, &slot, out);
        }
    }

    /// Takes note of an offer, or of being asked for one; false if there are too many.
    fn may_start_over(&mut self, now: Time) -> bool {
        if now.since(self.starts_since) > START_WINDOW {
            self.starts_since = now;
            self.starts = 0;
        }
        self.starts += 1;
        self.starts <= MAX_STARTS
    }
}

impl RoomCore {
    /// The server lists a member: a new one, one that is known, or one in a later life.
    pub(super) fn meet(&mut self, now: Time, member: Member) {
        if member.id == self.id {
            return;
        }
        let full = self.peers.len() >= MAX_PEERS;
        match self.peers.get_mut(&member.id) {
            None if full => return,
            None => {
                self.arrivals += 1;
                self.peers.insert(member.id, Peer::new(now, member, self.arrivals));
                self.emit(Event::PeerJoined { peer: member.id });
            }
            Some(peer) if member.incarnation < peer.incarnation => return,
            Some(peer) => {
                let later_life = member.incarnation > peer.incarnation;
                peer.seq = member.seq;
                peer.listed = true;
                peer.evict_at = None;
                if later_life {
                    peer.incarnation = member.incarnation;
                    peer.failures = 0;
                    self.end_link(member.id, DisconnectReason::Replaced);
                }
            }
        }
        let Some(peer) = self.peers.get_mut(&member.id) else { return };
        if peer.link.is_some() || peer.next_try.is_some() {
            return;
        }
        if self.seq > Some(peer.seq) {
            self.dial(now, member.id);
        } else {
            peer.next_try = Some(now + self.config.timings.await_offer);
        }
    }

    /// The server has lost a member. Its link decides.
    pub(super) fn unlist(&mut self, now: Time, id: PeerId) {
        let wait = self.config.timings.probe;
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.listed = false;
        if peer.is_open() {
            self.probe(now, id);
        } else {
            peer.evict_at.get_or_insert(now + wait);
        }
    }

    fn probe(&mut self, now: Time, id: PeerId) {
        let wait = self.config.timings.probe;
        if let Some(link) = self.peers.get_mut(&id).and_then(|peer| peer.link.as_mut())
            && let Stage::Open(liveness) = &mut link.stage
        {
            let (link, token) = (link.id, liveness.probe(now, wait));
            self.send_frame(link, &Frame::Ping(token));
        }
    }

    pub(super) fn probe_all(&mut self, now: Time) {
        for id in self.peers.keys().copied().collect::<Vec<_>>() {
            self.probe(now, id);
        }
    }

    fn dial(&mut self, now: Time, id: PeerId) {
        let attempt = self.random.u32(..);
        self.open_link(now, id, attempt, Role::Offerer);
    }

    fn open_link(&mut self, now: Time, id: PeerId, attempt: u32, role: Role) -> Option<LinkId> {
        let peer = self.peers.get_mut(&id)?;
        self.last_link += 1;
        let link = LinkId(self.last_link);
        peer.link = Some(Link::new(link, attempt, role, peer.incarnation, now + self.config.timings.dial));
        peer.next_try = None;
        self.links.insert(link, id);
        self.out.push_back(Output::OpenLink { link, role, ice_servers: self.ice_servers.clone() });
        Some(link)
    }

    /// Closes a peer's link, if it has one. The caller sees to what comes next.
    fn end_link(&mut self, id: PeerId, reason: DisconnectReason) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some(link) = peer.link.take() else { return };
        peer.unseen.clear();
        self.links.remove(&link.id);
        self.out.push_back(Output::CloseLink { link: link.id });
        if link.is_open() {
            self.emit(Event::PeerDisconnected { peer: id, reason });
        }
    }

    /// An open link was lost. If the server still lists the peer another is made, else the peer has gone.
    fn link_lost(&mut self, now: Time, id: PeerId, reason: DisconnectReason) {
        self.end_link(id, reason);
        let joined = matches!(self.socket, Socket::Joined { .. });
        let (probe, await_offer) = (self.config.timings.probe, self.config.timings.await_offer);
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if !peer.listed {
            return self.remove(id, reason);
        }
        peer.next_try = Some(now + if self.seq > Some(peer.seq) { REDIAL } else { await_offer });
        if !joined {
            // Nobody can say whether it is still there, and nobody could carry an offer to it.
            peer.evict_at = Some(now + probe);
        }
    }

    /// An attempt came to nothing.
    fn link_failed(&mut self, now: Time, id: PeerId) {
        self.end_link(id, DisconnectReason::Lost);
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if !peer.listed {
            return self.remove(id, DisconnectReason::Lost);
        }
        let first = peer.failures == 0;
        let wait = self.config.timings.backoff(peer.failures + 1, &mut self.random);
        peer.failures = peer.failures.saturating_add(1);
        let patience = if self.seq > Some(peer.seq) { Duration::ZERO } else { self.config.timings.await_offer };
        peer.next_try = Some(now + wait + patience);
        if first {
            self.emit(Event::PeerUnreachable { peer: id });
        }
    }

    pub(super) fn remove(&mut self, id: PeerId, reason: DisconnectReason) {
        self.end_link(id, reason);
        let Some(peer) = self.peers.remove(&id) else { return };
        if !peer.queue.is_empty() {
            self.emit(Event::Undelivered { peer: id, messages: peer.queue.len() });
        }
        self.emit(Event::PeerLeft { peer: id, reason });
    }

    pub(super) fn say_bye(&mut self, id: PeerId) {
        if let Some(link) = self.peers.get(&id).and_then(|peer| peer.link.as_ref()).filter(|link| link.is_open()) {
            self.send_frame(link.id, &Frame::Bye);
        }
    }

    fn send_frame(&mut self, link: LinkId, frame: &Frame<'_>) {
        if let Ok(bytes) = frame.encode() {
            self.out.push_back(Output::SendFrame { link, frame: bytes.into() });
        }
    }

    pub(super) fn peer_timeouts(&mut self, now: Time, late: bool) {
        let joined = matches!(self.socket, Socket::Joined { .. });
        for id in self.peers.keys().copied().collect::<Vec<_>>() {
            let timings = self.config.timings;
            let Some(peer) = self.peers.get_mut(&id) else { continue };
            if peer.evict_at.is_some_and(|at| now >= at) {
                self.remove(id, DisconnectReason::Lost);
                continue;
            }
            if let Some(link) = &mut peer.link {
                match &mut link.stage {
                    Stage::Dialling { deadline } | Stage::Greeting { deadline } if now >= *deadline => {
                        self.link_failed(now, id);
                    }
                    Stage::Dialling { .. } | Stage::Greeting { .. } => {}
                    Stage::Open(liveness) => match liveness.check(now, late, &timings) {
                        Pulse::Fine => {}
                        Pulse::Ping(token) => {
                            let link = link.id;
                            self.send_frame(link, &Frame::Ping(token));
                        }
                        Pulse::Dead => self.link_lost(now, id, DisconnectReason::Lost),
                    },
                }
            } else if joined && peer.next_try.is_some_and(|at| now >= at) {
                if self.seq > Some(peer.seq) {
                    self.dial(now, id);
                } else {
                    let wait = timings.backoff(peer.failures + 1, &mut self.random);
                    peer.next_try = Some(now + timings.await_offer + wait);
                    self.signal(id, &Negotiation { dial: Some(Dial {}), ..Negotiation::default() });
                }
            }
        }
    }

    /// A member's part of making a connection.
    pub(super) fn negotiate(&mut self, now: Time, id: PeerId, message: Negotiation) {
        let attempt = message.attempt;
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if message.dial.is_some() {
            if !peer.may_start_over(now) {
                return;
            }
            return match &peer.link {
                // It has no link, so ours leads nowhere.
                Some(link) if link.is_open() => {
                    self.end_link(id, DisconnectReason::Lost);
                    self.dial(now, id);
                }
                Some(_) => {}
                None => self.dial(now, id),
            };
        }
        if let Some(sdp) = message.offer {
            return self.offered(now, id, attempt, sdp);
        }
        let Some(link) = peer.link.as_mut().filter(|link| link.attempt == attempt) else { return };
        let id = link.id;
        if let Some(sdp) = message.answer {
            if link.role == Role::Offerer && !link.described {
                link.described = true;
                self.out.push_back(Output::SetRemote { link: id, sdp });
            }
        } else if let Some(candidate) = message.candidate
            && let Some(candidate) = link.candidate(candidate)
        {
            self.out.push_back(Output::AddCandidate { link: id, candidate });
        }
    }

    fn offered(&mut self, now: Time, id: PeerId, attempt: u32, sdp: String) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if !peer.may_start_over(now) {
            return;
        }
        if let Some(link) = &peer.link {
            let ours = link.role == Role::Offerer && !link.is_open() && self.seq > Some(peer.seq);
            if ours || link.attempt == attempt {
                // Both offer: the later one's offer stands, and that is ours. Or the same offer came twice.
                return;
            }
        }
        // It starts anew, so what there was leads nowhere.
        self.end_link(id, DisconnectReason::Lost);
        if let Some(link) = self.open_link(now, id, attempt, Role::Answerer) {
            if let Some(link) = self.peers.get_mut(&id).and_then(|peer| peer.link.as_mut()) {
                link.described = true;
            }
            self.out.push_back(Output::SetRemote { link, sdp });
        }
    }

    pub(super) fn link_event(&mut self, now: Time, id: LinkId, event: LinkEvent) {
        // What is late from a closed link is nobody's.
        let Some(&peer_id) = self.links.get(&id) else { return };
        let Some(peer) = self.peers.get_mut(&peer_id) else { return };
        let Some(link) = peer.link.as_mut() else { return };
        let attempt = link.attempt;
        match event {
            LinkEvent::LocalDescription(sdp) => {
                let negotiation = match link.role {
                    Role::Offerer => Negotiation { attempt, offer: Some(sdp), ..Negotiation::default() },
                    Role::Answerer => Negotiation { attempt, answer: Some(sdp), ..Negotiation::default() },
                };
                self.signal(peer_id, &negotiation);
            }
            LinkEvent::LocalCandidate(candidate) => {
                let negotiation = Negotiation { attempt, candidate: Some(candidate), ..Negotiation::default() };
                self.signal(peer_id, &negotiation);
            }
            LinkEvent::RemoteSet => {
                for candidate in link.remote_set() {
                    self.out.push_back(Output::AddCandidate { link: id, candidate });
                }
            }
            LinkEvent::Open => self.channel_open(now, peer_id),
            LinkEvent::Frame(bytes) => self.frame(now, peer_id, &bytes),
            LinkEvent::Congested => link.writable = false,
            LinkEvent::Writable => {
                link.writable = true;
                peer.flush(&self.own, &mut self.out);
            }
            LinkEvent::Trouble => self.probe(now, peer_id),
            LinkEvent::Closed if link.is_open() => self.link_lost(now, peer_id, DisconnectReason::Lost),
            LinkEvent::Closed => self.link_failed(now, peer_id),
        }
    }

    fn channel_open(&mut self, now: Time, id: PeerId) {
        let deadline = now + self.config.timings.dial;
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some(link) = peer.link.as_mut() else { return };
        if !matches!(link.stage, Stage::Dialling { .. }) {
            return;
        }
        link.stage = Stage::Greeting { deadline };
        self.out.push_back(Output::SendFrame { link: link.id, frame: wire::hello().into() });
        // Presence needs no hello from the other side: it is shown again on the next link, whatever becomes of this.
        for slot in self.own.slots() {
            peer.show(&self.own, slot, &mut self.out);
        }
    }

    fn frame(&mut self, now: Time, id: PeerId, bytes: &[u8]) {
        // The other side's first frame may overtake our own word that the channel is open.
        self.channel_open(now, id);
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some(link) = peer.link.as_mut() else { return };
        let result = match &mut link.stage {
            Stage::Open(liveness) => {
                liveness.heard(now);
                self.open_frame(id, bytes)
            }
            _ => wire::check_hello(bytes).map(|()| self.greeted(now, id)),
        };
        match result {
            Ok(()) => {}
            Err(WireError::Version { .. }) => self.misfit(now, id, DisconnectReason::Version),
            Err(_) => self.misfit(now, id, DisconnectReason::Protocol),
        }
    }

    /// The two pages can't talk: close, say why, and try again only after a long while.
    fn misfit(&mut self, now: Time, id: PeerId, reason: DisconnectReason) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if !peer.is_open() {
            // The application hears of links that were open; of this one it must hear the reason too.
            self.emit(Event::PeerDisconnected { peer: id, reason });
        }
        self.end_link(id, reason);
        if let Some(peer) = self.peers.get_mut(&id) {
            // As after so many failures that the wait is at its longest.
            peer.failures = peer.failures.max(10);
        }
        self.link_failed(now, id);
        if self.peers.get(&id).is_some() {
            self.emit(Event::PeerUnreachable { peer: id });
        }
    }

    fn greeted(&mut self, now: Time, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some(link) = peer.link.as_mut() else { return };
        link.stage = Stage::Open(Liveness::new(now));
        let incarnation = link.incarnation;
        peer.failures = 0;
        peer.evict_at = None;
        let stale = if peer.presence_incarnation == incarnation { Vec::new() } else { peer.presence.clear() };
        peer.presence_incarnation = incarnation;
        let doubtful = !peer.listed;
        self.out.push_back(Output::Event(Event::PeerConnected { peer: id }));
        peer.flush(&self.own, &mut self.out);
        for slot in stale {
            self.emit(Event::PresenceChanged { peer: id, slot, value: None });
        }
        if doubtful {
            self.probe(now, id);
        }
    }

    fn open_frame(&mut self, id: PeerId, bytes: &[u8]) -> Result<(), WireError> {
        let own = |value: Value<'_>| Payload { codec: value.codec, bytes: value.bytes.to_vec() };
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        match Frame::decode(bytes)? {
            Frame::Presence { slot, counter, value } => {
                let value = value.map(own);
                if peer.presence.take(slot, counter, value.clone())? {
                    self.emit(Event::PresenceChanged { peer: id, slot: slot.to_owned(), value });
                }
            }
            Frame::Message { channel, direct, value } => {
                self.emit(Event::Message { from: id, channel: channel.to_owned(), direct, payload: own(value) });
            }
            Frame::Ping(token) => {
                if let Some(link) = peer.link.as_ref().map(|link| link.id) {
                    self.send_frame(link, &Frame::Pong(token));
                }
            }
            Frame::Pong(_) => {}
            Frame::Bye => self.remove(id, DisconnectReason::Left),
        }
        Ok(())
    }
}
