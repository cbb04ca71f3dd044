//! The frames of the signalling protocol, version 1.
//!
//! Every frame is one JSON object with one key, the message's name: `{"signal":{"to":"…","data":{…}}}`. That form is
//! decoded in one pass without buffering, and lets `data` stay the text that the sender wrote: the server relays it
//! unread. Fields a reader doesn't know are ignored; messages it doesn't know are an error.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::ids::{Incarnation, Nonce, PeerId, Seq, Signature, TopicHash};

/// The version both sides speak. A `hello` with another is refused with [`ErrorCode::Version`].
pub const VERSION: u16 = 1;

/// The path the signalling socket is served at.
pub const PATH: &str = "/signal";

/// Where a server says which versions it speaks and what its limits are, as JSON.
pub const WELL_KNOWN_PATH: &str = "/.well-known/converge";

/// A topic's name is 1 to this many bytes of UTF-8.
pub const MAX_TOPIC_BYTES: usize = 128;

/// What a client may send.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClientMessage {
    /// Join a topic. The answer to the challenge, and the first message of every connection.
    Hello(Hello),
    /// Carry `data` to another member of the topic.
    Signal {
        /// The member to carry it to.
        to: PeerId,
        /// What to carry; the server does not read it.
        data: Box<RawValue>,
    },
    /// Leave for good: the others are told at once, with reason [`LeftReason::Goodbye`].
    Leave {},
    /// Ask for a `pong`: a browser can't see the server's pings, and wants to know whether the socket still lives.
    Ping {},
}

/// What a client says to join, with the proof that it holds the key behind its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The protocol version, [`VERSION`].
    pub v: u16,
    /// The blinded topic, [`blind_topic`].
    pub topic: TopicHash,
    /// The peer's public key.
    pub id: PeerId,
    /// Which life of this peer this is.
    pub incarnation: Incarnation,
    /// The signature over [`hello_bytes`].
    pub sig: Signature,
    /// What lets the peer into this room, where the server asks for it. Here and not in the socket's address, which
    /// proxies and servers write into their logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// What a server may send.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ServerMessage {
    /// The first message of every connection.
    Challenge {
        /// The version the server speaks.
        v: u16,
        /// What to sign.
        nonce: Nonce,
        /// What the server will hold the client to.
        limits: Limits,
    },
    /// The client has joined.
    Welcome(Welcome),
    /// Others have joined, or have come back with another incarnation or seq.
    Joined {
        /// Who.
        members: Vec<Member>,
    },
    /// Others have left.
    Left {
        /// Who, and how.
        members: Vec<Departed>,
    },
    /// What another member asked the server to carry.
    Signal {
        /// Who sent it; stamped by the server.
        from: PeerId,
        /// Which life of the sender; stamped by the server.
        incarnation: Incarnation,
        /// The sender's place in the join order; stamped by the server.
        seq: Seq,
        /// What the sender wrote.
        data: Box<RawValue>,
    },
    /// Something the client sent was refused.
    Error {
        /// Why, for programs.
        code: ErrorCode,
        /// Why, for people.
        message: String,
        /// Which member it is about, where it is about one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        peer: Option<PeerId>,
    },
    /// The answer to `ping`.
    Pong {},
    /// The server is about to end: its sockets close now, and the client is to come back no sooner than told.
    Drain {
        /// How long to wait, in milliseconds; another for each client, so that they don't all come back at once.
        retry_after_ms: u32,
    },
}

/// What a client learns when it has joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The client's own place in the join order.
    pub seq: Seq,
    /// Who makes the offer between the client and each of `members`.
    pub offerer: Offerer,
    /// The other members, or, where there are more than [`Limits::max_sample`], some of them chosen at random: those to
    /// connect to first. The client hears of the coming and going of these, and of those who are given it to connect to.
    pub members: Vec<Member>,
    /// How many members the topic has, the client included.
    pub total: u32,
    /// What to give to `RTCPeerConnection`.
    pub ice_servers: Vec<IceServer>,
}

/// Who makes the offer of a new pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Offerer {
    /// The one who came later: the reader of this `welcome`.
    Newcomer,
}

/// A member of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Who.
    pub id: PeerId,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// Its place in the join order.
    pub seq: Seq,
}

/// A member that has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Departed {
    /// Who.
    pub id: PeerId,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// How.
    pub reason: LeftReason,
}

/// How a member went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LeftReason {
    /// It said so: remove it at once.
    Goodbye,
    /// Its socket ended without a word. Its links may live on: probe them before removing it.
    Lost,
}

/// An entry of `RTCConfiguration.iceServers`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IceServer {
    /// `stun:`, `turn:` or `turns:` addresses.
    pub urls: Vec<String>,
    /// The user name, for TURN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The password, for TURN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// What a server holds its clients to. Published in the challenge and at [`WELL_KNOWN_PATH`].
