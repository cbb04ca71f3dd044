//! The close codes and texts of refusals.

use crate::protocol::{ErrorCode, ServerMessage};

/// The WebSocket close code (RFC 6455 section 7.4.1, or the private range) that an error brings; none if the
/// connection goes on.
pub fn close_code(code: ErrorCode) -> Option<u16> {
    match code {
        ErrorCode::Malformed
        | ErrorCode::UnknownType
        | ErrorCode::AlreadyJoined
        | ErrorCode::UnknownPeer
        | ErrorCode::Congested => None,
        ErrorCode::NotText => Some(1003),
        ErrorCode::TooLarge => Some(1009),
        ErrorCode::TooManyJoins | ErrorCode::TooManyConnections => Some(1013),
        ErrorCode::Replaced => Some(4001),
        ErrorCode::Denied => Some(4003),
        ErrorCode::RoomFull => Some(4005),
        _ => Some(1008),
    }
}

/// The frame that says so, for a driver that turns a connection away before the hub knows it.
pub fn error_frame(code: ErrorCode) -> String {
    let message = ServerMessage::Error { code, message: explain(code).to_owned(), peer: None };
    // Serialising this can't fail: there is nothing in it but strings.
    serde_json::to_string(&message).unwrap_or_default()
}

/// The words of the close frame and of the error, for people.
pub fn explain(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::Malformed => "not a message of the protocol: send one JSON object with one key, the message's name",
        ErrorCode::UnknownType => "no such message: send hello, signal, leave or ping",
        ErrorCode::AlreadyJoined => "already joined: open another connection for another topic",
        ErrorCode::NotJoined => "not joined: send hello first",
        ErrorCode::Version => "this server speaks version 1 of the protocol",
        ErrorCode::BadSignature => "the signature does not prove the id",
        ErrorCode::RoomFull => "the topic has as many members as it may",
        ErrorCode::UnknownPeer => "nobody of that id is in your topic",
        ErrorCode::Congested => "too much of yours waits for this peer to read it: the signal was dropped",
        ErrorCode::Replaced => "the same peer joined again and took this connection's place",
        ErrorCode::Stale => "a later life of this peer is already here",
        ErrorCode::TooLarge => "the frame is over the limit",
        ErrorCode::NotText => "send text frames",
        ErrorCode::Timeout => "no hello came in time",
        ErrorCode::SlowReader => "too much waits to be read",
        ErrorCode::Abuse => "too many frames that are no messages",
        ErrorCode::Origin => "pages of this origin may not use this server",
        ErrorCode::Denied => "no token that lets you into this room",
        ErrorCode::RateLimited => "more frames or bytes than the limits allow",
        ErrorCode::TooManyJoins => "too many joins, of this topic or from your address: come back later",
        ErrorCode::TooManyConnections => "too many sockets, here or from your address: come back later",
        ErrorCode::Unknown => "refused",
    }
}
