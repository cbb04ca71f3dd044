//! Making, judging and mending links: negotiation, pings, restarts of ICE, new connections.

use std::borrow::Cow;

use converge_signal::PeerId;

use super::peer::Peer;
use super::{LinkEvent, Output, RoomCore};
use crate::event::{DisconnectReason, Event};
use crate::link::{Again, Dial, Heard, LinkId, Negotiation, Pulse, Role, Sdp, Stage, clean};
use crate::report::LinkChange;
use crate::session;
use crate::timer::Time;
use crate::wire::{Frame, MAX_FRAME_BYTES, MIN_FRAME_BYTES, WireError};

impl RoomCore {
    /// Asks a peer for a sign of life, if its link is open.
    pub(super) fn probe_one(&mut self, now: Time, id: PeerId) {
        let wait = self.config.timings.probe;
        if let Some(link) = self.peers.get_mut(&id).and_then(|peer| peer.link.as_mut())
            && let Stage::Open(liveness) = &mut link.stage
        {
            let token = liveness.probe(now, wait);
            self.tell(id, &Frame::Ping(token));
        }
    }

    pub(super) fn probe_all(&mut self, now: Time) {
        for id in self.peers.keys().copied().collect::<Vec<_>>() {
            self.probe_one(now, id);
        }
    }

    /// The paths that links take may lead nowhere now, or a better one may be there.
    pub(super) fn network_changed(&mut self, now: Time) {
        for id in self.peers.keys().copied().collect::<Vec<_>>() {
            self.restart(now, id);
            self.probe_one(now, id);
        }
    }

    /// Restarts ICE on a peer's link, if that is open. If it doesn't help in time, the connection is replaced.
    pub(super) fn restart(&mut self, now: Time, id: PeerId) {
        let timings = self.config.timings;
        let Some(link) = self.peers.get_mut(&id).and_then(|peer| peer.link.as_mut()) else { return };
        let Stage::Open(liveness) = &mut link.stage else { return };
        let heal_by = now + timings.heal;
        liveness.postpone(heal_by);
        link.healing.restart_at = None;
        if link.healing.trouble {
            link.healing.heal_by.get_or_insert(heal_by);
        }
        if link.talks.want(Again::Restart) {
            link.restarts += 1;
            let restart = Some(self.ice_servers.clone());
            self.out.push_back(Output::Offer { link: link.id, restart });
        }
        self.changed(now, id, LinkChange::Restarting);
    }

    /// Makes the offer that has waited for another negotiation to end.
    fn offer_again(&mut self, id: PeerId) {
        let Some(link) = self.peers.get_mut(&id).and_then(|peer| peer.link.as_mut()) else { return };
        let Some(again) = link.talks.next() else { return };
        let restart = (again == Again::Restart).then(|| self.ice_servers.clone());
        link.restarts += u32::from(restart.is_some());
        self.out.push_back(Output::Offer { link: link.id, restart });
    }

    /// Something was heard: packets get through.
    pub(super) fn recovered(&mut self, now: Time, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some(link) = peer.link.as_mut() else { return };
        link.healing = Default::default();
        if matches!(peer.change, LinkChange::Disconnected | LinkChange::Restarting) {
            self.changed(now, id, LinkChange::Recovered);
        }
        self.refresh(now, id);
    }

    /// Looks after an open link when its time has come.
    pub(super) fn heal(&mut self, now: Time, id: PeerId, late: bool) {
        let timings = self.config.timings;
        let joined = self.is_joined();
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let reachable = peer.listed || !joined;
        let Some(link) = peer.link.as_mut() else { return };
        let Stage::Open(liveness) = &mut link.stage else { return };
        let pulse = liveness.check(now, late, &timings);
        let restart = link.healing.restart_at.is_some_and(|at| now >= at);
        if link.healing.heal_by.is_some_and(|by| now >= by) {
            if !late {
                return self.link_lost(now, id, LinkChange::Lost);
            }
            // It may have healed while this machine slept, and nobody has heard of it yet.
            link.healing.heal_by = Some(now + timings.probe);
        }
        match pulse {
            Pulse::Ping(token) => self.tell(id, &Frame::Ping(token)),
            // Where nobody could carry the offer, or nobody is there to answer it, there is nothing to be done.
            Pulse::Doubt if reachable => return self.restart(now, id),
            Pulse::Dead => return self.link_lost(now, id, LinkChange::Silent),
            Pulse::Fine | Pulse::Doubt => {}
        }
        if restart {
            self.restart(now, id);
        }
    }

