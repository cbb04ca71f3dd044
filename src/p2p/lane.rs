//! Lanes: the data channels of one connection, each with its own way of delivery.

/// Names a lane: one data channel of the connection to each peer, with that id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane(pub(crate) u8);

/// An application may add this many lanes: more is a sign that [channels](crate::Channel) were meant, which are many to
/// a lane.
pub const MAX_APP_LANES: usize = 13;

impl Lane {
    /// Reliable and in order: messages, and what peers say to each other about their link.
    pub const RELIABLE: Self = Self(0);
    /// Neither: what is lost is not sent again (`maxRetransmits: 0`). For values of which only the newest counts.
    pub const LOSSY: Self = Self(1);
    /// Reliable and in order, beside [`Lane::RELIABLE`]: for what is large and must not hold up what is small. Files
    /// travel here.
    pub const BULK: Self = Self(2);

    /// How many lanes every room has.
    pub(crate) const BUILT_IN: u8 = 3;

    /// The application's lane of this number, counted from 0 in the order of [`Options::lane`](crate::Options::lane).
    pub const fn app(number: u8) -> Self {
        Self(number.saturating_add(Self::BUILT_IN))
    }

    /// The id of its data channel.
    pub fn id(self) -> u16 {
        u16::from(self.0)
    }

    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// How a lane delivers. The names are those of `RTCDataChannelInit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// Everything arrives once and in order, over a lost connection and a new one too.
    Reliable,
    /// What is lost is sent again at most so often, on the same connection. Messages fit one frame.
    Retransmits {
        /// Whether what is late is dropped so that the order is kept.
        ordered: bool,
        /// `maxRetransmits`.
        times: u16,
    },
    /// What is lost is sent again for so long, on the same connection. Messages fit one frame.
    Lifetime {
        /// Whether what is late is dropped so that the order is kept.
        ordered: bool,
        /// `maxPacketLifeTime`, in milliseconds.
        millis: u16,
    },
}

impl Delivery {
    pub(crate) fn is_reliable(self) -> bool {
        self == Self::Reliable
    }

    /// The lanes of a room, by id: the three every room has, then the application's.
    pub(crate) fn lanes(app: &[Self]) -> Vec<Self> {
        let lossy = Self::Retransmits { ordered: false, times: 0 };
        let mut lanes = vec![Self::Reliable, lossy, Self::Reliable];
        lanes.extend(app.iter().take(MAX_APP_LANES));
        lanes
    }

    /// What both ends must agree on, in four bytes, for the first frame of a link.
    pub(crate) fn tag(self) -> u32 {
        match self {
            Self::Reliable => 0,
            Self::Retransmits { ordered, times } => 1 << 24 | u32::from(ordered) << 16 | u32::from(times),
            Self::Lifetime { ordered, millis } => 2 << 24 | u32::from(ordered) << 16 | u32::from(millis),
        }
    }
}
