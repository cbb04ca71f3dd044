//! A room as a state machine: no sockets, no clock, no randomness but what is passed in.
//!
//! # How to drive it
//! 1. Make a [`RoomCore`]; it wants to join at once.
//! 2. Drain [`poll`](RoomCore::poll) until it returns `None`, and do what each [`Output`] says.
//! 3. Ask [`next_wakeup`](RoomCore::next_wakeup) and set the one real timer to it.
//! 4. When the socket, a link, the browser or the timer has something to say, pass it to
//!    [`handle`](RoomCore::handle); when the application does, call [`broadcast`](RoomCore::broadcast) and its kin.
//!    Then go to 2.
//!
//! **Every call that changes the core must be followed by a complete drain**; debug builds assert it.
//!
//! # What it guarantees
//! * Of two members the one who joined later makes the offer. Each negotiation names its attempt, so what is late from
//!   an old attempt is dropped. An attempt that comes to nothing is made again, after a growing random wait.
//! * Messages from one peer to another arrive at most once and in order. What is sent before the link is open waits,
//!   within [`MAX_QUEUED_MESSAGES`] and [`MAX_QUEUED_BYTES`] per peer; over that the sender gets an error. What can't
//!   be delivered since the peer has gone is reported ([`Event::Undelivered`]).
//! * A peer is gone when it says so, or when both the server and its link have lost it. Losing the server alone ends
//!   no link.
//! * Nothing that a peer or the server sends can make it panic or grow without bound.

mod peer;
mod server;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use converge_signal::protocol::IceServer;
use converge_signal::{PeerId, Seq, TopicHash};

use crate::codec::Payload;
use crate::error::SendError;
use crate::event::{CloseReason, Event, PeerState, Status};
use crate::identity::Identity;
use crate::link::{Candidate, LinkId, Role};
use crate::map::SortedMap;
use crate::presence::Own;
use crate::timer::{Time, Timings};
use crate::wire::{Frame, MAX_NAME_BYTES, MAX_PAYLOAD_BYTES, Value};

use self::peer::Peer;
use self::server::Socket;

/// At most this many messages wait for one peer's link.
pub const MAX_QUEUED_MESSAGES: usize = 256;

/// At most this many bytes of frames wait for one peer's link.
pub const MAX_QUEUED_BYTES: usize = 1024 * 1024;

/// A core keeps at most this many peers, whatever the server says: browsers slow down at some hundred connections.
pub const MAX_PEERS: usize = 256;

/// A wake-up this much later than asked for means that the page, or the machine, was asleep.
const LATE: Duration = Duration::from_secs(2);

/// What a room is made of.
#[derive(Debug, Clone)]
pub struct Config {
    /// The blinded topic.
    pub topic: TopicHash,
    /// Who joins.
    pub identity: Identity,
    /// The page's origin, as the server will see it in the `Origin` header; empty outside browsers.
    pub origin: String,
    /// Seeds waits and attempt numbers. Nothing secret comes of it.
    pub seed: u64,
    /// How long to wait for things.
    pub timings: Timings,
}

/// What the driver tells the core.
#[derive(Debug)]
pub enum Input {
    /// The socket that [`Output::OpenSocket`] asked for is open.
    SocketOpen,
    /// A text frame came on it.
    SocketFrame(String),
    /// It is closed, or could not be opened.
    SocketClosed,
    /// The browser's network went away or came back.
    Online(bool),
    /// The page was woken or shown: what was believed of the network may be out of date.
    Awake,
    /// Something happened to a link.
    Link {
        /// Which.
        link: LinkId,
        /// What.
        event: LinkEvent,
    },
    /// The time [`RoomCore::next_wakeup`] named has come.
    Timeout,
}

/// What can happen to a link.
#[derive(Debug)]
pub enum LinkEvent {
    /// This side's offer or answer is made and set.
    LocalDescription(String),
    /// This side found a candidate.
    LocalCandidate(Candidate),
    /// The description of [`Output::SetRemote`] is set: candidates may follow.
    RemoteSet,
    /// The data channel is open.
    Open,
    /// A frame came on it.
    Frame(Vec<u8>),
    /// The send buffer is over the high-water mark: send no more.
    Congested,
    /// The send buffer is under the low-water mark again.
    Writable,
    /// ICE reports `disconnected`: perhaps for a moment, perhaps for ever.
    Trouble,
    /// The connection failed or was closed by the other side. Nothing follows.
    Closed,
}

/// What the core wants done.
#[derive(Debug)]
pub enum Output {
    /// Open the signalling socket.
    OpenSocket,
    /// Send a text frame on it.
    SendSocket(String),
    /// Close it; nothing of it may be passed in any more. `goodbye`: for good, else to come back.
    CloseSocket {
        /// Whether the server may forget this peer.
        goodbye: bool,
    },
    /// Make a connection, and the offer if this side is the offerer.
    OpenLink {
        /// Its name from now on.
        link: LinkId,
        /// Which side this is.
        role: Role,
        /// For `RTCConfiguration`.
        ice_servers: Arc<[IceServer]>,
    },
    /// Set the remote description: the offer (then answer it) or the answer.
    SetRemote {
        /// Of which link.
        link: LinkId,
        /// The description.
        sdp: String,
    },
    /// Add a remote candidate.
    AddCandidate {
        /// To which link.
        link: LinkId,
        /// The candidate.
        candidate: Candidate,
    },
    /// Send a frame on the data channel.
    SendFrame {
        /// Of which link.
        link: LinkId,
        /// The frame.
        frame: Arc<[u8]>,
    },
    /// Close a connection, once what was sent on it has gone out. Nothing of it may be passed in any more.
    CloseLink {
        /// Which.
        link: LinkId,
    },
    /// Tell the application.
    Event(Event),
}

