//! A room as a state machine: no sockets, no clock, no randomness but what is passed in.
//!
//! # How to drive it
//! 1. Make a [`RoomCore`]; it wants to join at once.
//! 2. Drain [`poll`](RoomCore::poll) until it returns `None`, and do what each [`Output`] says.
//! 3. While [`has_work`](RoomCore::has_work) and there is time, pass in [`Input::Work`] and go to 2. Received frames
//!    are handled in small steps, so a driver may stop after some milliseconds and continue in another task.
//! 4. Ask [`next_wakeup`](RoomCore::next_wakeup) and set the one real timer to it.
//! 5. Pass what happens at the socket, a link, the browser or the timer to [`handle`](RoomCore::handle); for the
//!    application, call [`broadcast`](RoomCore::broadcast) and its kin. Then go to 2.
//!
//! **Every call that changes the core must be followed by a complete drain**; debug builds assert it.
//!
//! # What it guarantees
//! * Of two members the one who joined later makes the first offer. Each negotiation names its attempt and round, so
//!   what is late is dropped. Once a link is open both sides may offer, without glare, and over the link itself. An attempt
//!   that comes to nothing is made again, after a growing random wait.
//! * Messages on reliable lanes arrive once and in order, over lost connections and new ones, or the sender is told
//!   ([`Event::Undelivered`]). What waits for a peer is bounded; over that the sender gets an error.
//! * A link in trouble is mended: ICE is restarted, then the connection replaced. A peer is gone when it says so,
//!   or when both the server and its link have lost it for [`Timings::gone`](crate::Timings::gone). Losing the server alone ends no link.
//! * Nothing that a peer or the server sends can make it panic or grow without bound.

mod ask;
mod files;
mod heal;
mod inbox;
mod io;
mod peer;
mod peers;
mod server;
mod work;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use converge_signal::protocol::IceServer;
use converge_signal::{PeerId, Seq};

use crate::codec::Payload;
use crate::error::SendError;
use crate::event::{Activity, CloseReason, Event, PeerState, Status};
use crate::lane::{Delivery, Lane};
use crate::link::LinkId;
use crate::map::SortedMap;
use crate::presence::{Due, Own};
use crate::report::RoomReport;
use crate::timer::Time;
use crate::transfer::{Transfer, TransferId};
use crate::wire::{Body, Frame, MAX_LOOSE_BYTES, MAX_NAME_BYTES, MAX_PAYLOAD_BYTES, Value};

use self::ask::Asked;
pub use self::io::{Config, FileEvent, Input, LinkEvent, Output};
use self::peer::Peer;
use self::server::Socket;
use self::work::Turn;
pub use self::work::{MAX_INCOMING_BYTES, MAX_INCOMING_BYTES_PER_PEER};

pub use crate::stream::{MAX_QUEUED_ANSWERS, MAX_QUEUED_BYTES, MAX_QUEUED_MESSAGES, READY_BYTES};

/// A presence value of up to this many bytes fits one packet and goes over the lossy lane; more would be lost too easily.
const LOSSY_PRESENCE_BYTES: usize = 1000;

/// A core keeps at most this many peers, whatever the server says: browsers slow down at some hundred connections.
pub const MAX_PEERS: usize = 256;

/// A wake-up this much later than asked for means that the page, or the machine, was asleep.
const LATE: Duration = Duration::from_secs(2);

/// The outcome of a message sent to all members.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent {
    /// The members that don't get it because their queues are full.
    pub missed: Vec<PeerId>,
}

