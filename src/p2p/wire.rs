//! The frames on a data channel, version 1.
//!
//! The first frame each side sends is [`hello`]: the letters `cvg` and one byte of version. That form will never
//! change, so that any two versions can at least tell each other apart. The rest are [`Frame`]s in postcard
//! (<https://postcard.jamesmunns.com/wire-format>): a byte that names the frame, then its fields; numbers as varints,
//! texts and byte strings behind their length.
//!
//! | byte | frame | fields |
//! |---|---|---|
//! | 0 | presence | slot: text; counter: u64; value: 0, or 1, codec: u8, bytes |
//! | 1 | message | channel: text; direct: bool; codec: u8; bytes |
//! | 2 | ping | token: u32 |
//! | 3 | pong | token: u32 |
//! | 4 | bye | |

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The version of the frames.
pub const VERSION: u8 = 1;

/// The largest frame, in bytes: what RFC 8841 lets one send to a peer that names no limit of its own.
pub const MAX_FRAME_BYTES: usize = 65_536;

/// The largest message payload, in bytes: a frame less the longest channel name and the framing.
pub const MAX_PAYLOAD_BYTES: usize = MAX_FRAME_BYTES - MAX_NAME_BYTES - 16;

/// A channel's or slot's name has at most this many bytes.
pub const MAX_NAME_BYTES: usize = 64;

/// A presence value has at most this many bytes.
pub const MAX_PRESENCE_BYTES: usize = 16 * 1024;

/// A peer has at most this many presence slots.
pub const MAX_SLOTS: usize = 32;

const MAGIC: &[u8; 3] = b"cvg";

/// The first frame of a link.
pub fn hello() -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.push(VERSION);
    bytes
}

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
    /// The bytes are no frame.
    #[error("the peer sent bytes that are no frame")]
    Malformed,
    /// A field is over its limit.
    #[error("the peer sent a {what} over its limit of {limit}")]
    TooMuch {
        /// Which.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

/// Checks a link's first frame.
///
/// # Errors
/// If it is no hello, or one of another version.
pub fn check_hello(bytes: &[u8]) -> Result<(), WireError> {
    match bytes.strip_prefix(MAGIC) {
        Some([VERSION]) => Ok(()),
        Some([found, ..]) => Err(WireError::Version { found: *found }),
        _ => Err(WireError::NoHello),
    }
}

/// Any frame but the first.
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
    /// Asks for a pong with the same token.
    Ping(u32),
    /// Answers a ping.
    Pong(u32),
    /// The sender leaves the room.
    Bye,
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

impl<'a> Frame<'a> {
    /// The frame's bytes.
    ///
    /// # Errors
    /// If the frame is longer than [`MAX_FRAME_BYTES`].
    pub fn encode(&self) -> Result<Vec<u8>, WireError> {
        match postcard::to_allocvec(self) {
            Ok(bytes) if bytes.len() <= MAX_FRAME_BYTES => Ok(bytes),
            Ok(_) => Err(WireError::TooMuch { what: "frame", limit: MAX_FRAME_BYTES }),
            Err(_) => Err(WireError::Malformed),
        }
    }

    /// The frame that the bytes stand for.
    ///
    /// # Errors
    /// If they stand for none, or a field is over its limit.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, WireError> {
        within("frame", bytes.len(), MAX_FRAME_BYTES)?;
        let (frame, rest) = postcard::take_from_bytes(bytes).map_err(|_| WireError::Malformed)?;
        if !rest.is_empty() {
            return Err(WireError::Malformed);
        }
        match &frame {
            Frame::Presence { slot, value, .. } => {
                within("slot name", slot.len(), MAX_NAME_BYTES)?;
                within("presence value", value.map_or(0, |v| v.bytes.len()), MAX_PRESENCE_BYTES)?;
            }
            Frame::Message { channel, .. } => within("channel name", channel.len(), MAX_NAME_BYTES)?,
            Frame::Ping(_) | Frame::Pong(_) | Frame::Bye => {}
        }
        Ok(frame)
    }
}

fn within(what: &'static str, size: usize, limit: usize) -> Result<(), WireError> {
    if size > limit { Err(WireError::TooMuch { what, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_bytes_of_each_frame_are_as_documented() {
        let value = Value { codec: 1, bytes: b"7" };
        let table: [(Frame<'_>, &[u8]); 6] = [
            (Frame::Presence { slot: "a", counter: 300, value: Some(value) }, &[0, 1, b'a', 0xac, 2, 1, 1, 1, b'7']),
            (Frame::Presence { slot: "a", counter: 1, value: None }, &[0, 1, b'a', 1, 0]),
            (Frame::Message { channel: "c", direct: true, value }, &[1, 1, b'c', 1, 1, 1, b'7']),
            (Frame::Ping(5), &[2, 5]),
            (Frame::Pong(5), &[3, 5]),
            (Frame::Bye, &[4]),
        ];
        for (frame, bytes) in table {
            assert_eq!(frame.encode().unwrap(), bytes);
            assert_eq!(Frame::decode(bytes).unwrap(), frame);
        }
    }

    #[test]
    fn every_cut_and_every_changed_byte_is_an_error_or_a_frame_but_no_panic() {
        let value = Value { codec: 1, bytes: b"hello" };
        let bytes = Frame::Message { channel: "chat", direct: false, value }.encode().unwrap();
        for end in 0..bytes.len() {
            assert_eq!(Frame::decode(&bytes[..end]), Err(WireError::Malformed));
        }
        for at in 0..bytes.len() {
            for byte in 0..=255 {
                let mut changed = bytes.clone();
                changed[at] = byte;
                let _ = Frame::decode(&changed);
            }
        }
        let mut longer = bytes;
        longer.push(0);
        assert_eq!(Frame::decode(&longer), Err(WireError::Malformed));
    }

    #[test]
    fn fields_over_their_limits_are_refused() {
        let long = "x".repeat(MAX_NAME_BYTES + 1);
        let big = vec![0; MAX_PRESENCE_BYTES + 1];
        let value = Value { codec: 0, bytes: &big };
        for frame in [
            Frame::Message { channel: &long, direct: false, value: Value { codec: 0, bytes: &[] } },
            Frame::Presence { slot: &long, counter: 0, value: None },
            Frame::Presence { slot: "s", counter: 0, value: Some(value) },
        ] {
            assert!(matches!(Frame::decode(&frame.encode().unwrap()), Err(WireError::TooMuch { .. })));
        }
        let huge = vec![0; MAX_PAYLOAD_BYTES];
        let name = "x".repeat(MAX_NAME_BYTES);
        let fits = Frame::Message { channel: &name, direct: false, value: Value { codec: 255, bytes: &huge } };
        assert!(fits.encode().unwrap().len() <= MAX_FRAME_BYTES);
    }

    #[test]
    fn a_hello_of_another_version_is_told_from_one_of_no_kind() {
        assert_eq!(check_hello(&hello()), Ok(()));
        assert_eq!(check_hello(b"cvg\x02"), Err(WireError::Version { found: 2 }));
        assert_eq!(check_hello(b"cvg\x02future fields"), Err(WireError::Version { found: 2 }));
        assert_eq!(check_hello(b"cvg"), Err(WireError::NoHello));
        assert_eq!(check_hello(b""), Err(WireError::NoHello));
    }
}
