//! Frames that are cut, changed, out of place, or come before a proper hello.

use super::*;

/// Every kind of frame, whole.
fn frames() -> Vec<(Lane, Vec<u8>)> {
    let long = "a".repeat(MAX_NAME_BYTES);
    let v = value(b"value");
    let control = [
        Frame::Presence { slot: &long, counter: 300, value: Some(v) },
        Frame::Ready,
        Frame::Ping(300),
        Frame::Pong(300),
        Frame::Ack { lane: 0, messages: 300, bytes: 300 },
        Frame::Activity(2),
        Frame::Negotiation("{\"attempt\":1}"),
        Frame::Credit { transfer: 300, have: 300, until: 300 },
        Frame::Loose { channel: &long, direct: true, value: v },
    ];
    let bodies = [
        Body::Message { channel: &long, direct: true, value: v },
        Body::Request { request: 300, channel: &long, value: v },
        Body::Reply { request: 300, answer: Answer::Value(v) },
        Body::Reply { request: 300, answer: Answer::Refused("no") },
        Body::Cancel(300),
        Body::Offer { transfer: 300, name: "a", mime: "b", size: 300 },
        Body::Accept(300),
        Body::Decline(300),
        Body::Stop { transfer: 300, offered: true, failed: true },
        Body::End { transfer: 300, hash: [9; 32] },
        Body::Stored(300),
    ];
    let control = control.iter().map(|frame| (Lane::RELIABLE, frame.encode().unwrap()));
    let bodies = bodies.iter().map(|body| (Lane::RELIABLE, body.encode().unwrap()));
    control.chain(bodies).chain([(Lane::RELIABLE, vec![FIRST, 0xff, 0x01, 7, 7])]).collect()
}

#[test]
fn every_frame_that_is_cut_short_or_too_long_closes_the_link() {
    for (lane, frame) in frames() {
        for end in 0..=frame.len() {
            // A first part may end anywhere behind its length.
            if end == frame.len() || (frame[0] == FIRST && end > 3) {
                continue;
            }
            let mut bench = Bench::new();
            bench.send(lane, &frame[..end]);
            assert_eq!(bench.reason(), Some(DisconnectReason::Protocol), "{frame:?} cut at {end}");
        }
        if frame[0] != FIRST {
            let mut bench = Bench::new();
            bench.send(lane, [&*frame, &[0]].concat());
            assert_eq!(bench.reason(), Some(DisconnectReason::Protocol), "{frame:?} and a byte more");
            bench.friend_is_well("cut short");
        }
    }
}

#[test]
fn every_frame_with_a_byte_changed_does_no_harm() {
    for (lane, frame) in frames() {
        for at in 0..frame.len().min(80) {
            for byte in [0, 1, 2, 3, 0x7f, 0x80, 0xff] {
                let mut changed = frame.clone();
                changed[at] = byte;
                let mut bench = Bench::new();
                bench.send(lane, &changed);
                bench.send(Lane::LOSSY, &changed);
                bench.pass(Duration::from_secs(1));
                assert!(bench.peak <= BOUND);
                bench.friend_is_well("a byte changed");
            }
        }
    }
}

