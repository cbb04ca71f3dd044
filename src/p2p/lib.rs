//! Peer-to-peer rooms for the browser.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[cfg(target_family = "wasm")]
mod browser;
mod client;
mod codec;
mod error;
mod event;
#[cfg(feature = "hooks")]
pub mod hooks;
mod identity;
#[cfg(not(target_family = "wasm"))]
mod inert;
mod link;
mod options;
mod presence;
pub mod room;
#[cfg(all(feature = "sim", not(target_family = "wasm")))]
pub mod sim;
mod timer;
mod topic;
pub mod wire;

#[cfg(target_family = "wasm")]
use browser as driver;
#[cfg(not(target_family = "wasm"))]
use inert as driver;

pub use client::{BadMessage, Channel, Client, Events, MAX_WAITING_EVENTS, Messages, PROFILE, Received};
pub use codec::{Codec, CodecError, Json, Payload, Postcard, Raw};
pub use converge_signal::protocol::ErrorCode;
pub use converge_signal::{Incarnation, PeerId};
pub use error::{JoinError, SendError};
pub use event::{CloseReason, DisconnectReason, Event, PeerState, Status};
pub use identity::Identity;
pub use link::{Candidate, LinkId, Role};
pub use options::Options;
pub use timer::{Time, Timings};
pub use topic::{Topic, TopicError};
