//! Camera, microphone and screen: what a member shares of them, and how much of it goes to how many.
//!
//! A member announces its streams in a presence slot of their own, so whoever comes later knows of them too, and sends
//! their tracks over the link to each viewer. The two are joined by the name that the browser gave the stream (`msid`,
//! RFC 8830), which stands in the announcement and in the session description.

#[cfg_attr(not(any(test, target_family = "wasm")), expect(dead_code, reason = "only a browser has streams"))]
mod announce;
#[cfg_attr(not(any(test, target_family = "wasm")), expect(dead_code, reason = "only a browser has streams"))]
mod audience;

use converge_signal::PeerId;
use serde::{Deserialize, Serialize};
use thiserror::Error;

#[cfg(target_family = "wasm")]
pub(crate) use self::announce::{Announced, announced, video_bits};
#[cfg(target_family = "wasm")]
pub(crate) use self::audience::Viewers;
use crate::driver::LocalMedia;
use crate::error::SendError;

/// The presence slot in which streams are announced.
pub const MEDIA_SLOT: &str = "converge:media";

/// The presence slot that says whether a member speaks.
pub const SPEAKING_SLOT: &str = "converge:speaking";

/// A member shares at most this many streams at a time.
pub const MAX_STREAMS: usize = 4;

/// Media goes to at most this many others: each gets a copy of its own, and a sender's line and processor carry no more.
/// (Calls without a media server commonly hold four to eight people.) In larger rooms, approved members come first,
/// then current viewers, then earlier members.
pub const MAX_VIEWERS: usize = 8;

/// Which members get this peer's streams.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Audience {
    /// All members but those denied with [`Client::deny_viewer`](crate::Client::deny_viewer), later ones included.
    #[default]
    Everyone,
    /// The members present when sharing begins, that is while nothing is shared yet. Later members wait for
    /// [`Client::approve_viewer`](crate::Client::approve_viewer).
    Approved,
}

/// Whether a member gets this peer's streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ViewerState {
    /// The member gets them, or will once its link is open.
    Viewing,
    /// The member joined after sharing began, and waits for approval. See [`Audience::Approved`].
    Waiting,
    /// The application denied the member.
    Denied,
    /// The member may get them, but [`MAX_VIEWERS`] others have the places. Approving it gives it an unapproved
    /// member's place.
    Crowded,
}

/// A stream's metadata has at most this many bytes.
pub const MAX_METADATA_BYTES: usize = 1024;

/// Where a stream comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StreamKind {
    /// A camera's picture.
    Camera,
    /// A microphone's sound.
    Microphone,
    /// What is on a screen, a window or a tab.
    Screen,
    /// Something of the application's own, such as a canvas.
    Other,
}

impl StreamKind {
    /// The kind in a word or two: `camera`, `microphone`, `screen` or `stream`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Microphone => "microphone",
            Self::Screen => "screen",
            Self::Other => "stream",
        }
    }
}

/// Names a stream among those of its owner. Never used twice in one life of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamId(pub(crate) u32);

/// A stream that a member shares.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stream {
    /// Whose it is.
    pub owner: PeerId,
    /// Which of its owner's.
    pub id: StreamId,
    /// Where it comes from.
    pub kind: StreamKind,
    /// What its owner says about it, as given to [`Source::metadata`].
    pub metadata: String,
    /// It has a picture.
    pub video: bool,
    /// It has sound.
    pub audio: bool,
    /// Its owner has paused it.
    pub paused: bool,
    /// It has arrived; before, it is only announced.
    pub live: bool,
    /// Its owner sends it to approved members only: it may never arrive. See [`Audience::Approved`].
    pub limited: bool,
    /// Its device gives nothing at the moment: a closed lid, a switch, or the system holds it back. Known of this peer's own
    /// streams; the others see such a stream as paused.
    pub silent: bool,
}

