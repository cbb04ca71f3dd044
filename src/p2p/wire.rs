//! The frames on data channels, version 2.
//!
//! The first frame each side sends on lane 0 is a [`Hello`]: the letters `cvg`, one byte of version, and what that version
//! says. The letters and the byte will never change, so that any two versions can at least tell each other apart. Once
//! a side has the other's hello it sends [`Frame::Ready`]; only who has received that uses the other lanes, so nothing on
//! them can overtake the hello.
//!
//! Then the first byte names the frame. Messages and files, which are many or large:
//!
//! | byte | frame | rest |
//! |---|---|---|
//! | 64 | whole | a [`Body`] |
//! | 65 | first | length of the body in all: varint; its first bytes |
//! | 66 | more | the bytes that follow |
//! | 67 | file | transfer: varint; offset: varint; bytes of the file |
//! | 68 | pack | one body after the other, each behind its length: varint |
//!
//! `first` and `more` make a body that is too long for one frame, `pack` one frame of bodies that waited together. Whole and split bodies travel on reliable lanes only, are
//! counted there, and acknowledged: after a lost connection the next one goes on where the hello says.
//!
//! All else is a [`Frame`] in postcard (<https://postcard.jamesmunns.com/wire-format>): a byte that names the frame, then
//! its fields; numbers as varints, texts and byte strings behind their length. They belong to their connection, and what
//! they say is said anew on the next one:
//!
//! | byte | frame | fields |
//! |---|---|---|
//! | 0 | presence | slot: text; counter: u64; value: 0, or 1, codec: u8, bytes |
//! | 1 | ready | |
//! | 2 | ping | token: u32 |
//! | 3 | pong | token: u32 |
//! | 4 | bye | |
//! | 5 | acknowledgement | lane: u8; messages: u64; bytes of the next: u64 |
//! | 6 | activity | 0 active, 1 idle, 2 hidden: u8 |
//! | 7 | negotiation | as in signals: text |
//! | 8 | credit | transfer: u32; have: u64; until: u64 |
//! | 9 | loose message, on a lossy lane | channel: text; direct: bool; codec: u8; bytes |
//!
//! A peer keeps to these bounds; one that exceeds them has its link closed as overloaded, or as stalled if it acknowledges
//! nothing for 30 seconds while much waits for it:
//! * On each reliable lane, at most 4,096 bodies of 16 MiB and 64 KiB together are unacknowledged. Beside them, 1,024
//!   answers (replies and stops) of as many bytes may be. The receiver acknowledges handled bodies, so a busy one slows
//!   its senders.
//! * At most 64 ICE candidates in a description, and 64 that follow it, are tried; more than 512 candidates or 64 media descriptions are too
//!   many. Candidates that no browser gathers (loopback, multicast, names other than mDNS, TCP that accepts) are
//!   ignored.
//! * At most 256 files are offered in ten seconds.
//! * Only the newest value of a presence slot, and of activity, counts. Other frames may come in any number while at
//!   most 2,048 of them, or 4 MiB, wait to be handled.
//! * The parts of a body don't pause for 30 seconds.
//! * Frames that wait to be handled and bodies that wait for their parts take at most 64 MiB of one peer, and 128 MiB of
//!   all peers.
//!
//! An open connection may be negotiated anew at any time, as tracks come and go; whoever makes more than a hundred offers
//! in ten seconds has its link closed. Two slots of presence are the protocol's own, both JSON: `converge:media`, the
//! streams that a peer shares, as a list of `{"id": number, "kind": "camera" | "microphone" | "screen" | "other", "msid":
//! text, "metadata": text, "video": bool, "audio": bool, "paused": bool, "limited": bool}` where `msid` names the stream in
//! the session description, and `limited` means that the peer sends it to members that it approves; and
//! `converge:speaking`, a bool.
//!
//! A [`Body`] is postcard too:
//!
//! | byte | body | fields |
//! |---|---|---|
//! | 0 | message | channel: text; direct: bool; codec: u8; bytes |
//! | 1 | request | request: u32; channel: text; codec: u8; bytes |
//! | 2 | reply | request: u32; 0, codec: u8, bytes; or 1 not served; or 2 busy; or 3 refused, why: text |
//! | 3 | cancel | request: u32 |
//! | 4 | offer | transfer: u32; name: text; media type: text; size: u64 |
//! | 5 | accept | transfer: u32 |
//! | 6 | decline | transfer: u32 |
//! | 7 | stop | transfer: u32; offered by the one who says this: bool; failed: bool |
//! | 8 | end | transfer: u32; BLAKE3 of the file: 32 bytes |
//! | 9 | stored | transfer: u32 |

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::lane::Lane;