/// A room. See the [module](self) for how to drive it.
#[derive(Debug)]
pub struct RoomCore {
    config: Config,
    id: PeerId,
    /// How each lane delivers, by its id.
    lanes: Vec<Delivery>,
    /// This machine serves the page.
    is_local: bool,
    random: fastrand::Rng,
    socket: Socket,
    socket_failures: u32,
    /// The server has said how long to stay away.
    return_after: Option<Duration>,
    online: bool,
    status: Status,
    /// This peer's place in the join order; none before the first `welcome`.
    seq: Option<Seq>,
    ice_servers: Arc<[IceServer]>,
    peers: SortedMap<PeerId, Peer>,
    links: SortedMap<LinkId, PeerId>,
    last_link: u64,
    arrivals: u64,
    own: Own,
    activity: Activity,
    /// Requests that wait for a reply.
    asked: SortedMap<u32, Asked>,
    last_request: u32,
    /// The channels that the application replies on.
    served: Vec<String>,
    /// With whom each transfer is that is not over.
    transfers: SortedMap<TransferId, PeerId>,
    /// Those that are, until they are forgotten.
    over: SortedMap<TransferId, Transfer>,
    last_transfer: u64,
    wake: Option<Time>,
    /// The links with waiting frames, in the order in which they are served.
    turns: VecDeque<LinkId>,
    turn: Option<Turn>,
    /// Bytes that peers make this side hold: see [`MAX_INCOMING_BYTES`].
    incoming: usize,
    out: VecDeque<Output>,
}

impl RoomCore {
    /// A room that joins at once.
    pub fn new(now: Time, config: Config) -> Self {
        let mut core = Self {
            id: config.identity.id(),
            lanes: Delivery::lanes(&config.lanes),
            is_local: is_local(&config.origin),
            random: fastrand::Rng::with_seed(config.seed),
            socket: Socket::Closed { retry_at: None },
            socket_failures: 0,
            return_after: None,
            online: true,
            status: Status::Connecting,
            seq: None,
            ice_servers: Arc::new([]),
            peers: SortedMap::default(),
            links: SortedMap::default(),
            last_link: 0,
            arrivals: 0,
            own: Own::default(),
            activity: Activity::Active,
            asked: SortedMap::default(),
            last_request: 0,
            served: Vec::new(),
            transfers: SortedMap::default(),
            over: SortedMap::default(),
            last_transfer: 0,
            wake: None,
            turns: VecDeque::new(),
            turn: None,
            incoming: 0,
            out: VecDeque::new(),
            config,
        };
        core.open_socket(now);
        core
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Time, input: Input) {
        self.assert_drained();
        if matches!(self.status, Status::Closed(_)) {
            return;
        }
        match input {
            Input::SocketOpen => {}
            Input::SocketFrame(text) => self.socket_frame(now, &text),
            Input::SocketClosed => self.socket_lost(now),
            Input::Online(online) => self.network(now, online),
            Input::NetworkChanged => self.network_changed(now),
            Input::Awake => self.awake(now),
            Input::Activity(activity) => self.set_activity(activity),
            Input::Link { link, event } => self.link_event(now, link, event),
            Input::File { transfer, event } => self.file_event(now, transfer, event),
            Input::Work => self.work(now),
            Input::Timeout => {
                let late = self.wake.is_some_and(|asked| now.since(asked) > LATE);
                self.socket_timeout(now, late);
                self.peer_timeouts(now, late);
                self.ask_timeouts(now);
                self.show_due(now);
            }
        }
    }

    /// The next thing to do, until there is nothing more.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When to pass in [`Input::Timeout`], unless something else comes first.
    pub fn next_wakeup(&mut self) -> Option<Time> {
        self.wake = if matches!(self.status, Status::Closed(_)) {
            None
        } else {
            let joined = matches!(self.socket, Socket::Joined { .. });
            let timings = &self.config.timings;
            let peers = self.peers.values().filter_map(|peer| peer.deadline(joined, timings));
            let others = [self.socket.deadline(timings), self.own.deadline(timings), self.ask_deadline()];
            others.into_iter().flatten().chain(peers).min()
        };
        self.wake
    }

