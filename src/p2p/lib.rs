//! Peer-to-peer rooms for the browser: tabs that name the same topic find each other through one small server, and then
//! talk directly over WebRTC, with presence, broadcast and direct messages.
//!
//! There are three ways in:
//!
//! * [`hooks`] (feature `hooks`): a room as Leptos signals. Start here in a Leptos application.
//! * [`Client`]: the same without Leptos, as calls and a [`Stream`](futures_core::Stream) of [`Event`]s.
//! * [`room`]: the protocol as a state machine without sockets, clock or randomness, for those who bring their own, and
//!   for tests: `sim` (feature `sim`) runs many of them and the real hub in virtual time.
//!
//! # A room
//! A [`Topic`] is what people call it. Who is in it has a [`PeerId`], an Ed25519 public key that is made per tab and kept
//! in `sessionStorage`: a reload is the same peer, and nobody else can be it. Each member has a link to each other one;
//! what is sent before a link is open waits for it. **Presence** is what a member shows of itself in named slots, the
//! newest value of which everybody knows, who comes later too. **Channels** are named streams of messages of one type.
//!
//! # Links that heal
//! A link is doubted when a ping goes unanswered, its ICE restarted, and its connection replaced where that doesn't help;
//! [`Timings`] says when. What a reliable [`Lane`] accepts is numbered and acknowledged, and goes on over the next
//! connection: it arrives once and in order, or [`Event::Undelivered`] says that it may not have. A member is gone when it
//! says so, or when neither the server lists it nor anything was heard of it for [`Timings::gone`]. What it does is its
//! [`Activity`]; how it is connected, or why not, a [`LinkReport`].
//!
//! # Much data
//! Messages may have up to 16 MiB ([`wire::MAX_PAYLOAD_BYTES`]). Each lane to each peer holds at most
//! [`room::MAX_QUEUED_BYTES`], and refuses more; who awaits [`Client::ready`] before sending holds about
//! [`room::READY_BYTES`]. Files ([`Client::send_file`]) are never held as a whole.
//!
//! # Cameras, microphones and screens
//! [`Client::publish`] asks the browser for a [`Source`] and shows it to everybody: the stream is announced in a presence
//! slot ([`MEDIA_SLOT`]), and its tracks go over each link, at most [`MAX_VIEWERS`] of them, with as many bits a second as
//! leave enough for all. With [`Audience::Approved`], a member that joins later sees the announcement, and gets no
//! tracks until [`Client::approve_viewer`] is called. Turning a stream off and on again reuses its media section, so
//! descriptions don't grow.
//!
//! # Where it runs
//! In browsers, where it needs WebSocket and WebRTC; everything else it uses (Web Locks, storage) it can do without.
//! Elsewhere it compiles, joins nothing and has nobody in it, so that a page can be rendered on the server.
//!
//! # What it says to others
//! To the server: see `PROTOCOL.md` of `converge-signal`. To other peers: see [`wire`].
#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[cfg(target_family = "wasm")]
mod browser;
mod client;
mod codec;
mod error;
mod event;
mod file;
#[cfg(feature = "hooks")]
pub mod hooks;
mod identity;
#[cfg(not(target_family = "wasm"))]
mod inert;
mod lane;
mod link;
mod map;
mod media;
mod options;
mod presence;
mod report;
pub mod room;
mod session;
#[cfg(all(feature = "sim", not(target_family = "wasm")))]
pub mod sim;
mod stream;
mod text;
mod timer;
mod topic;
mod transfer;
pub mod wire;

#[cfg(target_family = "wasm")]
use browser as driver;
#[cfg(not(target_family = "wasm"))]
use inert as driver;

pub use client::{
    BadMessage, Channel, Client, Events, LinkWatch, MAX_WAITING_BYTES, MAX_WAITING_EVENTS, Messages, PROFILE, Ready,
    Received, Request, Serving, To,
};
pub use codec::{Codec, CodecError, Json, Payload, Postcard, Raw};
pub use converge_signal::protocol::ErrorCode;
pub use converge_signal::{Incarnation, PeerId};
pub use driver::LocalMedia;
pub use error::{JoinError, RequestError, SendError};
pub use event::{Activity, CloseReason, DisconnectReason, Event, PeerState, RequestId, Status};
pub use file::LocalFile;
pub use identity::Identity;
pub use lane::{Delivery, Lane, MAX_APP_LANES};
pub use link::{Candidate, LinkId, Role, Sdp};
pub use media::{
    Audience, Device, MAX_METADATA_BYTES, MAX_STREAMS, MAX_VIEWERS, MEDIA_SLOT, MediaError, SPEAKING_SLOT, Source,
    Stream, StreamId, StreamKind, ViewerState,
};
pub use options::{Options, Token};
pub use report::{Diagnosis, LinkChange, LinkPath, LinkReport, RoomReport};
pub use room::Sent;
pub use text::{is_hidden, look_of, without_hidden};
pub use timer::{Time, Timings};
pub use topic::{Topic, TopicError};
pub use transfer::{Transfer, TransferError, TransferId, TransferState};

/// The README's examples, compiled as tests.
#[cfg(all(doctest, feature = "hooks"))]
#[doc = include_str!("../../README.md")]
pub struct Readme;
