//! A deterministic network in virtual time: many [`RoomCore`]s and the real [`Hub`], for tests and benchmarks.
//!
//! Everything random comes from one seed, and every map is ordered, so a seed replays a run exactly. Sockets and links
//! keep the order of what is sent on them, as TCP and a reliable data channel do; a cut or a crash loses what is under
//! way. A connection opens when both descriptions are set and each side has a candidate of the other's.

mod net;

use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use converge_signal::hub::{self, Hub};
use converge_signal::{Nonce, PeerId, TopicHash};

use self::net::{Connection, Happening, Scheduled, Socket};
use crate::codec::Payload;
use crate::error::SendError;
use crate::event::{Event, PeerState};
use crate::identity::Identity;
use crate::link::LinkId;
use crate::room::{Config, RoomCore};
use crate::timer::{Time, Timings};

/// A simulated page. The index of a page never changes; a reload is another life of it.
pub type NodeId = usize;

/// What the network is like.
#[derive(Debug, Clone)]
pub struct Weather {
    /// The shortest and the longest time that something is under way.
    pub latency: (Duration, Duration),
    /// The share of signalling messages that are lost, 0 to 1. (Real sockets lose none, but they break.)
    pub signal_loss: f64,
    /// How long ICE takes to notice that the other side has vanished.
    pub ice_timeout: Duration,
}

impl Default for Weather {
    fn default() -> Self {
        Self {
            latency: (Duration::from_millis(5), Duration::from_millis(80)),
            signal_loss: 0.0,
            ice_timeout: Duration::from_secs(30),
        }
    }
}

/// A message as its receiver saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Got {
    /// From whom.
    pub from: PeerId,
    /// To this peer alone.
    pub direct: bool,
    /// What it said.
    pub text: String,
}

/// The world: a server, pages, and what is under way between them.
pub struct Sim {
    now: Time,
    seed: u64,
    random: fastrand::Rng,
    /// What the network is like from now on.
    pub weather: Weather,
    topic: TopicHash,
    hub: Option<Hub>,
    hub_settings: hub::Settings,
    nodes: Vec<Node>,
    sockets: BTreeMap<u64, Socket>,
    connections: BTreeMap<u64, Connection>,
    last_id: u64,
    queue: BinaryHeap<Scheduled>,
    scheduled: u64,
    /// A hash of all that happened, to compare two runs.
    trace: u64,
}

/// One page: its current life and what its application was told.
struct Node {
    secret: [u8; 32],
    life: u64,
    core: Option<RoomCore>,
    socket: Option<u64>,
    links: BTreeMap<LinkId, u64>,
    wake: u64,
    events: Vec<Event>,
}

impl Sim {
    /// A world with a server and no pages.
    pub fn new(seed: u64) -> Self {
        Self::with_settings(seed, hub::Settings::default())
    }

    /// The same with a server of these settings.
    pub fn with_settings(seed: u64, hub_settings: hub::Settings) -> Self {
        Self {
            now: Time::from_micros(1),
            seed,
            random: fastrand::Rng::with_seed(seed),
            weather: Weather::default(),
            topic: TopicHash::from_bytes([7; 32]),
            hub: Some(Hub::new(hub_settings.clone())),
            hub_settings,
            nodes: Vec::new(),
            sockets: BTreeMap::new(),
            connections: BTreeMap::new(),
            last_id: 0,
            queue: BinaryHeap::new(),
            scheduled: 0,
            trace: seed,
        }
    }

    /// Opens a page, which joins.
    pub fn open(&mut self) -> NodeId {
        let node = self.nodes.len();
        let mut secret = [0; 32];
        secret.fill_with(|| self.random.u8(..));
        self.nodes.push(Node {
            secret,
            life: 0,
            core: None,
            socket: None,
            links: BTreeMap::new(),
            wake: 0,
            events: Vec::new(),
        });
        self.begin(node);
        node
    }

    /// Opens that many pages at the same moment.
    pub fn open_many(&mut self, pages: usize) -> Vec<NodeId> {
        (0..pages).map(|_| self.open()).collect()
    }

