//! The fixed-size values of the protocol and how they are written: lower-case base32 (RFC 4648, no padding).

use std::fmt;
use std::str::FromStr;

use data_encoding::Encoding;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// How often a peer has come to life: one higher at each page load and each join, so a reload never looks old.
pub type Incarnation = u64;

/// The place of a join in the order in which the server saw them. Unique while one server runs; of two peers the one
/// with the greater number makes the offer.
pub type Seq = u64;

/// Why a text is not one of the protocol's ids.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ParseIdError {
    /// The text is not base32.
    #[error("not base32: use the letters a to z and the digits 2 to 7, without padding")]
    Alphabet,
    /// The text decodes to another number of bytes.
    #[error("expected {expected} bytes written as base32, found {found}")]
    Length {
        /// How many bytes the id has.
        expected: usize,
        /// How many bytes the text holds.
        found: usize,
    },
}

/// Reads both cases; writes capitals, which [`encode`] makes small.
const BASE32: Encoding = data_encoding::BASE32_NOPAD_NOCASE;

/// How many characters that many bytes are written in.
const fn text_len(bytes: usize) -> usize {
    (bytes * 8).div_ceil(5)
}

/// Writes into `text`, which must have [`text_len`] bytes, without allocating: ids are in every frame.
fn encode<'a>(bytes: &[u8], text: &'a mut [u8]) -> &'a str {
    BASE32.encode_mut(bytes, text);
    text.make_ascii_lowercase();
    std::str::from_utf8(text).unwrap_or_default()
}

fn decode<const N: usize>(text: &str) -> Result<[u8; N], ParseIdError> {
    // Checked first so that a hostile text is not decoded at any length.
    if text.len() != text_len(N) {
        return Err(ParseIdError::Length { expected: N, found: text.len() * 5 / 8 });
    }
    let mut bytes = [0; N];
    // Bits to spare in the last character must be zero: an id is to have one text only.
    BASE32.decode_mut(text.as_bytes(), &mut bytes).map_err(|_| ParseIdError::Alphabet)?;
    Ok(bytes)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// The value whose bytes these are.
            pub const fn from_bytes(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(encode(&self.0, &mut [0; text_len($bytes)]))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), encode(&self.0[..5], &mut [0; 8]))
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                decode(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(encode(&self.0, &mut [0; text_len($bytes)]))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl Visitor<'_> for Text {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        write!(f, "{} bytes written as base32", $bytes)
                    }

                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }
    };
}

id! {
    /// Who a peer is: its Ed25519 public key (RFC 8032), written as 52 characters of base32.
    ///
    /// The key pair is made by the tab; the server has each connection sign a nonce, so an id can't be taken by
    /// somebody who only read it.
    PeerId, 32
}

id! {
    /// What the server knows of a topic: a SHA-256 hash of its name, with a domain prefix.
    TopicHash, 32
}

id! {
    /// What a client must sign to prove that it holds its key: 32 random bytes, new for each connection.
    Nonce, 32
}

id! {
    /// An Ed25519 signature (RFC 8032).
    Signature, 64
}

impl PeerId {
    /// The first eight characters of the id: enough to tell people in one room apart, for logs and labels.
    pub fn short(&self) -> String {
        encode(&self.0[..5], &mut [0; 8]).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_from_its_text_in_either_case() {
        let id = PeerId::from_bytes([7; 32]);
        let text = id.to_string();
        assert_eq!(text.len(), 52);
        assert_eq!(text.parse::<PeerId>(), Ok(id));
        assert_eq!(text.to_uppercase().parse::<PeerId>(), Ok(id));
        assert!(text.starts_with(&id.short()));
    }

    #[test]
    fn texts_that_are_no_ids_are_refused_with_the_reason() {
        assert!(matches!("abc".parse::<PeerId>(), Err(ParseIdError::Length { expected: 32, .. })));
        assert_eq!("1".repeat(52).parse::<PeerId>(), Err(ParseIdError::Alphabet));
        assert_eq!("é".repeat(26).parse::<PeerId>(), Err(ParseIdError::Alphabet));
        let spare = format!("{}b", "a".repeat(51));
        assert_eq!(spare.parse::<PeerId>(), Err(ParseIdError::Alphabet), "another text of the same bytes");
    }
}