/// The version of the frames.
pub const VERSION: u8 = 2;

/// The largest frame, in bytes: 64 KiB and what stands before them, so that a message of that size goes in one. Larger
/// ones would hold up the other lanes, for SCTP sends one message after the other. A peer that takes less
/// (`sctp.maxMessageSize`) gets smaller ones.
pub const MAX_FRAME_BYTES: usize = 66 * 1024;

/// What every peer takes that names no limit of its own (RFC 8841 section 6.1).
const COMMON_FRAME_BYTES: usize = 65_536;

/// A peer that takes no frames of this size can't be linked to: presence and negotiation are not split.
pub const MIN_FRAME_BYTES: usize = 20 * 1024;

/// The largest body, in bytes. More should be sent as a file, which is never held whole.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// The largest message payload, in bytes: a body less the longest channel name and the framing.
pub const MAX_PAYLOAD_BYTES: usize = MAX_MESSAGE_BYTES - MAX_NAME_BYTES - 16;

/// The largest payload on a lane that is not reliable, in bytes: such messages are not split.
pub const MAX_LOOSE_BYTES: usize = COMMON_FRAME_BYTES - MAX_NAME_BYTES - 16;

/// A channel's or slot's name has at most this many bytes.
pub const MAX_NAME_BYTES: usize = 64;

/// A presence value has at most this many bytes.
pub const MAX_PRESENCE_BYTES: usize = 16 * 1024;

/// A peer has at most this many presence slots.
pub const MAX_SLOTS: usize = 32;

/// A file's name has at most this many bytes, as in most file systems; its media type as well.
pub const MAX_FILE_NAME_BYTES: usize = 255;

/// The reason of a refused request has at most this many bytes.
pub const MAX_REASON_BYTES: usize = 1024;

/// Begins a frame that is a whole body.
pub const WHOLE: u8 = 64;
/// Begins the first part of a body that is longer than a frame.
pub const FIRST: u8 = 65;
/// Begins the other parts.
pub const MORE: u8 = 66;
/// Begins a piece of a file.
pub const FILE: u8 = 67;

/// Begins a frame of several whole bodies.
pub const PACK: u8 = 68;

/// Begins [`Frame::Presence`].
pub(crate) const PRESENCE: u8 = 0;
/// Begins [`Frame::Activity`].
pub(crate) const ACTIVITY: u8 = 6;
/// Begins [`Frame::Loose`].
pub(crate) const LOOSE: u8 = 9;

/// A frame of several bodies has at most this many bytes: enough that what a frame costs no longer matters, little enough
/// to be on its way at once.
pub const MAX_PACK_BYTES: usize = 16 * 1024;

const MAGIC: &[u8; 3] = b"cvg";

/// Why a frame was refused; the link it came on is closed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WireError {
    /// The first frame is not a hello.
    #[error("the peer does not speak converge: its first frame is no hello")]
    NoHello,
    /// The peer speaks another version.
    #[error("the peer speaks version {found} of the link protocol, this side {VERSION}: reload the older page")]
    Version {
        /// The peer's version.
        found: u8,
    },
    /// The peer's page has other lanes.
    #[error("the peer's page has other lanes than this one: reload the older page")]
    Lanes,
    /// The bytes are no frame.
    #[error("the peer sent bytes that are no frame")]
    Malformed,
    /// The frame can't come here and now.
    #[error("the peer sent a {what} that can't be")]
    Impossible {
        /// Which kind.
        what: &'static str,
    },
    /// A field is over its limit.
    #[error("the peer sent a {what} over its limit of {limit}")]
    TooMuch {
        /// Which.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The peer answers pings, but has acknowledged none of many messages for
    /// [`Timings::stall`](crate::Timings::stall).
    #[error("the peer acknowledges nothing of what it is sent")]
    Stalled,
    /// The peer sends more than this side takes: it ignores its credit, exceeds a resource bound, or makes this side
    /// hold the most of all peers.
    #[error("the peer sends more {what} than this page takes")]
    Overload {
        /// The exceeded resource.
        what: &'static str,
    },
}