    /// Closes a page in order: the room is left.
    pub fn close(&mut self, node: NodeId) {
        if let Some(core) = &mut self.nodes[node].core {
            core.leave();
        }
        self.settle(node);
        self.end_life(node);
    }

    /// Ends a page without a word to anybody: its sockets break, its connections just fall silent.
    pub fn crash(&mut self, node: NodeId) {
        self.vanish(node);
        self.end_life(node);
    }

    /// Loads a page anew, after it has left in order (or after a crash).
    pub fn reload(&mut self, node: NodeId, goodbye: bool) {
        if goodbye {
            self.close(node);
        } else {
            self.crash(node);
        }
        self.begin(node);
    }

    /// How many pages were ever opened.
    pub fn pages(&self) -> usize {
        self.nodes.len()
    }

    /// Whether the page is open.
    pub fn is_open(&self, node: NodeId) -> bool {
        self.nodes[node].core.is_some()
    }

    /// Stops the server: every socket breaks, and what it knew is forgotten.
    pub fn stop_server(&mut self) {
        self.hub = None;
        for id in self.sockets.keys().copied().collect::<Vec<_>>() {
            self.break_socket(id);
        }
    }

    /// Starts the server, with nobody in it.
    pub fn start_server(&mut self) {
        self.hub = Some(Hub::new(self.hub_settings.clone()));
    }

    /// Breaks a page's socket; both ends notice.
    pub fn cut_socket(&mut self, node: NodeId) {
        if let Some(id) = self.nodes[node].socket {
            self.break_socket(id);
        }
    }

    /// A page's room.
    ///
    /// # Panics
    /// If the page is closed.
    pub fn core(&self, node: NodeId) -> &RoomCore {
        match &self.nodes[node].core {
            Some(core) => core,
            None => panic!("page {node} is closed"),
        }
    }

    /// A page's peer id, in all its lives.
    pub fn id(&self, node: NodeId) -> PeerId {
        Identity::from_secret(&self.nodes[node].secret, 0).id()
    }

    /// Calls a page's room.
    ///
    /// # Panics
    /// If the page is closed.
    pub fn call<R>(&mut self, node: NodeId, f: impl FnOnce(&mut RoomCore, Time) -> R) -> R {
        let now = self.now;
        let result = match &mut self.nodes[node].core {
            Some(core) => f(core, now),
            None => panic!("page {node} is closed"),
        };
        self.settle(node);
        result
    }

    /// Sends a text to all, on channel `chat`.
    ///
    /// # Errors
    /// As [`RoomCore::broadcast`].
    pub fn broadcast(&mut self, node: NodeId, text: &str) -> Result<(), SendError> {
        self.call(node, |core, _| core.broadcast("chat", &payload(text)))
    }

    /// Sends a text to one, on channel `chat`.
    ///
    /// # Errors
    /// As [`RoomCore::send_to`].
    pub fn send_to(&mut self, node: NodeId, to: NodeId, text: &str) -> Result<(), SendError> {
        let to = self.id(to);
        self.call(node, |core, _| core.send_to(to, "chat", &payload(text)))
    }

    /// Shows a text in a slot.
    ///
    /// # Errors
    /// As [`RoomCore::set_presence`].
    pub fn show(&mut self, node: NodeId, slot: &str, text: &str) -> Result<(), SendError> {
        self.call(node, |core, _| core.set_presence(slot, Some(payload(text))))
    }

    /// What a page's application was told in its current life, and forgets it.
    pub fn take_events(&mut self, node: NodeId) -> Vec<Event> {
        std::mem::take(&mut self.nodes[node].events)
    }

    /// The messages a page got since [`take_events`](Self::take_events).
    pub fn messages(&self, node: NodeId) -> Vec<Got> {
        let text = |payload: &Payload| String::from_utf8_lossy(&payload.bytes).into_owned();
        let got = |event: &Event| match event {
            Event::Message { from, direct, payload, .. } => {
                Some(Got { from: *from, direct: *direct, text: text(payload) })
            }
            _ => None,
        };
        self.nodes[node].events.iter().filter_map(got).collect()
    }

