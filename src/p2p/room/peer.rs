//! One of the other members: its link, its session, and the budgets of its requests.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use converge_signal::protocol::Member;
use converge_signal::{Incarnation, PeerId, Seq};

use super::Output;
use super::files::Moving;
use crate::error::SendError;
use crate::event::{Activity, PeerState};
use crate::lane::Lane;
use crate::link::{Link, Stage};
use crate::presence::Theirs;
use crate::report::{LinkChange, LinkReport, millis};
use crate::session::{self, Session};
use crate::timer::{Time, Timings};
use crate::transfer::TransferId;
use crate::wire::WireError;

/// A peer may start over this often per [`START_WINDOW`]; more is ignored, for each time costs a connection or a
/// negotiation.
const MAX_STARTS: u32 = 10;
const START_WINDOW: Duration = Duration::from_secs(10);

/// A peer is offered at most this many files per [`START_WINDOW`]; one that offers twice as many has its link closed.
const MAX_FILE_OFFERS: u32 = 256;

/// And over an open link it may offer this often: cameras are turned on and off faster than links are made.
const MAX_OFFERS: u32 = 100;

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) incarnation: Incarnation,
    pub(super) seq: Seq,
    /// The server says that it is in the room.
    pub(super) listed: bool,
    pub(super) arrival: u64,
    pub(super) link: Option<Link>,
    pub(super) session: Session,
    pub(super) failures: u32,
    /// When to dial, or to ask for an offer; kept while there is no link.
    pub(super) next_try: Option<Time>,
    /// When to give it up, unless the server lists it again; kept while there is no open link, or after its goodbye.
    pub(super) evict_at: Option<Time>,
    /// The server has passed on its goodbye.
    pub(super) farewell: bool,
    /// When it was last heard, on any link; none if it never was.
    pub(super) heard: Option<Time>,
    /// Slots of our presence that it has yet to be shown, for the lane was full; and whether that was the lossy one.
    pub(super) unseen: Vec<(String, bool)>,
    pub(super) presence: Theirs,
    pub(super) presence_incarnation: Incarnation,
    /// What it says it does.
    pub(super) activity: Activity,
    /// What the application was told that it does.
    pub(super) shown: Activity,
    /// Its requests that have no reply yet.
    pub(super) asks: Vec<u32>,
    /// Files under way.
    pub(super) moving: Vec<Moving>,
    /// Counts the files offered to it.
    pub(super) offers: u32,
    starts: u32,
    /// Offers over its open link.
    renewals: u32,
    /// Files offered by this side, and by the peer.
    files_offered: u32,
    files_heard: u32,
    starts_since: Time,
    pub(super) change: LinkChange,
    pub(super) changed: Time,
    /// ICE candidates that this side has gathered in the present attempt, and in the last that ended; `None` before it has
    /// made a description.
    pub(super) gathering: Option<u32>,
    pub(super) gathered: Option<u32>,
    /// Bytes that the peer makes this side hold: see [`super::MAX_INCOMING_BYTES`].
    pub(super) incoming: usize,
    /// Why the last frame that ended the link was refused.
    pub(super) fault: Option<WireError>,
    pub(super) connections: u32,
    pub(super) sent_bytes: u64,
    pub(super) received_bytes: u64,
}

