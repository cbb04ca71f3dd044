//! Where converge's peers meet.
//!
//! Tabs that name the same topic find each other through one small server: it keeps who is in which room, hands
//! newcomers the list, and carries offers, answers and ICE candidates between members. It never sees a message.
//!
//! * With no features this crate is the [protocol](protocol): the types of the JSON frames and nothing else. It is
//!   what a client needs, and it compiles for the browser.
//! * Feature `hub` adds the hub: rooms and members as a pure state machine, without sockets or a clock.
//! * Feature `server` adds `server`: the hub behind an axum WebSocket route, to merge into any application, with limits,
//!   authorization, metrics, an orderly end, and an accept loop fit for the internet.
//!
//! The frames are documented, one example per message, in `PROTOCOL.md` beside this file.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod ids;
pub mod protocol;

#[cfg(feature = "hub")]
pub mod hub;
#[cfg(feature = "server")]
pub mod server;

pub use ids::{Incarnation, Nonce, ParseIdError, PeerId, Seq, Signature, TopicHash};
