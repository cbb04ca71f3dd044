//! One connection to one peer: from the offer to its end.

mod backlog;
mod candidate;
mod liveness;
mod talks;

use converge_signal::Incarnation;
use serde::{Deserialize, Serialize};

pub(crate) use self::backlog::{Backlog, Entry, Load};
pub(crate) use self::candidate::clean;
pub(crate) use self::liveness::{Liveness, Pulse};
pub(crate) use self::talks::{Again, Dial, Heard, Negotiation, Talks};
use crate::timer::{Time, Timings};
use crate::wire::MAX_FRAME_BYTES;

/// Names a connection between the core and its driver. Never used twice in one room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(pub(crate) u64);

/// Which side of the offer this peer is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// This side makes the offer.
    Offerer,
    /// This side answers.
    Answerer,
}

/// A session description (RFC 8866) and which kind it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sdp {
    /// An offer.
    Offer(String),
    /// The answer to one.
    Answer(String),
}

/// An ICE candidate, with the names of `RTCIceCandidateInit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// The candidate line.
    pub candidate: String,
    /// The media description it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdp_mid: Option<String>,
    /// The index of that description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdp_m_line_index: Option<u16>,
}

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: LinkId,
    pub(crate) attempt: u32,
    pub(crate) role: Role,
    /// Which life of the peer it leads to.
    pub(crate) incarnation: Incarnation,
    pub(crate) stage: Stage,
    pub(crate) talks: Talks,
    /// What one grants each lane's send buffer.
    pub(crate) flows: Vec<Flow>,
    /// The largest frame the other side takes.
    pub(crate) max_frame: usize,
    /// The other side has our hello: all lanes may be used.
    pub(crate) ready: bool,
    /// What is being done about a link that doesn't pass packets.
    pub(crate) healing: Healing,
    /// How often ICE was restarted.
    pub(crate) restarts: u32,
    /// Bytes handed to its channels.
    pub(crate) sent_bytes: u64,
    /// Frames received and not handled yet.
    pub(crate) backlog: Backlog,
}

#[derive(Debug)]
pub(crate) enum Stage {
    /// Being made; given up at the deadline.
    Dialling { deadline: Time },
    /// The channels are open, the peer's hello is awaited.
    Greeting { deadline: Time },
    /// In use.
    Open(Liveness),
}

#[derive(Debug, Default)]
pub(crate) struct Healing {
    /// ICE has reported trouble, or given up.
    pub(crate) trouble: bool,
    /// When to restart ICE, unless the link recovers before.
    pub(crate) restart_at: Option<Time>,
    /// When to replace the connection, unless the link recovers before.
    pub(crate) heal_by: Option<Time>,
}

impl Healing {
    /// Something is being done, or about to be.
    pub(crate) fn is_needed(&self) -> bool {
        self.trouble || self.restart_at.is_some() || self.heal_by.is_some()
    }
}

/// How many more bytes a lane's send buffer is granted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flow {
    pub(crate) grant: usize,
    /// The driver has been asked to say when there is room.
    pub(crate) waiting: bool,
}

impl Link {
    pub(crate) fn new(
        id: LinkId,
        attempt: u32,
        role: Role,
        polite: bool,
        incarnation: Incarnation,
        deadline: Time,
        flows: Vec<Flow>,
    ) -> Self {
        Self {
            id,
            attempt,
            role,
            incarnation,
            stage: Stage::Dialling { deadline },
            talks: Talks::new(role, polite),
            flows,
            max_frame: MAX_FRAME_BYTES,
            ready: false,
            healing: Healing::default(),
            restarts: 0,
            sent_bytes: 0,
            backlog: Backlog::default(),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open(_))
    }

    /// Packets get through, as far as is known.
    pub(crate) fn is_sound(&self, now: Time, timings: &Timings) -> bool {
        match &self.stage {
            Stage::Open(liveness) => !self.healing.trouble && !liveness.is_doubtful(now, timings),
            _ => false,
        }
    }

    pub(crate) fn deadline(&self, timings: &Timings) -> Time {
        match &self.stage {
            Stage::Dialling { deadline } | Stage::Greeting { deadline } => *deadline,
            Stage::Open(liveness) => {
                let healing = [self.healing.restart_at, self.healing.heal_by].into_iter().flatten().min();
                let pulse = liveness.deadline(timings);
                healing.map_or(pulse, |healing| healing.min(pulse))
            }
        }
    }
}
