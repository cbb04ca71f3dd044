//! Connections between pages, as `RTCPeerConnection` makes them: descriptions, ICE, and lanes with their send buffers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::net::Happening;
use super::{NodeId, Sim};
use crate::lane::{Delivery, Lane};
use crate::link::{Candidate, LinkId, Role, Sdp};
use crate::room::{Input, LinkEvent};
use crate::timer::Time;

/// How long a connection that is being closed may take to send what it still holds.
const LINGER: Duration = Duration::from_millis(500);

/// One end of an RTCPeerConnection pair.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) node: NodeId,
    link: LinkId,
    remote: Option<u64>,
    /// The offer that awaits an answer.
    pending: Option<Offer>,
    /// The application wants another offer and answer.
    needed: bool,
    /// Names the ICE credentials in use on this side and on the other; 0 before there are any.
    local_ice: u64,
    remote_ice: u64,
    /// Candidates of the other side, for its present credentials.
    candidates: u32,
    /// The credentials that the last connectivity checks were about.
    checked: (u64, u64),
    ice: Ice,
    /// Nothing gets through, and ICE counts the seconds.
    broken: bool,
    epoch: u64,
    /// Both ends have found each other (and may not yet have been told).
    open: bool,
    told: bool,
    /// The page has closed it, and what it still holds goes out.
    closing: bool,
    /// It has died, and its page has yet to learn.
    killed: bool,
    /// The page was told that it is closed.
    closed: bool,
    lanes: Vec<LaneOut>,
    /// The lane whose first frame is going out.
    leaving: Option<usize>,
    /// Whose turn it is.
    turn: usize,
    /// When the last thing that the browser has to say about descriptions is said: it does one after the other.
    said: Time,
}

#[derive(Debug, Clone, Copy)]
struct Offer {
    number: u64,
    ice: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ice {
    New,
    Checking,
    Connected,
    Disconnected,
    Failed,
}

/// A lane's send buffer.
#[derive(Debug)]
struct LaneOut {
    delivery: Delivery,
    queue: VecDeque<Arc<[u8]>>,
    buffered: usize,
    /// When the last thing that keeps its place arrives.
    arrives: Time,
    awaited: bool,
}

impl Connection {
    fn is_empty(&self) -> bool {
        self.lanes.iter().all(|lane| lane.queue.is_empty())
    }
}

fn pair(a: NodeId, b: NodeId) -> (NodeId, NodeId) {
    (a.min(b), a.max(b))
}

impl Sim {
    /// Nothing passes from one page to another for a while, and no send buffer empties; nobody is told.
    pub fn stall(&mut self, from: NodeId, to: NodeId, time: Duration) {
        let until = self.now + time;
        self.stalls.insert((from, to), until);
        self.schedule_at(until, Happening::Resume { from, to });
    }

    /// The connections between two pages die: both ends are told soon, and what is under way is lost.
    pub fn kill_connection(&mut self, a: NodeId, b: NodeId) {
        for id in self.between(a, b) {
            if let Some(end) = self.connections.get_mut(&id)
                && !std::mem::replace(&mut end.killed, true)
            {
                self.schedule(Happening::Link { connection: id, event: LinkEvent::Closed });
            }
        }
    }

    /// Packets between two pages vanish in both directions until [`mend`](Self::mend).
    pub fn cut(&mut self, a: NodeId, b: NodeId) {
        self.cuts.insert(pair(a, b));
        self.reconsider_all(a);
    }

    /// They get through again, on connections that ICE has not given up.
    pub fn mend(&mut self, a: NodeId, b: NodeId) {
        self.cuts.remove(&pair(a, b));
        self.reconsider_all(a);
    }

    /// The application of one page wants another offer and answer on its connection to another page.
    pub fn renegotiate(&mut self, node: NodeId, other: NodeId) {
        for id in self.between(node, other) {
            if let Some(end) = self.connections.get_mut(&id)
                && end.node == node
                && end.told
            {
                end.needed = true;
                if end.pending.is_none() {
                    self.schedule_at(self.now, Happening::Link { connection: id, event: LinkEvent::NegotiationNeeded });
                }
            }
        }
    }

    /// Whether an application still waits for the offer and answer it wanted.
    pub fn wants_negotiation(&self, node: NodeId) -> bool {
        self.connections.values().any(|end| end.node == node && end.needed && !end.closing)
    }

    /// The ends of connections that lead from one of two pages to the other.
    fn between(&self, a: NodeId, b: NodeId) -> Vec<u64> {
        let leads = |id: &u64| {
            let Some(end) = self.connections.get(id) else { return false };
            let other = end.remote.and_then(|remote| self.connections.get(&remote)).map(|other| other.node);
            other.is_some_and(|other| pair(end.node, other) == pair(a, b))
        };
        self.connections.keys().copied().filter(leads).collect()
    }

