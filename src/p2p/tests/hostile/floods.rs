//! Too much, too often.

use super::*;

#[test]
fn bombs_and_floods() {
    let attacks: &[Attack] = &[
        ("a message of 4 GiB is announced", PROTOCOL, |b| {
            b.send(Lane::RELIABLE, [FIRST, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3]);
            assert!(b.peak < 4096);
        }),
        ("a message of 2^64 bytes is announced", PROTOCOL, |b| {
            b.send(Lane::RELIABLE, [FIRST, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 1, 2, 3]);
        }),
        ("a message that is a byte too long is announced", PROTOCOL, |b| {
            // 16 MiB + 1 as a varint.
            b.send(Lane::RELIABLE, [FIRST, 0x81, 0x80, 0x80, 0x08, 1, 2, 3]);
        }),
        ("a message of no bytes is announced", PROTOCOL, |b| b.send(Lane::RELIABLE, [FIRST, 0])),
        ("a first part without bytes", PROTOCOL, |b| b.send(Lane::RELIABLE, [FIRST, 100])),
        ("a first part that is all of it", PROTOCOL, |b| b.send(Lane::RELIABLE, [FIRST, 2, 0, 0])),
        ("a part without a first one", PROTOCOL, |b| b.send(Lane::RELIABLE, [MORE, 1, 2, 3])),
        ("a pack of nothing", PROTOCOL, |b| b.send(Lane::RELIABLE, [PACK])),
        ("a pack whose last body is cut", PROTOCOL, |b| b.send(Lane::RELIABLE, [PACK, 2, 3, 7, 2, 3])),
        ("a pack of a body of 4 GiB", PROTOCOL, |b| b.send(Lane::RELIABLE, [PACK, 0xff, 0xff, 0xff, 0xff, 0x0f, 3, 7])),
        ("a pack of empty bodies", PROTOCOL, |b| b.send(Lane::RELIABLE, [PACK, 0, 0, 0, 0])),
        ("a pack that is too long", PROTOCOL, |b| {
            b.send(Lane::RELIABLE, [&[PACK][..], &[2, 3, 7].repeat(6000)].concat())
        }),
        ("a pack on the lossy lane", PROTOCOL, |b| b.send(Lane::LOSSY, [PACK, 2, 3, 7])),
        ("a pack within a message", PROTOCOL, |b| {
            b.send(Lane::RELIABLE, [FIRST, 100, 1]);
            b.send(Lane::RELIABLE, [PACK, 2, 3, 7]);
        }),
        ("a pack of thousands of cancellations of nothing", Ignored, |b| {
            b.send(Lane::RELIABLE, [&[PACK][..], &[2, 3, 7].repeat(5000)].concat());
        }),
        ("an empty part", PROTOCOL, |b| {
            b.send(Lane::RELIABLE, [FIRST, 100, 1]);
            b.send(Lane::RELIABLE, [MORE]);
        }),
        ("parts beyond what was announced", PROTOCOL, |b| {
            b.send(Lane::RELIABLE, [FIRST, 3, 1]);
            b.send(Lane::RELIABLE, [MORE, 1, 2, 3]);
        }),
        ("a first part within a message", PROTOCOL, |b| {
            b.send(Lane::RELIABLE, [FIRST, 100, 1]);
            b.send(Lane::RELIABLE, [FIRST, 100, 1]);
        }),
        ("a whole message within another", PROTOCOL, |b| {
            b.send(Lane::RELIABLE, [FIRST, 100, 1]);
            b.body(&Body::Cancel(1));
        }),
        ("a message of parts that is no message", PROTOCOL, |b| {
            b.send(Lane::RELIABLE, [FIRST, 3, 200]);
            b.send(Lane::RELIABLE, [MORE, 200, 200]);
        }),
        ("messages on all lanes of which the rest never comes", Ignored, |b| {
            for lane in [Lane::RELIABLE, Lane::BULK] {
                // 16 MiB as a varint.
                b.send(lane, [FIRST, 0x80, 0x80, 0x80, 0x08, 0]);
                let part = [&[MORE][..], &vec![0; 65_535]].concat();
                for _ in 0..255 {
                    b.send(lane, &part);
                }
            }
            b.pass(Duration::from_millis(900));
        }),
        ("presence in more slots than there are", PROTOCOL, |b| {
            for n in 0..=MAX_SLOTS {
                b.control(&Frame::Presence { slot: &n.to_string(), counter: 1, value: Some(value(b"x")) });
            }
        }),
        ("presence that is cleared in ever new slots", PROTOCOL, |b| {
            for n in 0..=MAX_SLOTS {
                b.control(&Frame::Presence { slot: &n.to_string(), counter: 1, value: None });
            }
        }),
        ("presence that never grows older", Ignored, |b| {
            for n in 0..1000 {
                b.control(&Frame::Presence { slot: "a", counter: u64::MAX, value: Some(value(&[n as u8])) });
            }
            let changes = b.events.iter().filter(|e| matches!(e, Event::PresenceChanged { .. })).count();
            assert_eq!(changes, 1);
        }),
        ("ten thousand changes of activity", Ignored, |b| {
            for n in 0..10_000 {
                b.control(&Frame::Activity(n as u8 % 3));
            }
            assert_eq!(b.core.activity_of(b.id()), Activity::Active);
        }),
        ("signals that are no negotiation", Ignored, |b| {
            for data in ["0", "\"\"", "[]", "{}", "{\"attempt\":-1}", "{\"attempt\":\"x\"}", "null"] {
                b.signal(data);
                b.control(&Frame::Negotiation(data));
            }
            b.control(&Frame::Negotiation("no json"));
            b.control(&Frame::Negotiation(&"[".repeat(60_000)));
            b.control(&Frame::Negotiation(""));
            assert_eq!((b.negotiations, b.opened), (0, 0));
        }),
        ("answers that nobody awaits", Ignored, |b| {
            let attempt = b.evil.attempt;
            b.signal(&format!("{{\"attempt\":{attempt},\"answer\":\"first\"}}"));
            let before = b.negotiations;
            for n in 0..100 {
                b.signal(&format!("{{\"attempt\":{attempt},\"answer\":\"again\",\"round\":{n},\"answers\":{n}}}"));
                b.control(&Frame::Negotiation(&format!("{{\"attempt\":{attempt},\"answer\":\"\",\"answers\":{n}}}")));
            }
            assert!(before <= 1 && b.negotiations == before, "{}", b.negotiations);
        }),
        ("candidates without end, before there is a description", Ignored, |b| {
            let attempt = b.evil.attempt;
            for n in 0..10_000 {
                let candidate = format!("{{\"candidate\":\"{n}\",\"sdpMid\":\"0\"}}");
                b.signal(&format!("{{\"attempt\":{attempt},\"round\":{n},\"candidate\":{candidate}}}"));
            }
            assert!(b.negotiations < 200, "{}", b.negotiations);
        }),
        ("offers to renew the connection without end", Closed(DisconnectReason::TooManyOffers), |b| {
            let attempt = b.evil.attempt;
            b.signal(&format!("{{\"attempt\":{attempt},\"answer\":\"first\"}}"));
            let link = b.evil.link.unwrap();
            b.input(Input::Link { link, event: LinkEvent::RemoteSet });
            b.negotiations = 0;
            for n in 1..1000 {
                let offer = format!("{{\"attempt\":{attempt},\"round\":{n},\"offer\":\"{}\"}}", "x".repeat(1000));
                b.control(&Frame::Negotiation(&offer));
                b.input(Input::Link { link, event: LinkEvent::RemoteSet });
                b.input(Input::Link { link, event: LinkEvent::LocalDescription(Sdp::Answer("a".into())) });
            }
            assert!(b.negotiations <= 100, "{} negotiations", b.negotiations);
        }),
        ("an offer for another attempt over the link", Ignored, |b| {
            b.control(&Frame::Negotiation("{\"attempt\":77,\"offer\":\"x\"}"));
            b.control(&Frame::Negotiation("{\"attempt\":77,\"dial\":{}}"));
            assert_eq!((b.negotiations, b.opened), (0, 0));
        }),
    ];
    run(attacks, Bench::new);
}

