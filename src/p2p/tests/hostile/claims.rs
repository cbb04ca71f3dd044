//! Requests, replies and files that are not what they claim to be.

use super::*;

#[test]
fn requests_and_replies_that_nobody_asked_for() {
    let attacks: &[Attack] = &[
        ("requests without end on a channel nobody serves", Closed(DisconnectReason::Overload), |b| {
            for n in 0..10_000 {
                b.body(&Body::Request { request: n, channel: "none", value: value(b"?") });
            }
            assert!(!b.events.iter().any(|event| matches!(event, Event::Request { .. })));
        }),
        ("requests without end on a channel that is served", Closed(DisconnectReason::Overload), |b| {
            b.core.serve("sum", true);
            for n in 0..10_000 {
                b.body(&Body::Request { request: n, channel: "sum", value: value(b"?") });
            }
            let requests = b.events.iter().filter(|event| matches!(event, Event::Request { .. })).count();
            assert!(requests <= 64, "{requests}");
        }),
        ("the same request again and again", Ignored, |b| {
            b.core.serve("sum", true);
            for _ in 0..100 {
                b.body(&Body::Request { request: 7, channel: "sum", value: value(b"?") });
            }
            let requests = b.events.iter().filter(|event| matches!(event, Event::Request { .. })).count();
            assert_eq!(requests, 1);
        }),
        ("replies to nothing", Ignored, |b| {
            for n in 0..1000 {
                b.body(&Body::Reply { request: n, answer: Answer::Value(value(b"!")) });
                b.body(&Body::Reply { request: n, answer: Answer::Busy });
            }
            assert!(!b.events.iter().any(|event| matches!(event, Event::Reply { .. })));
        }),
        ("a reply to what was asked of another", Ignored, |b| {
            let (now, friend) = (b.now, b.friend.identity.id());
            b.core.request(now, friend, "sum", &text("1"), Duration::from_secs(5)).unwrap();
            b.drain();
            for request in 0..10 {
                b.body(&Body::Reply { request, answer: Answer::Value(value(b"mine")) });
            }
            assert!(!b.events.iter().any(|event| matches!(event, Event::Reply { .. })));
        }),
        ("two replies", Ignored, |b| {
            let (now, to) = (b.now, b.id());
            b.core.request(now, to, "sum", &text("1"), Duration::from_secs(5)).unwrap();
            b.drain();
            for _ in 0..2 {
                b.body(&Body::Reply { request: 1, answer: Answer::Value(value(b"1")) });
            }
            let replies = b.events.iter().filter(|event| matches!(event, Event::Reply { .. })).count();
            assert_eq!(replies, 1);
        }),
        ("a refusal with a book for a reason", PROTOCOL, |b| {
            let why = "x".repeat(2000);
            b.body(&Body::Reply { request: 1, answer: Answer::Refused(&why) });
        }),
        ("cancellations of nothing", Ignored, |b| {
            for n in 0..1000 {
                b.body(&Body::Cancel(n));
            }
            assert!(!b.events.iter().any(|event| matches!(event, Event::RequestCancelled { .. })));
        }),
    ];
    run(attacks, Bench::new);
}