/// A camera, microphone or screen that can be picked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Device {
    /// A camera or a microphone.
    pub kind: StreamKind,
    /// For [`Source::device`].
    pub id: String,
    /// Its name; empty until the page has been allowed to use one of its kind.
    pub label: String,
}

/// What to share.
///
/// ```
/// use converge_p2p::Source;
///
/// let camera = Source::camera().metadata("the whole room");
/// let screen = Source::screen();
/// # let _ = (camera, screen);
/// ```
#[derive(Debug, Clone)]
pub struct Source {
    pub(crate) kind: StreamKind,
    pub(crate) device: Option<String>,
    pub(crate) metadata: String,
    pub(crate) media: Option<LocalMedia>,
}

impl Source {
    fn of(kind: StreamKind) -> Self {
        Self { kind, device: None, metadata: String::new(), media: None }
    }

    /// A camera: 640 by 480 at 24 frames a second, where it can.
    pub fn camera() -> Self {
        Self::of(StreamKind::Camera)
    }

    /// A microphone, with echoes and noise taken out.
    pub fn microphone() -> Self {
        Self::of(StreamKind::Microphone)
    }

    /// A screen, a window or a tab, as the person picks in the browser's own dialog.
    pub fn screen() -> Self {
        Self::of(StreamKind::Screen)
    }

    /// A stream that the page has made itself: in the browser, `LocalMedia::from(media_stream)`.
    pub fn media(media: LocalMedia) -> Self {
        Self { media: Some(media), ..Self::of(StreamKind::Other) }
    }

    /// Prefers this camera or microphone, by its [`Device::id`]; an empty one leaves it to the browser. Another is taken
    /// where it is gone.
    pub fn device(mut self, id: impl Into<String>) -> Self {
        self.device = Some(id.into()).filter(|id| !id.is_empty());
        self
    }

    /// Says something about the stream to the others, such as a title: up to [`MAX_METADATA_BYTES`].
    pub fn metadata(mut self, text: impl Into<String>) -> Self {
        self.metadata = text.into();
        self
    }

    /// Where it comes from.
    pub fn kind(&self) -> StreamKind {
        self.kind
    }
}

/// Why something can't be shared.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MediaError {
    /// Browsers let pages use devices over https and on localhost only.
    #[error(
        "cameras, microphones and screens can be shared only from a page that came over https or from this machine itself"
    )]
    Insecure,
    /// The browser can't.
    #[error("this browser can't share a {}", .kind.as_str())]
    Unsupported {
        /// What.
        kind: StreamKind,
    },
    /// The person, or the system, doesn't allow it.
    #[error("the {} may not be used: allow it for this page in the browser's address bar, and in the system's privacy settings", .kind.as_str())]
    Denied {
        /// What.
        kind: StreamKind,
    },
    /// There is none.
    #[error("no {} was found: connect one", .kind.as_str())]
    NoDevice {
        /// What.
        kind: StreamKind,
    },
    /// Something else uses it.
    #[error("the {} is in use by another application, or does not answer", .kind.as_str())]
    InUse {
        /// What.
        kind: StreamKind,
    },
    /// It was shared, and gives nothing any more: unplugged, or not allowed any longer.
    #[error("the {} has stopped: it was unplugged, or this page may not use it any longer", .kind.as_str())]
    Ended {
        /// The kind of stream that ended.
        kind: StreamKind,
    },
    /// Enough is shared already.
    #[error("{MAX_STREAMS} streams are shared already: end one first")]
    TooMany,
    /// The metadata is too long.
    #[error("a stream's metadata has at most {MAX_METADATA_BYTES} bytes")]
    Metadata,
    /// The others can't be told of it.
    #[error("the others can't be told of it: {0}")]
    Announce(SendError),
    /// There is no such stream (any more).
    #[error("this stream is not shared any more")]
    Unknown,
    /// Not in a room.
    #[error("not in the room: join it first")]
    NotJoined,
    /// What else the browser says.
    #[error("the browser refused: {0}")]
    Browser(String),
}