    pub(super) fn open_connection(&mut self, node: NodeId, link: LinkId, role: Role) {
        let id = self.next_id();
        let lanes = Delivery::lanes(&self.lanes);
        let lane =
            |delivery| LaneOut { delivery, queue: VecDeque::new(), buffered: 0, arrives: Time::ZERO, awaited: false };
        let end = Connection {
            node,
            link,
            remote: None,
            pending: None,
            needed: false,
            local_ice: 0,
            remote_ice: 0,
            candidates: 0,
            checked: (0, 0),
            ice: Ice::New,
            broken: false,
            epoch: 0,
            open: false,
            told: false,
            closing: false,
            killed: false,
            closed: false,
            lanes: lanes.into_iter().map(lane).collect(),
            leaving: None,
            turn: 0,
            said: Time::ZERO,
        };
        self.connections.insert(id, end);
        self.nodes[node].links.insert(link, id);
        self.nodes[node].connections += 1;
        if role == Role::Offerer {
            self.offer(id, false);
        }
    }

    /// Makes an offer; one that is outstanding is replaced.
    pub(super) fn offer(&mut self, id: u64, restart: bool) {
        let number = self.next_id();
        let Some(end) = self.connections.get_mut(&id).filter(|end| !end.killed) else { return };
        let fresh = restart || end.local_ice == 0;
        let ice = if fresh { number } else { end.local_ice };
        end.pending = Some(Offer { number, ice });
        self.describe(id, Sdp::Offer(format!("offer {id} {number} {ice}")), fresh.then_some(ice));
    }

    /// Says the local description, then two candidates where there are new credentials.
    fn describe(&mut self, id: u64, sdp: Sdp, fresh: Option<u64>) {
        let takes = self.latency() / 10;
        self.say(id, takes, LinkEvent::LocalDescription(sdp));
        for n in 1..if fresh.is_some() { 3 } else { 1 } {
            let candidate = Candidate {
                candidate: format!("candidate:{} 1 udp 1 10.0.0.{n} 5000 typ host", fresh.unwrap_or_default()),
                sdp_mid: Some("0".into()),
                sdp_m_line_index: None,
            };
            self.say(id, Duration::from_millis(1), LinkEvent::LocalCandidate(candidate));
        }
    }

    fn say(&mut self, id: u64, takes: Duration, event: LinkEvent) {
        let now = self.now;
        let Some(end) = self.connections.get_mut(&id) else { return };
        end.said = end.said.max(now) + takes;
        let at = end.said;
        self.schedule_at(at, Happening::Link { connection: id, event });
    }

    pub(super) fn set_remote(&mut self, id: u64, sdp: &Sdp) {
        let (seed, fresh) = (self.seed, self.next_id());
        let Some(end) = self.connections.get_mut(&id).filter(|end| !end.killed) else { return };
        let (Sdp::Offer(text) | Sdp::Answer(text)) = sdp;
        let numbers: Vec<u64> = text.split(' ').skip(1).filter_map(|word| word.parse().ok()).collect();
        match (sdp, numbers.as_slice()) {
            (Sdp::Offer(_), &[from, number, ice]) => {
                assert!(
                    end.remote.is_none_or(|remote| remote == from),
                    "seed {seed}: {id} leads to {:?} and was given `{text}`",
                    end.remote
                );
                let rolled_back = end.pending.take().is_some();
                end.remote = Some(from);
                let restart = end.remote_ice != ice;
                if restart {
                    end.remote_ice = ice;
                    end.candidates = 0;
                    end.local_ice = fresh;
                }
                let local = end.local_ice;
                let again = rolled_back && end.needed;
                self.say(id, Duration::ZERO, LinkEvent::RemoteSet);
                let answer = Sdp::Answer(format!("answer {id} {from} {number} {local}"));
                self.describe(id, answer, restart.then_some(local));
                if again {
                    self.say(id, Duration::ZERO, LinkEvent::NegotiationNeeded);
                }
            }
            (Sdp::Answer(_), &[from, to, number, ice]) => {
                let fits = to == id && end.pending.is_some_and(|offer| offer.number == number);
                assert!(fits, "seed {seed}: {id} awaits an answer to {:?} and was given `{text}`", end.pending);
                if let Some(offer) = end.pending.take() {
                    end.local_ice = offer.ice;
                }
                end.remote = Some(from);
                end.needed = false;
                if end.remote_ice != ice {
                    end.remote_ice = ice;
                    end.candidates = 0;
                }
                self.say(id, Duration::ZERO, LinkEvent::RemoteSet);
            }
            _ => panic!("seed {seed}: {id} was given `{text}` as {sdp:?}"),
        }
        self.try_connect(id);
    }

