//! What a room tells the application.

use converge_signal::PeerId;
use converge_signal::protocol::ErrorCode;
use serde::Serialize;

use crate::codec::Payload;
use crate::error::RequestError;
use crate::lane::Lane;
use crate::media::StreamKind;
use crate::transfer::{Transfer, TransferId};

/// How the room is doing, as far as meeting people goes. Open links live on in every state but `Closed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Joining for the first time.
    Connecting,
    /// In the room, and told of who comes and goes.
    Connected,
    /// The server is out of reach; trying again. Links live on, but nobody new can be met.
    Reconnecting,
    /// The browser reports that there is no network, and nothing is heard. The server is tried again now and then, and at
    /// once when the browser reports a network.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
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
    /// The server lets nobody in without a token, and this one is none for this room, or is too old.
    Denied,
    /// The browser lacks WebRTC or WebSocket, or doesn't let the page use them.
    Unsupported,
    /// The server speaks another version of the protocol.
    Version,
}

impl CloseReason {
    /// The reason in one word: `left`, `room-full`, `replaced`, `refused`, `denied`, `unsupported` or
    /// `version`.
    pub fn as_str(self) -> &'static str {
        match self {
            CloseReason::Left => "left",
            CloseReason::RoomFull => "room-full",
            CloseReason::Replaced => "replaced",
            CloseReason::Refused => "refused",
            CloseReason::Denied => "denied",
            CloseReason::Unsupported => "unsupported",
            CloseReason::Version => "version",
        }
    }
}

/// How a member of the room can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PeerState {
    /// A link is being made.
    Connecting,
    /// A link is open: messages go straight to the peer.
    Connected,
    /// No link could be made; it is tried again from time to time.
    Unreachable,
}

/// What a peer does now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// The person is at the page.
    #[default]
    Active,
    /// The page is in view, and nobody has touched it for a while.
    Idle,
    /// The page is out of view: another tab is in front, or the device is locked. It takes part all the same.
    Hidden,
    /// Nothing is heard of the peer: its link is in trouble or lost, and being mended. Never said by the peer itself.
    Stale,
}

impl Activity {
    /// The state in one word: `active`, `idle`, `hidden` or `stale`.
    pub fn as_str(self) -> &'static str {
        match self {
            Activity::Active => "active",
            Activity::Idle => "idle",
            Activity::Hidden => "hidden",
            Activity::Stale => "stale",
        }
    }
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
    /// The two pages have different [lanes](crate::Options::lane).
    Lanes,
    /// The peer sent what no converge peer sends.
    Protocol,
    /// The peer sent more than this page takes: it ignored its credit, or exceeded a resource bound.
    Overload,
    /// The peer answers pings, but acknowledges none of many messages.
    Stalled,
    /// The peer made more offers over its link than this page negotiates.
    TooManyOffers,
    /// This side closed the room.
    Closed,
}

/// Names a request within a room. Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub(crate) u32);

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
    /// What a member does has changed.
    ActivityChanged {
        /// Who.
        peer: PeerId,
        /// What it does now.
        activity: Activity,
    },
    /// Something about the link to a member has changed: see [`Client::link`](crate::Client::link).
    LinkChanged {
        /// To whom.
        peer: PeerId,
    },
    /// A member asks for a reply, on a channel that [`Client::serve`](crate::Client::serve) was called for.
    Request {
        /// Who.
        from: PeerId,
        /// On which channel.
        channel: String,
        /// Names the request among those of this member, for the reply.
        request: u32,
        /// What it asks.
        payload: Payload,
    },
    /// A member does not wait for a reply any longer.
    RequestCancelled {
        /// Who.
        from: PeerId,
        /// Which of its requests.
        request: u32,
    },
    /// The reply to a request of this peer's, or why there is none.
    Reply {
        /// Which request.
        request: RequestId,
        /// What came of it.
        result: Result<Payload, RequestError>,
    },
    /// A transfer appeared, moved on or ended.
    Transfer(Transfer),
    /// A finished transfer was evicted because there are many newer ones: remove its row. Transfers with a received
    /// file are never evicted.
    TransferForgotten {
        /// The transfer.
        transfer: TransferId,
    },
    /// What a member shares has changed, or how much of it has arrived, or whether it is muted: see
    /// [`Client::streams`](crate::Client::streams). Also of this peer itself.
    StreamsChanged {
        /// Whose.
        peer: PeerId,
    },
    /// The members that get this peer's streams have changed: see [`Client::viewers`](crate::Client::viewers).
    ViewersChanged,
    /// A member's queue has not moved for [`Timings::stall`](crate::Timings::stall). It waits until the link recovers
    /// or the member leaves. If the link passes pings and senders wait for it, the link is closed.
    Stalled {
        /// Who.
        peer: PeerId,
    },
    /// A member has acknowledged this side's messages: [`Client::accepted`](crate::Client::accepted) says which number a
    /// message has.
    Acknowledged {
        /// The member.
        peer: PeerId,
        /// The reliable lane they were sent on.
        lane: Lane,
        /// Every message up to this number has arrived, except those that [`Event::Undelivered`] reported.
        up_to: u64,
    },
    /// A camera or microphone that this peer shared gives nothing any more: it was unplugged, or the page may not use it
    /// any longer. Also a screen whose sharing was ended in the browser's own bar. It is no longer shared.
    MediaEnded {
        /// The kind of stream that ended.
        kind: StreamKind,
    },
    /// Reliable messages to a member were not delivered, or nobody can say whether they were: it has left, or has begun
    /// anew, before it had acknowledged them.
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

impl Event {
    /// How many bytes its payload has.
    pub(crate) fn payload_bytes(&self) -> usize {
        match self {
            Self::Message { payload, .. }
            | Self::Request { payload, .. }
            | Self::PresenceChanged { value: Some(payload), .. }
            | Self::Reply { result: Ok(payload), .. } => payload.bytes.len(),
            _ => 0,
        }
    }
}
