//! What can be told about a room's links: for people who wonder why two pages don't hear each other.

use std::time::Duration;

use converge_signal::PeerId;
use serde::Serialize;

use crate::event::{Activity, PeerState, Status};
use crate::wire::WireError;

/// The state of a room and of every link in it, as plain data; it serialises to JSON with these names.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RoomReport {
    /// This peer.
    pub id: Option<PeerId>,
    /// How the room is doing.
    pub status: Status,
    /// Whether there is a network, as far as the browser reports and nothing heard proves it wrong.
    pub online: bool,
    /// How many STUN addresses the server has given.
    pub stun_servers: usize,
    /// How many TURN addresses it has given. Without any, about one pair in ten on the internet can't be linked.
    pub turn_servers: usize,
    /// The links, one for each other member, in the order in which they came.
    pub links: Vec<LinkReport>,
}

/// The state of the link to one member.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LinkReport {
    /// The member.
    pub peer: PeerId,
    /// How it can be reached.
    pub state: PeerState,
    /// What it does.
    pub activity: Activity,
    /// Whether the server lists it. One that it doesn't may have lost its socket, or be gone.
    pub listed: bool,
    /// What happened to the link last.
    pub last_change: LinkChange,
    /// How long ago that was, in milliseconds.
    pub changed_ms: u64,
    /// How long ago anything was heard on it, in milliseconds.
    pub heard_ms: Option<u64>,
    /// The round-trip time that pings have shown last, in milliseconds.
    pub rtt_ms: Option<f64>,
    /// How many attempts to make a link have failed since the last success.
    pub failures: u32,
    /// How often ICE was restarted on the present connection.
    pub restarts: u32,
    /// How many connections there have been.
    pub connections: u32,
    /// Bytes sent on data channels, all connections together.
    pub sent_bytes: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Bytes of reliable messages that the member has not acknowledged yet.
    pub queued_bytes: usize,
    /// Which way the packets take, where the browser has said so.
    pub path: Option<LinkPath>,
    /// How many ICE candidates this browser gathered in the last attempt that ended; `None` if there was no such attempt, or
    /// it made no description. Zero means that the browser, or a policy, keeps the page from using UDP.
    pub candidates: Option<u32>,
    /// Why the last frame that ended the link was refused, if one did.
    #[serde(serialize_with = "as_text")]
    pub fault: Option<WireError>,
}

fn as_text<S: serde::Serializer>(fault: &Option<WireError>, serializer: S) -> Result<S::Ok, S::Error> {
    fault.as_ref().map(ToString::to_string).serialize(serializer)
}

impl LinkReport {
    /// The round-trip time in whole milliseconds: what pings have shown, else the browser's own measure; none before either.
    pub fn round_trip_ms(&self) -> Option<u32> {
        let pings = self.rtt_ms.map(|rtt| (rtt + 0.5) as u32);
        pings.or_else(|| self.path.as_ref()?.rtt_ms)
    }

    /// Whether the link is open and a TURN server carries its packets.
    pub fn is_relayed(&self) -> bool {
        self.state == PeerState::Connected && self.path.as_ref().is_some_and(LinkPath::is_relayed)
    }
}

/// Which way packets take: the nominated ICE candidate pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LinkPath {
    /// This side's candidate type: `host`, `srflx`, `prflx` or `relay` (RFC 8445 section 4).
    pub local: String,
    /// The other side's.
    pub remote: String,
    /// `udp` or `tcp`.
    pub protocol: String,
    /// The browser's own measure of the round-trip time, in milliseconds.
    pub rtt_ms: Option<u32>,
}

impl LinkPath {
    /// Whether a TURN server carries the packets.
    pub fn is_relayed(&self) -> bool {
        self.local == "relay" || self.remote == "relay"
    }
}