    /// Says something about a link: over the link itself if that is open and sound, else through the server.
    fn say(&mut self, now: Time, id: PeerId, negotiation: &Negotiation) {
        let timings = self.config.timings;
        let Some(peer) = self.peers.get(&id) else { return };
        let open = peer.is_open();
        let sound = peer.link.as_ref().is_some_and(|link| link.is_sound(now, &timings));
        if open && (sound || !self.is_joined() || !peer.listed) {
            if let Ok(text) = serde_json::to_string(negotiation) {
                self.tell(id, &Frame::Negotiation(&text));
            }
        } else {
            self.signal(id, negotiation);
        }
    }

    /// Says again what the other side may not have heard.
    fn repeat(&mut self, now: Time, id: PeerId) {
        let link = self.peers.get(&id).and_then(|peer| peer.link.as_ref());
        for negotiation in link.map(|link| link.talks.said().to_vec()).unwrap_or_default() {
            self.say(now, id, &negotiation);
        }
    }

    /// The server is back: restarts that could not be told are told now.
    pub(super) fn repeat_all(&mut self, now: Time) {
        for id in self.peers.keys().copied().collect::<Vec<_>>() {
            let link = self.peers.get(&id).and_then(|peer| peer.link.as_ref());
            if link.is_some_and(|link| link.is_open() && link.talks.awaits_answer()) {
                self.repeat(now, id);
            }
        }
    }

    pub(super) fn ask_for_offer(&mut self, id: PeerId) {
        self.signal(id, &Negotiation { dial: Some(Dial {}), ..Negotiation::default() });
    }

    /// The same, said over the link: about that link alone.
    pub(super) fn negotiate_on_link(&mut self, now: Time, id: PeerId, message: Negotiation) {
        let link = self.peers.get(&id).and_then(|peer| peer.link.as_ref());
        if message.dial.is_none() && link.is_some_and(|link| link.attempt == message.attempt) {
            self.negotiate(now, id, message);
        }
    }

    /// A member's part of making or renewing a connection.
    pub(super) fn negotiate(&mut self, now: Time, id: PeerId, mut message: Negotiation) {
        for sdp in [&mut message.offer, &mut message.answer].into_iter().flatten() {
            match clean(sdp, self.is_local) {
                Some(Cow::Borrowed(_)) => {}
                Some(Cow::Owned(cleaned)) => *sdp = cleaned,
                None => return self.refuse(now, id, WireError::Overload { what: "media descriptions" }),
            }
        }
        if message.candidate.as_ref().is_some_and(|candidate| !candidate.is_plausible(self.is_local)) {
            return;
        }
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if message.dial.is_some() {
            if !peer.may_start_over(now) {
                return;
            }
            return match &peer.link {
                // It has no link, so ours leads nowhere.
                Some(link) if link.is_open() => {
                    self.end_link(now, id, DisconnectReason::Lost);
                    self.changed(now, id, LinkChange::Lost);
                    self.dial(now, id);
                }
                Some(_) => {}
                None => self.dial(now, id),
            };
        }
        let attempt = message.attempt;
        match peer.link.as_mut().filter(|link| link.attempt == attempt) {
            Some(link) => {
                let link_id = link.id;
                let open = link.is_open();
                if message.offer.is_some() {
                    if open && !peer.may_offer_again(now) {
                        // An offer that is never answered would keep both from ever agreeing on anything again.
                        return self.misfit(now, id, DisconnectReason::TooManyOffers, None);
                    }
                    if !open && !peer.may_start_over(now) {
                        return;
                    }
                }
                let Some(link) = peer.link.as_mut() else { return };
                match link.talks.hear(message) {
                    Heard::Nothing => {}
                    Heard::Set(sdp) => self.out.push_back(Output::SetRemote { link: link_id, sdp }),
                    Heard::Add(candidate) => self.out.push_back(Output::AddCandidate { link: link_id, candidate }),
                    Heard::Repeat => self.repeat(now, id),
                    Heard::TooMany => self.refuse(now, id, WireError::Overload { what: "ICE candidates" }),
                }
            }
            None => {
                // Only the first offer of an attempt begins one.
                if message.offer.is_some() && message.round == 0 {
                    self.offered(now, id, message);
                }
            }
        }
    }

