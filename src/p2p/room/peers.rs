//! The other members: meeting them, making links to them, losing them.

use std::time::Duration;

use converge_signal::PeerId;
use converge_signal::protocol::Member;

use super::peer::Peer;
use super::server::Socket;
use super::{MAX_PEERS, Output, RoomCore, activity_number};
use crate::event::{Activity, DisconnectReason, Event};
use crate::lane::Lane;
use crate::link::{Link, LinkId, Role, Stage};
use crate::report::LinkChange;
use crate::session::{self, Session};
use crate::timer::Time;
use crate::wire::{Frame, WireError};

/// A link that was just lost is made again after this: if the peer's page is closing, the server will say so first.
const REDIAL: Duration = Duration::from_millis(300);

/// The side that doesn't offer asks for an offer after this, if the other hasn't noticed the loss by then.
const ASK_REDIAL: Duration = Duration::from_secs(1);

/// The server has said goodbye in a member's name: what it said on its link before that is still on the way.
const FAREWELL: Duration = Duration::from_millis(150);

impl RoomCore {
    pub(super) fn is_joined(&self) -> bool {
        matches!(self.socket, Socket::Joined { .. })
    }

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
                let session = Session::new(now, self.random.u32(..), &self.lanes);
                self.peers.insert(member.id, Peer::new(now, member, self.arrivals, session));
                self.emit(Event::PeerJoined { peer: member.id });
            }
            Some(peer) if member.incarnation < peer.incarnation => return,
            Some(peer) => {
                let later_life = member.incarnation > peer.incarnation;
                peer.seq = member.seq;
                peer.listed = true;
                peer.evict_at = None;
                peer.farewell = false;
                if later_life {
                    peer.incarnation = member.incarnation;
                    peer.failures = 0;
                    peer.heard = None;
                    peer.activity = Activity::Active;
                    peer.next_try = None;
                    self.end_link(now, member.id, DisconnectReason::Replaced);
                    self.changed(now, member.id, LinkChange::Replaced);
                    // Its page has no memory of ours.
                    self.begin_anew(member.id);
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
        let timings = self.config.timings;
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.listed = false;
        if peer.is_open() {
            self.probe_one(now, id);
        } else {
            let gone = peer.gone_at(now, &timings);
            peer.evict_at.get_or_insert(gone);
        }
    }

    /// The server is out of reach: those whose link is lost can't be reached either, and are given up after a while.
    pub(super) fn nobody_listed(&mut self, now: Time) {
        let gone = self.config.timings.gone;
        for (_, peer) in self.peers.iter_mut() {
            if !peer.is_open() {
                peer.evict_at.get_or_insert(now + gone);
            }
        }
    }

    /// The server passes on a member's goodbye. Its last frames on the link may still be in flight.
    pub(super) fn farewell(&mut self, now: Time, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if !peer.is_open() {
            return self.remove(id, DisconnectReason::Left);
        }
        peer.listed = false;
        peer.farewell = true;
        peer.evict_at = Some(now + FAREWELL);
    }

    pub(super) fn dial(&mut self, now: Time, id: PeerId) {
        let attempt = self.random.u32(..);
        self.open_link(now, id, attempt, Role::Offerer);
    }

    pub(super) fn open_link(&mut self, now: Time, id: PeerId, attempt: u32, role: Role) -> Option<LinkId> {
        let peer = self.peers.get_mut(&id)?;
        self.last_link += 1;
        let link = LinkId(self.last_link);
        let deadline = now + self.config.timings.dial;
        let flows = session::flows(&self.lanes);
        // Either side can tell who that is: the greater id is polite.
        let polite = self.id > id;
        peer.link = Some(Link::new(link, attempt, role, polite, peer.incarnation, deadline, flows));
        peer.next_try = None;
        self.links.insert(link, id);
        self.out.push_back(Output::OpenLink { link, role, ice_servers: self.ice_servers.clone() });
        self.changed(now, id, LinkChange::Dialling);
        Some(link)
    }

    /// Closes a peer's link, if it has one. The caller sees to what comes next.
    pub(super) fn end_link(&mut self, now: Time, id: PeerId, reason: DisconnectReason) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some(link) = peer.link.take() else { return };
        peer.unseen.clear();
        peer.gathered = std::mem::take(&mut peer.gathering);
        peer.sent_bytes += link.sent_bytes;
        self.links.remove(&link.id);
        self.drop_waiting(link.id);
        self.count(id);
        self.out.push_back(Output::CloseLink { link: link.id });
        if link.is_open() {
            self.emit(Event::PeerDisconnected { peer: id, reason });
        }
        self.refresh(now, id);
    }

    /// An open link was lost. If the server still lists the peer another is made; else the peer has a while to come back.
    pub(super) fn link_lost(&mut self, now: Time, id: PeerId, change: LinkChange) {
        self.end_link(now, id, DisconnectReason::Lost);
        self.changed(now, id, change);
        let joined = self.is_joined();
        let timings = self.config.timings;
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if peer.farewell {
            return self.remove(id, DisconnectReason::Left);
        }
        peer.next_try = Some(now + if self.seq > Some(peer.seq) { REDIAL } else { ASK_REDIAL });
        if !peer.listed || !joined {
            // Nobody can say whether it is still there, or nobody could carry an offer to it.
            let gone = peer.gone_at(now, &timings);
            peer.evict_at.get_or_insert(gone);
        }
    }

    /// An attempt came to nothing.
    pub(super) fn link_failed(&mut self, now: Time, id: PeerId) {
        self.end_link(now, id, DisconnectReason::Lost);
        let timings = self.config.timings;
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let first = peer.failures == 0;
        let wait = timings.backoff(peer.failures + 1, &mut self.random);
        peer.failures = peer.failures.saturating_add(1);
        let patience = if self.seq > Some(peer.seq) { Duration::ZERO } else { timings.await_offer };
        peer.next_try = Some(now + wait + patience);
        if !peer.listed {
            let gone = peer.gone_at(now, &timings);
            peer.evict_at.get_or_insert(gone);
        }
        // The known state says more.
        if !peer.change.is_misfit() {
            self.changed(now, id, LinkChange::DialFailed);
        }
        if first {
            self.emit(Event::PeerUnreachable { peer: id });
        }
    }

    pub(super) fn remove(&mut self, id: PeerId, reason: DisconnectReason) {
        let Some(mut peer) = self.peers.remove(&id) else { return };
        self.incoming -= peer.incoming;
        let ours = reason == DisconnectReason::Closed;
        let undelivered = if ours { peer.session.unsent() } else { peer.session.waiting() };
        if let Some(link) = peer.link.take() {
            self.links.remove(&link.id);
            self.drop_waiting(link.id);
            self.out.push_back(Output::CloseLink { link: link.id });
            if link.is_open() {
                self.emit(Event::PeerDisconnected { peer: id, reason });
            }
        }
        if undelivered > 0 {
            self.emit(Event::Undelivered { peer: id, messages: undelivered });
        }
        self.unanswered(id);
        self.stranded(peer.moving);
        self.emit(Event::PeerLeft { peer: id, reason });
    }

    /// The two sides' memories of each other no longer fit: what depends on them ends.
    pub(super) fn begin_anew(&mut self, id: PeerId) {
        let token = self.random.u32(..);
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let given_up = peer.session.forget(token);
        self.count(id);
        self.lost_memory(id, given_up);
    }

    /// Ends everything that depended on a session.
    pub(super) fn lost_memory(&mut self, id: PeerId, given_up: usize) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let (asks, moving) = (std::mem::take(&mut peer.asks), std::mem::take(&mut peer.moving));
        if given_up > 0 {
            self.emit(Event::Undelivered { peer: id, messages: given_up });
        }
        for request in asks {
            self.emit(Event::RequestCancelled { from: id, request });
        }
        self.unanswered(id);
        self.stranded(moving);
    }

    pub(super) fn say_bye(&mut self, id: PeerId) {
        if let Some(peer) = self.peers.get_mut(&id)
            && let Some(link) = peer.link.as_mut().filter(|link| link.is_open())
        {
            // So that nobody takes what has arrived for lost.
            peer.session.acknowledge(link, &mut self.out);
            self.tell(id, &Frame::Bye);
        }
    }

    /// Sends a frame on lane 0, if the link is open.
    pub(super) fn tell(&mut self, id: PeerId, frame: &Frame<'_>) {
        if let Some(link) = self.peers.get_mut(&id).and_then(|peer| peer.link.as_mut()).filter(|link| link.is_open())
            && let Ok(bytes) = frame.encode()
        {
            session::transmit(link, Lane::RELIABLE, bytes.into(), &mut self.out);
        }
    }

    /// Something happened to a link.
    pub(super) fn changed(&mut self, now: Time, id: PeerId, change: LinkChange) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.change = change;
        peer.changed = now;
        if matches!(change, LinkChange::Opened | LinkChange::Resumed) {
            peer.connections = peer.connections.saturating_add(1);
        }
        self.emit(Event::LinkChanged { peer: id });
    }

    /// Tells the application what a peer does, if that has changed.
    pub(super) fn refresh(&mut self, now: Time, id: PeerId) {
        let timings = self.config.timings;
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let doing = peer.doing(now, &timings);
        if std::mem::replace(&mut peer.shown, doing) != doing {
            self.emit(Event::ActivityChanged { peer: id, activity: doing });
        }
    }

    pub(super) fn peer_timeouts(&mut self, now: Time, late: bool) {
        let joined = self.is_joined();
        for id in self.peers.keys().copied().collect::<Vec<_>>() {
            let timings = self.config.timings;
            let Some(peer) = self.peers.get_mut(&id) else { continue };
            if peer.evict_at.is_some_and(|at| now >= at) {
                // After a sleep its word may be waiting behind this wake-up.
                if late && !peer.farewell {
                    peer.evict_at = Some(now + timings.probe);
                } else if peer.link.as_ref().is_some_and(|link| !link.backlog.is_empty()) {
                    // Frames sent before it left are handled first.
                    peer.evict_at = Some(now + FAREWELL);
                } else {
                    let reason = if peer.farewell { DisconnectReason::Left } else { DisconnectReason::Lost };
                    self.remove(id, reason);
                    continue;
                }
            }
            if late {
                peer.session.slept(now);
            }
            if peer.parts_due(&timings).is_some_and(|at| now >= at) {
                self.refuse(now, id, WireError::Overload { what: "unfinished messages" });
                continue;
            }
            if peer.session.stalls_at(&timings).is_some_and(|at| now >= at) {
                peer.session.stalled = true;
                self.emit(Event::Stalled { peer: id });
            }
            let Some(peer) = self.peers.get_mut(&id) else { continue };
            // The link answers pings, so the network works: senders would wait for this peer without end.
            if peer.is_open() && peer.session.holds_up(now, &timings) {
                self.refuse(now, id, WireError::Stalled);
                continue;
            }
            let Some(peer) = self.peers.get_mut(&id) else { continue };
            match &mut peer.link {
                Some(link) if link.is_open() => {
                    if peer.session.owes_by().is_some_and(|at| now >= at) {
                        peer.session.acknowledge(link, &mut self.out);
                    }
                    self.heal(now, id, late);
                }
                Some(link) => {
                    if let Stage::Dialling { deadline } | Stage::Greeting { deadline } = &link.stage
                        && now >= *deadline
                    {
                        self.link_failed(now, id);
                    }
                }
                None if joined && peer.next_try.is_some_and(|at| now >= at) => {
                    if self.seq > Some(peer.seq) {
                        self.dial(now, id);
                    } else {
                        let wait = timings.backoff(peer.failures + 1, &mut self.random);
                        peer.next_try = Some(now + timings.await_offer + wait);
                        self.ask_for_offer(id);
                    }
                }
                None => {}
            }
            self.refresh(now, id);
        }
    }

    /// The channels of a connection are open: says hello.
    pub(super) fn channel_open(&mut self, now: Time, id: PeerId) {
        let deadline = now + self.config.timings.dial;
        let activity = activity_number(self.activity);
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some(link) = peer.link.as_mut() else { return };
        if !matches!(link.stage, Stage::Dialling { .. }) {
            return;
        }
        link.stage = Stage::Greeting { deadline };
        let hello = peer.session.hello(&self.lanes, activity).encode();
        session::transmit(link, Lane::RELIABLE, hello.into(), &mut self.out);
        // Presence needs no hello from the other side: it is shown again on the next link, whatever becomes of this.
        for slot in self.own.slots() {
            if let Some(Ok(frame)) = self.own.frame(slot) {
                peer.show(slot, &frame.into(), false, &mut self.out);
            }
        }
    }

    /// A lane's send buffer has drained.
    pub(super) fn lane_writable(&mut self, now: Time, id: PeerId, lane: Lane) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some(link) = peer.link.as_mut() else { return };
        session::writable(link, lane);
        if lane == Lane::RELIABLE {
            peer.session.acknowledge(link, &mut self.out);
        }
        for (slot, lossy) in std::mem::take(&mut peer.unseen) {
            // Those that wait for the other lane are put back.
            if let Some(Ok(frame)) = self.own.frame(&slot) {
                peer.show(&slot, &frame.into(), lossy, &mut self.out);
            }
        }
        self.pump(now, id);
    }

    /// Sends what waits for a peer, as far as its link can take it.
    pub(super) fn pump(&mut self, now: Time, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if let Some(link) = peer.link.as_mut().filter(|link| link.is_open()) {
            peer.session.pump(link, &mut self.out);
            self.pump_files(now, id);
        }
    }
}