///
/// Rates are token buckets: `…_burst` at once, refilled with `…_per_second` (or `…_per_minute`). A missing field
/// takes its default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// The largest frame, in bytes. Default 64 KiB: a description has a few.
    pub max_frame_bytes: u32,
    /// The most members of one topic. Default 32: a full mesh of more is a burden to each browser.
    pub max_topic_members: u32,
    /// The most members that a `welcome` names. Default 500: everybody, unless topics may be larger.
    pub max_sample: u32,
    /// The most sockets in all. Default 10,000.
    pub max_connections: u32,
    /// The most sockets from one address (IPv6: from one /64 network). Default 128: a school behind one address.
    pub max_connections_per_ip: u32,
    /// Frames on one socket. Default 100 a second: a newcomer to a full room sends some ten to each member.
    pub frames_per_second: u32,
    /// Frames on one socket at once. Default 1,000.
    pub frame_burst: u32,
    /// Bytes on one socket, frame headers included. Default 128 KiB a second.
    pub bytes_per_second: u32,
    /// Bytes on one socket at once. Default 1 MiB.
    pub byte_burst: u32,
    /// Joins from one address. Default 10 a second.
    pub joins_per_second_per_ip: u32,
    /// Joins from one address at once. Default 200: everybody behind it comes back after the server has restarted.
    pub join_burst_per_ip: u32,
    /// Joins of one topic. Default 50 a second.
    pub joins_per_second_per_topic: u32,
    /// Joins of one topic at once. Default 500.
    pub join_burst_per_topic: u32,
    /// Joins of empty rooms from one address. Default 6 a minute, because such joins guess room names. An address over
    /// this limit can join no room as a newcomer: refusing only empty rooms would reveal the others.
    pub empty_joins_per_minute_per_ip: u32,
    /// Joins of empty rooms from one address at once. Default 128, as many as its sockets: after a server restart, each
    /// may be the first in its room.
    pub empty_join_burst_per_ip: u32,
    /// From the socket's opening to `hello`, in milliseconds. Default 10,000.
    pub hello_within_ms: u32,
    /// Bytes that may wait for one socket. Default 256 KiB. Signals get half of it, which their senders share; a signal
    /// beyond its sender's share is dropped ([`ErrorCode::Congested`]).
    pub max_queued_bytes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_frame_bytes: 64 * 1024,
            max_topic_members: 32,
            max_sample: 500,
            max_connections: 10_000,
            max_connections_per_ip: 128,
            frames_per_second: 100,
            frame_burst: 1000,
            bytes_per_second: 128 * 1024,
            byte_burst: 1024 * 1024,
            joins_per_second_per_ip: 10,
            join_burst_per_ip: 200,
            joins_per_second_per_topic: 50,
            join_burst_per_topic: 500,
            empty_joins_per_minute_per_ip: 6,
            empty_join_burst_per_ip: 128,
            hello_within_ms: 10_000,
            max_queued_bytes: 256 * 1024,
        }
    }
}

/// Why something was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorCode {
    /// The frame is not JSON of the protocol's form. The connection goes on.
    Malformed,
    /// The message's name is unknown. The connection goes on.
    UnknownType,
    /// A second `hello`. The connection goes on.
    AlreadyJoined,
    /// A message that needs a topic, before `hello`. Closes.
    NotJoined,
    /// Another protocol version. Closes.
    Version,
    /// The signature does not prove the id. Closes.
    BadSignature,
    /// The topic has as many members as it may. Closes.
    RoomFull,
    /// The addressee is not in the sender's topic. The connection goes on.
    UnknownPeer,
    /// The sender's share of this addressee's queue is full: the signal was dropped. The connection goes on.
    Congested,
    /// The same id joined again elsewhere and took this socket's place. Closes; coming back would take it in turn.
    Replaced,
    /// A later life of the same id is already known. Closes.
    Stale,
    /// The frame is over the limit. Closes.
    TooLarge,
    /// A binary frame; the protocol is text. Closes.
    NotText,
    /// No `hello` in time. Closes.
    Timeout,
    /// The client does not read what it is sent. Closes.
    SlowReader,
    /// Too many bad frames. Closes.
    Abuse,
    /// The origin of the page may not use this server. Closes.
    Origin,
    /// The token does not let the peer into this room: there is none, or it is wrong, or for another room, or too old.
    /// Which of these is not said. Closes.
    Denied,
    /// More frames or bytes than the limits allow. Closes.
    RateLimited,
    /// Too many joins, of this topic or from this address. Closes; come back later.
    TooManyJoins,
    /// Too many sockets, in all or from this address. Closes; come back later.
    TooManyConnections,
    /// A code from a later version of the protocol.
    #[serde(other)]
    Unknown,
}

/// What the server knows of a topic called `name` (NFC, 1 to [`MAX_TOPIC_BYTES`] bytes): SHA-256 over
/// `"converge/1 topic"`, a zero byte and the name.
pub fn blind_topic(name: &str) -> TopicHash {
    let mut hash = Sha256::new();
    hash.update(b"converge/1 topic\0");
    hash.update(name.as_bytes());
    TopicHash::from_bytes(hash.finalize().into())
}

/// The bytes a client signs in `hello`: `"converge/1 hello"`, a zero byte, the nonce (32 bytes), the topic's hash
/// (32 bytes), the incarnation (8 bytes, big-endian), and the origin the server sees in the upgrade request's
/// `Origin` header, as UTF-8 (nothing where there is no such header).
///
/// The origin stands last because it alone has no fixed length.
pub fn hello_bytes(nonce: &Nonce, origin: &str, topic: &TopicHash, incarnation: Incarnation) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(17 + 32 + 32 + 8 + origin.len());
    bytes.extend_from_slice(b"converge/1 hello\0");
    bytes.extend_from_slice(nonce.as_bytes());
    bytes.extend_from_slice(topic.as_bytes());
    bytes.extend_from_slice(&incarnation.to_be_bytes());
    bytes.extend_from_slice(origin.as_bytes());
    bytes
}
