//! How values become bytes on a link and back.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use thiserror::Error;

/// What travels: bytes, and how they were made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// The codec's [tag](Codec::TAG).
    pub codec: u8,
    /// The encoded value.
    pub bytes: Vec<u8>,
}

/// A way to write values of type `T`, chosen per channel and per presence slot.
///
/// Payloads carry the codec's tag, so two ends that disagree get an error rather than nonsense.
pub trait Codec<T> {
    /// Names the codec on the wire: 0 raw, 1 JSON, 2 postcard; 128 and above are the application's.
    const TAG: u8;

    /// The bytes of a value.
    ///
    /// # Errors
    /// If the value has no form in this codec.
    fn encode(value: &T) -> Result<Vec<u8>, CodecError>;

    /// The value that the bytes stand for.
    ///
    /// # Errors
    /// If they stand for none.
    fn decode(bytes: &[u8]) -> Result<T, CodecError>;
}

/// Why a value can't be written or read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The value has no form in the codec.
    #[error("the value can't be encoded: {0}")]
    Encode(String),
    /// The bytes are no value of the type.
    #[error("the bytes don't decode to the channel's type: {0}")]
    Decode(String),
    /// The other end writes this channel with another codec.
    #[error("the other end uses codec {found}, this one {expected}: give the channel the same codec on both ends")]
    Mismatch {
        /// This end's tag.
        expected: u8,
        /// The other end's tag.
        found: u8,
    },
}

/// JSON, the default: readable, and what a peer written in another language expects.
#[derive(Debug, Clone, Copy)]
pub enum Json {}

impl<T: Serialize + DeserializeOwned> Codec<T> for Json {
    const TAG: u8 = 1;

    fn encode(value: &T) -> Result<Vec<u8>, CodecError> {
        serde_json::to_vec(value).map_err(|e| CodecError::Encode(e.to_string()))
    }

    fn decode(bytes: &[u8]) -> Result<T, CodecError> {
        serde_json::from_slice(bytes).map_err(|error| CodecError::Decode(place(&error)))
    }
}

/// Returns the kind and position of an error in JSON text. Serde's message quotes the sender's text, which readers
/// could take for this page's.
fn place(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        Category::Data => "JSON of another type",
        Category::Eof => "JSON that is cut off",
        Category::Syntax | Category::Io => "no JSON",
    };
    format!("{what}, line {} column {}", error.line(), error.column())
}

/// [Postcard](https://postcard.jamesmunns.com/wire-format): compact, for Rust on both ends.
#[derive(Debug, Clone, Copy)]
pub enum Postcard {}

impl<T: Serialize + DeserializeOwned> Codec<T> for Postcard {
    const TAG: u8 = 2;

    fn encode(value: &T) -> Result<Vec<u8>, CodecError> {
        postcard::to_allocvec(value).map_err(|e| CodecError::Encode(e.to_string()))
    }

    fn decode(bytes: &[u8]) -> Result<T, CodecError> {
        postcard::from_bytes(bytes).map_err(|e| CodecError::Decode(e.to_string()))
    }
}

/// The bytes as they are.
#[derive(Debug, Clone, Copy)]
pub enum Raw {}

impl Codec<Vec<u8>> for Raw {
    const TAG: u8 = 0;

    fn encode(value: &Vec<u8>) -> Result<Vec<u8>, CodecError> {
        Ok(value.clone())
    }

    fn decode(bytes: &[u8]) -> Result<Vec<u8>, CodecError> {
        Ok(bytes.to_vec())
    }
}

impl Payload {
    /// A value as [`Json`]. It need not be one that can be read back: a `&str` may be sent as well as a `String`.
    ///
    /// # Errors
    /// If the value has no form in JSON.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, CodecError> {
        let bytes = serde_json::to_vec(value).map_err(|e| CodecError::Encode(e.to_string()))?;
        Ok(Self { codec: <Json as Codec<()>>::TAG, bytes })
    }

    /// The payload that `C` makes of a value.
    ///
    /// # Errors
    /// If the value has no form in the codec.
    pub fn encode<T, C: Codec<T>>(value: &T) -> Result<Self, CodecError> {
        Ok(Self { codec: C::TAG, bytes: C::encode(value)? })
    }

    /// The value that `C` reads from this payload.
    ///
    /// # Errors
    /// If it was written with another codec or is no value of the type.
    pub fn decode<T, C: Codec<T>>(&self) -> Result<T, CodecError> {
        if self.codec != C::TAG {
            return Err(CodecError::Mismatch { expected: C::TAG, found: self.codec });
        }
        C::decode(&self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_codec_reads_what_it_wrote_and_refuses_what_another_wrote() {
        let json = Payload::encode::<_, Json>(&vec![1u8, 2]);
        let postcard = Payload::encode::<_, Postcard>(&vec![1u8, 2]);
        let raw = Payload::encode::<_, Raw>(&vec![1u8, 2]);
        for (payload, tag) in [(json, 1), (postcard, 2), (raw, 0)] {
            let Ok(payload) = payload else { panic!("a list of bytes has a form in every codec") };
            let read = [
                payload.decode::<Vec<u8>, Raw>(),
                payload.decode::<Vec<u8>, Json>(),
                payload.decode::<Vec<u8>, Postcard>(),
            ];
            for (expected, read) in read.into_iter().enumerate() {
                match read {
                    Ok(value) => assert_eq!((value, expected), (vec![1, 2], usize::from(tag))),
                    Err(e) => assert_eq!(e, CodecError::Mismatch { expected: expected as u8, found: tag }),
                }
            }
        }
    }

    #[test]
    fn bytes_of_another_type_are_an_error() {
        let payload = Payload { codec: 1, bytes: b"{\"a\":1}".to_vec() };
        assert!(matches!(payload.decode::<Vec<u8>, Json>(), Err(CodecError::Decode(_))));
    }

    #[test]
    fn decode_errors_do_not_quote_the_sender() {
        for (text, what) in [
            ("\"Your session has expired: visit evil.example\"", "JSON of another type"),
            ("[1, 2", "JSON that is cut off"),
            ("evil.example", "no JSON"),
        ] {
            let payload = Payload { codec: 1, bytes: text.as_bytes().to_vec() };
            let said = payload.decode::<Vec<u8>, Json>().map_err(|error| error.to_string());
            assert!(said.as_ref().is_err_and(|said| said.contains(what) && !said.contains("evil")), "{said:?}");
        }
    }
}