/// What one may send is not what many may: the room holds so much of unfinished messages, whoever they are from.
#[test]
fn more_than_the_page_can_hold_closes_the_link_that_asks_for_it() {
    let mut bench = Bench::with_lanes(vec![Delivery::Reliable; 3]);
    let announced = MAX_JOINING_BYTES / MAX_MESSAGE_BYTES;
    let lanes = [Lane::RELIABLE, Lane::BULK, Lane::app(0), Lane::app(1), Lane::app(2)];
    for (nth, lane) in lanes.into_iter().enumerate() {
        assert_eq!(bench.reason(), None, "{nth} are under way");
        // 16 MiB as a varint.
        bench.send(lane, [FIRST, 0x80, 0x80, 0x80, 0x08, 0]);
        if nth == announced {
            break;
        }
    }
    assert_eq!(bench.reason(), Some(DisconnectReason::Overload));
    let report = bench.core.report(bench.now);
    let id = bench.id();
    let link = report.links.iter().find(|link| link.peer == id).unwrap();
    assert_eq!(link.last_change, LinkChange::Overload, "that another try came to nothing would say less");
    assert_eq!(report.diagnose(link), Diagnosis::Overload);
    bench.friend_is_well("more than the page can hold");
}

/// Many connections are as bad as many frames: a peer gets only so many in a while.
#[test]
fn a_peer_that_starts_over_without_end_gets_few_connections() {
    for signal in ["{\"attempt\":0,\"dial\":{}}", "{\"attempt\":N,\"offer\":\"x\"}"] {
        let mut bench = Bench::new();
        for n in 0..1000 {
            bench.signal(&signal.replace('N', &(1000 + n).to_string()));
        }
        assert!(bench.opened <= 10, "{signal}: {} connections in no time", bench.opened);
        assert!(bench.closed.len() <= 11);
        bench.friend_is_well(signal);
    }
}