    /// Sends a message to every member. On a reliable lane, those whose link isn't open yet get it when it is; on any
    /// other they don't.
    ///
    /// Returns [`Sent`], which names the members whose queue is full: they don't get this message.
    ///
    /// # Errors
    /// Returns [`SendError::NotJoined`] or [`SendError::Closed`] outside the room, [`SendError::NoLane`] if there is no
    /// such lane, and [`SendError::Name`] or [`SendError::TooLarge`] if the channel's name or the message is invalid.
    /// Returns [`SendError::QueueFull`] if every member's queue is full.
    pub fn broadcast(&mut self, now: Time, lane: Lane, channel: &str, payload: &Payload) -> Result<Sent, SendError> {
        let message = self.message(lane, channel, false, payload)?;
        let mut missed = Vec::new();
        for (id, peer) in self.peers.iter_mut() {
            if !peer.send(now, lane, &message, &mut self.out) {
                missed.push(*id);
            }
        }
        // One stalled member must not fail the broadcast to all others.
        if missed.is_empty() || missed.len() < self.peers.len() {
            Ok(Sent { missed })
        } else {
            Err(SendError::QueueFull { peers: missed })
        }
    }

    /// Sends a message to one member, as [`broadcast`](Self::broadcast) does to all.
    ///
    /// # Errors
    /// If the message is too large, there is no such lane, the member isn't there, or too much waits for it already.
    pub fn send_to(
        &mut self,
        now: Time,
        to: PeerId,
        lane: Lane,
        channel: &str,
        payload: &Payload,
    ) -> Result<(), SendError> {
        let message = self.message(lane, channel, true, payload)?;
        let peer = self.peers.get_mut(&to).ok_or(SendError::UnknownPeer { peer: to })?;
        if peer.send(now, lane, &message, &mut self.out) {
            Ok(())
        } else {
            Err(SendError::QueueFull { peers: vec![to] })
        }
    }

    /// Whether a sender that wants to hold little in memory may send now: to one member, or to all.
    ///
    /// # Errors
    /// Returns [`SendError::Stalled`] if the queue of the member, or of every member, has not moved for
    /// [`Timings::stall`](crate::Timings::stall).
    /// Returns [`SendError::UnknownPeer`] if the member isn't there, [`SendError::NoLane`] if there is no such lane,
    /// and [`SendError::Closed`] if the room is closed.
    pub fn room_for(&self, to: Option<PeerId>, lane: Lane) -> Result<bool, SendError> {
        if matches!(self.status, Status::Closed(_)) {
            return Err(SendError::Closed);
        }
        if self.lanes.get(lane.index()).is_none() {
            return Err(SendError::NoLane { number: lane.0 });
        }
        if self.seq.is_none() {
            return Ok(false);
        }
        match to {
            Some(id) => self.peers.get(&id).ok_or(SendError::UnknownPeer { peer: id })?.has_room(id, lane),
            None => self.has_room_for_all(lane),
        }
    }

    /// A member that acknowledges nothing delays the others only until it stalls. Its queue then fills, and
    /// [`Sent::missed`] names it.
    fn has_room_for_all(&self, lane: Lane) -> Result<bool, SendError> {
        let (mut ready, mut stalled, mut moving) = (true, None, false);
        for (id, peer) in self.peers.iter() {
            match peer.has_room(*id, lane) {
                Ok(has_room) => (ready, moving) = (ready && has_room, true),
                Err(error) => stalled = Some(error),
            }
        }
        match stalled {
            Some(error) if !moving => Err(error),
            _ => Ok(ready),
        }
    }

    fn may_send(&self) -> Result<(), SendError> {
        self.assert_drained();
        if matches!(self.status, Status::Closed(_)) {
            return Err(SendError::Closed);
        }
        if self.seq.is_none() { Err(SendError::NotJoined) } else { Ok(()) }
    }

    /// A message as its lane sends it.
    fn message(&self, lane: Lane, channel: &str, direct: bool, payload: &Payload) -> Result<Arc<[u8]>, SendError> {
        self.may_send()?;
        let delivery = self.lanes.get(lane.index()).ok_or(SendError::NoLane { number: lane.0 })?;
        let value =
            checked(channel, payload, if delivery.is_reliable() { MAX_PAYLOAD_BYTES } else { MAX_LOOSE_BYTES })?;
        let encoded = if delivery.is_reliable() {
            Body::Message { channel, direct, value }.encode()
        } else {
            Frame::Loose { channel, direct, value }.encode()
        };
        let bytes = payload.bytes.len();
        encoded.map(Arc::from).map_err(|_| SendError::TooLarge { bytes, limit: MAX_PAYLOAD_BYTES })
    }

