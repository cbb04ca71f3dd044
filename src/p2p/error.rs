//! What can go wrong when joining and sending.

use converge_signal::PeerId;
use thiserror::Error;

use crate::codec::CodecError;
use crate::topic::TopicError;

/// Why a room can't be joined.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The topic can't name a room.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// The server's address is not one.
    #[error("`{url}` is not a server's address: use ws://, wss://, http:// or https://, a host and no fragment")]
    Server {
        /// The address as given.
        url: String,
    },
    /// The browser lacks something, or keeps the page from using it.
    #[error(
        "this browser does not let the page use {missing}: it is switched off by a setting, an extension or a policy, or the browser is too old for it"
    )]
    Unsupported {
        /// What.
        missing: &'static str,
    },
}

/// Why a message or a presence value was not sent, or not to everybody.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// Not in the room yet, so there is nobody to send to.
    #[error("not in the room yet: wait until the status is connected")]
    NotJoined,
    /// Not in the room any more.
    #[error("the room is closed: join it again")]
    Closed,
    /// The addressee is not in the room.
    #[error("{} is not in the room", .peer.short())]
    UnknownPeer {
        /// The addressee.
        peer: PeerId,
    },
    /// These peers' queues are full, and no member got the message.
    #[error("too much is waiting for {} peer(s): send again when their links have caught up", .peers.len())]
    QueueFull {
        /// The peers that won't get the message.
        peers: Vec<PeerId>,
    },
    /// Nothing that waits for this peer has moved for too long.
    #[error("nothing gets through to {} at the moment: what was sent waits until the link is mended", .peer.short())]
    Stalled {
        /// The peer.
        peer: PeerId,
    },
    /// There is no such lane.
    #[error("there is no lane {number}: add it with `Options::lane`, on every page of the room")]
    NoLane {
        /// The lane's number.
        number: u8,
    },
    /// The value is too big.
    #[error("{bytes} bytes are more than the {limit} that fit: send less at a time")]
    TooLarge {
        /// How many bytes it takes.
        bytes: usize,
        /// How many it may take.
        limit: usize,
    },
    /// The channel's or slot's name is empty or too long.
    #[error("`{name}` can't name a channel or slot: use 1 to 64 bytes")]
    Name {
        /// The name.
        name: String,
    },
    /// There are too many presence slots.
    #[error("a peer has at most {limit} presence slots: reuse one")]
    TooManySlots {
        /// How many there may be.
        limit: usize,
    },
    /// The value can't be encoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// Why a request got no reply.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// It could not be sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The peer has not replied in time.
    #[error("no reply within the time given")]
    Timeout,
    /// The peer has left, or could not be reached for too long.
    #[error("the peer has gone")]
    Gone,
    /// The peer serves no such channel.
    #[error("the peer does not reply on this channel")]
    NotServed,
    /// The peer has too many requests of this one's to reply to.
    #[error("the peer is busy with earlier requests: wait for their replies")]
    Busy,
    /// The peer replied that it can't, and why.
    #[error("the peer refused: {0}")]
    Refused(String),
    /// The reply is no value of the expected type.
    #[error("the reply can't be read: {0}")]
    Reply(CodecError),
}
