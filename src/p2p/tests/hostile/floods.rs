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

/// Announced bytes don't count, received ones do. The link of the peer with the most incomplete bytes is closed.
#[test]
fn more_than_the_page_can_hold_closes_the_link_that_makes_it_hold_the_most() {
    let mut bench = Bench::with_lanes(vec![Delivery::Reliable; 4]);
    let lanes = [Lane::RELIABLE, Lane::BULK, Lane::app(0), Lane::app(1), Lane::app(2), Lane::app(3)];
    // 16 MiB as a varint.
    let announcement = [FIRST, 0x80, 0x80, 0x80, 0x08, 0];
    for lane in lanes {
        bench.send(lane, announcement);
        bench.feed(false, lane, announcement.to_vec());
    }
    assert_eq!(bench.reason(), None, "nothing has come yet");
    let part = [&[MORE][..], &vec![0; 65_535]].concat();
    // A message of the friend's is in flight too.
    for _ in 0..16 {
        bench.feed(false, Lane::BULK, part.clone());
    }
    'full: for lane in lanes {
        for _ in 0..255 {
            bench.send(lane, &part);
            if bench.reason().is_some() {
                break 'full;
            }
        }
    }
    assert!(bench.peak <= MAX_INCOMING_BYTES_PER_PEER + 2 * MAX_MESSAGE_BYTES, "{}", bench.peak);
    assert_eq!(bench.reason(), Some(DisconnectReason::Overload));
    let report = bench.core.report(bench.now);
    let id = bench.id();
    let link = report.links.iter().find(|link| link.peer == id).unwrap();
    assert_eq!(link.last_change, LinkChange::Overload, "that another try came to nothing would say less");
    assert_eq!(report.diagnose(link), Diagnosis::Overload);
    let friend = bench.friend.identity.id();
    assert_eq!(bench.core.peers().into_iter().find(|(id, _)| *id == friend).unwrap().1, PeerState::Connected);
}

/// Two members announce the longest messages on all lanes and send nothing more; honest members' messages still arrive.
#[test]
fn announced_messages_that_never_come_stop_nobody_else_s() {
    let mut bench = Bench::new();
    for lane in [Lane::RELIABLE, Lane::BULK] {
        bench.send(lane, [FIRST, 0x80, 0x80, 0x80, 0x08, 0]);
    }
    let body = Body::Message { channel: "chat", direct: true, value: value(&vec![7; 200_000]) }.encode().unwrap();
    let length = postcard_length(body.len() - 1);
    bench.feed(false, Lane::BULK, [&[FIRST][..], &length, &body[1..60_000]].concat());
    for part in body[60_000..].chunks(60_000) {
        bench.feed(false, Lane::BULK, [&[MORE][..], part].concat());
    }
    assert_eq!(bench.messages(), 1);
    bench.friend_is_well("announcements");
    // The parts never come, so the link is closed.
    bench.keep_alive(Timings::default().stall + Duration::from_secs(1));
    assert_eq!(bench.reason(), Some(DisconnectReason::Overload));
    bench.friend_is_well("announcements");
}

fn postcard_length(mut length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes
}

/// Replies wait beside the application's messages, and a member that acknowledges nothing has its link closed in the
/// end.
#[test]
fn a_member_that_acknowledges_nothing_stops_nobody_s_messages() {
    let mut bench = Bench::new();
    for request in 0..4400 {
        bench.body(&Body::Request { request, channel: "nobody-serves-this", value: value(b"?") });
    }
    assert_eq!(bench.reason(), None);
    let (now, friend) = (bench.now, bench.friend.identity.id());
    let sent = bench.core.broadcast(now, Lane::RELIABLE, "chat", &text("all of you")).unwrap();
    bench.drain();
    assert_eq!(sent.missed, [], "replies take no room of the application's");
    // Its queue fills with the application's messages; the others still get them.
    let missed = loop {
        let sent = bench.core.broadcast(now, Lane::RELIABLE, "chat", &text("all of you")).unwrap();
        bench.drain();
        bench.acknowledge(false);
        if !sent.missed.is_empty() {
            break sent.missed;
        }
    };
    assert_eq!(missed, [bench.id()]);
    assert_eq!(bench.core.room_for(Some(friend), Lane::RELIABLE), Ok(true));
    bench.keep_alive(Timings::default().stall + Duration::from_secs(1));
    assert_eq!(bench.reason(), Some(DisconnectReason::Stalled));
    let (id, report) = (bench.id(), bench.core.report(bench.now));
    let fault = report.links.into_iter().find(|link| link.peer == id).unwrap().fault;
    assert_eq!(fault, Some(WireError::Stalled));
    bench.friend_is_well("silence");
}

