//! A deterministic network in virtual time: many [`RoomCore`]s and the real [`Hub`], for tests and benchmarks.
//!
//! Everything random comes from one seed, and every map is ordered, so a seed replays a run exactly. Sockets and
//! reliable lanes keep the order of what is sent on them, as TCP and a reliable data channel do; lanes overtake each
//! other, and what is not reliable may be lost or come out of order ([`Weather`]).
//!
//! What can go wrong, and what the pages notice of it:
//!
//! | | under way | the pages' links |
//! |---|---|---|
//! | [`Sim::stall`] | waits | nothing; the send buffers fill |
//! | [`Sim::cut`] | reliable: waits; else lost | `Trouble`, then `Failed`; [`Sim::mend`] or an ICE restart brings `Recovered` |
//! | [`Sim::kill_connection`] | lost | `Closed` |
//! | [`Sim::crash`] | what has gone out arrives | the other side: as a cut |
//! | [`Sim::sleep`] | as a cut | the other side: as a cut; the sleeper hears of everything late |
//!
//! A connection opens when both descriptions are set and each side has a candidate of the other's. Offers and answers
//! must fit the signalling state, as in a browser; what doesn't fit fails the test.

mod file;
mod net;
mod rtc;
mod scene;

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Duration;

use converge_signal::hub::{self, Hub};
use converge_signal::{Nonce, PeerId, TopicHash};

pub use self::file::{Sink, Source, pattern};
use self::net::{Happening, Scheduled, Socket};
use self::rtc::Connection;
pub use self::scene::{config, entrance, server_says};
use crate::codec::Payload;
use crate::error::SendError;
use crate::event::{Event, PeerState};
use crate::identity::Identity;
use crate::lane::{Delivery, Lane};
use crate::link::LinkId;
use crate::room::{Config, Input, RoomCore, Sent};
use crate::timer::{Time, Timings};
use crate::transfer::TransferId;

/// A simulated page. The index of a page never changes; a reload is another life of it.
pub type NodeId = usize;

/// What the network is like.
#[derive(Debug, Clone)]
pub struct Weather {
    /// The shortest and the longest time that something is under way.
    pub latency: (Duration, Duration),
    /// The share of signalling messages that are lost, 0 to 1. (Real sockets lose none, but they break.)
    pub signal_loss: f64,
    /// The share of frames that are lost on lanes that may lose some, 0 to 1.
    pub loss: f64,
    /// The share of frames that may be overtaken on lanes without order, 0 to 1.
    pub reorder: f64,
    /// What a connection carries in each direction; as much as is sent, where there is none.
    pub bytes_per_second: Option<u64>,
    /// The largest message a data channel takes.
    pub max_message: usize,
    /// How long nothing gets through before ICE reports trouble.
    pub ice_trouble: Duration,
    /// How long nothing gets through before ICE gives up.
    pub ice_failure: Duration,
    /// How long the server keeps the socket of a page that does not answer.
    pub socket_timeout: Duration,
    /// How long it takes to read or store a piece of a file.
    pub disk: Duration,
    /// How much of files a page stores in a second; as much as arrives, where there is none.
    pub stored_per_second: Option<u64>,
    /// How long a page takes for one [`Input::Work`].
    pub step: Duration,
}