    fn offered(&mut self, now: Time, id: PeerId, message: Negotiation) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if !peer.may_start_over(now) {
            return;
        }
        if let Some(link) = &peer.link
            && link.role == Role::Offerer
            && !link.is_open()
            && self.seq > Some(peer.seq)
        {
            // Both offer: the later one's offer stands, and that is ours.
            return;
        }
        if peer.is_open() {
            self.changed(now, id, LinkChange::Lost);
        }
        // It starts anew, so what there was leads nowhere.
        self.end_link(now, id, DisconnectReason::Lost);
        let Some(link) = self.open_link(now, id, message.attempt, Role::Answerer) else { return };
        let Some(made) = self.peers.get_mut(&id).and_then(|peer| peer.link.as_mut()) else { return };
        if let Heard::Set(sdp) = made.talks.hear(message) {
            self.out.push_back(Output::SetRemote { link, sdp });
        }
    }

    pub(super) fn link_event(&mut self, now: Time, link_id: LinkId, event: LinkEvent) {
        // What is late from a closed link is nobody's.
        let Some(&id) = self.links.get(&link_id) else { return };
        let timings = self.config.timings;
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some(link) = peer.link.as_mut() else { return };
        let attempt = link.attempt;
        match event {
            LinkEvent::LocalDescription(sdp) => {
                let (Sdp::Offer(text) | Sdp::Answer(text)) = &sdp;
                let found = u32::try_from(text.matches("a=candidate:").count()).unwrap_or(u32::MAX);
                peer.gathering = Some(peer.gathering.unwrap_or_default().saturating_add(found));
                let answer = matches!(sdp, Sdp::Answer(_));
                if let Some(message) = link.talks.described(attempt, sdp) {
                    self.say(now, id, &message);
                }
                if answer {
                    self.offer_again(id);
                }
            }
            LinkEvent::LocalCandidate(candidate) => {
                peer.gathering = Some(peer.gathering.unwrap_or_default().saturating_add(1));
                let message = link.talks.found(attempt, candidate);
                self.say(now, id, &message);
            }
            LinkEvent::RemoteSet => {
                for candidate in link.talks.remote_set() {
                    self.out.push_back(Output::AddCandidate { link: link_id, candidate });
                }
                self.offer_again(id);
            }
            LinkEvent::NegotiationNeeded => {
                if link.talks.want(Again::Tracks) {
                    self.out.push_back(Output::Offer { link: link_id, restart: None });
                }
            }
            LinkEvent::Open { max_message } => {
                link.max_frame = max_message.min(MAX_FRAME_BYTES);
                if max_message < MIN_FRAME_BYTES {
                    return self.misfit(now, id, DisconnectReason::Protocol, None);
                }
                self.channel_open(now, id);
            }
            LinkEvent::Frame { lane, bytes } => self.arrived(now, id, lane, bytes),
            LinkEvent::Writable { lane } => self.lane_writable(now, id, lane),
            LinkEvent::Trouble => {
                if link.is_open() {
                    link.healing.trouble = true;
                    // The impolite side first: two offers that cross are one too many.
                    let patience = if self.id > id { timings.restart * 2 } else { timings.restart };
                    link.healing.restart_at.get_or_insert(now + patience);
                    self.changed(now, id, LinkChange::Disconnected);
                    self.probe_one(now, id);
                    self.refresh(now, id);
                }
            }
            LinkEvent::Recovered => {
                self.recovered(now, id);
                self.probe_one(now, id);
            }
            LinkEvent::Failed if link.is_open() => {
                link.healing.trouble = true;
                self.restart(now, id);
                self.refresh(now, id);
            }
            LinkEvent::Refused if !link.is_open() => {
                self.changed(now, id, LinkChange::Refused);
                self.link_failed(now, id);
            }
            LinkEvent::Failed => self.link_failed(now, id),
            LinkEvent::Refused | LinkEvent::Closed => {
                if !self.closed_behind(id) {
                    self.link_closed(now, id);
                }
            }
        }
    }

    /// Handles a connection that ended by itself.
    pub(super) fn link_closed(&mut self, now: Time, id: PeerId) {
        if self.peers.get(&id).is_some_and(Peer::is_open) {
            self.link_lost(now, id, LinkChange::Lost);
        } else {
            self.link_failed(now, id);
        }
    }

    /// The peer's hello has come: the link is open.
    pub(super) fn greeted(&mut self, now: Time, id: PeerId, bytes: &[u8]) -> Result<(), WireError> {
        let hello = crate::wire::Hello::decode(bytes)?;
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        let before = peer.session.all_settled();
        let met = peer.session.greet(now, &hello, &self.lanes)?;
        let settled = peer.session.all_settled();
        let Some(link) = peer.link.as_mut() else { return Ok(()) };
        let incarnation = link.incarnation;
        link.stage = Stage::Open(crate::link::Liveness::new(now));
        peer.failures = 0;
        peer.fault = None;
        peer.evict_at = None;
        peer.activity = super::activity_from(hello.activity);
        let stale = if peer.presence_incarnation == incarnation { Vec::new() } else { peer.presence.clear() };
        peer.presence_incarnation = incarnation;
        let doubtful = !peer.listed;
        self.tell(id, &Frame::Ready);
        let change = match met {
            session::Met::Resumed => {
                for ((lane, before), (_, up_to)) in before.into_iter().zip(settled) {
                    if up_to > before {
                        self.emit(Event::Acknowledged { peer: id, lane, up_to });
                    }
                }
                LinkChange::Resumed
            }
            session::Met::Anew(given_up) => {
                self.lost_memory(id, given_up);
                LinkChange::Opened
            }
        };
        self.emit(Event::PeerConnected { peer: id });
        self.changed(now, id, change);
        self.refresh(now, id);
        for slot in stale {
            self.emit(Event::PresenceChanged { peer: id, slot, value: None });
        }
        self.pump(now, id);
        self.resume_files(now, id);
        if doubtful {
            self.probe_one(now, id);
        }
        Ok(())
    }

    /// The two pages can't talk: close, say why, and try again only after a long while.
    pub(super) fn misfit(&mut self, now: Time, id: PeerId, reason: DisconnectReason, fault: Option<WireError>) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.fault = fault;
        // As after so many failures that the wait is at its longest.
        peer.failures = peer.failures.max(10);
        let was_open = peer.is_open();
        self.end_link(now, id, reason);
        if !was_open {
            // The application hears of links that were open; of this one it must hear the reason too.
            self.emit(Event::PeerDisconnected { peer: id, reason });
        }
        self.changed(
            now,
            id,
            match reason {
                DisconnectReason::Version => LinkChange::Version,
                DisconnectReason::Lanes => LinkChange::Lanes,
                DisconnectReason::Overload => LinkChange::Overload,
                DisconnectReason::Stalled => LinkChange::Stalled,
                DisconnectReason::TooManyOffers => LinkChange::TooManyOffers,
                _ => LinkChange::Protocol,
            },
        );
        // A page of another version may be reloaded, so its messages wait. Those for a peer that broke the protocol are
        // dropped.
        let broke = !matches!(reason, DisconnectReason::Version | DisconnectReason::Lanes);
        let given_up = self.peers.get_mut(&id).filter(|_| broke).map_or(0, |peer| peer.session.abandon());
        if given_up > 0 {
            self.emit(Event::Undelivered { peer: id, messages: given_up });
        }
        self.begin_anew(id);
        self.link_failed(now, id);
        self.emit(Event::PeerUnreachable { peer: id });
    }
}