/// Little waits for the member, so its link stays; a sender that waits for all members continues.
#[test]
fn a_member_that_acknowledges_nothing_makes_no_sender_wait_once_it_has_stalled() {
    let mut bench = Bench::new();
    bench.core.broadcast(bench.now, Lane::RELIABLE, "chat", &text("all of you")).unwrap();
    bench.drain();
    bench.acknowledge(false);
    bench.keep_alive(Timings::default().stall + Duration::from_secs(1));
    let (id, reason) = (bench.id(), bench.reason());
    assert_eq!(bench.core.room_for(Some(id), Lane::RELIABLE), Err(SendError::Stalled { peer: id }));
    assert_eq!((bench.core.room_for(None, Lane::RELIABLE), reason), (Ok(true), None));
}

/// A busy page handles nothing for a while: the peer may send as much as its credit allows, and no more.
#[test]
fn a_peer_that_ignores_its_credit_is_closed_and_one_that_keeps_to_it_is_not() {
    let message = Body::Message { channel: "chat", direct: false, value: value(b"x") }.encode().unwrap();
    let most = MAX_QUEUED_MESSAGES + MAX_QUEUED_ANSWERS;
    let mut bench = Bench::new();
    bench.busy = true;
    for _ in 0..most {
        bench.send(Lane::RELIABLE, &message);
    }
    assert_eq!((bench.reason(), bench.messages()), (None, 0));
    assert!(!bench.evil.frames.iter().any(|(_, frame)| matches!(Frame::decode(frame), Ok(Frame::Ack { .. }))));
    bench.busy = false;
    bench.work();
    assert_eq!(bench.messages(), most, "nothing is lost");
    bench.busy = true;
    for _ in 0..=most {
        bench.send(Lane::RELIABLE, &message);
    }
    assert_eq!(bench.reason(), Some(DisconnectReason::Overload));
    bench.busy = false;
    bench.friend_is_well("ignored credit");
}

/// One peer's long backlog doesn't delay another's message.
#[test]
fn links_are_served_in_turn() {
    let mut bench = Bench::new();
    bench.busy = true;
    let message = Body::Message { channel: "chat", direct: false, value: value(b"x") }.encode().unwrap();
    for _ in 0..4000 {
        bench.send(Lane::RELIABLE, &message);
    }
    bench.feed(false, Lane::RELIABLE, message.clone());
    bench.feed(false, Lane::RELIABLE, message);
    let friend = bench.friend.identity.id();
    let heard = |bench: &Bench| {
        bench.events.iter().filter(|event| matches!(event, Event::Message { from, .. } if *from == friend)).count()
    };
    for _ in 0..40 {
        bench.core.handle(bench.now, Input::Work);
        bench.drain();
    }
    assert_eq!(heard(&bench), 2);
    // Slow handling ends a turn after a millisecond.
    let mut bench = Bench::new();
    bench.busy = true;
    for _ in 0..100 {
        bench.send(Lane::RELIABLE, Body::Cancel(1).encode().unwrap());
    }
    let ping = Frame::Ping(7).encode().unwrap();
    bench.feed(false, Lane::RELIABLE, ping);
    for _ in 0..3 {
        bench.core.handle(bench.now, Input::Work);
        bench.drain();
        bench.now += Duration::from_millis(5);
    }
    assert!(bench.friend.frames.iter().any(|(_, frame)| Frame::decode(frame) == Ok(Frame::Pong(7))));
}

/// Frames sent before the connection closed are handled before the close.
#[test]
fn a_connection_that_closes_behind_its_messages_loses_none() {
    let mut bench = Bench::new();
    bench.busy = true;
    for _ in 0..100 {
        bench.body(&Body::Message { channel: "chat", direct: false, value: value(b"x") });
    }
    let link = bench.evil.link.unwrap();
    bench.input(Input::Link { link, event: LinkEvent::Closed });
    assert_eq!((bench.messages(), bench.reason()), (0, None));
    bench.busy = false;
    bench.work();
    assert_eq!((bench.messages(), bench.reason()), (100, Some(DisconnectReason::Lost)));
    assert!(!bench.core.has_work());
}

