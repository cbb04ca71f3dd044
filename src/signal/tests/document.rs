//! PROTOCOL.md says what the code does.
#![allow(clippy::unwrap_used, clippy::panic)]

use converge_signal::protocol::{ClientMessage, ErrorCode, Hello, Limits, ServerMessage, blind_topic, hello_bytes};
use converge_signal::{Nonce, PeerId, Signature};
use ed25519_dalek::{Signer, SigningKey};

const DOCUMENT: &str = include_str!("../PROTOCOL.md");

/// The blocks of code that are marked so.
fn blocks(kind: &str) -> impl Iterator<Item = &str> {
    DOCUMENT.split("```").filter_map(move |block| block.strip_prefix(kind)).map(str::trim)
}

/// Parsed and written again: the same, field for field.
fn round_trip<T: serde::Serialize + serde::de::DeserializeOwned>(text: &str) -> T {
    let parsed: T = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let written: serde_json::Value = serde_json::to_value(&parsed).unwrap();
    assert_eq!(written, serde_json::from_str::<serde_json::Value>(text).unwrap());
    parsed
}

#[test]
fn every_example_is_a_message() {
    let client: Vec<ClientMessage> = blocks("json client\n").map(round_trip).collect();
    let server: Vec<ServerMessage> = blocks("json server\n").map(round_trip).collect();
    assert_eq!((client.len(), server.len()), (5, 10));
}

#[test]
fn every_message_has_an_example() {
    for name in ["hello", "signal", "leave", "ping"] {
        assert!(blocks("json client\n").any(|text| text.starts_with(&format!("{{\"{name}\":"))), "{name}");
    }
    for name in ["challenge", "welcome", "joined", "left", "signal", "error", "pong", "drain"] {
        assert!(blocks("json server\n").any(|text| text.starts_with(&format!("{{\"{name}\":"))), "{name}");
    }
}

#[test]
fn every_error_is_in_the_table() {
    use ErrorCode::*;
    let codes = [
        Malformed,
        UnknownType,
        AlreadyJoined,
        NotJoined,
        Version,
        BadSignature,
        RoomFull,
        UnknownPeer,
        Congested,
        Replaced,
        Stale,
        TooLarge,
        NotText,
        Timeout,
        SlowReader,
        Abuse,
        Origin,
        Denied,
        RateLimited,
        TooManyJoins,
        TooManyConnections,
    ];
    for code in codes {
        let name = serde_json::to_value(code).unwrap();
        let row = format!("| `{}` |", name.as_str().unwrap());
        let row = DOCUMENT.lines().find(|line| line.starts_with(&row)).unwrap_or_else(|| panic!("{code:?} is missing"));
        #[cfg(feature = "hub")]
        match converge_signal::hub::close_code(code) {
            Some(close) => assert!(row.contains(&format!("closes, {close}")), "{row}"),
            None => assert!(row.contains("goes on"), "{row}"),
        }
        #[cfg(not(feature = "hub"))]
        assert!(!row.is_empty());
    }
}

#[test]
fn the_limits_shown_are_the_defaults() {
    let text = blocks("json server\n").find(|text| text.contains("limits")).unwrap();
    match serde_json::from_str(text).unwrap() {
        ServerMessage::Challenge { limits, .. } => assert_eq!(limits, Limits::default()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_test_vector_holds() {
    let key = SigningKey::from_bytes(&[7; 32]);
    let nonce = Nonce::from_bytes(std::array::from_fn(|i| i as u8));
    let topic = blind_topic("lobby");
    let bytes = hello_bytes(&nonce, "https://meet.example", &topic, 3);
    assert_eq!(bytes.len(), 17 + 32 + 32 + 8 + "https://meet.example".len());
    let expected = Hello {
        v: 1,
        topic,
        id: PeerId::from_bytes(key.verifying_key().to_bytes()),
        incarnation: 3,
        sig: Signature::from_bytes(key.sign(&bytes).to_bytes()),
        token: None,
    };
    let expected = serde_json::to_string(&ClientMessage::Hello(expected)).unwrap();
    assert!(DOCUMENT.contains(&format!("```json client\n{expected}\n```")), "{expected}");
    let challenge = format!("\"nonce\":\"{nonce}\"");
    assert!(DOCUMENT.contains(&challenge), "{challenge}");
}