#[test]
fn files_that_are_not_what_they_should_be() {
    fn fails(b: &Bench, id: TransferId) {
        assert!(matches!(b.state(id), TransferState::Failed(_)), "{:?}", b.state(id));
    }
    let attacks: &[Attack] = &[
        ("pieces of a file that was never offered", Ignored, |b| {
            for n in 0..100 {
                b.piece(n, 0, b"piece");
            }
        }),
        ("pieces of a file that was not accepted", Ignored, |b| {
            b.body(&Body::Offer { transfer: 1, name: "a", mime: "", size: 5 });
            b.piece(1, 0, b"piece");
            fails(b, b.core.transfers()[0].id);
        }),
        ("a piece at another place", Ignored, |b| {
            let id = b.accepted(1, 100);
            b.piece(1, 50, b"piece");
            fails(b, id);
        }),
        ("a piece twice", Ignored, |b| {
            let id = b.accepted(1, 100);
            b.piece(1, 0, b"piece");
            b.piece(1, 0, b"piece");
            fails(b, id);
        }),
        ("an empty piece", Ignored, |b| {
            let id = b.accepted(1, 100);
            b.piece(1, 0, b"");
            fails(b, id);
        }),
        ("more than the file has", Ignored, |b| {
            let id = b.accepted(1, 3);
            b.piece(1, 0, b"piece");
            fails(b, id);
        }),
        ("more than was allowed", Ignored, |b| {
            let id = b.accepted(1, 1 << 40);
            let mut offset = 0_u64;
            let piece = vec![1; 60_000];
            for _ in 0..2000 {
                let mut frame = vec![FILE, 1];
                let mut rest = offset;
                while rest >= 0x80 {
                    frame.push(rest as u8 | 0x80);
                    rest >>= 7;
                }
                frame.push(rest as u8);
                frame.extend_from_slice(&piece);
                b.send(Lane::BULK, frame);
                offset += piece.len() as u64;
            }
            fails(b, id);
            assert!(b.peak <= 9 << 20, "{} bytes are held", b.peak);
            assert!(b.files.is_empty(), "what was stored is let go");
        }),
        ("a piece at the end of all numbers", Ignored, |b| {
            let id = b.accepted(1, u64::MAX);
            b.send(Lane::BULK, [FILE, 1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 1, 2, 3]);
            fails(b, id);
        }),
        ("a file of 2^64 bytes", Ignored, |b| {
            b.accepted(1, u64::MAX);
            assert!(b.peak < 4096);
        }),
        ("a wrong hash", Ignored, |b| {
            let id = b.accepted(1, 5);
            b.piece(1, 0, b"piece");
            b.input(Input::File { transfer: id, event: FileEvent::Written });
            b.body(&Body::End { transfer: 1, hash: [0; 32] });
            fails(b, id);
            assert!(b.files.is_empty());
        }),
        ("an end before the file", Ignored, |b| {
            let id = b.accepted(1, 5);
            b.body(&Body::End { transfer: 1, hash: [0; 32] });
            assert_eq!(b.state(id), TransferState::Moving);
        }),
        ("an end of what was not accepted", Ignored, |b| {
            b.body(&Body::Offer { transfer: 1, name: "a", mime: "", size: 0 });
            b.body(&Body::End { transfer: 1, hash: [0; 32] });
            assert_eq!(b.core.transfers()[0].state, TransferState::Offered);
        }),
        ("answers about files that were never offered", Ignored, |b| {
            for transfer in 0..100 {
                b.body(&Body::Accept(transfer));
                b.body(&Body::Decline(transfer));
                b.body(&Body::Stored(transfer));
                b.body(&Body::End { transfer, hash: [0; 32] });
                b.body(&Body::Stop { transfer, offered: true, failed: false });
                b.body(&Body::Stop { transfer, offered: false, failed: true });
                b.control(&Frame::Credit { transfer, have: 0, until: 100 });
            }
            assert!(b.core.transfers().is_empty() && b.reads == 0);
        }),
        ("answers about a file of one's own", Ignored, |b| {
            let id = b.accepted(1, 100);
            b.body(&Body::Accept(1));
            b.body(&Body::Stored(1));
            b.body(&Body::Decline(1));
            b.control(&Frame::Credit { transfer: 1, have: 0, until: 100 });
            assert_eq!((b.state(id), b.reads), (TransferState::Moving, 0));
        }),
        ("credit without acceptance, which it implies", Ignored, |b| {
            let (id, number) = b.offer(100);
            b.control(&Frame::Credit { transfer: number, have: 0, until: 100 });
            assert_eq!((b.state(id), b.reads), (TransferState::Moving, 1));
        }),
        ("credit beyond the file", Ignored, |b| {
            let (_, number) = b.offer(100);
            b.body(&Body::Accept(number));
            b.control(&Frame::Credit { transfer: number, have: 0, until: u64::MAX });
            assert_eq!(b.reads, 1);
        }),
        ("more received than was sent", Ignored, |b| {
            let (id, number) = b.offer(100);
            b.body(&Body::Accept(number));
            b.control(&Frame::Credit { transfer: number, have: 0, until: 10 });
            b.control(&Frame::Credit { transfer: number, have: 90, until: 100 });
            fails(b, id);
        }),
        ("more received than there is", Ignored, |b| {
            let (id, number) = b.offer(100);
            b.body(&Body::Accept(number));
            b.control(&Frame::Credit { transfer: number, have: 101, until: 102 });
            fails(b, id);
        }),
        ("credit that goes back", Ignored, |b| {
            let (_, number) = b.offer(100);
            b.body(&Body::Accept(number));
            for until in [100, 50, 0] {
                b.control(&Frame::Credit { transfer: number, have: 0, until });
            }
            b.control(&Frame::Credit { transfer: number, have: 5, until: 2 });
        }),
        ("credit without end for one file", Ignored, |b| {
            let (_, number) = b.offer(1 << 40);
            b.body(&Body::Accept(number));
            for until in 0..10_000 {
                b.control(&Frame::Credit { transfer: number, have: 0, until });
            }
            assert_eq!(b.reads, 1, "one at a time");
        }),
        ("stored before it was sent", Ignored, |b| {
            let (id, number) = b.offer(100);
            b.body(&Body::Accept(number));
            b.body(&Body::Stored(number));
            assert_ne!(b.state(id), TransferState::Done);
        }),
        ("accepted, declined and accepted", Ignored, |b| {
            let (id, number) = b.offer(100);
            for _ in 0..3 {
                b.body(&Body::Accept(number));
                b.body(&Body::Decline(number));
            }
            assert_eq!(b.state(id), TransferState::Moving);
        }),
        ("offers without end", Closed(DisconnectReason::Overload), |b| {
            for transfer in 0..10_000 {
                b.body(&Body::Offer { transfer, name: "a", mime: "", size: 1 });
            }
            let offered = b.core.transfers().iter().filter(|t| t.state == TransferState::Offered).count();
            assert!(offered <= 64, "{offered}");
        }),
        ("offers that are withdrawn without end", Closed(DisconnectReason::Overload), |b| {
            for transfer in 0..10_000 {
                b.body(&Body::Offer { transfer, name: &"a".repeat(200), mime: "", size: 1 });
                b.body(&Body::Stop { transfer, offered: true, failed: false });
            }
            assert!(b.core.transfers().len() <= 320, "{}", b.core.transfers().len());
        }),
        ("the same offer again", Ignored, |b| {
            let id = b.accepted(1, 5);
            b.body(&Body::Offer { transfer: 1, name: "another", mime: "", size: 50 });
            let transfer = b.core.transfers().into_iter().find(|t| t.id == id).unwrap();
            assert_eq!((transfer.name.as_str(), transfer.size), ("a.txt", 5));
        }),
        ("names that deceive", Ignored, |b| {
            let names = ["../../a", "c:\\b", "a\u{0}b\u{7}", "\u{202e}gpj.exe", "..", "", "\u{2066}x\u{2069}", "/"];
            for (transfer, name) in (0..).zip(names) {
                b.body(&Body::Offer { transfer, name, mime: "text/html\r\nx", size: 1 });
            }
            let transfers = b.core.transfers();
            assert_eq!(transfers.len(), names.len());
            for transfer in transfers {
                let bad = |c: char| c.is_control() || "/\\\u{202e}\u{2066}\u{2069}".contains(c);
                assert!(!transfer.name.contains(bad) && !transfer.mime.contains(char::is_control), "{transfer:?}");
                assert!(!["", ".", ".."].contains(&transfer.name.as_str()), "{transfer:?}");
            }
        }),
        ("a name that is too long", PROTOCOL, |b| {
            b.body(&Body::Offer { transfer: 1, name: &"a".repeat(256), mime: "", size: 1 });
        }),
        ("a media type that is too long", PROTOCOL, |b| {
            b.body(&Body::Offer { transfer: 1, name: "a", mime: &"a".repeat(256), size: 1 });
        }),
    ];
    run(attacks, Bench::new);
}