    /// The number of the newest message that was accepted for a member on a reliable lane, from 1 since it was met; `None`
    /// if there is no such member or the lane is not reliable.
    pub fn accepted(&self, peer: PeerId, lane: Lane) -> Option<u64> {
        self.peers.get(&peer)?.session.accepted(lane)
    }

    /// Messages up to this number are acknowledged or given up ([`Event::Acknowledged`], [`Event::Undelivered`]).
    pub fn settled(&self, peer: PeerId, lane: Lane) -> Option<u64> {
        self.peers.get(&peer)?.session.settled(lane)
    }

    /// Sets (or with `None` clears) a slot of this peer's own presence; every member gets to know it, those who join
    /// later too. It may be set before joining.
    ///
    /// # Errors
    /// If the name or the value is too long, or there are too many slots.
    pub fn set_presence(&mut self, now: Time, slot: &str, value: Option<Payload>) -> Result<(), SendError> {
        self.assert_drained();
        if self.own.set(slot, value)? && !matches!(self.status, Status::Closed(_)) {
            self.show_due(now);
        }
        Ok(())
    }

    /// Shows what of this peer's presence is due.
    fn show_due(&mut self, now: Time) {
        for Due { slot, settled } in self.own.take_due(now, &self.config.timings) {
            let Some(Ok(frame)) = self.own.frame(&slot) else { continue };
            let lossy = !settled && frame.len() <= LOSSY_PRESENCE_BYTES;
            if !lossy {
                self.own.settled(&slot);
            }
            let frame: Arc<[u8]> = frame.into();
            for (_, peer) in self.peers.iter_mut() {
                peer.show(&slot, &frame, lossy, &mut self.out);
            }
        }
    }

    fn set_activity(&mut self, activity: Activity) {
        if self.activity == activity || activity == Activity::Stale {
            return;
        }
        self.activity = activity;
        let frame = Frame::Activity(activity_number(activity));
        for id in self.peers.keys().copied().collect::<Vec<_>>() {
            self.tell(id, &frame);
        }
    }

    /// Leaves for good: says goodbye to the server and on every link, and closes them.
    pub fn leave(&mut self) {
        self.assert_drained();
        if !matches!(self.status, Status::Closed(_)) {
            self.close(CloseReason::Left);
        }
    }

    /// Leaves because the driver can't make connections: the room is closed as [`CloseReason::Unsupported`].
    pub fn give_up(&mut self) {
        self.assert_drained();
        if !matches!(self.status, Status::Closed(_)) {
            self.close(CloseReason::Unsupported);
        }
    }

    /// Whether a link is about to be opened: the room is being joined for the first time, or a member's offer is
    /// awaited. A driver may use the time to have a connection ready.
    pub fn expects_link(&self) -> bool {
        let joining = self.seq.is_none() && matches!(self.socket, Socket::Joining { .. });
        joining || self.peers.values().any(Peer::awaits_offer)
    }

    /// This peer's id.
    pub fn id(&self) -> PeerId {
        self.id
    }

    /// How the room is doing.
    pub fn status(&self) -> Status {
        self.status
    }

    /// The other members, in the order in which they came.
    pub fn peers(&self) -> Vec<(PeerId, PeerState)> {
        self.in_order(|id, peer| (id, peer.state()))
    }

    fn in_order<T>(&self, f: impl Fn(PeerId, &Peer) -> T) -> Vec<T> {
        let mut peers = SortedMap::default();
        for (id, peer) in self.peers.iter() {
            peers.insert(peer.arrival, f(*id, peer));
        }
        peers.take().into_iter().map(|(_, peer)| peer).collect()
    }