/// A room. See the [module](self) for how to drive it.
#[derive(Debug)]
pub struct RoomCore {
    config: Config,
    id: PeerId,
    random: fastrand::Rng,
    socket: Socket,
    socket_failures: u32,
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
    wake: Option<Time>,
    out: VecDeque<Output>,
}

impl RoomCore {
    /// A room that joins at once.
    pub fn new(now: Time, config: Config) -> Self {
        let mut core = Self {
            id: config.identity.id(),
            random: fastrand::Rng::with_seed(config.seed),
            socket: Socket::Closed { retry_at: None },
            socket_failures: 0,
            online: true,
            status: Status::Connecting,
            seq: None,
            ice_servers: Arc::new([]),
            peers: SortedMap::default(),
            links: SortedMap::default(),
            last_link: 0,
            arrivals: 0,
            own: Own::default(),
            wake: None,
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
            Input::Awake => self.awake(now),
            Input::Link { link, event } => self.link_event(now, link, event),
            Input::Timeout => {
                let late = self.wake.is_some_and(|asked| now.since(asked) > LATE);
                self.socket_timeout(now, late);
                self.peer_timeouts(now, late);
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
            self.socket.deadline(timings).into_iter().chain(peers).min()
        };
        self.wake
    }

    /// Sends a message to every member. Those whose link isn't open yet get it when it is.
    ///
    /// # Errors
    /// If the message is too large, the room isn't joined, or too much waits for some members already: those won't
    /// get it, the others will.
    pub fn broadcast(&mut self, channel: &str, payload: &Payload) -> Result<(), SendError> {
        let frame = self.message(channel, false, payload)?;
        let mut full = Vec::new();
        for (id, peer) in self.peers.iter_mut() {
            if !peer.send(&frame, &mut self.out) {
                full.push(*id);
            }
        }
        if full.is_empty() { Ok(()) } else { Err(SendError::QueueFull { peers: full }) }
    }

    /// Sends a message to one member.
    ///
    /// # Errors
    /// If the message is too large, the member isn't there, or too much waits for it already.
    pub fn send_to(&mut self, to: PeerId, channel: &str, payload: &Payload) -> Result<(), SendError> {
        let frame = self.message(channel, true, payload)?;
        let Some(peer) = self.peers.get_mut(&to) else { return Err(SendError::UnknownPeer { peer: to }) };
        if peer.send(&frame, &mut self.out) { Ok(()) } else { Err(SendError::QueueFull { peers: vec![to] }) }
    }

    fn message(&self, channel: &str, direct: bool, payload: &Payload) -> Result<Arc<[u8]>, SendError> {
        self.assert_drained();
        if matches!(self.status, Status::Closed(_)) {
            return Err(SendError::Closed);
        }
        if self.seq.is_none() {
            return Err(SendError::NotJoined);
        }
        if channel.is_empty() || channel.len() > MAX_NAME_BYTES {
            return Err(SendError::Name { name: channel.to_owned() });
        }
        let too_large = || SendError::TooLarge { bytes: payload.bytes.len(), limit: MAX_PAYLOAD_BYTES };
        if payload.bytes.len() > MAX_PAYLOAD_BYTES {
            return Err(too_large());
        }
        let value = Value { codec: payload.codec, bytes: &payload.bytes };
        Frame::Message { channel, direct, value }.encode().map(Arc::from).map_err(|_| too_large())
    }

    /// Sets (or with `None` clears) a slot of this peer's own presence; every member gets to know it, those who join
    /// later too. It may be set before joining.
    ///
    /// # Errors
    /// If the name or the value is too long, or there are too many slots.
    pub fn set_presence(&mut self, slot: &str, value: Option<Payload>) -> Result<(), SendError> {
        self.assert_drained();
        if self.own.set(slot, value)? {
            for (_, peer) in self.peers.iter_mut() {
                peer.show(&self.own, slot, &mut self.out);
            }
        }
        Ok(())
    }

    /// Leaves for good: says goodbye to the server and on every link, and closes them.
    pub fn leave(&mut self) {
        self.assert_drained();
        if !matches!(self.status, Status::Closed(_)) {
            self.close(CloseReason::Left);
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
        let mut peers = SortedMap::default();
        for (id, peer) in self.peers.iter() {
            peers.insert(peer.arrival, (*id, peer.state()));
        }
        peers.take().into_iter().map(|(_, peer)| peer).collect()
    }

    /// How many links are open.
    pub fn open_links(&self) -> usize {
        self.peers.values().filter(|peer| peer.is_open()).count()
    }

    /// How many connections the driver was asked to keep: open ones and those being made.
    pub fn connections(&self) -> usize {
        self.links.len()
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
