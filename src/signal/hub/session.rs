//! What can be judged of a connection's frames without knowing anything else: their form, and the proof in `hello`.
//! Kept apart from the hub because a signature takes far longer to check than anything the hub does, and a server
//! holds a lock meanwhile.

use std::collections::HashMap;

use ed25519_dalek::VerifyingKey;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{ConnId, Input};
use crate::ids::{Incarnation, Nonce, PeerId, TopicHash};
use crate::protocol::{ErrorCode, Hello, VERSION, hello_bytes};

/// After this many frames that are no messages, a connection is closed.
const MAX_BAD_FRAMES: u32 = 20;

/// One connection's frames, on their way to the hub.
#[derive(Debug)]
pub struct Session {
    /// What a hello has to prove; none once one has.
    unproved: Option<Box<Unproved>>,
    max_frame_bytes: u32,
    bad_frames: u32,
}

#[derive(Debug)]
struct Unproved {
    nonce: Nonce,
    origin: Box<str>,
}

/// What a frame says. `data` is still the sender's own text.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frame<'a> {
    /// The peer wants to join, and says that it may; see [`Session::prove`].
    Hello(Box<Hello>),
    /// Something to carry to another member.
    Signal {
        /// To whom.
        to: PeerId,
        /// What.
        #[serde(borrow)]
        data: &'a RawValue,
    },
    /// The peer leaves for good.
    Leave {},
    /// The peer asks whether anybody is there.
    Ping {},
}

/// A `hello` whose sender has proved to hold the key behind its id. Only [`Session::prove`] makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Join {
    pub(super) topic: TopicHash,
    pub(super) id: PeerId,
    pub(super) incarnation: Incarnation,
    pub(super) relay: bool,
}

impl Join {
    /// The topic it wants to join.
    pub fn topic(&self) -> TopicHash {
        self.topic
    }

    /// Who it is.
    pub fn id(&self) -> PeerId {
        self.id
    }

    /// Whether it is to get the ICE servers that ask for credentials; it is, if nobody says otherwise.
    pub fn allow_relay(mut self, allow: bool) -> Self {
        self.relay = allow;
        self
    }
}

impl Session {
    /// The session of a connection that was sent this nonce, from a page of this origin (empty where the upgrade
    /// request had no `Origin` header).
    pub fn new(nonce: Nonce, origin: &str, max_frame_bytes: u32) -> Self {
        let unproved = Some(Box::new(Unproved { nonce, origin: origin.into() }));
        Self { unproved, max_frame_bytes, bad_frames: 0 }
    }

    /// Where the page that this connection belongs to comes from; empty where the request didn't say. Forgotten once a
    /// hello has proved its claim.
    pub fn origin(&self) -> &str {
        self.unproved.as_ref().map_or("", |unproved| &unproved.origin)
    }

    /// Reads a text frame.
    ///
    /// # Errors
    /// [`ErrorCode::TooLarge`], [`ErrorCode::Malformed`], [`ErrorCode::UnknownType`], or after many of these
    /// [`ErrorCode::Abuse`]: what to refuse it with ([`Input::Refuse`]).
    pub fn read<'a>(&mut self, text: &'a str) -> Result<Frame<'a>, ErrorCode> {
        if text.len() > self.max_frame_bytes as usize {
            return Err(ErrorCode::TooLarge);
        }
        serde_json::from_str(text).map_err(|_| {
            self.bad_frames += 1;
            if self.bad_frames > MAX_BAD_FRAMES { ErrorCode::Abuse } else { misread(text) }
        })
    }

    /// Checks what a `hello` claims: the version, and that its sender holds the key. Costs some 50 µs, so ask the
    /// limits first.
    ///
    /// # Errors
    /// [`ErrorCode::AlreadyJoined`] after a hello that proved its claim, [`ErrorCode::Version`],
    /// [`ErrorCode::BadSignature`].
    pub fn prove(&mut self, hello: &Hello) -> Result<Join, ErrorCode> {
        let Some(unproved) = &self.unproved else { return Err(ErrorCode::AlreadyJoined) };
        if hello.v != VERSION {
            return Err(ErrorCode::Version);
        }
        let bytes = hello_bytes(&unproved.nonce, &unproved.origin, &hello.topic, hello.incarnation);
        let signature = ed25519_dalek::Signature::from_bytes(hello.sig.as_bytes());
        let key = VerifyingKey::from_bytes(hello.id.as_bytes()).map_err(|_| ErrorCode::BadSignature)?;
        key.verify_strict(&bytes, &signature).map_err(|_| ErrorCode::BadSignature)?;
        self.unproved = None;
        Ok(Join { topic: hello.topic, id: hello.id, incarnation: hello.incarnation, relay: true })
    }

    /// What a frame means to the hub, for drivers that have nothing to decide in between.
    pub fn input<'a>(&mut self, conn: ConnId, text: &'a str) -> Input<'a> {
        match self.read(text) {
            Ok(Frame::Hello(hello)) => match self.prove(&hello) {
                Ok(join) => Input::Join { conn, join },
                Err(code) => Input::Refuse { conn, code },
            },
            Ok(Frame::Signal { to, data }) => Input::Signal { conn, to, data },
            Ok(Frame::Leave {}) => Input::Leave { conn },
            Ok(Frame::Ping {}) => Input::Ping { conn },
            Err(code) => Input::Refuse { conn, code },
        }
    }
}

/// Why a frame is no message: an object with one key that names no message, or worse.
fn misread(text: &str) -> ErrorCode {
    const NAMES: [&str; 4] = ["hello", "signal", "leave", "ping"];
    match serde_json::from_str::<HashMap<String, serde::de::IgnoredAny>>(text) {
        Ok(object) if object.len() == 1 && !NAMES.iter().any(|name| object.contains_key(*name)) => {
            ErrorCode::UnknownType
        }
        _ => ErrorCode::Malformed,
    }
}