    /// What a member does now.
    pub fn activity_of(&self, peer: PeerId) -> Activity {
        self.peers.get(&peer).map_or(Activity::Stale, |peer| peer.shown)
    }

    /// The state of the room and of every link. What only the browser knows, the paths, is left out.
    pub fn report(&self, now: Time) -> RoomReport {
        let count = |scheme: &str| {
            let urls = self.ice_servers.iter().flat_map(|server| &server.urls);
            urls.filter(|url| url.starts_with(scheme)).count()
        };
        RoomReport {
            id: Some(self.id),
            status: self.status,
            online: self.online,
            stun_servers: count("stun"),
            turn_servers: count("turn"),
            links: self.in_order(|id, peer| peer.report(now, id)),
        }
    }

    /// How many links are open.
    pub fn open_links(&self) -> usize {
        self.peers.values().filter(|peer| peer.is_open()).count()
    }

    /// The open links and to whom they lead.
    pub fn open_links_by_peer(&self) -> Vec<(PeerId, LinkId)> {
        let open = |(id, peer): (&PeerId, &Peer)| Some((*id, peer.link.as_ref().filter(|link| link.is_open())?.id));
        self.peers.iter().filter_map(open).collect()
    }

    /// To whom a link leads.
    pub fn peer_of(&self, link: LinkId) -> Option<PeerId> {
        self.links.get(&link).copied()
    }

    /// How many connections the driver was asked to keep: open ones and those being made.
    pub fn connections(&self) -> usize {
        self.links.len()
    }

    /// How many bytes of messages and files are held: to be sent, to be acknowledged, to be joined, to be stored.
    pub fn held_bytes(&self) -> usize {
        self.peers.values().map(Peer::held_bytes).sum()
    }

    /// Asks every member whose link is open for a sign of life, which tells the round-trip time too.
    pub fn probe(&mut self, now: Time) {
        self.assert_drained();
        self.probe_all(now);
    }

    /// A slot of this peer's own presence.
    pub fn presence(&self, slot: &str) -> Option<&Payload> {
        self.own.get(slot)
    }

    /// A slot of a member's presence, as far as it is known.
    pub fn presence_of(&self, peer: PeerId, slot: &str) -> Option<&Payload> {
        self.peers.get(&peer)?.presence.get(slot)
    }

    fn assert_drained(&self) {
        debug_assert!(self.out.is_empty(), "drain `poll` until it returns None before the next call");
    }

    fn emit(&mut self, event: Event) {
        self.out.push_back(Output::Event(event));
    }

    fn set_status(&mut self, status: Status) {
        if self.status != status {
            self.status = status;
            self.emit(Event::Status(status));
        }
    }
}

/// The payload of a channel's message, if it is within the limits.
fn checked<'a>(channel: &str, payload: &'a Payload, limit: usize) -> Result<Value<'a>, SendError> {
    if channel.is_empty() || channel.len() > MAX_NAME_BYTES {
        return Err(SendError::Name { name: channel.to_owned() });
    }
    let bytes = payload.bytes.len();
    if bytes > limit {
        return Err(SendError::TooLarge { bytes, limit });
    }
    Ok(Value { codec: payload.codec, bytes: &payload.bytes })
}

/// Whether an origin is on this machine.
fn is_local(origin: &str) -> bool {
    let host = origin.split_once("://").map_or("", |(_, host)| host);
    ["localhost", "127.0.0.1", "[::1]"]
        .into_iter()
        .any(|local| host.strip_prefix(local).is_some_and(|port| port.is_empty() || port.starts_with(':')))
}

fn activity_number(activity: Activity) -> u8 {
    match activity {
        Activity::Idle => 1,
        Activity::Hidden => 2,
        // Stale is what others find, never what one says of oneself.
        Activity::Active | Activity::Stale => 0,
    }
}

fn activity_from(number: u8) -> Activity {
    match number {
        1 => Activity::Idle,
        2 => Activity::Hidden,
        _ => Activity::Active,
    }
}