/// The driver is trusted, but a file may change under it.
#[test]
fn a_file_that_gives_more_or_less_than_was_asked_for_fails() {
    for given in [0, 99, 101, 5000] {
        let mut bench = Bench::new();
        let (id, number) = bench.offer(100);
        bench.body(&Body::Accept(number));
        bench.control(&Frame::Credit { transfer: number, have: 0, until: 100 });
        bench.input(Input::File { transfer: id, event: FileEvent::Read(vec![0; given]) });
        assert!(matches!(bench.state(id), TransferState::Failed(_)), "{given}: {:?}", bench.state(id));
    }
}

#[test]
fn a_member_is_seen_whatever_it_signals_and_however_short_its_visit_is() {
    let mut b = Bench::new();
    let [lurker, visitor] = [8, 9].map(|secret| Identity::from_secret(&[secret; 32], 1).id());
    // The server counts a signal as the introduction, and sends no `joined` after it.
    let data = RawValue::from_string("1".to_owned()).unwrap();
    b.input(server_says(&ServerMessage::Signal { from: lurker, incarnation: 1, seq: 9, data }));
    assert!(matches!(b.events[..], [Event::PeerJoined { peer }] if peer == lurker), "{:?}", b.events);
    b.events.clear();
    b.input(server_says(&ServerMessage::Joined { members: vec![Member { id: visitor, incarnation: 1, seq: 10 }] }));
    let departed = Departed { id: visitor, incarnation: 1, reason: LeftReason::Goodbye };
    b.input(server_says(&ServerMessage::Left { members: vec![departed] }));
    assert!(
        matches!(b.events[..], [Event::PeerJoined { peer: came }, Event::PeerLeft { peer: left, .. }]
            if (came, left) == (visitor, visitor)),
        "{:?}",
        b.events
    );
}

#[test]
fn a_signal_that_the_server_dropped_is_no_error_to_show() {
    let mut b = Bench::new();
    let peer = Some(b.friend.identity.id());
    b.input(server_says(&ServerMessage::Error { code: ErrorCode::Congested, message: "dropped".to_owned(), peer }));
    assert!(b.events.is_empty(), "{:?}", b.events);
    assert_eq!(b.core.open_links(), 2);
}
