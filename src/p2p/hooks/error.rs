//! Errors of a room.

use converge_signal::protocol::ErrorCode;
use thiserror::Error;

use crate::error::{JoinError, SendError};

/// A failed join, or a later failure in a room. See [`Room::error`](super::Room::error).
///
/// The error texts are this crate's own. The server's text has a field of its own, so that a page can mark it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RoomError {
    /// The room could not be joined.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// A presence value was not sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The server refused a request.
    #[error("the server refused: {code:?}")]
    Server {
        /// The reason.
        code: ErrorCode,
        /// The server's own text, at most 300 characters of it. It is untrusted: show it marked as such.
        message: String,
    },
}

/// The server's text is cut to this many characters.
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
    fn the_servers_text_is_bounded_and_no_part_of_the_error() {
        let error = RoomError::server(ErrorCode::RateLimited, &"Pay here. ".repeat(100_000));
        assert_eq!(error.to_string(), "the server refused: RateLimited");
        let RoomError::Server { message, .. } = error else { panic!("another error") };
        assert_eq!(message.chars().count(), MAX_MESSAGE_CHARS);
    }
}
