//! What a room tells the application.

use converge_signal::PeerId;
use converge_signal::protocol::ErrorCode;

use crate::codec::Payload;

/// How the room is doing, as far as meeting people goes. Open links live on in every state but `Closed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Joining for the first time.
    Connecting,
    /// In the room, and told of who comes and goes.
    Connected,
    /// The server is out of reach; trying again. Links live on, but nobody new can be met.
    Reconnecting,
    /// The browser says there is no network; trying again when there is.
    Offline,
    /// Not in the room, and not trying to be.
    Closed(CloseReason),
}

impl Status {
    /// The state in one word: `connecting`, `connected`, `reconnecting`, `offline` or `closed`.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Connecting => "connecting",
            Status::Connected => "connected",
            Status::Reconnecting => "reconnecting",
            Status::Offline => "offline",
            Status::Closed(_) => "closed",
        }
    }

    /// Why the room is closed, where it is.
    pub fn reason(self) -> Option<CloseReason> {
        match self {
            Status::Closed(reason) => Some(reason),
            _ => None,
        }
    }
}

/// Why a room is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// The application left.
    Left,
    /// The room has as many members as it may.
    RoomFull,
    /// The same peer joined elsewhere: another tab, or a later life of this one.
    Replaced,
    /// The server, or this client itself, refused to join: a bad topic, address or signature.
    Refused,
    /// The browser has no WebRTC or no WebSocket.
    Unsupported,
    /// The server speaks another version of the protocol.
    Version,
}

impl CloseReason {
    /// The reason in one word: `left`, `room-full`, `replaced`, `refused`, `unsupported` or `version`.
    pub fn as_str(self) -> &'static str {
        match self {
            CloseReason::Left => "left",
            CloseReason::RoomFull => "room-full",
            CloseReason::Replaced => "replaced",
            CloseReason::Refused => "refused",
            CloseReason::Unsupported => "unsupported",
            CloseReason::Version => "version",
        }
    }
}

/// How a member of the room can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PeerState {
    /// A link is being made.
    Connecting,
    /// A link is open: messages go straight to the peer.
    Connected,
    /// No link could be made; it is tried again from time to time.
    Unreachable,
}

/// Why a link to a peer, or its membership, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The peer said goodbye.
    Left,
    /// The peer has not answered for too long, or the connection failed.
    Lost,
    /// The peer came back in a later life: its page was reloaded.
    Replaced,
    /// The two pages speak different versions of the link protocol.
    Version,
    /// The peer sent what no converge peer sends.
    Protocol,
    /// This side closed the room.
    Closed,
}

/// Something that happened in a room.
///
/// A peer first joins (`PeerJoined`), then a link to it opens (`PeerConnected`). A link may end and open again while
/// the peer stays; when it has gone for good, `PeerLeft` follows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// This client is in the room (again).
    Connected {
        /// This peer's own id.
        id: PeerId,
    },
    /// The status changed.
    Status(Status),
    /// A member appeared.
    PeerJoined {
        /// Who.
        peer: PeerId,
    },
    /// A link to a member is open.
    PeerConnected {
        /// To whom.
        peer: PeerId,
    },
    /// The link to a member ended; a new one is being made.
    PeerDisconnected {
        /// To whom.
        peer: PeerId,
        /// Why.
        reason: DisconnectReason,
    },
    /// No link to a member could be made; it is tried again later.
    PeerUnreachable {
        /// To whom.
        peer: PeerId,
    },
    /// A member has gone, and with it its presence.
    PeerLeft {
        /// Who.
        peer: PeerId,
        /// Why.
        reason: DisconnectReason,
    },
    /// A slot of a member's presence has a new value.
    PresenceChanged {
        /// Whose.
        peer: PeerId,
        /// Which slot.
        slot: String,
        /// The value; none where the slot was cleared.
        value: Option<Payload>,
    },
    /// A message arrived.
    Message {
        /// From whom.
        from: PeerId,
        /// On which channel.
        channel: String,
        /// Whether it was sent to this peer alone.
        direct: bool,
        /// What it says.
        payload: Payload,
    },
    /// Messages that were waiting for a link to a member could not be delivered, for the member has gone.
    Undelivered {
        /// To whom.
        peer: PeerId,
        /// How many.
        messages: usize,
    },
    /// The server refused something.
    ServerError {
        /// Why, for programs.
        code: ErrorCode,
        /// Why, for people.
        message: String,
    },
    /// The reader of this stream was too slow, and this many events were dropped.
    Lagged {
        /// How many.
        events: u64,
    },
}