/// The first frame of a link: who one is in this session, and where one left off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Names the sender's memory of its session with the receiver. Never 0.
    pub token: u32,
    /// The receiver's token, as far as the sender knows it; else 0. If both sides know each other's, they resume.
    pub yours: u32,
    /// A number for how each lane delivers, by its id.
    pub lanes: Vec<u32>,
    /// For each reliable lane, in that order: how many bodies have arrived, and how many bytes of the next.
    pub received: Vec<(u64, u64)>,
    /// What the sender does, as in [`Frame::Activity`].
    pub activity: u8,
}

impl Hello {
    /// The frame.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.push(VERSION);
        // Numbers and lists of numbers always have a form.
        bytes.extend(postcard::to_allocvec(self).unwrap_or_default());
        bytes
    }

    /// Reads a link's first frame.
    ///
    /// # Errors
    /// If it is no hello, or one of another version.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        match bytes.strip_prefix(MAGIC) {
            Some([VERSION, rest @ ..]) => {
                within("hello", rest.len(), 1024)?;
                match postcard::take_from_bytes(rest) {
                    Ok((hello, [])) => Ok(hello),
                    _ => Err(WireError::Malformed),
                }
            }
            Some([found, ..]) => Err(WireError::Version { found: *found }),
            _ => Err(WireError::NoHello),
        }
    }
}

/// Frames that belong to one connection.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Frame<'a> {
    /// One slot of the sender's presence.
    Presence {
        /// The slot.
        slot: &'a str,
        /// Higher is newer, within one life of the sender.
        counter: u64,
        /// The value; none where the slot was cleared.
        #[serde(borrow)]
        value: Option<Value<'a>>,
    },
    /// The receiver's hello has arrived: it may use every lane.
    Ready,
    /// Asks for a pong with the same token.
    Ping(u32),
    /// Answers a ping.
    Pong(u32),
    /// The sender leaves the room.
    Bye,
    /// Everything before this place has arrived.
    Ack {
        /// On which lane.
        lane: u8,
        /// How many bodies.
        messages: u64,
        /// How many bytes of the next one.
        bytes: u64,
    },
    /// What the person at the sender's page does: 0 active, 1 idle, 2 hidden.
    Activity(u8),
    /// A description or candidate for this connection.
    Negotiation(&'a str),
    /// How far the receiver of a file is.
    Credit {
        /// Which file.
        transfer: u32,
        /// It has everything before this offset.
        have: u64,
        /// It takes everything before this one.
        until: u64,
    },
    /// A message that may be lost.
    Loose {
        /// The channel.
        channel: &'a str,
        /// To this peer alone.
        direct: bool,
        /// The payload.
        #[serde(borrow)]
        value: Value<'a>,
    },
}

/// What reliable lanes carry.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body<'a> {
    /// A message on a channel.
    Message {
        /// The channel.
        channel: &'a str,
        /// To this peer alone.
        direct: bool,
        /// The payload.
        #[serde(borrow)]
        value: Value<'a>,
    },
    /// Asks for a reply.
    Request {
        /// Names the request among the sender's.
        request: u32,
        /// The channel.
        channel: &'a str,
        /// What is asked.
        #[serde(borrow)]
        value: Value<'a>,
    },
    /// Answers a request.
    Reply {
        /// Which of the receiver's requests.
        request: u32,
        /// The answer.
        #[serde(borrow)]
        answer: Answer<'a>,
    },
    /// The sender does not wait for the reply any longer.
    Cancel(u32),
    /// A file is to be had.
    Offer {
        /// Names the file among those the sender offers.
        transfer: u32,
        /// The file's name.
        name: &'a str,
        /// Its media type.
        mime: &'a str,
        /// Its size in bytes.
        size: u64,
    },
    /// The sender wants the file; [`Frame::Credit`] says how much of it.
    Accept(u32),
    /// The sender does not want it.
    Decline(u32),
    /// The sender ends a transfer.
    Stop {
        /// Which.
        transfer: u32,
        /// It was the sender's offer.
        offered: bool,
        /// Since something went wrong.
        failed: bool,
    },
    /// All bytes of the file were sent.
    End {
        /// Which.
        transfer: u32,
        /// The file's BLAKE3 hash.
        hash: [u8; 32],
    },
    /// The file has arrived whole, and is stored.
    Stored(u32),
}

