//! What can go wrong with a room.

use converge_signal::protocol::ErrorCode;
use thiserror::Error;

use crate::error::{JoinError, SendError};

/// Why a room could not be joined, or what went wrong in it. See [`Room::error`](super::Room::error).
///
/// The texts are this crate's own. What the server has written is in a field by itself, so that a page can mark it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RoomError {
    /// The room could not be joined.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// A presence value was not shown to the others.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The server refused something.
    #[error("the server refused: {code:?}")]
    Server {
        /// The reason.
        code: ErrorCode,
        /// The server's own words, at most 300 characters of them. They come from outside: show them marked as such.
        message: String,
    },
}

/// So much of what the server says is kept.
const MAX_MESSAGE_CHARS: usize = 300;

impl RoomError {
    pub(super) fn server(code: ErrorCode, message: &str) -> Self {
        Self::Server { code, message: message.chars().take(MAX_MESSAGE_CHARS).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_words_are_bounded_and_no_part_of_the_error() {
        let error = RoomError::server(ErrorCode::RateLimited, &"Pay here. ".repeat(100_000));
        assert_eq!(error.to_string(), "the server refused: RateLimited");
        let RoomError::Server { message, .. } = error else { panic!("another error") };
        assert_eq!(message.chars().count(), MAX_MESSAGE_CHARS);
    }
}
