//! Queues frames on arrival, and handles them in turn as the driver finds time.

use std::time::Duration;

use converge_signal::PeerId;

use super::RoomCore;
use crate::event::{Activity, DisconnectReason};
use crate::lane::Lane;
use crate::link::{Entry, LinkId, Stage};
use crate::report::LinkChange;
use crate::timer::Time;
use crate::wire::WireError;

/// At most this many bytes are held for all peers together: unhandled frames and incomplete messages. Beyond it, the
/// link of the peer with the most is closed.
pub const MAX_INCOMING_BYTES: usize = 128 * 1024 * 1024;

/// At most this many bytes are held for one peer: the full credit of two lanes, and that of its files.
pub const MAX_INCOMING_BYTES_PER_PEER: usize = MAX_INCOMING_BYTES / 2;

/// A link is served for this long before the next link with waiting frames.
const TURN: Duration = Duration::from_millis(1);

/// A turn takes at most this many steps, because some browsers round the clock to whole milliseconds.
const TURN_STEPS: u32 = 16;

/// The link being served.
#[derive(Debug)]
pub(super) struct Turn {
    link: LinkId,
    since: Time,
    steps: u32,
}

impl RoomCore {
    /// Returns whether received frames wait to be handled. While they do and there is time, the driver passes in
    /// [`Input::Work`](super::Input::Work), one step at a time, and drains after each.
    pub fn has_work(&self) -> bool {
        !self.turns.is_empty()
    }

    /// Records that the peer is alive, and queues the frame.
    pub(super) fn arrived(&mut self, now: Time, id: PeerId, lane: Lane, bytes: Vec<u8>) {
        if lane == Lane::RELIABLE {
            // The other side's first frame may overtake this side's own event that the channels are open.
            self.channel_open(now, id);
        }
        self.heard_something(now);
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some(link) = peer.link.as_mut() else { return };
        peer.heard = Some(now);
        peer.received_bytes += bytes.len() as u64;
        let restarted = peer.change == LinkChange::Restarting && !link.talks.awaits_answer();
        let ill = restarted || link.healing.is_needed() || peer.shown == Activity::Stale;
        if let Stage::Open(liveness) = &mut link.stage {
            liveness.heard(now);
            if ill {
                self.recovered(now, id);
            }
        }
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some(link) = peer.link.as_mut() else { return };
        let first = link.backlog.is_empty();
        let taken = link.backlog.push(lane, bytes, peer.session.unacknowledged(lane));
        if first && !link.backlog.is_empty() {
            self.turns.push_back(link.id);
        }
        match taken {
            Ok(()) => self.recount(now, id),
            Err(fault) => self.refuse(now, id, fault),
        }
    }

    /// Queues the end of the connection behind waiting frames; `false` if none wait.
    pub(super) fn closed_behind(&mut self, id: PeerId) -> bool {
        let link = self.peers.get_mut(&id).and_then(|peer| peer.link.as_mut());
        let waiting = link.filter(|link| !link.backlog.is_empty());
        waiting.map(|link| link.backlog.close()).is_some()
    }

    pub(super) fn work(&mut self, now: Time) {
        let Some(link) = self.next_turn(now) else { return };
        let id = self.links.get(&link).copied();
        let of = id.and_then(|id| self.peers.get_mut(&id)).and_then(|peer| peer.link.as_mut());
        let entry = of.and_then(|link| {
            let entry = link.backlog.pop();
            entry.map(|entry| (entry, link.backlog.is_empty()))
        });
        if entry.as_ref().is_none_or(|(_, last)| *last) {
            self.turns.pop_front();
        }
        let (Some(id), Some((entry, _))) = (id, entry) else { return };
        match entry {
            Entry::Frame(lane, bytes) => self.frame(now, id, lane, &bytes),
            Entry::Closed => self.link_closed(now, id),
        }
        self.recount(now, id);
    }

    /// Returns the first link in the queue, until its turn is over.
    fn next_turn(&mut self, now: Time) -> Option<LinkId> {
        let first = *self.turns.front()?;
        if let Some(turn) = self.turn.as_mut().filter(|turn| turn.link == first) {
            if now.since(turn.since) < TURN && turn.steps < TURN_STEPS {
                turn.steps += 1;
                return Some(first);
            }
            self.turns.rotate_left(1);
        }
        let link = *self.turns.front()?;
        self.turn = Some(Turn { link, since: now, steps: 1 });
        Some(link)
    }

    /// Updates the bytes held for a peer, and closes the link that exceeds a bound.
    fn recount(&mut self, now: Time, id: PeerId) {
        self.count(id);
        let of_one = self.peers.get(&id).is_some_and(|peer| peer.incoming > MAX_INCOMING_BYTES_PER_PEER);
        let most = if of_one {
            Some(id)
        } else if self.incoming > MAX_INCOMING_BYTES {
            self.peers.iter().max_by_key(|(_, peer)| peer.incoming).map(|(id, _)| *id)
        } else {
            None
        };
        if let Some(id) = most {
            self.refuse(now, id, WireError::Overload { what: "data at once" });
        }
    }

    pub(super) fn count(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let waiting = peer.link.as_ref().map_or(0, |link| link.backlog.bytes());
        let held = waiting + peer.session.joining_bytes();
        self.incoming = self.incoming - peer.incoming + held;
        peer.incoming = held;
    }

    pub(super) fn drop_waiting(&mut self, link: LinkId) {
        self.turns.retain(|waiting| *waiting != link);
    }

    pub(super) fn refuse(&mut self, now: Time, id: PeerId, fault: WireError) {
        let reason = match &fault {
            WireError::Version { .. } => DisconnectReason::Version,
            WireError::Lanes => DisconnectReason::Lanes,
            WireError::Overload { .. } => DisconnectReason::Overload,
            WireError::Stalled => DisconnectReason::Stalled,
            _ => DisconnectReason::Protocol,
        };
        self.misfit(now, id, reason, Some(fault));
    }
}
