//! Any bytes, to every decoder of the wire format.
//!
//! Bytes need not be the shortest form of what they stand for (a varint may have zeros at its end), so what is read is
//! not always written as the same bytes. But what is written never is longer, and reads as the same again.
#![no_main]

use converge_p2p::wire::{Body, FILE, FIRST, Frame, Hello, MORE, PACK, Packet, WHOLE, unpack};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(hello) = Hello::decode(bytes) {
        let again = hello.encode();
        assert!(again.len() <= bytes.len());
        assert_eq!(Hello::decode(&again), Ok(hello));
    }
    if let Ok(frame) = Frame::decode(bytes) {
        let again = frame.encode().expect("it fitted before");
        assert!(again.len() <= bytes.len());
        assert_eq!(Frame::decode(&again), Ok(frame));
    }
    if let Ok(body) = Body::decode(bytes) {
        let again = body.encode().expect("it fitted before");
        assert!(again.len() <= bytes.len() + 1);
        assert_eq!(again.first(), Some(&WHOLE));
        assert_eq!(Body::decode(&again[1..]), Ok(body));
    }
    let Ok(packet) = Packet::decode(bytes) else { return };
    if let Packet::Pack(mut bodies) = packet {
        while let Ok((_, length)) = unpack(&mut bodies) {
            assert!(length < bytes.len());
        }
    }
    let again = match &packet {
        Packet::Whole(body) => body.encode().expect("it fitted before"),
        Packet::First { total, bytes } => [&head(FIRST, total), *bytes].concat(),
        Packet::Pack(bytes) => [&[PACK], *bytes].concat(),
        Packet::More(bytes) => [&[MORE], *bytes].concat(),
        Packet::File { transfer, offset, bytes } => [&head(FILE, &(transfer, offset)), *bytes].concat(),
        Packet::Control(frame) => frame.encode().expect("it fitted before"),
    };
    assert!(again.len() <= bytes.len());
    assert_eq!(Packet::decode(&again), Ok(packet));
});

/// As the crate makes them; its own are private to it.
fn head(kind: u8, fields: &impl serde::Serialize) -> Vec<u8> {
    postcard::to_extend(fields, vec![kind]).expect("numbers always have a form")
}
