#![allow(clippy::unwrap_used)]
use super::*;

const VALUE: Value<'static> = Value { codec: 1, bytes: b"7" };

#[test]
fn the_bytes_of_each_frame_are_as_documented() {
    let table: [(Frame<'_>, &[u8]); 11] = [
        (Frame::Presence { slot: "a", counter: 300, value: Some(VALUE) }, &[0, 1, b'a', 0xac, 2, 1, 1, 1, b'7']),
        (Frame::Presence { slot: "a", counter: 1, value: None }, &[0, 1, b'a', 1, 0]),
        (Frame::Ready, &[1]),
        (Frame::Ping(5), &[2, 5]),
        (Frame::Pong(5), &[3, 5]),
        (Frame::Bye, &[4]),
        (Frame::Ack { lane: 2, messages: 300, bytes: 9 }, &[5, 2, 0xac, 2, 9]),
        (Frame::Activity(2), &[6, 2]),
        (Frame::Negotiation("{}"), &[7, 2, b'{', b'}']),
        (Frame::Credit { transfer: 1, have: 2, until: 300 }, &[8, 1, 2, 0xac, 2]),
        (Frame::Loose { channel: "c", direct: true, value: VALUE }, &[9, 1, b'c', 1, 1, 1, b'7']),
    ];
    for (frame, bytes) in table {
        assert_eq!(frame.encode().unwrap(), bytes);
        assert_eq!(Packet::decode(bytes).unwrap(), Packet::Control(frame));
    }
}

fn bodies() -> Vec<(Body<'static>, Vec<u8>)> {
    let hash = [9; 32];
    let reply = |answer| Body::Reply { request: 3, answer };
    vec![
        (Body::Message { channel: "c", direct: true, value: VALUE }, vec![0, 1, b'c', 1, 1, 1, b'7']),
        (Body::Request { request: 3, channel: "c", value: VALUE }, vec![1, 3, 1, b'c', 1, 1, b'7']),
        (reply(Answer::Value(VALUE)), vec![2, 3, 0, 1, 1, b'7']),
        (reply(Answer::NotServed), vec![2, 3, 1]),
        (reply(Answer::Busy), vec![2, 3, 2]),
        (reply(Answer::Refused("no")), vec![2, 3, 3, 2, b'n', b'o']),
        (Body::Cancel(3), vec![3, 3]),
        (Body::Offer { transfer: 1, name: "a", mime: "", size: 300 }, vec![4, 1, 1, b'a', 0, 0xac, 2]),
        (Body::Accept(1), vec![5, 1]),
        (Body::Decline(1), vec![6, 1]),
        (Body::Stop { transfer: 1, offered: true, failed: false }, vec![7, 1, 1, 0]),
        (Body::End { transfer: 1, hash }, [&[8, 1][..], &hash].concat()),
        (Body::Stored(1), vec![9, 1]),
    ]
}

#[test]
fn the_bytes_of_each_body_are_as_documented() {
    for (body, bytes) in bodies() {
        let frame = body.encode().unwrap();
        assert_eq!((frame[0], &frame[1..]), (WHOLE, &*bytes));
        assert_eq!(Packet::decode(&frame).unwrap(), Packet::Whole(body));
    }
}

#[test]
fn parts_and_pieces_are_as_documented() {
    assert_eq!(first(300), [FIRST, 0xac, 2]);
    assert_eq!(Packet::decode(&[FIRST, 0xac, 2, 7]).unwrap(), Packet::First { total: 300, bytes: &[7] });
    assert_eq!(Packet::decode(&[MORE, 7]).unwrap(), Packet::More(&[7]));
    let mut frame = vec![PACK];
    for request in [7, 8] {
        pack(&mut frame, &Body::Cancel(request).encode().unwrap()[1..]);
    }
    assert_eq!(frame, [PACK, 2, 3, 7, 2, 3, 8]);
    let Packet::Pack(mut bodies) = Packet::decode(&frame).unwrap() else { panic!("it is a pack") };
    assert_eq!(unpack(&mut bodies).unwrap(), (Body::Cancel(7), 2));
    assert_eq!(unpack(&mut bodies).unwrap(), (Body::Cancel(8), 2));
    assert!(bodies.is_empty() && unpack(&mut bodies).is_err());
    assert!(Packet::decode(&[PACK]).is_err() && Packet::decode(&vec![PACK; MAX_PACK_BYTES + 1]).is_err());
    assert_eq!(file(5, 300), [FILE, 5, 0xac, 2]);
    let piece = Packet::File { transfer: 5, offset: 300, bytes: &[7] };
    assert_eq!(Packet::decode(&[FILE, 5, 0xac, 2, 7]).unwrap(), piece);
}

#[test]
fn every_cut_and_every_changed_byte_is_an_error_or_a_frame_but_no_panic() {
    for (body, _) in bodies() {
        let bytes = body.encode().unwrap();
        for end in 0..bytes.len() {
            assert_eq!(Packet::decode(&bytes[..end]), Err(WireError::Malformed), "{body:?} {end}");
        }
        for at in 0..bytes.len() {
            for byte in 0..=255 {
                let mut changed = bytes.clone();
                changed[at] = byte;
                let _ = Packet::decode(&changed);
                let _ = Hello::decode(&changed);
            }
        }
        let longer = [&*bytes, &[0]].concat();
        assert_eq!(Packet::decode(&longer), Err(WireError::Malformed));
    }
}

#[test]
fn fields_over_their_limits_are_refused() {
    let long = "x".repeat(MAX_NAME_BYTES + 1);
    let longer = "x".repeat(MAX_REASON_BYTES + 1);
    let big = vec![0; MAX_PRESENCE_BYTES + 1];
    let value = Value { codec: 0, bytes: &big };
    for frame in [
        Frame::Loose { channel: &long, direct: false, value: Value { codec: 0, bytes: &[] } },
        Frame::Presence { slot: &long, counter: 0, value: None },
        Frame::Presence { slot: "s", counter: 0, value: Some(value) },
        Frame::Activity(3),
        Frame::Ack { lane: 17, messages: 0, bytes: 0 },
    ] {
        assert!(matches!(Frame::decode(&frame.encode().unwrap()), Err(WireError::TooMuch { .. })), "{frame:?}");
    }
    for body in [
        Body::Message { channel: &long, direct: false, value },
        Body::Request { request: 1, channel: &long, value },
        Body::Reply { request: 1, answer: Answer::Refused(&longer) },
        Body::Offer { transfer: 1, name: &longer, mime: "", size: 0 },
        Body::Offer { transfer: 1, name: "", mime: &longer, size: 0 },
    ] {
        let bytes = body.encode().unwrap();
        assert!(matches!(Body::decode(&bytes[1..]), Err(WireError::TooMuch { .. })), "{body:?}");
    }
}

#[test]
fn the_largest_payloads_fit() {
    let name = "x".repeat(MAX_NAME_BYTES);
    let huge = vec![0; MAX_PAYLOAD_BYTES];
    let body = Body::Message { channel: &name, direct: false, value: Value { codec: 255, bytes: &huge } };
    assert!(body.encode().is_ok());
    let loose = vec![0; MAX_LOOSE_BYTES];
    let frame = Frame::Loose { channel: &name, direct: false, value: Value { codec: 255, bytes: &loose } };
    assert!(frame.encode().is_ok());
    let shown = vec![0; MAX_PRESENCE_BYTES];
    let value = Some(Value { codec: 255, bytes: &shown });
    assert!(Frame::Presence { slot: &name, counter: u64::MAX, value }.encode().unwrap().len() <= MIN_FRAME_BYTES);
}

#[test]
fn a_hello_of_another_version_is_told_from_one_of_no_kind() {
    let hello = Hello { token: 1, yours: 2, lanes: vec![0, 1 << 24, 0], received: vec![(3, 0), (0, 9)], activity: 2 };
    assert_eq!(Hello::decode(&hello.encode()), Ok(hello));
    assert_eq!(Hello::decode(b"cvg\x01"), Err(WireError::Version { found: 1 }));
    assert_eq!(Hello::decode(b"cvg\x03future fields"), Err(WireError::Version { found: 3 }));
    assert_eq!(Hello::decode(b"cvg\x02"), Err(WireError::Malformed));
    assert_eq!(Hello::decode(b"cvg"), Err(WireError::NoHello));
    assert_eq!(Hello::decode(b""), Err(WireError::NoHello));
}