    pub(super) fn add_candidate(&mut self, id: u64, candidate: &Candidate) {
        let Some(end) = self.connections.get_mut(&id) else { return };
        assert!(end.remote.is_some(), "seed {}: a candidate before the remote description", self.seed);
        let ice = candidate.candidate.split([':', ' ']).nth(1).and_then(|word| word.parse().ok());
        // One of other credentials is of no use: the browser refuses it.
        if ice == Some(end.remote_ice) {
            end.candidates += 1;
        }
        self.try_connect(id);
    }

    /// Starts connectivity checks when both sides know each other's credentials and candidates.
    fn try_connect(&mut self, id: u64) {
        let Some(mine) = self.connections.get(&id) else { return };
        let Some(remote) = mine.remote else { return };
        let Some(theirs) = self.connections.get(&remote) else { return };
        let agreed = theirs.remote == Some(id)
            && mine.local_ice == theirs.remote_ice
            && mine.remote_ice == theirs.local_ice
            && mine.candidates > 0
            && theirs.candidates > 0;
        if !agreed || mine.checked == (mine.local_ice, mine.remote_ice) {
            return;
        }
        for end in [id, remote] {
            if let Some(end) = self.connections.get_mut(&end) {
                end.checked = (end.local_ice, end.remote_ice);
                end.ice = Ice::Checking;
                end.broken = false;
                end.epoch += 1;
            }
        }
        self.reconsider(id);
    }

    /// Whether packets get through between the two ends of a connection.
    fn passes(&self, id: u64) -> bool {
        let Some(mine) = self.connections.get(&id) else { return false };
        let Some(theirs) = mine.remote.and_then(|remote| self.connections.get(&remote)) else { return false };
        let awake = |node: NodeId| self.nodes[node].asleep.as_ref().is_none_or(|asleep| !asleep.machine);
        let alive = |end: &Connection| {
            !end.killed && !end.closed && matches!(end.ice, Ice::Checking | Ice::Connected | Ice::Disconnected)
        };
        alive(mine)
            && alive(theirs)
            && awake(mine.node)
            && awake(theirs.node)
            && !self.cuts.contains(&pair(mine.node, theirs.node))
    }

    pub(super) fn reconsider_all(&mut self, node: NodeId) {
        let of = |(id, end): (&u64, &Connection)| (end.node == node).then_some(*id);
        for id in self.connections.iter().filter_map(of).collect::<Vec<_>>() {
            self.reconsider(id);
        }
    }

    /// Something about whether packets get through may have changed: ICE notices, at both ends.
    fn reconsider(&mut self, id: u64) {
        let passes = self.passes(id);
        let Some(mine) = self.connections.get(&id) else { return };
        let ends = [Some(id), mine.remote];
        let (trouble, failure) = (self.now + self.weather.ice_trouble, self.now + self.weather.ice_failure);
        let mut found = Vec::new();
        for id in ends.into_iter().flatten() {
            let Some(end) = self.connections.get_mut(&id) else { continue };
            if end.killed || matches!(end.ice, Ice::New) {
                continue;
            }
            if passes {
                if std::mem::replace(&mut end.broken, false) {
                    end.epoch += 1;
                }
                if matches!(end.ice, Ice::Checking | Ice::Disconnected) {
                    end.ice = Ice::Connected;
                    found.push(id);
                }
            } else if !std::mem::replace(&mut end.broken, true) && end.ice != Ice::Failed {
                end.epoch += 1;
                let epoch = end.epoch;
                if end.ice == Ice::Connected {
                    self.schedule_at(trouble, Happening::Ice { connection: id, epoch, failed: false });
                }
                self.schedule_at(failure, Happening::Ice { connection: id, epoch, failed: true });
            }
        }
        for id in found {
            self.found(id);
        }
        if passes {
            for id in ends.into_iter().flatten() {
                self.pump(id);
            }
        }
    }

    /// An end has found a way to the other: for the first time, or again.
    fn found(&mut self, id: u64) {
        let at = self.now + self.latency();
        let Some(end) = self.connections.get_mut(&id) else { return };
        let first = !std::mem::replace(&mut end.open, true);
        let Some(remote) = end.remote else { return };
        if !first {
            return self.schedule_at(at, Happening::Link { connection: id, event: LinkEvent::Recovered });
        }
        // What the other side sends must not overtake this side's opening.
        if let Some(other) = self.connections.get_mut(&remote) {
            for lane in &mut other.lanes {
                lane.arrives = at;
            }
        }
        let max_message = self.weather.max_message;
        self.schedule_at(at, Happening::Link { connection: id, event: LinkEvent::Open { max_message } });
    }