impl Default for Weather {
    fn default() -> Self {
        Self {
            latency: (Duration::from_millis(5), Duration::from_millis(80)),
            signal_loss: 0.0,
            loss: 0.0,
            reorder: 0.0,
            bytes_per_second: None,
            max_message: 256 * 1024,
            ice_trouble: Duration::from_secs(5),
            ice_failure: Duration::from_secs(15),
            socket_timeout: Duration::from_secs(45),
            disk: Duration::from_millis(1),
            stored_per_second: None,
            step: Duration::ZERO,
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

/// What was sent from one page to another on one lane.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// How many frames.
    pub frames: u64,
    /// How many bytes they had.
    pub bytes: u64,
}

/// The world: a server, pages, and what is under way between them.
pub struct Sim {
    now: Time,
    seed: u64,
    random: fastrand::Rng,
    /// What the network is like from now on.
    pub weather: Weather,
    /// The lanes of applications that are opened from now on.
    pub lanes: Vec<Delivery>,
    /// How long the rooms that are joined from now on wait for things.
    pub timings: Timings,
    topic: TopicHash,
    hub: Option<Hub>,
    hub_settings: hub::Settings,
    /// Which of the hub's alarms is the one that counts.
    hub_alarm: u64,
    nodes: Vec<Node>,
    sockets: BTreeMap<u64, Socket>,
    connections: BTreeMap<u64, Connection>,
    cuts: BTreeSet<(NodeId, NodeId)>,
    stalls: BTreeMap<(NodeId, NodeId), Time>,
    traffic: BTreeMap<(NodeId, NodeId, Lane), Traffic>,
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
    /// How far its clock is ahead of the world's.
    clock: Duration,
    socket: Option<u64>,
    links: BTreeMap<LinkId, u64>,
    connections: u64,
    wake: u64,
    /// A step of received frames is in progress or scheduled.
    works: bool,
    asleep: Option<Asleep>,
    events: Vec<Event>,
    sources: BTreeMap<TransferId, Source>,
    sinks: BTreeMap<TransferId, Sink>,
    peak: usize,
}

/// A page that does nothing at the moment.
struct Asleep {
    until: Time,
    /// The whole machine is asleep, with its network, not just the page.
    machine: bool,
    /// How long its clock stands still.
    clock_stops: Duration,
    held: Vec<Happening>,
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
            lanes: Vec::new(),
            timings: Timings::default(),
            topic: TopicHash::from_bytes([7; 32]),
            hub: Some(Hub::new(hub_settings.clone(), seed)),
            hub_alarm: 0,
            hub_settings,
            nodes: Vec::new(),
            sockets: BTreeMap::new(),
            connections: BTreeMap::new(),
            cuts: BTreeSet::new(),
            stalls: BTreeMap::new(),
            traffic: BTreeMap::new(),
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
        // No two pages agree on the time. A day at least, so that a clock that stands still never reaches its start.
        let clock = Duration::from_secs(86_400) + Duration::from_micros(self.random.u64(0..86_400_000_000));
        self.nodes.push(Node {
            secret,
            life: 0,
            core: None,
            clock,
            socket: None,
            links: BTreeMap::new(),
            connections: 0,
            wake: 0,
            works: false,
            asleep: None,
            events: Vec::new(),
            sources: BTreeMap::new(),
            sinks: BTreeMap::new(),
            peak: 0,
        });
        self.begin(node);
        node
    }

    /// Opens that many pages at the same moment.
    pub fn open_many(&mut self, pages: usize) -> Vec<NodeId> {
        (0..pages).map(|_| self.open()).collect()
    }

    /// Closes a page in order: the room is left. (A page that is asleep can't, and just ends.)
    pub fn close(&mut self, node: NodeId) {
        if self.is_asleep(node) {
            return self.crash(node);
        }
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

    /// Whether the page is asleep.
    pub fn is_asleep(&self, node: NodeId) -> bool {
        self.nodes[node].asleep.is_some()
    }

    /// Which life of the page this is, from 1.
    pub fn life(&self, node: NodeId) -> u64 {
        self.nodes[node].life
    }

    /// Breaks a page's socket; both ends notice.
    pub fn cut_socket(&mut self, node: NodeId) {
        if let Some(id) = self.nodes[node].socket {
            self.break_socket(id);
        }
    }

    /// The page's machine sleeps: nothing reaches it or leaves it, and its timers come late.
    pub fn sleep(&mut self, node: NodeId, time: Duration) {
        self.fall_asleep(node, time, true, Duration::ZERO);
    }

    /// The same where the clock stands still meanwhile, so that the page can't tell.
    pub fn suspend(&mut self, node: NodeId, time: Duration) {
        self.fall_asleep(node, time, true, time);
    }

    /// The page alone is frozen: the browser keeps its connections and its socket, but nothing reaches the page.
    pub fn freeze(&mut self, node: NodeId, time: Duration) {
        self.fall_asleep(node, time, false, Duration::ZERO);
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

    /// Calls a page's room, with what its clock shows.
    ///
    /// # Panics
    /// If the page is closed or asleep.
    pub fn call<R>(&mut self, node: NodeId, f: impl FnOnce(&mut RoomCore, Time) -> R) -> R {
        let result = self.ask(node, f);
        self.settle(node);
        result
    }

    /// The same before what comes of it is done.
    fn ask<R>(&mut self, node: NodeId, f: impl FnOnce(&mut RoomCore, Time) -> R) -> R {
        let now = self.clock(node);
        assert!(!self.is_asleep(node), "page {node} is asleep");
        match &mut self.nodes[node].core {
            Some(core) => f(core, now),
            None => panic!("page {node} is closed"),
        }
    }

    /// A page's room takes something in, if the page is open.
    pub fn tell(&mut self, node: NodeId, input: Input) {
        let now = self.clock(node);
        if let Some(core) = &mut self.nodes[node].core {
            core.handle(now, input);
            self.settle(node);
        }
    }

    /// Sends a text to all, on channel `chat`.
    ///
    /// # Errors
    /// As [`RoomCore::broadcast`].
    pub fn broadcast(&mut self, node: NodeId, text: &str) -> Result<Sent, SendError> {
        self.call(node, |core, now| core.broadcast(now, Lane::RELIABLE, "chat", &payload(text)))
    }

    /// Sends a text to one, on channel `chat`.
    ///
    /// # Errors
    /// As [`RoomCore::send_to`].
    pub fn send_to(&mut self, node: NodeId, to: NodeId, text: &str) -> Result<(), SendError> {
        let to = self.id(to);
        self.call(node, |core, now| core.send_to(now, to, Lane::RELIABLE, "chat", &payload(text)))
    }

    /// Shows a text in a slot.
    ///
    /// # Errors
    /// As [`RoomCore::set_presence`].
    pub fn show(&mut self, node: NodeId, slot: &str, text: &str) -> Result<(), SendError> {
        self.call(node, |core, now| core.set_presence(now, slot, Some(payload(text))))
    }

    /// What a page's application was told in its current life, and forgets it.
    pub fn take_events(&mut self, node: NodeId) -> Vec<Event> {
        std::mem::take(&mut self.nodes[node].events)
    }

    /// The same without forgetting it.
    pub fn events(&self, node: NodeId) -> &[Event] {
        &self.nodes[node].events
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

    /// How many connections a page was ever asked to make, in all its lives.
    pub fn connections_made(&self, node: NodeId) -> u64 {
        self.nodes[node].connections
    }

    /// What one page was asked to send to another on a lane.
    pub fn traffic(&self, from: NodeId, to: NodeId, lane: Lane) -> Traffic {
        self.traffic.get(&(from, to, lane)).copied().unwrap_or_default()
    }

    /// The most a page's room has ever held in its current life: see [`RoomCore::held_bytes`].
    pub fn peak_held(&self, node: NodeId) -> usize {
        self.nodes[node].peak
    }

    /// The present.
    pub fn now(&self) -> Time {
        self.now
    }

    /// What a page's clock shows.
    pub fn clock(&self, node: NodeId) -> Time {
        self.now + self.nodes[node].clock
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
        let now = self.clock(node);
        let page = &mut self.nodes[node];
        page.life += 1;
        page.events.clear();
        let config = Config {
            topic: self.topic,
            identity: Identity::from_secret(&page.secret, page.life),
            origin: String::new(),
            seed,
            timings: self.timings,
            lanes: self.lanes.clone(),
            token: None,
        };
        page.core = Some(RoomCore::new(now, config));
        self.settle(node);
    }

    fn end_life(&mut self, node: NodeId) {
        let page = &mut self.nodes[node];
        page.core = None;
        page.socket = None;
        page.links.clear();
        page.wake += 1;
        page.works = false;
        page.asleep = None;
        page.sources.clear();
        page.sinks.clear();
        page.peak = 0;
    }

    fn fall_asleep(&mut self, node: NodeId, time: Duration, machine: bool, clock_stops: Duration) {
        let page = &mut self.nodes[node];
        if page.core.is_none() || page.asleep.is_some() {
            return;
        }
        let until = self.now + time;
        page.asleep = Some(Asleep { until, machine, clock_stops, held: Vec::new() });
        let (life, socket) = (page.life, page.socket);
        self.schedule_at(until, Happening::Awake { node, life });
        if machine {
            if let Some(socket) = socket.filter(|_| time > self.weather.socket_timeout) {
                let at = self.now + self.weather.socket_timeout;
                self.schedule_at(at, Happening::ServerEnd { socket, clean: false });
                self.schedule_at(at, Happening::ClientEnd { socket });
            }
            self.reconsider_all(node);
        }
    }

    fn wake_up(&mut self, node: NodeId) {
        let Some(Asleep { mut held, clock_stops, .. }) = self.nodes[node].asleep.take() else { return };
        let page = &mut self.nodes[node];
        page.clock = page.clock.saturating_sub(clock_stops);
        self.reconsider_all(node);
        // The browser says that the page was woken, or doesn't; the timers are first, or what has come meanwhile is.
        if self.random.bool() {
            held.sort_by_key(|what| !matches!(what, Happening::Wake { .. }));
        }
        if self.random.bool() {
            self.tell(node, Input::Awake);
        }
        for what in held {
            self.happen(what);
        }
        self.settle(node);
    }

    /// Does what a page's core wants, and sets its timer.
    fn settle(&mut self, node: NodeId) {
        loop {
            while let Some(output) = self.nodes[node].core.as_mut().and_then(RoomCore::poll) {
                self.perform(node, output);
            }
            let (now, step) = (self.clock(node), self.weather.step);
            let page = &mut self.nodes[node];
            match page.core.as_mut().filter(|core| core.has_work() && !page.works) {
                Some(core) if step.is_zero() => core.handle(now, Input::Work),
                Some(_) => {
                    page.works = true;
                    let life = page.life;
                    self.schedule_at(self.now + step, Happening::Work { node, life });
                }
                None => break,
            }
        }
        let page = &mut self.nodes[node];
        page.wake += 1;
        let Some(core) = &mut page.core else { return };
        page.peak = page.peak.max(core.held_bytes());
        if let Some(at) = core.next_wakeup() {
            let (wake, clock) = (page.wake, page.clock);
            let at = self.now + at.since(self.now + clock);
            self.schedule_at(at, Happening::Wake { node, wake });
        }
    }

    fn nonce(&mut self) -> Nonce {
        let mut bytes = [0; 32];
        bytes.fill_with(|| self.random.u8(..));
        Nonce::from_bytes(bytes)
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}

fn payload(text: &str) -> Payload {
    Payload { codec: 0, bytes: text.as_bytes().to_vec() }
}