impl Peer {
    pub(super) fn new(now: Time, member: Member, arrival: u64, session: Session) -> Self {
        Self {
            incarnation: member.incarnation,
            seq: member.seq,
            listed: true,
            arrival,
            link: None,
            session,
            failures: 0,
            next_try: None,
            evict_at: None,
            farewell: false,
            heard: None,
            unseen: Vec::new(),
            presence: Theirs::default(),
            presence_incarnation: member.incarnation,
            activity: Activity::Active,
            shown: Activity::Active,
            asks: Vec::new(),
            moving: Vec::new(),
            offers: 0,
            starts: 0,
            renewals: 0,
            files_offered: 0,
            files_heard: 0,
            starts_since: now,
            change: LinkChange::Met,
            changed: now,
            gathering: None,
            gathered: None,
            incoming: 0,
            fault: None,
            connections: 0,
            sent_bytes: 0,
            received_bytes: 0,
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
        let owes = self.session.owes_by().filter(|_| self.is_open());
        let stalls = self.session.stalls_at(timings);
        [link, next_try, self.evict_at, owes, stalls, self.parts_due(timings)].into_iter().flatten().min()
    }

    /// Returns when an incomplete message is dropped. Not while parts may wait in this page's own backlog.
    pub(super) fn parts_due(&self, timings: &Timings) -> Option<Time> {
        let link = self.link.as_ref().filter(|link| link.is_open() && link.backlog.is_empty());
        link.and_then(|_| self.session.parts_due(timings))
    }

    /// Sends a message on a lane; false if too much waits already. On a lane that is not reliable nothing waits.
    pub(super) fn send(&mut self, now: Time, lane: Lane, message: &Arc<[u8]>, out: &mut VecDeque<Output>) -> bool {
        if self.session.is_ready(lane).is_none() {
            if let Some(link) = self.link.as_mut().filter(|link| session::may_send(link, lane)) {
                session::transmit(link, lane, message.clone(), out);
            }
            return true;
        }
        let fits = self.session.push(now, lane, message.clone());
        if let Some(link) = &mut self.link {
            self.session.pump(link, out);
        }
        fits
    }

    pub(super) fn has_room(&self, id: PeerId, lane: Lane) -> Result<bool, SendError> {
        match self.session.is_ready(lane) {
            // Nothing ever waits there.
            None => Ok(true),
            Some(_) if self.session.stalled => Err(SendError::Stalled { peer: id }),
            Some(ready) => Ok(ready),
        }
    }

    /// Shows a slot of our presence: now, or its newest value when the lane can take it. Without a channel there is
    /// nothing to do: it gets every slot when one opens.
    pub(super) fn show(&mut self, slot: &str, frame: &Arc<[u8]>, lossy: bool, out: &mut VecDeque<Output>) {
        let Some(link) = self.link.as_mut().filter(|link| !matches!(link.stage, Stage::Dialling { .. })) else {
            return;
        };
        // Until the other side has our hello, only lane 0 is safe.
        let lossy = lossy && link.ready;
        let lane = if lossy { Lane::LOSSY } else { Lane::RELIABLE };
        if link.flows.get(lane.index()).is_some_and(|flow| flow.grant > 0) {
            session::transmit(link, lane, frame.clone(), out);
        } else if let Some((_, waits_lossy)) = self.unseen.iter_mut().find(|(unseen, _)| unseen == slot) {
            *waits_lossy &= lossy;
        } else {
            self.unseen.push((slot.to_owned(), lossy));
        }
    }

    /// Takes note of an offer, or of being asked for one; false if there are too many.
    pub(super) fn may_start_over(&mut self, now: Time) -> bool {
        self.count_anew(now);
        self.starts += 1;
        self.starts <= MAX_STARTS
    }

    /// Takes note of an offer over its link; false if there are too many.
    pub(super) fn may_offer_again(&mut self, now: Time) -> bool {
        self.count_anew(now);
        self.renewals += 1;
        self.renewals <= MAX_OFFERS
    }

    /// Counts a file about to be offered; `false` if there are too many.
    pub(super) fn may_offer_file(&mut self, now: Time) -> bool {
        self.count_anew(now);
        self.files_offered += 1;
        self.files_offered <= MAX_FILE_OFFERS
    }

    /// Counts a file offered by the peer; `false` if no converge peer offers so many. The windows of the two sides
    /// don't begin together.
    pub(super) fn may_hear_of_file(&mut self, now: Time) -> bool {
        self.count_anew(now);
        self.files_heard += 1;
        self.files_heard <= 2 * MAX_FILE_OFFERS
    }

    /// Returns the bytes of credit that the peer's other files have and that are not stored yet.
    pub(super) fn granted_bytes(&self, but: TransferId) -> u64 {
        self.moving.iter().filter(|moving| moving.info.id != but).map(Moving::granted_bytes).sum()
    }

    fn count_anew(&mut self, now: Time) {
        if now.since(self.starts_since) > START_WINDOW {
            self.starts_since = now;
            (self.starts, self.renewals) = (0, 0);
            (self.files_offered, self.files_heard) = (0, 0);
        }
    }

    pub(super) fn held_bytes(&self) -> usize {
        let files: usize = self.moving.iter().map(Moving::held_bytes).sum();
        let unhandled = self.link.as_ref().map_or(0, |link| link.backlog.bytes());
        self.session.waiting_bytes() + self.session.joining_bytes() + unhandled + files
    }

    /// When it has gone, if nothing more is heard of it.
    pub(super) fn gone_at(&self, now: Time, timings: &Timings) -> Time {
        let after = self.heard.map_or(now, |heard| heard + timings.gone);
        after.max(now + timings.probe)
    }

    /// What to tell the application that it does.
    pub(super) fn doing(&self, now: Time, timings: &Timings) -> Activity {
        match &self.link {
            Some(link) if link.is_open() && link.is_sound(now, timings) => self.activity,
            None | Some(_) if self.heard.is_none() => self.activity,
            _ => Activity::Stale,
        }
    }

    pub(super) fn report(&self, now: Time, peer: PeerId) -> LinkReport {
        let liveness = self.link.as_ref().and_then(|link| match &link.stage {
            Stage::Open(liveness) => Some(liveness),
            _ => None,
        });
        LinkReport {
            peer,
            state: self.state(),
            activity: self.shown,
            listed: self.listed,
            last_change: self.change,
            changed_ms: millis(now.since(self.changed)),
            heard_ms: self.heard.map(|heard| millis(now.since(heard))),
            rtt_ms: liveness.and_then(|liveness| liveness.rtt).map(|rtt| rtt.as_micros() as f64 / 1000.0),
            failures: self.failures,
            restarts: self.link.as_ref().map_or(0, |link| link.restarts),
            connections: self.connections,
            sent_bytes: self.sent_bytes + self.link.as_ref().map_or(0, |link| link.sent_bytes),
            received_bytes: self.received_bytes,
            queued_bytes: self.session.waiting_bytes(),
            path: None,
            candidates: self.gathered,
            fault: self.fault.clone(),
        }
    }
}