/// What came of a request.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer<'a> {
    /// The reply.
    Value(#[serde(borrow)] Value<'a>),
    /// Nobody replies on this channel.
    NotServed,
    /// Too many requests of the asker's are unanswered.
    Busy,
    /// The application refuses, and says why.
    Refused(&'a str),
}

/// An encoded value and its codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Value<'a> {
    /// The codec's tag.
    pub codec: u8,
    /// The bytes.
    #[serde(with = "serde_bytes")]
    pub bytes: &'a [u8],
}

/// Any frame but the first of a link, taken apart as far as can be done without knowing what came before.
#[derive(Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// A whole body.
    Whole(Body<'a>),
    /// Several whole bodies, to be taken apart by [`unpack`].
    Pack(&'a [u8]),
    /// The first part of a body.
    First {
        /// The body's length.
        total: u64,
        /// Its first bytes.
        bytes: &'a [u8],
    },
    /// Another part.
    More(&'a [u8]),
    /// A piece of a file.
    File {
        /// Which of the files the sender offered.
        transfer: u32,
        /// Where in the file.
        offset: u64,
        /// The piece.
        bytes: &'a [u8],
    },
    /// Anything else.
    Control(Frame<'a>),
}

impl<'a> Packet<'a> {
    /// What the bytes stand for.
    ///
    /// # Errors
    /// If they stand for nothing, or a field is over its limit.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, WireError> {
        within("frame", bytes.len(), MAX_FRAME_BYTES)?;
        let (kind, rest) = bytes.split_first().ok_or(WireError::Malformed)?;
        match *kind {
            WHOLE => Body::decode(rest).map(Packet::Whole),
            FIRST => {
                let (total, bytes) = postcard::take_from_bytes(rest).map_err(|_| WireError::Malformed)?;
                Ok(Packet::First { total, bytes })
            }
            MORE => Ok(Packet::More(rest)),
            PACK => {
                within("pack", bytes.len(), MAX_PACK_BYTES)?;
                if rest.is_empty() { Err(WireError::Malformed) } else { Ok(Packet::Pack(rest)) }
            }
            FILE => {
                let ((transfer, offset), bytes) = postcard::take_from_bytes(rest).map_err(|_| WireError::Malformed)?;
                Ok(Packet::File { transfer, offset, bytes })
            }
            _ => Frame::decode(bytes).map(Packet::Control),
        }
    }
}

impl<'a> Frame<'a> {
    /// The frame's bytes.
    ///
    /// # Errors
    /// If the frame is longer than [`MAX_FRAME_BYTES`].
    pub fn encode(&self) -> Result<Vec<u8>, WireError> {
        let bytes = postcard::to_allocvec(self).map_err(|_| WireError::Malformed)?;
        within("frame", bytes.len(), MAX_FRAME_BYTES)?;
        Ok(bytes)
    }

    /// The frame that the bytes stand for.
    ///
    /// # Errors
    /// If they stand for none, or a field is over its limit.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, WireError> {
        within("frame", bytes.len(), MAX_FRAME_BYTES)?;
        let frame = exact(bytes)?;
        match &frame {
            Frame::Presence { slot, value, .. } => {
                within("slot name", slot.len(), MAX_NAME_BYTES)?;
                within("presence value", value.map_or(0, |v| v.bytes.len()), MAX_PRESENCE_BYTES)?;
            }
            Frame::Loose { channel, .. } => within("channel name", channel.len(), MAX_NAME_BYTES)?,
            Frame::Activity(activity) => within("activity", usize::from(*activity), 2)?,
            Frame::Ack { lane, .. } => within("lane", Lane(*lane).index(), 16)?,
            Frame::Ready | Frame::Ping(_) | Frame::Pong(_) | Frame::Bye => {}
            Frame::Negotiation(_) | Frame::Credit { .. } => {}
        }
        Ok(frame)
    }
}

impl<'a> Body<'a> {
    /// The body as it is kept for sending: a frame, [`WHOLE`], if it is short enough for one.
    ///
    /// # Errors
    /// If it is longer than [`MAX_MESSAGE_BYTES`].
    pub fn encode(&self) -> Result<Vec<u8>, WireError> {
        let hint = match self {
            Body::Message { value, .. } | Body::Request { value, .. } => value.bytes.len(),
            Body::Reply { answer: Answer::Value(value), .. } => value.bytes.len(),
            _ => 0,
        };
        let mut bytes = Vec::with_capacity(hint + MAX_NAME_BYTES + 24);
        bytes.push(WHOLE);
        let bytes = postcard::to_extend(self, bytes).map_err(|_| WireError::Malformed)?;
        within("message", bytes.len() - 1, MAX_MESSAGE_BYTES)?;
        Ok(bytes)
    }

    /// The body that the bytes stand for, without [`WHOLE`] before them.
    ///
    /// # Errors
    /// If they stand for none, or a field is over its limit.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, WireError> {
        within("message", bytes.len(), MAX_MESSAGE_BYTES)?;
        let body = exact(bytes)?;
        match &body {
            Body::Message { channel, .. } | Body::Request { channel, .. } => {
                within("channel name", channel.len(), MAX_NAME_BYTES)?;
            }
            Body::Reply { answer: Answer::Refused(why), .. } => within("reason", why.len(), MAX_REASON_BYTES)?,
            Body::Offer { name, mime, .. } => {
                within("file name", name.len(), MAX_FILE_NAME_BYTES)?;
                within("media type", mime.len(), MAX_FILE_NAME_BYTES)?;
            }
            _ => {}
        }
        Ok(body)
    }
}