    pub(super) fn ice_waited(&mut self, id: u64, epoch: u64, failed: bool) {
        let Some(end) = self.connections.get_mut(&id).filter(|end| end.epoch == epoch && !end.killed) else { return };
        if let Some(asleep) = self.nodes[end.node].asleep.as_ref().filter(|asleep| asleep.machine) {
            // ICE sleeps too, and begins to count when it wakes.
            let wait = if failed { self.weather.ice_failure } else { self.weather.ice_trouble };
            let at = asleep.until + wait;
            return self.schedule_at(at, Happening::Ice { connection: id, epoch, failed });
        }
        end.ice = if failed { Ice::Failed } else { Ice::Disconnected };
        let event = if failed { LinkEvent::Failed } else { LinkEvent::Trouble };
        self.schedule_at(self.now, Happening::Link { connection: id, event });
        if failed {
            self.reconsider(id);
        }
    }

    pub(super) fn send(&mut self, id: u64, lane: Lane, frame: Arc<[u8]>) {
        let (seed, passes) = (self.seed, self.passes(id));
        let max_message = self.weather.max_message;
        let Some(end) = self.connections.get_mut(&id) else { return };
        assert!(end.told, "seed {seed}: a frame on a link that is not open");
        assert!(frame.len() <= max_message, "seed {seed}: a frame of {} bytes", frame.len());
        let to = end.remote.and_then(|remote| self.connections.get(&remote)).map(|other| other.node);
        let Some(end) = self.connections.get_mut(&id) else { return };
        if let Some(to) = to {
            let traffic = self.traffic.entry((end.node, to, lane)).or_default();
            traffic.frames += 1;
            traffic.bytes += frame.len() as u64;
        }
        let Some(out) = end.lanes.get_mut(lane.index()) else { panic!("seed {seed}: no such {lane:?}") };
        if end.killed || end.closed || (!passes && !out.delivery.is_reliable()) {
            return;
        }
        out.buffered += frame.len();
        out.queue.push_back(frame);
        self.pump(id);
    }

    pub(super) fn await_writable(&mut self, id: u64, lane: Lane) {
        let Some(end) = self.connections.get_mut(&id) else { return };
        if let Some(out) = end.lanes.get_mut(lane.index()) {
            assert!(!out.awaited, "seed {}: {lane:?} is awaited already", self.seed);
            out.awaited = true;
        }
        self.answer_awaited(id);
    }

    fn answer_awaited(&mut self, id: u64) {
        let Some(end) = self.connections.get_mut(&id) else { return };
        let mut writable = Vec::new();
        for (lane, out) in (0_u8..).zip(&mut end.lanes) {
            if out.awaited && out.buffered == 0 && !end.killed && !end.closed {
                out.awaited = false;
                writable.push(Lane(lane));
            }
        }
        for lane in writable {
            self.schedule_at(self.now, Happening::Link { connection: id, event: LinkEvent::Writable { lane } });
        }
    }

    pub(super) fn pump_all(&mut self, from: NodeId, to: NodeId) {
        for id in self.between(from, to) {
            if self.connections.get(&id).is_some_and(|end| end.node == from) {
                self.pump(id);
            }
        }
    }

    /// Whether what is handed over goes out.
    fn flows(&self, id: u64) -> bool {
        let Some(mine) = self.connections.get(&id) else { return false };
        let Some(theirs) = mine.remote.and_then(|remote| self.connections.get(&remote)) else { return false };
        let stalled = self.stalls.get(&(mine.node, theirs.node)).is_some_and(|until| *until > self.now);
        mine.open && !stalled && self.passes(id)
    }

    /// Lets go out what can.
    fn pump(&mut self, id: u64) {
        while self.flows(id) {
            let Some(end) = self.connections.get_mut(&id) else { return };
            if end.leaving.is_some() {
                break;
            }
            let lanes = end.lanes.len();
            let turn = end.turn;
            let next = (0..lanes).map(|n| (turn + n) % lanes).find(|lane| !end.lanes[*lane].queue.is_empty());
            let Some(lane) = next else { break };
            end.turn = (lane + 1) % lanes;
            match self.weather.bytes_per_second {
                None => self.depart(id, lane),
                Some(rate) => {
                    end.leaving = Some(lane);
                    let bytes = end.lanes[lane].queue.front().map_or(0, |frame| frame.len());
                    let at = self.now + Duration::from_secs_f64(bytes as f64 / rate as f64);
                    self.schedule_at(at, Happening::Left { connection: id });
                }
            }
        }
        self.answer_awaited(id);
        if self.connections.get(&id).is_some_and(|end| end.closing && end.is_empty()) {
            self.finish_close(id);
        }
    }