    /// Lets time pass.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.queue.peek().is_some_and(|next| next.at <= end) {
            self.step();
        }
        self.now = end;
    }

    /// Lets time pass until something is so; false if it isn't within that time.
    pub fn run_until(&mut self, within: Duration, so: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + within;
        while !so(self) {
            if self.queue.peek().is_none_or(|next| next.at > end) {
                self.now = end;
                return so(self);
            }
            self.step();
        }
        true
    }

    /// Every open page has an open link to every other, lists nobody else, and shows as many connections as links.
    pub fn all_linked(&self) -> bool {
        self.unlinked().is_none()
    }

    /// What is missing for [`all_linked`](Self::all_linked), in words.
    pub fn unlinked(&self) -> Option<String> {
        let open: Vec<NodeId> = (0..self.nodes.len()).filter(|node| self.is_open(*node)).collect();
        for node in &open {
            let core = self.core(*node);
            let mut expected: Vec<PeerId> = open.iter().filter(|other| *other != node).map(|n| self.id(*n)).collect();
            let mut found: Vec<PeerId> = core.peers().into_iter().map(|(id, _)| id).collect();
            expected.sort();
            found.sort();
            if expected != found {
                return Some(format!("page {node} lists {found:?} instead of {expected:?}"));
            }
            if let Some((id, state)) = core.peers().into_iter().find(|(_, state)| *state != PeerState::Connected) {
                return Some(format!("page {node} and {id:?}: {state:?}"));
            }
            if core.connections() != expected.len() || self.nodes[*node].links.len() != expected.len() {
                return Some(format!("page {node} keeps {} connections", core.connections()));
            }
        }
        None
    }

    /// Every open page knows every other's newest value in a slot.
    pub fn all_know(&self, slot: &str) -> bool {
        let open = |node: &NodeId| self.is_open(*node);
        (0..self.nodes.len()).filter(open).all(|node| {
            let newest = self.core(node).presence(slot);
            let id = self.id(node);
            (0..self.nodes.len())
                .filter(open)
                .filter(|other| *other != node)
                .all(|other| self.core(other).presence_of(id, slot) == newest)
        })
    }

    /// The present.
    pub fn now(&self) -> Time {
        self.now
    }

    /// A hash of all that happened so far.
    pub fn trace(&self) -> u64 {
        self.trace
    }

    /// The seed, to name in a failure.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    fn begin(&mut self, node: NodeId) {
        let seed = self.random.u64(..);
        let page = &mut self.nodes[node];
        page.life += 1;
        page.events.clear();
        let config = Config {
            topic: self.topic,
            identity: Identity::from_secret(&page.secret, page.life),
            origin: String::new(),
            seed,
            timings: Timings::default(),
        };
        page.core = Some(RoomCore::new(self.now, config));
        self.settle(node);
    }

    fn end_life(&mut self, node: NodeId) {
        let page = &mut self.nodes[node];
        page.core = None;
        page.socket = None;
        page.links.clear();
        page.wake += 1;
    }

    /// A page's core takes something in.
    fn tell(&mut self, node: NodeId, input: crate::room::Input) {
        let now = self.now;
        if let Some(core) = &mut self.nodes[node].core {
            core.handle(now, input);
            self.settle(node);
        }
    }

    /// Does what a page's core wants, and sets its timer.
    fn settle(&mut self, node: NodeId) {
        while let Some(output) = self.nodes[node].core.as_mut().and_then(RoomCore::poll) {
            self.perform(node, output);
        }
        let page = &mut self.nodes[node];
        page.wake += 1;
        if let Some(at) = page.core.as_mut().and_then(RoomCore::next_wakeup) {
            let wake = page.wake;
            let at = at.max(self.now);
            self.schedule_at(at, Happening::Wake { node, wake });
        }
    }

    fn nonce(&mut self) -> Nonce {
        let mut bytes = [0; 32];
        bytes.fill_with(|| self.random.u8(..));
        Nonce::from_bytes(bytes)
    }
}

fn payload(text: &str) -> Payload {
    Payload { codec: 0, bytes: text.as_bytes().to_vec() }
}