#[test]
fn a_peer_that_says_no_proper_hello() {
    const VERSIONS: Fate = Closed(DisconnectReason::Version);
    let attacks: &[Attack] = &[
        ("text instead of bytes", PROTOCOL, |b| b.send(Lane::RELIABLE, b"")),
        ("a message before the hello", PROTOCOL, |b| {
            b.body(&Body::Message { channel: "chat", direct: false, value: value(b"hi") });
        }),
        ("ready before the hello", PROTOCOL, |b| b.control(&Frame::Ready)),
        ("goodbye before the hello", PROTOCOL, |b| b.control(&Frame::Bye)),
        ("bulk before the hello", PROTOCOL, |b| b.send(Lane::BULK, [WHOLE])),
        ("presence on the lossy lane before the hello", PROTOCOL, |b| {
            b.send(Lane::LOSSY, Frame::Presence { slot: "a", counter: 1, value: None }.encode().unwrap());
        }),
        ("an older version", VERSIONS, |b| b.send(Lane::RELIABLE, b"cvg\x01")),
        ("a later version", VERSIONS, |b| b.send(Lane::RELIABLE, b"cvg\xff whatever that says")),
        ("half a magic number", PROTOCOL, |b| b.send(Lane::RELIABLE, b"cv")),
        ("a hello that ends", PROTOCOL, |b| {
            let hello = b.hello(true).encode();
            b.send(Lane::RELIABLE, &hello[..hello.len() - 1]);
        }),
        ("a hello and more", PROTOCOL, |b| {
            let hello = [b.hello(true).encode(), vec![0]].concat();
            b.send(Lane::RELIABLE, hello);
        }),
        ("a hello of a megabyte", PROTOCOL, |b| {
            let hello = Hello { lanes: vec![0; 1 << 20], ..b.hello(true) }.encode();
            b.send(Lane::RELIABLE, hello);
        }),
        ("a hello that announces a list of 2^32 lanes", PROTOCOL, |b| {
            b.send(Lane::RELIABLE, [b"cvg\x02".as_slice(), &[1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f]].concat());
        }),
        ("other lanes", Closed(DisconnectReason::Lanes), |b| {
            let mut hello = b.hello(true);
            hello.lanes.push(0);
            b.send(Lane::RELIABLE, hello.encode());
        }),
        ("no lanes", Closed(DisconnectReason::Lanes), |b| {
            let hello = Hello { lanes: Vec::new(), ..b.hello(true) };
            b.send(Lane::RELIABLE, hello.encode());
        }),
        ("too few places", PROTOCOL, |b| {
            let hello = Hello { received: Vec::new(), ..b.hello(true) };
            b.send(Lane::RELIABLE, hello.encode());
        }),
        ("no name", PROTOCOL, |b| {
            let hello = Hello { token: 0, ..b.hello(true) };
            b.send(Lane::RELIABLE, hello.encode());
        }),
        ("an activity that does not exist", PROTOCOL, |b| {
            let hello = Hello { activity: 3, ..b.hello(true) };
            b.send(Lane::RELIABLE, hello.encode());
        }),
        ("places that make no sense, from a stranger", Ignored, |b| {
            let hello = Hello { received: vec![(u64::MAX, u64::MAX); 2], ..b.hello(true) };
            b.send(Lane::RELIABLE, hello.encode());
        }),
    ];
    run(attacks, || {
        let mut bench = Bench::opened();
        bench.greet(false);
        bench.events.clear();
        bench
    });
}

/// A connection after another, whose hello claims to have received what was never sent, or less than it had said.
#[test]
fn a_peer_that_lies_about_what_it_has_received() {
    for (name, received) in [
        ("more than was sent", [(9, 0), (0, 0)]),
        ("the greatest number", [(u64::MAX, u64::MAX), (u64::MAX, 0)]),
        ("bytes of a message that was never begun", [(2, 1), (0, 0)]),
        ("more bytes than a message has", [(1, 1_000_000), (0, 0)]),
        ("less than it had acknowledged", [(0, 0), (0, 0)]),
        ("less than it had acknowledged, by bytes", [(0, 5), (0, 0)]),
    ] {
        let mut bench = Bench::new();
        let (now, to) = (bench.now, bench.id());
        for _ in 0..2 {
            bench.core.send_to(now, to, Lane::RELIABLE, "chat", &text("hello")).unwrap();
            bench.drain();
        }
        bench.control(&Frame::Ack { lane: 0, messages: 1, bytes: 0 });
        // The room's name for its memory was said in its first hello.
        let (link, token) = (bench.evil.link.unwrap(), bench.evil.token);
        bench.input(Input::Link { link, event: LinkEvent::Closed });
        bench.pass(Duration::from_secs(1));
        let link = bench.evil.link.unwrap();
        bench.input(Input::Link { link, event: LinkEvent::Open { max_message: 65_536 } });
        bench.events.clear();
        let hello = Hello { yours: token, received: received.to_vec(), ..bench.hello(true) };
        bench.send(Lane::RELIABLE, hello.encode());
        assert_eq!(bench.reason(), Some(DisconnectReason::Protocol), "{name}: {:?}", bench.events);
        bench.friend_is_well(name);
    }
}