    pub(super) fn frame_left(&mut self, id: u64) {
        let Some(lane) = self.connections.get_mut(&id).and_then(|end| end.leaving.take()) else { return };
        if self.flows(id) {
            self.depart(id, lane);
        }
        self.pump(id);
    }

    /// A lane's first frame is under way.
    fn depart(&mut self, id: u64, lane: usize) {
        let mut at = self.now + self.latency();
        let (loss, reorder) = (self.weather.loss, self.weather.reorder);
        let Some(end) = self.connections.get_mut(&id) else { return };
        let (Some(remote), Some(out)) = (end.remote, end.lanes.get_mut(lane)) else { return };
        let Some(frame) = out.queue.pop_front() else { return };
        out.buffered -= frame.len();
        let (lost, in_order) = match out.delivery {
            Delivery::Reliable => (0.0, true),
            Delivery::Retransmits { ordered, times } => (loss.powi(i32::from(times) + 1), ordered),
            Delivery::Lifetime { ordered, .. } => (loss, ordered),
        };
        if lost > 0.0 && self.random.f64() < lost {
            return;
        }
        if !in_order && reorder > 0.0 && self.random.f64() < reorder {
            at = at.max(out.arrives) + self.weather.latency.1.mul_f64(self.random.f64() * 3.0);
        } else {
            out.arrives = at.max(out.arrives);
            at = out.arrives;
        }
        let lane = Lane(u8::try_from(lane).unwrap_or(u8::MAX));
        let event = LinkEvent::Frame { lane, bytes: frame.to_vec() };
        self.schedule_at(at, Happening::Link { connection: remote, event });
    }

    /// The page closes a connection: what it still holds goes out first, if that does not take long.
    pub(super) fn close_connection(&mut self, id: u64) {
        let Some(end) = self.connections.get_mut(&id) else { return };
        end.closing = true;
        if !end.open || end.killed || end.is_empty() {
            return self.finish_close(id);
        }
        let at = self.now + LINGER;
        self.schedule_at(at, Happening::Linger { connection: id });
    }

    pub(super) fn finish_close(&mut self, id: u64) {
        let passes = self.passes(id);
        let at = self.now + self.latency();
        let Some(end) = self.connections.remove(&id) else { return };
        let Some(remote) = end.remote else { return };
        if passes && end.open {
            let arrives = end.lanes.iter().map(|lane| lane.arrives).max().unwrap_or_default();
            let to = self.connections.get(&remote).map(|other| other.node);
            let stalled = to.and_then(|to| self.stalls.get(&(end.node, to)).copied()).unwrap_or_default();
            let at = at.max(arrives).max(stalled);
            self.schedule_at(at, Happening::Link { connection: remote, event: LinkEvent::Closed });
        }
        self.reconsider(remote);
    }

    /// A page's connections end without a word.
    pub(super) fn drop_connections(&mut self, node: NodeId) {
        let of = |(id, end): (&u64, &Connection)| (end.node == node).then_some(*id);
        for id in self.connections.iter().filter_map(of).collect::<Vec<_>>() {
            if let Some(remote) = self.connections.remove(&id).and_then(|end| end.remote) {
                self.reconsider(remote);
            }
        }
    }

    pub(super) fn link_event(&mut self, id: u64, event: LinkEvent) {
        let Some(end) = self.connections.get_mut(&id) else { return };
        match &event {
            LinkEvent::Closed => {}
            _ if end.closed || end.killed => return,
            LinkEvent::Open { .. } => end.told = true,
            LinkEvent::LocalCandidate(candidate) => {
                // Those of an offer that was rolled back or replaced are not gathered any longer.
                let of = |ice: u64| candidate.candidate.starts_with(&format!("candidate:{ice} "));
                if !of(end.local_ice) && !end.pending.is_some_and(|offer| of(offer.ice)) {
                    return;
                }
            }
            _ => {}
        }
        let closes = matches!(event, LinkEvent::Closed);
        if closes && std::mem::replace(&mut end.closed, true) {
            return;
        }
        let (node, link) = (end.node, end.link);
        if self.nodes[node].links.get(&link) == Some(&id) {
            self.tell(node, Input::Link { link, event });
        }
    }
}
