//! Topics: what people call a room.

use std::fmt;

use converge_signal::TopicHash;
use converge_signal::protocol::{MAX_TOPIC_BYTES, blind_topic};
use thiserror::Error;

use crate::text::{Form, normalized, without_hidden};

/// The name of a room: 1 to 128 bytes of UTF-8 in Unicode normal form C, so that `é` typed on two keyboards is one
/// room. It has no [hidden characters](crate::is_hidden): two names that look the same are the same.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Topic(String);

/// Why a text can't name a room.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TopicError {
    /// There is no text.
    #[error("a topic needs a name: give it at least one character")]
    Empty,
    /// The text is too long.
    #[error("a topic's name has at most {MAX_TOPIC_BYTES} bytes, this one has {bytes}: shorten it")]
    TooLong {
        /// How many bytes of UTF-8 the name has.
        bytes: usize,
    },
    /// The text has control, invisible or direction characters.
    #[error("a topic's name has no control, invisible or direction characters: remove them (`without_hidden` does)")]
    Hidden,
}

impl Topic {
    /// The topic of this name.
    ///
    /// # Errors
    /// [`TopicError::Empty`] and [`TopicError::TooLong`] if the normalised name has 0 or more than 128 bytes, and
    /// [`TopicError::Hidden`] if it has characters that [`without_hidden`] removes.
    pub fn new(name: &str) -> Result<Self, TopicError> {
        // Normalising can at most triple the length: what is far over the limit is refused before any work.
        if name.len() > MAX_TOPIC_BYTES * 4 {
            return Err(TopicError::TooLong { bytes: name.len() });
        }
        let name = normalized(name, Form::C);
        match name.len() {
            0 => Err(TopicError::Empty),
            1..=MAX_TOPIC_BYTES if without_hidden(&name) != name => Err(TopicError::Hidden),
            1..=MAX_TOPIC_BYTES => Ok(Self(name)),
            bytes => Err(TopicError::TooLong { bytes }),
        }
    }

    /// The topic that a text names, as a person typed or pasted it: hidden characters and blanks around it are removed.
    ///
    /// # Errors
    /// [`TopicError::Empty`] and [`TopicError::TooLong`] if what is left has 0 or more than 128 bytes.
    pub fn cleaned(text: &str) -> Result<Self, TopicError> {
        if text.len() > MAX_TOPIC_BYTES * 16 {
            return Err(TopicError::TooLong { bytes: text.len() });
        }
        // Normalising first: a character that is taken apart may leave one hidden that was not.
        Self::new(without_hidden(&normalized(text, Form::C)).trim())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the server gets to know of it.
    pub fn blind(&self) -> TopicHash {
        blind_topic(&self.0)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Topic({:?})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_spellings_of_one_name_are_one_topic() {
        let composed = Topic::new("caf\u{e9}").map(|t| t.blind());
        let decomposed = Topic::new("cafe\u{301}").map(|t| t.blind());
        assert!(composed.is_ok());
        assert_eq!(composed, decomposed);
    }

    #[test]
    fn names_of_no_or_too_many_bytes_are_refused() {
        assert_eq!(Topic::new(""), Err(TopicError::Empty));
        assert!(Topic::new(&"é".repeat(64)).is_ok());
        assert_eq!(Topic::new(&"é".repeat(65)), Err(TopicError::TooLong { bytes: 130 }));
        assert!(Topic::new(&"x".repeat(100_000)).is_err());
    }

    #[test]
    fn names_with_hidden_characters_are_refused() {
        for name in ["lob\u{200b}by", "\u{202e}ybbol", "lobby\n", "\u{0}"] {
            assert_eq!(Topic::new(name), Err(TopicError::Hidden), "{name:?}");
        }
        assert!(Topic::new("a b 👩\u{200d}🚀").is_ok());
        for name in
            [" lob\u{200b}by\n", "👨\u{200d}\u{fe0f}x", "م\u{200c}\u{61c}x", "\u{2adc}\u{fe0f}", "e\u{200d}\u{301}"]
        {
            let Ok(topic) = Topic::cleaned(name) else { panic!("{name:?}") };
            assert_eq!(Topic::cleaned(topic.as_str()), Ok(topic), "{name:?}");
        }
        assert_eq!(Topic::cleaned(" \u{202e} "), Err(TopicError::Empty));
    }
}
