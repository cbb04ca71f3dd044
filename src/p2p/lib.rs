//! Peer-to-peer rooms for the browser.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod codec;
mod error;
mod event;
mod identity;
mod link;
mod presence;
pub mod room;
mod timer;
mod topic;
pub mod wire;

pub use converge_signal::{Incarnation, PeerId};
pub use codec::{Codec, CodecError, Json, Payload, Postcard, Raw};
pub use error::{JoinError, SendError};
pub use event::{CloseReason, DisconnectReason, Event, PeerState, Status};
pub use identity::Identity;
pub use link::{Candidate, LinkId, Role};
pub use timer::{Time, Timings};
pub use topic::{Topic, TopicError};