/// What happened to a link last, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LinkChange {
    /// The member was met; nothing has been tried yet.
    Met,
    /// A connection is being made.
    Dialling,
    /// The link opened.
    Opened,
    /// The link opened again, and what was under way has been resumed.
    Resumed,
    /// ICE reports that packets don't get through.
    Disconnected,
    /// ICE is being restarted: the network changed, or packets don't get through.
    Restarting,
    /// Packets get through again.
    Recovered,
    /// The connection was closed or failed; another is being made.
    Lost,
    /// The member answers no pings; another connection is being made.
    Silent,
    /// No connection came about in time.
    DialFailed,
    /// The member came back in a later life.
    Replaced,
    /// The member's page speaks another version of the link protocol.
    Version,
    /// The member's page has other lanes.
    Lanes,
    /// The member broke the link protocol.
    Protocol,
    /// The member sent more than this page takes.
    Overload,
    /// The member answers pings, but acknowledges none of many messages.
    Stalled,
    /// The member made more offers over its link than this page negotiates.
    TooManyOffers,
    /// The browser refused to set a description of this side's or of the member's.
    Refused,
}

impl LinkChange {
    /// The two pages could not talk: until they can, this says more than that another try came to nothing.
    pub(crate) fn is_misfit(self) -> bool {
        matches!(
            self,
            Self::Version
                | Self::Lanes
                | Self::Protocol
                | Self::Overload
                | Self::Stalled
                | Self::TooManyOffers
                | Self::Refused
        )
    }
}

/// Why two members are not linked, or not well: the first that applies, most useful first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Diagnosis {
    /// All is well.
    Fine,
    /// All is well, through a relay.
    Relayed,
    /// This device has no network.
    Offline,
    /// The member's page must be reloaded, or this one: they are of different versions.
    Version,
    /// The member sends what no converge page sends.
    Protocol,
    /// The member sent more than this page takes.
    Overload,
    /// The member answers pings, but acknowledges none of many messages.
    Stalled,
    /// The member made more offers than this page negotiates.
    TooManyOffers,
    /// The browser refuses the descriptions that a connection takes.
    Refused,
    /// This browser gathered no ICE candidate: it, or a policy, keeps the page from using UDP.
    NoCandidates,
    /// The link is being mended.
    Mending,
    /// The member does not answer and the server has lost it: asleep, or gone.
    Asleep,
    /// The server that would introduce the two is out of reach.
    ServerUnreachable,
    /// The first attempt is under way.
    Connecting,
    /// No way was found between the two, and there is no relay to go through.
    NoRelay,
    /// No way was found between the two, not even through the relay.
    NoWay,
}

impl RoomReport {
    /// What is to be said about one link.
    pub fn diagnose(&self, link: &LinkReport) -> Diagnosis {
        match (link.state, link.last_change) {
            (_, LinkChange::Version | LinkChange::Lanes) => Diagnosis::Version,
            (_, LinkChange::Protocol) => Diagnosis::Protocol,
            (_, LinkChange::Overload) => Diagnosis::Overload,
            (_, LinkChange::Stalled) => Diagnosis::Stalled,
            (_, LinkChange::TooManyOffers) => Diagnosis::TooManyOffers,
            _ if !self.online => Diagnosis::Offline,
            (PeerState::Connected, _) if link.activity == Activity::Stale => {
                if link.listed {
                    Diagnosis::Mending
                } else {
                    Diagnosis::Asleep
                }
            }
            (PeerState::Connected, _) if link.path.as_ref().is_some_and(LinkPath::is_relayed) => Diagnosis::Relayed,
            (PeerState::Connected, _) => Diagnosis::Fine,
            _ if !matches!(self.status, Status::Connected) => Diagnosis::ServerUnreachable,
            _ if !link.listed => Diagnosis::Asleep,
            (PeerState::Unreachable, LinkChange::Refused) => Diagnosis::Refused,
            (PeerState::Unreachable, _) if link.candidates == Some(0) => Diagnosis::NoCandidates,
            (PeerState::Unreachable, _) if self.turn_servers == 0 => Diagnosis::NoRelay,
            (PeerState::Unreachable, _) => Diagnosis::NoWay,
            _ if link.connections > 0 => Diagnosis::Mending,
            _ => Diagnosis::Connecting,
        }
    }
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