#[test]
fn pings_without_end_make_no_heap_of_pongs() {
    let mut bench = Bench::new();
    // The other side reads nothing: the driver never says that there is room again.
    for n in 0..200_000 {
        bench.control(&Frame::Ping(n));
    }
    let bytes: usize = bench.evil.frames.iter().map(|(_, frame)| frame.len()).sum();
    assert!(bytes <= 512 * 1024, "{bytes} bytes wait in the browser for who reads nothing");
    bench.friend_is_well("pings");
}

#[test]
fn a_link_closed_for_cause_is_tried_again_only_after_a_while() {
    let mut bench = Bench::new();
    bench.send(Lane::RELIABLE, b"nonsense");
    assert_eq!(bench.reason(), Some(DisconnectReason::Protocol));
    let id = bench.id();
    let state = bench.core.peers().into_iter().find(|(peer, _)| *peer == id).map(|(_, state)| state);
    assert_eq!(state, Some(PeerState::Unreachable));
    // It begins anew each time it is let: that does not go faster than for others.
    for n in 0..100 {
        bench.signal(&format!("{{\"attempt\":{n},\"offer\":\"x\"}}"));
        if let Some(link) = bench.evil.link {
            bench.input(Input::Link { link, event: LinkEvent::Open { max_message: 65_536 } });
            bench.send(Lane::RELIABLE, b"nonsense");
        }
    }
    assert!(bench.opened <= 10, "{} connections", bench.opened);
    bench.friend_is_well("nonsense");
}