/// Takes the next body off what a [`Packet::Pack`] holds; with its length.
///
/// # Errors
/// If there is no body there.
pub fn unpack<'a>(pack: &mut &'a [u8]) -> Result<(Body<'a>, usize), WireError> {
    let (length, rest): (u32, _) = postcard::take_from_bytes(pack).map_err(|_| WireError::Malformed)?;
    let length = usize::try_from(length).map_err(|_| WireError::Malformed)?;
    let (body, rest) = rest.split_at_checked(length).ok_or(WireError::Malformed)?;
    *pack = rest;
    Ok((Body::decode(body)?, length))
}

/// Counts the bodies at the beginning of a [`Packet::Pack`]'s content, at most `most`, and their bytes. Malformed
/// content counts as one.
pub(crate) fn measure_packed(pack: &[u8], most: usize) -> (usize, usize) {
    let (mut bodies, mut rest) = (0, pack);
    while bodies < most && !rest.is_empty() {
        bodies += 1;
        let body = postcard::take_from_bytes::<u32>(rest).ok();
        let after = body.and_then(|(length, body)| body.get(usize::try_from(length).ok()?..));
        rest = after.unwrap_or_default();
    }
    (bodies, pack.len() - rest.len())
}

/// Whether a body, as kept for sending, answers the other side: a reply, or the end of a transfer.
pub(crate) fn is_answer(body: &[u8]) -> bool {
    matches!(body, [_, 2 | 7, ..])
}

/// Puts a body at the end of a frame of several.
pub(crate) fn pack(frame: &mut Vec<u8>, body: &[u8]) {
    frame.extend_from_slice(&head(PACK, &(body.len() as u64))[1..]);
    frame.extend_from_slice(body);
}

/// The head of a split body's first part.
pub(crate) fn first(total: usize) -> Vec<u8> {
    head(FIRST, &(total as u64))
}

/// The head of a piece of a file.
pub(crate) fn file(transfer: u32, offset: u64) -> Vec<u8> {
    head(FILE, &(transfer, offset))
}

fn head<T: Serialize>(kind: u8, fields: &T) -> Vec<u8> {
    // Numbers always have a form.
    postcard::to_extend(fields, vec![kind]).unwrap_or_default()
}

fn exact<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, WireError> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        _ => Err(WireError::Malformed),
    }
}

fn within(what: &'static str, size: usize, limit: usize) -> Result<(), WireError> {
    if size > limit { Err(WireError::TooMuch { what, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