#[test]
fn frames_that_can_t_come_here_and_now() {
    let attacks: &[Attack] = &[
        ("text instead of bytes", PROTOCOL, |b| b.send(Lane::RELIABLE, b"")),
        ("text on the lossy lane", PROTOCOL, |b| b.send(Lane::LOSSY, b"")),
        ("an unknown frame", PROTOCOL, |b| b.send(Lane::RELIABLE, [10])),
        ("another unknown frame", PROTOCOL, |b| b.send(Lane::RELIABLE, [68, 0, 0])),
        ("an unknown body", PROTOCOL, |b| b.send(Lane::RELIABLE, [WHOLE, 10, 0])),
        ("a number that does not end", PROTOCOL, |b| b.send(Lane::RELIABLE, [2, 255, 255, 255, 255, 255, 255])),
        ("a text that is no UTF-8", PROTOCOL, |b| b.send(Lane::RELIABLE, [WHOLE, 0, 1, 0xff, 0, 0, 0])),
        ("a channel name longer than the frame", PROTOCOL, |b| b.send(Lane::RELIABLE, [WHOLE, 0, 200, 1, b'a'])),
        ("a channel name longer than allowed", PROTOCOL, |b| {
            let name = "a".repeat(MAX_NAME_BYTES + 1);
            b.body(&Body::Message { channel: &name, direct: false, value: value(b"") });
        }),
        ("a frame larger than the largest", PROTOCOL, |b| {
            let bytes = vec![0; MAX_FRAME_BYTES];
            b.body(&Body::Message { channel: "chat", direct: false, value: value(&bytes) });
        }),
        ("a second hello", PROTOCOL, |b| {
            let hello = b.hello(true).encode();
            b.send(Lane::RELIABLE, hello);
        }),
        ("ready twice", PROTOCOL, |b| b.control(&Frame::Ready)),
        ("a message on the lossy lane", PROTOCOL, |b| {
            let body = Body::Message { channel: "chat", direct: false, value: value(b"") };
            b.send(Lane::LOSSY, body.encode().unwrap());
        }),
        ("part of a message on the lossy lane", PROTOCOL, |b| b.send(Lane::LOSSY, [FIRST, 100, 1])),
        ("a loose message on a reliable lane", PROTOCOL, |b| {
            b.control(&Frame::Loose { channel: "chat", direct: false, value: value(b"") });
        }),
        ("a ping on the bulk lane", PROTOCOL, |b| b.send(Lane::BULK, Frame::Ping(1).encode().unwrap())),
        ("a goodbye on the lossy lane", PROTOCOL, |b| b.send(Lane::LOSSY, Frame::Bye.encode().unwrap())),
        ("a request on the bulk lane", PROTOCOL, |b| {
            let body = Body::Request { request: 1, channel: "a", value: value(b"") };
            b.send(Lane::BULK, body.encode().unwrap());
        }),
        ("an offer on the bulk lane", PROTOCOL, |b| {
            let body = Body::Offer { transfer: 1, name: "a", mime: "", size: 1 };
            b.send(Lane::BULK, body.encode().unwrap());
        }),
        ("a piece of a file on the reliable lane", PROTOCOL, |b| b.send(Lane::RELIABLE, [FILE, 1, 0, 1])),
        ("a piece of a file on the lossy lane", PROTOCOL, |b| b.send(Lane::LOSSY, [FILE, 1, 0, 1])),
        ("presence on the bulk lane", PROTOCOL, |b| {
            b.send(Lane::BULK, Frame::Presence { slot: "a", counter: 1, value: None }.encode().unwrap());
        }),
        ("an activity that does not exist", PROTOCOL, |b| b.send(Lane::RELIABLE, [6, 3])),
        ("an acknowledgement of the future", PROTOCOL, |b| {
            b.control(&Frame::Ack { lane: 0, messages: 1, bytes: 0 });
        }),
        ("an acknowledgement of the far future", PROTOCOL, |b| {
            b.control(&Frame::Ack { lane: 0, messages: u64::MAX, bytes: u64::MAX });
        }),
        ("an acknowledgement of bytes of nothing", PROTOCOL, |b| {
            b.control(&Frame::Ack { lane: 2, messages: 0, bytes: 1 });
        }),
        ("an acknowledgement for the lossy lane", PROTOCOL, |b| {
            b.control(&Frame::Ack { lane: 1, messages: 0, bytes: 0 });
        }),
        ("an acknowledgement for a lane that is not there", PROTOCOL, |b| {
            b.control(&Frame::Ack { lane: 9, messages: 0, bytes: 0 });
        }),
        ("acknowledgements that go back", Ignored, |b| {
            let (now, to) = (b.now, b.id());
            b.core.send_to(now, to, Lane::RELIABLE, "chat", &text("one")).unwrap();
            b.drain();
            b.core.send_to(now, to, Lane::RELIABLE, "chat", &text("two")).unwrap();
            b.drain();
            b.control(&Frame::Ack { lane: 0, messages: 2, bytes: 0 });
            assert_eq!(b.core.held_bytes(), 0);
            b.control(&Frame::Ack { lane: 0, messages: 1, bytes: 0 });
            b.control(&Frame::Ack { lane: 0, messages: 0, bytes: 0 });
            b.control(&Frame::Ack { lane: 0, messages: 0, bytes: 3 });
        }),
        ("an answer to no ping", Ignored, |b| b.control(&Frame::Pong(12345))),
        ("a goodbye, and then more", Closed(DisconnectReason::Left), |b| {
            b.control(&Frame::Bye);
            b.body(&Body::Message { channel: "chat", direct: false, value: value(b"still here") });
            assert_eq!(b.messages(), 0);
        }),
        ("a link that takes no frame of a sensible size", PROTOCOL, |b| {
            let link = b.evil.link.unwrap();
            b.input(Input::Link { link, event: LinkEvent::Open { max_message: 0 } });
        }),
    ];
    run(attacks, Bench::new);
}