#[test]
fn files_that_are_offered_and_withdrawn_push_out_no_file_that_was_received() {
    let mut bench = Bench::new();
    let offer = Body::Offer { transfer: 1, name: "kept.txt", mime: "", size: 1 }.encode().unwrap();
    bench.feed(false, Lane::RELIABLE, offer);
    let kept = bench.core.transfers().last().unwrap().id;
    bench.core.accept(bench.now, kept);
    bench.drain();
    bench.feed(false, Lane::BULK, vec![FILE, 1, 0, b'x']);
    bench.input(Input::File { transfer: kept, event: FileEvent::Written });
    let hash = *blake3::hash(b"x").as_bytes();
    bench.feed(false, Lane::RELIABLE, Body::End { transfer: 1, hash }.encode().unwrap());
    bench.input(Input::File { transfer: kept, event: FileEvent::Finished });
    assert_eq!(bench.state(kept), TransferState::Done);
    for transfer in 0..300 {
        bench.body(&Body::Offer { transfer, name: "a", mime: "", size: 1 });
        bench.body(&Body::Stop { transfer, offered: true, failed: false });
    }
    assert_eq!((bench.state(kept), bench.files.contains(&kept)), (TransferState::Done, true));
    assert!(bench.core.transfers().len() <= 65, "{} are remembered", bench.core.transfers().len());
    let forgotten = bench.events.iter().filter(|event| matches!(event, Event::TransferForgotten { .. })).count();
    assert_eq!(forgotten, 300 - 64);
    assert_eq!(bench.reason(), None);
    // No converge application offers files this fast.
    for transfer in 300..600 {
        bench.body(&Body::Offer { transfer, name: "a", mime: "", size: 1 });
        bench.body(&Body::Stop { transfer, offered: true, failed: false });
    }
    assert_eq!(bench.reason(), Some(DisconnectReason::Overload));
    assert!(bench.files.contains(&kept));
    bench.friend_is_well("offers");
}

#[test]
fn a_sender_keeps_to_the_number_of_files_that_a_peer_takes() {
    let mut bench = Bench::new();
    let (now, to) = (bench.now, bench.id());
    let mut offered = 0;
    let refused = loop {
        match bench.core.offer_file(now, to, "a", "", 1) {
            Ok(id) => {
                bench.drain();
                offered += 1;
                bench.core.cancel(now, id);
                bench.drain();
                bench.acknowledge(true);
            }
            Err(error) => break error,
        }
        assert!(offered < 1000);
    };
    assert_eq!((offered, refused), (256, SendError::QueueFull { peers: vec![to] }));
    bench.keep_alive(Duration::from_secs(11));
    assert!(bench.core.offer_file(bench.now, to, "a", "", 1).is_ok(), "after a while there may be more");
    bench.drain();
}

#[test]
fn implausible_candidates_are_not_tried_and_too_many_close_the_link() {
    let mut bench = Bench::new();
    let attempt = bench.evil.attempt;
    let says = |bench: &mut Bench, line: &str| {
        let candidate = format!("{{\"candidate\":\"{line}\",\"sdpMid\":\"0\"}}");
        bench.control(&Frame::Negotiation(&format!("{{\"attempt\":{attempt},\"candidate\":{candidate}}}")));
    };
    bench.signal(&format!("{{\"attempt\":{attempt},\"answer\":\"first\"}}"));
    let link = bench.evil.link.unwrap();
    bench.input(Input::Link { link, event: LinkEvent::RemoteSet });
    bench.negotiations = 0;
    for line in ["candidate:1 1 udp 1 127.0.0.1 22 typ host", "candidate:1 1 tcp 1 192.168.0.1 80 typ host"] {
        says(&mut bench, line);
    }
    assert_eq!(bench.negotiations, 0);
    for n in 0..20_000 {
        says(&mut bench, &format!("candidate:{n} 1 udp 1 10.0.0.1 {} typ host", 1 + n % 60_000));
    }
    assert_eq!((bench.negotiations, bench.reason()), (64, Some(DisconnectReason::Overload)));
    bench.friend_is_well("candidates");
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
