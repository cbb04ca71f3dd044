//! What two pages exchange beside messages: presence, what the person does, requests and replies, files.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use converge_p2p::room::Input;
use converge_p2p::sim::{NodeId, Sim, pattern};
use converge_p2p::{
    Activity, Event, Lane, Payload, RequestError, RequestId, SendError, Transfer, TransferError, TransferId,
    TransferState,
};

const S: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);
const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

fn linked(sim: &mut Sim, within: Duration) {
    let done = sim.run_until(within, Sim::all_linked);
    assert!(done, "seed {}: {:?}", sim.seed(), sim.unlinked());
}

/// Two pages with a link that is in use.
fn pair(seed: u64) -> (Sim, NodeId, NodeId) {
    let mut sim = Sim::new(seed);
    let (a, b) = (sim.open(), sim.open());
    linked(&mut sim, 10 * S);
    sim.run_for(2 * S);
    sim.take_events(a);
    sim.take_events(b);
    (sim, a, b)
}

fn text(text: &str) -> Payload {
    Payload { codec: 0, bytes: text.as_bytes().to_vec() }
}

fn has(sim: &Sim, node: NodeId, what: impl Fn(&Event) -> bool) -> bool {
    sim.events(node).iter().any(what)
}

// ---------------------------------------------------------------------------------------------------------------------
// Presence

#[test]
fn a_thousand_changes_in_a_second_cost_a_link_what_sixty_do() {
    for seed in 0..10 {
        let (mut sim, a, b) = pair(seed);
        let (lossy, reliable) = (sim.traffic(a, b, Lane::LOSSY), sim.traffic(a, b, Lane::RELIABLE));
        for n in 0..1000 {
            sim.show(a, "cursor", &n.to_string()).unwrap();
            sim.run_for(MS);
        }
        sim.run_for(S);
        let sent = sim.traffic(a, b, Lane::LOSSY).frames - lossy.frames;
        assert!((50..=65).contains(&sent), "seed {seed}: {sent} frames");
        let sent = sim.traffic(a, b, Lane::RELIABLE).frames - reliable.frames;
        assert!(sent <= 4, "seed {seed}: {sent} reliable frames");
        assert!(sim.all_know("cursor"));
        // Few of the changes are seen, and never one after a newer one.
        let value = |event: &Event| match event {
            Event::PresenceChanged { value: Some(value), .. } => {
                Some(String::from_utf8_lossy(&value.bytes).parse::<u32>().unwrap())
            }
            _ => None,
        };
        let seen: Vec<u32> = sim.events(b).iter().filter_map(value).collect();
        assert!(seen.is_sorted() && seen.last() == Some(&999), "seed {seed}: {seen:?}");
    }
}

#[test]
fn the_last_value_arrives_however_much_is_lost() {
    for seed in 0..100 {
        let (mut sim, a, b) = pair(seed);
        sim.weather.loss = if seed % 10 == 0 { 1.0 } else { 0.5 };
        sim.weather.reorder = 0.5;
        for n in 0..20 {
            sim.show(a, "cursor", &n.to_string()).unwrap();
            sim.show(b, "cursor", &n.to_string()).unwrap();
            sim.run_for(MS * u32::try_from(seed).unwrap());
        }
        sim.run_for(S);
        assert!(sim.all_know("cursor"), "seed {seed}");
        sim.call(a, |core, now| core.set_presence(now, "cursor", None)).unwrap();
        sim.run_for(S);
        assert!(sim.all_know("cursor"), "seed {seed}: cleared");
    }
}

#[test]
fn who_comes_late_gets_everything_and_who_is_cut_off_catches_up() {
    for seed in 0..20 {
        let (mut sim, a, b) = pair(seed);
        sim.weather.loss = 0.5;
        for slot in 0..32 {
            sim.show(a, &format!("slot {slot}"), &"x".repeat(slot * 300)).unwrap();
        }
        sim.run_for(S);
        sim.cut(a, b);
        sim.show(a, "slot 0", "changed").unwrap();
        sim.call(a, |core, now| core.set_presence(now, "slot 1", None)).unwrap();
        let late = sim.open();
        sim.run_for(4 * S);
        if seed % 2 == 0 {
            sim.kill_connection(a, b);
        }
        sim.mend(a, b);
        linked(&mut sim, 40 * S);
        sim.run_for(2 * S);
        for slot in 0..32 {
            assert!(sim.all_know(&format!("slot {slot}")), "seed {seed}: slot {slot}");
        }
        assert_eq!(sim.core(late).presence_of(sim.id(a), "slot 0").unwrap().bytes, b"changed");
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Activity

#[test]
fn what_a_person_does_is_known_to_all_and_to_who_comes_later() {
    for seed in 0..20 {
        let (mut sim, a, b) = pair(seed);
        let (ida, idb) = (sim.id(a), sim.id(b));
        assert_eq!(sim.core(b).activity_of(ida), Activity::Active);
        for activity in [Activity::Idle, Activity::Hidden, Activity::Active, Activity::Hidden] {
            sim.take_events(b);
            sim.tell(a, Input::Activity(activity));
            sim.run_for(S / 2);
            assert_eq!(sim.core(b).activity_of(ida), activity, "seed {seed}");
            let changed = Event::ActivityChanged { peer: ida, activity };
            assert_eq!(sim.take_events(b), [changed], "seed {seed}");
        }
        let late = sim.open();
        linked(&mut sim, 10 * S);
        assert_eq!(sim.core(late).activity_of(ida), Activity::Hidden, "seed {seed}");
        assert_eq!(sim.core(late).activity_of(idb), Activity::Active, "seed {seed}");
        // Still so on another connection.
        sim.kill_connection(a, b);
        sim.run_for(20 * S);
        linked(&mut sim, S);
        assert_eq!(sim.core(b).activity_of(ida), Activity::Hidden, "seed {seed}");
        // Out of reach, it is stale; and then what it was.
        sim.cut(a, b);
        sim.run_for(10 * S);
        assert_eq!(sim.core(b).activity_of(ida), Activity::Stale, "seed {seed}");
        sim.mend(a, b);
        sim.run_for(30 * S);
        assert_eq!(sim.core(b).activity_of(ida), Activity::Hidden, "seed {seed}");
        // A new life is active until it says otherwise.
        sim.reload(a, seed % 2 == 0);
        linked(&mut sim, 30 * S);
        sim.run_for(S);
        assert_eq!(sim.core(b).activity_of(ida), Activity::Active, "seed {seed}");
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Requests

fn request(sim: &mut Sim, from: NodeId, to: NodeId, channel: &str, payload: &Payload, timeout: Duration) -> RequestId {
    let to = sim.id(to);
    sim.call(from, |core, now| core.request(now, to, channel, payload, timeout)).unwrap()
}

/// The requests that a page got and that were not taken yet: who asks, under which number, what.
fn requests(sim: &mut Sim, node: NodeId) -> Vec<(converge_p2p::PeerId, u32, Payload)> {
    let of = |event| match event {
        Event::Request { from, request, payload, .. } => Some((from, request, payload)),
        _ => None,
    };
    sim.take_events(node).into_iter().filter_map(of).collect()
}

/// What became of a request; it is said once.
fn outcome(sim: &Sim, node: NodeId, id: RequestId) -> Option<Result<Payload, RequestError>> {
    let of = |event: &Event| match event {
        Event::Reply { request, result } if *request == id => Some(result.clone()),
        _ => None,
    };
    let mut outcomes: Vec<_> = sim.events(node).iter().filter_map(of).collect();
    assert!(outcomes.len() <= 1, "seed {}: {outcomes:?}", sim.seed());
    outcomes.pop()
}

#[test]
fn a_request_gets_its_reply() {
    for seed in 0..20 {
        let (mut sim, a, b) = pair(seed);
        sim.call(b, |core, _| core.serve("sum", true));
        let one = request(&mut sim, a, b, "sum", &text("1"), 10 * S);
        let two = request(&mut sim, a, b, "sum", &text(&"2".repeat(100_000)), 10 * S);
        let three = request(&mut sim, a, b, "sum", &text("3"), 10 * S);
        sim.run_for(S);
        let got = requests(&mut sim, b);
        assert_eq!(got.len(), 3, "seed {seed}");
        // In any order, each once; large ones too.
        for (from, number, payload) in got.iter().rev() {
            assert_eq!(*from, sim.id(a));
            let answer = text(&format!("{} bytes", payload.bytes.len()));
            let (from, number) = (*from, *number);
            if payload.bytes == b"3" {
                sim.call(b, |core, now| core.reply(now, from, number, Err("not three"))).unwrap();
            } else {
                sim.call(b, |core, now| core.reply(now, from, number, Ok(&answer))).unwrap();
            }
            // Said twice, it is not heard.
            let _ = sim.call(b, |core, now| core.reply(now, from, number, Ok(&answer)));
        }
        sim.run_for(S);
        assert_eq!(outcome(&sim, a, one), Some(Ok(text("1 bytes"))), "seed {seed}");
        assert_eq!(outcome(&sim, a, two), Some(Ok(text("100000 bytes"))), "seed {seed}");
        assert_eq!(outcome(&sim, a, three), Some(Err(RequestError::Refused("not three".to_owned()))), "seed {seed}");
        sim.run_for(20 * S);
        outcome(&sim, a, one);
    }
}

#[test]
fn a_request_nobody_serves_is_answered_at_once_and_one_nobody_answers_in_time() {
    let (mut sim, a, b) = pair(1);
    sim.call(b, |core, _| core.serve("slow", true));
    let unserved = request(&mut sim, a, b, "sum", &text("1"), 10 * S);
    let slow = request(&mut sim, a, b, "slow", &text("1"), 3 * S);
    sim.run_for(S);
    assert_eq!(outcome(&sim, a, unserved), Some(Err(RequestError::NotServed)));
    assert_eq!(outcome(&sim, a, slow), None);
    sim.run_for(3 * S);
    assert_eq!(outcome(&sim, a, slow), Some(Err(RequestError::Timeout)));
    // The other side is told, and its late reply goes nowhere.
    let from = sim.id(a);
    let [(_, number, _)] = requests(&mut sim, b)[..].to_vec()[..] else { panic!("one request") };
    let _ = sim.call(b, |core, now| core.reply(now, from, number, Ok(&text("late"))));
    sim.run_for(S);
    assert_eq!(outcome(&sim, a, slow), Some(Err(RequestError::Timeout)));
    // No longer served.
    sim.call(b, |core, _| core.serve("slow", false));
    let unserved = request(&mut sim, a, b, "slow", &text("1"), 10 * S);
    sim.run_for(S);
    assert_eq!(outcome(&sim, a, unserved), Some(Err(RequestError::NotServed)));
}

#[test]
fn a_request_that_is_cancelled_is_cancelled_at_the_other_end_too() {
    for seed in 0..20 {
        let (mut sim, a, b) = pair(seed);
        sim.call(b, |core, _| core.serve("slow", true));
        let id = request(&mut sim, a, b, "slow", &text("1"), 10 * S);
        sim.run_for(S);
        let from = sim.id(a);
        let got = requests(&mut sim, b);
        let [(_, number, _)] = got[..] else { panic!("{got:?}") };
        sim.call(a, |core, now| core.cancel_request(now, id));
        sim.run_for(S);
        assert!(has(&sim, b, |event| *event == Event::RequestCancelled { from, request: number }), "seed {seed}");
        let _ = sim.call(b, |core, now| core.reply(now, from, number, Ok(&text("late"))));
        sim.run_for(20 * S);
        assert_eq!(outcome(&sim, a, id), None, "seed {seed}: nobody waits for it");
    }
}

#[test]
fn a_timeout_reaches_the_other_end_as_a_cancellation() {
    let (mut sim, a, b) = pair(2);
    sim.call(b, |core, _| core.serve("slow", true));
    request(&mut sim, a, b, "slow", &text("1"), 2 * S);
    sim.run_for(4 * S);
    assert!(has(&sim, b, |event| matches!(event, Event::RequestCancelled { .. })));
}

#[test]
fn too_many_requests_at_once_are_turned_away() {
    let (mut sim, a, b) = pair(3);
    sim.call(b, |core, _| core.serve("slow", true));
    let ids: Vec<RequestId> = (0..1000).map(|_| request(&mut sim, a, b, "slow", &text("1"), 10 * S)).collect();
    sim.run_for(S);
    let busy = ids.iter().filter(|id| outcome(&sim, a, **id) == Some(Err(RequestError::Busy))).count();
    let got = requests(&mut sim, b);
    assert_eq!(busy + got.len(), 1000);
    assert!(!got.is_empty() && busy > 0, "{busy} are turned away");
    // When they are answered there is room for more.
    for (from, number, _) in got {
        sim.call(b, |core, now| core.reply(now, from, number, Ok(&text("done")))).unwrap();
    }
    sim.run_for(S);
    let id = request(&mut sim, a, b, "slow", &text("1"), 10 * S);
    sim.run_for(S);
    assert_eq!(outcome(&sim, a, id), None);
    assert_eq!(requests(&mut sim, b).len(), 1);
}

#[test]
fn requests_outlive_connections_but_not_peers() {
    for seed in 0..50 {
        let (mut sim, a, b) = pair(seed);
        let from = sim.id(a);
        sim.call(b, |core, _| core.serve("sum", true));
        let id = request(&mut sim, a, b, "sum", &text("1"), 30 * S);
        sim.run_for(MS * u32::try_from(seed).unwrap() * 3);
        sim.kill_connection(a, b);
        sim.run_for(8 * S);
        let got = requests(&mut sim, b);
        let [(_, number, _)] = got[..] else { panic!("seed {seed}: {got:?}") };
        sim.call(b, |core, now| core.reply(now, from, number, Ok(&text("one")))).unwrap();
        sim.run_for(MS * u32::try_from(seed).unwrap());
        sim.kill_connection(a, b);
        sim.run_for(8 * S);
        assert_eq!(outcome(&sim, a, id), Some(Ok(text("one"))), "seed {seed}");

        // Gone, or another life that knows nothing of it.
        let id = request(&mut sim, a, b, "sum", &text("1"), 60 * S);
        sim.run_for(S);
        match seed % 3 {
            0 => sim.close(b),
            1 => sim.crash(b),
            _ => sim.reload(b, false),
        }
        sim.run_for(40 * S);
        assert_eq!(outcome(&sim, a, id), Some(Err(RequestError::Gone)), "seed {seed}");
        if seed % 3 != 2 {
            let to = sim.id(b);
            let refused = sim.call(a, |core, now| core.request(now, to, "sum", &text("1"), S));
            assert_eq!(refused, Err(SendError::UnknownPeer { peer: to }), "seed {seed}");
        }
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Files

fn transfer(sim: &Sim, node: NodeId, id: TransferId) -> Transfer {
    sim.core(node).transfers().into_iter().find(|transfer| transfer.id == id).unwrap()
}

/// The offer that reaches the other page.
fn offered(sim: &mut Sim, node: NodeId) -> Transfer {
    let offer = |sim: &Sim| {
        let of = |transfer: &Transfer| !transfer.outgoing && transfer.state == TransferState::Offered;
        sim.core(node).transfers().into_iter().find(of)
    };
    assert!(sim.run_until(2 * S, |sim| offer(sim).is_some()), "seed {}: no offer", sim.seed());
    offer(sim).unwrap()
}

/// One page offers a file, the other wants it. Returns its name at both ends.
fn begin(sim: &mut Sim, a: NodeId, b: NodeId, size: u64) -> (TransferId, TransferId) {
    let sent = sim.offer_file(a, b, "notes.txt", size).unwrap();
    let got = offered(sim, b).id;
    sim.call(b, |core, now| core.accept(now, got));
    (sent, got)
}

fn over(sim: &mut Sim, node: NodeId, id: TransferId, within: Duration) -> TransferState {
    let is_over = |sim: &Sim| transfer(sim, node, id).state.is_over();
    assert!(sim.run_until(within, is_over), "seed {}: {:?}", sim.seed(), transfer(sim, node, id));
    transfer(sim, node, id).state
}

/// What has arrived is what was read.
fn same(sim: &Sim, a: NodeId, sent: TransferId, b: NodeId, got: TransferId, size: u64) {
    let (source, sink) = (sim.source(a, sent).unwrap(), sim.sink(b, got).unwrap());
    assert_eq!(sink.bytes().len() as u64, size, "seed {}", sim.seed());
    assert!(sink.bytes() == pattern(source.pattern(), 0, sink.bytes().len()), "seed {}: other bytes", sim.seed());
    assert!(sink.is_finished());
}

/// Every state that the application was told of, without repetition.
fn states(sim: &Sim, node: NodeId, id: TransferId) -> Vec<TransferState> {
    let of = |event: &Event| match event {
        Event::Transfer(transfer) if transfer.id == id => Some(transfer.state.clone()),
        _ => None,
    };
    let mut states: Vec<_> = sim.events(node).iter().filter_map(of).collect();
    states.dedup();
    states
}

#[test]
fn a_file_arrives_whole() {
    for (seed, size) in (0..).zip([0, 1, 1000, 65_536, 65_537, 300_000, 5_000_000]) {
        let (mut sim, a, b) = pair(seed);
        let sent = sim.offer_file(a, b, "notes.txt", size).unwrap();
        let offer = offered(&mut sim, b);
        let expected = (sim.id(a), false, "notes.txt", "text/plain", size, 0);
        let found = (offer.peer, offer.outgoing, offer.name.as_str(), offer.mime.as_str(), offer.size, offer.moved);
        assert_eq!(found, expected);
        sim.run_for(3 * S);
        assert_eq!(sim.source(a, sent).unwrap().read(), 0, "nothing is read before it is wanted");
        sim.call(b, |core, now| core.accept(now, offer.id));
        assert_eq!(over(&mut sim, b, offer.id, 60 * S), TransferState::Done);
        assert_eq!(over(&mut sim, a, sent, 5 * S), TransferState::Done);
        same(&sim, a, sent, b, offer.id, size);
        assert_eq!(sim.source(a, sent).unwrap().read(), size);
        for (node, id) in [(a, sent), (b, offer.id)] {
            assert_eq!(transfer(&sim, node, id).moved, size);
            assert_eq!(states(&sim, node, id).last(), Some(&TransferState::Done));
            assert_eq!(states(&sim, node, id).first(), Some(&TransferState::Offered));
        }
        assert!(!sim.sink(b, offer.id).unwrap().is_dropped(), "it is kept until it is forgotten");
        sim.run_for(S);
        assert!(sim.core(a).held_bytes() < 64 * 1024 && sim.core(b).held_bytes() < 64 * 1024);
        sim.call(b, |core, _| core.forget(offer.id));
        sim.call(a, |core, _| core.forget(sent));
        assert!(sim.sink(b, offer.id).unwrap().is_dropped());
        assert!(sim.source(a, sent).unwrap().is_dropped());
        assert!(sim.core(a).transfers().is_empty() && sim.core(b).transfers().is_empty());
    }
}

#[test]
fn several_files_in_both_directions_and_messages_meanwhile() {
    for seed in 0..10 {
        let (mut sim, a, b) = pair(seed);
        sim.weather.bytes_per_second = Some(2_000_000);
        let there: Vec<_> = (1..4).map(|n| (n * 300_000, begin(&mut sim, a, b, n * 300_000))).collect();
        let back: Vec<_> = (1..4).map(|n| (n * 400_000, begin(&mut sim, b, a, n * 400_000))).collect();
        sim.run_for(S / 2);
        sim.take_events(b);
        sim.send_to(a, b, "small and quick").unwrap();
        sim.run_for(S);
        assert_eq!(sim.messages(b).len(), 1, "seed {seed}: files don't hold up messages");
        for (from, to, files) in [(a, b, there), (b, a, back)] {
            for (size, (sent, got)) in files {
                assert_eq!(over(&mut sim, to, got, 30 * S), TransferState::Done);
                assert_eq!(over(&mut sim, from, sent, 5 * S), TransferState::Done);
                same(&sim, from, sent, to, got, size);
            }
        }
    }
}

#[test]
fn a_file_goes_on_where_it_was_when_the_connection_died() {
    for seed in 0..30 {
        let (mut sim, a, b) = pair(seed);
        let size = 12 * MIB;
        sim.weather.bytes_per_second = Some(4_000_000);
        let mut random = fastrand::Rng::with_seed(seed);
        let (sent, got) = begin(&mut sim, a, b, size);
        for _ in 0..2 {
            sim.run_for(MS * random.u32(300..1500));
            if random.bool() {
                sim.kill_connection(a, b);
            } else {
                sim.cut(a, b);
                sim.run_for(MS * random.u32(0..12_000));
                sim.mend(a, b);
            }
            sim.run_for(MS * random.u32(0..3000));
        }
        assert_eq!(over(&mut sim, b, got, 90 * S), TransferState::Done, "seed {seed}");
        assert_eq!(over(&mut sim, a, sent, 5 * S), TransferState::Done, "seed {seed}");
        same(&sim, a, sent, b, got, size);
        let read = sim.source(a, sent).unwrap().read();
        assert!(read < size + size / 2, "seed {seed}: {read} bytes were read of {size}");
    }
}

#[test]
fn a_slow_disk_bounds_what_is_under_way() {
    let (mut sim, a, b) = pair(1);
    sim.weather.stored_per_second = Some(500_000);
    let (sent, got) = begin(&mut sim, a, b, 30 * MIB);
    for _ in 0..300 {
        sim.run_for(100 * MS);
        let (source, sink) = (sim.source(a, sent).unwrap(), sim.sink(b, got).unwrap());
        let ahead = source.read() - sink.stored();
        assert!(ahead <= 8 * MIB, "{ahead} bytes are under way");
        assert!(sim.core(b).held_bytes() as u64 <= 9 * MIB, "{} bytes are held", sim.core(b).held_bytes());
        assert!(sim.core(a).held_bytes() as u64 <= 2 * MIB + 64 * KIB, "{} bytes are held", sim.core(a).held_bytes());
    }
    let moved = transfer(&sim, b, got).moved;
    assert!(moved > 10 * MIB, "{moved} bytes in half a minute");
    sim.weather.stored_per_second = None;
    assert_eq!(over(&mut sim, b, got, 60 * S), TransferState::Done);
    same(&sim, a, sent, b, got, 30 * MIB);
}

#[test]
fn a_fast_link_is_kept_busy() {
    let (mut sim, a, b) = pair(2);
    sim.weather.bytes_per_second = Some(10_000_000);
    let start = sim.now();
    let (_, got) = begin(&mut sim, a, b, 40 * MIB);
    assert_eq!(over(&mut sim, b, got, 60 * S), TransferState::Done);
    let seconds = sim.now().since(start).as_secs_f64();
    let ideal = 40.0 * MIB as f64 / 1e7;
    assert!(seconds < ideal * 1.5, "{seconds} s instead of {ideal} s");
}

#[test]
fn a_file_that_is_not_wanted_or_no_longer_is_over_at_both_ends() {
    for seed in 0..30 {
        for case in ["declined", "withdrawn", "sender", "receiver"] {
            let (mut sim, a, b) = pair(seed);
            sim.weather.bytes_per_second = Some(1_000_000);
            let sent = sim.offer_file(a, b, "notes.txt", 5 * MIB).unwrap();
            let got = offered(&mut sim, b).id;
            let expected = match case {
                "declined" => {
                    sim.call(b, |core, now| core.decline(now, got));
                    TransferState::Declined
                }
                "withdrawn" => {
                    sim.call(a, |core, now| core.cancel(now, sent));
                    TransferState::Cancelled
                }
                _ => {
                    sim.call(b, |core, now| core.accept(now, got));
                    sim.run_for(MS * u32::try_from(seed).unwrap() * 50);
                    if case == "sender" {
                        sim.call(a, |core, now| core.cancel(now, sent));
                    } else {
                        sim.call(b, |core, now| core.cancel(now, got));
                    }
                    TransferState::Cancelled
                }
            };
            assert_eq!(over(&mut sim, a, sent, 10 * S), expected, "seed {seed}: {case}");
            assert_eq!(over(&mut sim, b, got, 10 * S), expected, "seed {seed}: {case}");
            sim.run_for(2 * S);
            assert!(sim.source(a, sent).unwrap().is_dropped(), "seed {seed}: {case}");
            assert!(sim.sink(b, got).is_none_or(|sink| sink.is_dropped()), "seed {seed}: {case}");
            assert!(sim.core(a).held_bytes() < 64 * 1024 && sim.core(b).held_bytes() < 64 * 1024);
            // What makes no sense any more is ignored.
            sim.call(b, |core, now| core.accept(now, got));
            sim.call(b, |core, now| core.cancel(now, got));
            sim.call(a, |core, now| core.cancel(now, sent));
            sim.run_for(S);
            linked(&mut sim, S);
            assert_eq!(transfer(&sim, b, got).state, expected, "seed {seed}: {case}");
            let (sent, got) = begin(&mut sim, a, b, 1000);
            assert_eq!(over(&mut sim, b, got, 5 * S), TransferState::Done, "seed {seed}: {case}");
            assert_eq!(over(&mut sim, a, sent, 5 * S), TransferState::Done, "seed {seed}: {case}");
        }
    }
}

#[test]
fn a_file_that_can_t_be_read_or_stored_fails_at_both_ends() {
    for seed in 0..10 {
        for reading in [true, false] {
            let (mut sim, a, b) = pair(seed);
            sim.weather.bytes_per_second = Some(5_000_000);
            let (sent, got) = begin(&mut sim, a, b, 3 * MIB);
            if reading {
                sim.fail_reads(a, sent, MIB + seed * 1000);
            } else {
                sim.fail_writes(b, got, MIB + seed * 1000);
            }
            let read = TransferState::Failed(TransferError::Read("the disk is on fire".to_owned()));
            let write = TransferState::Failed(TransferError::Write("the disk is full".to_owned()));
            let remote = TransferState::Failed(TransferError::Remote);
            let (there, here) = if reading { (read, remote) } else { (remote, write) };
            assert_eq!(over(&mut sim, a, sent, 10 * S), there, "seed {seed}");
            assert_eq!(over(&mut sim, b, got, 10 * S), here, "seed {seed}");
            sim.run_for(S);
            assert!(sim.source(a, sent).unwrap().is_dropped() && sim.sink(b, got).unwrap().is_dropped());
            assert!(sim.core(a).held_bytes() < 64 * 1024 && sim.core(b).held_bytes() < 64 * 1024);
            linked(&mut sim, S);
        }
    }
}

#[test]
fn a_file_that_changes_while_it_is_sent_is_noticed() {
    let mut noticed = 0;
    for seed in 0..20 {
        let (mut sim, a, b) = pair(seed);
        sim.weather.bytes_per_second = Some(1_000_000);
        let (sent, got) = begin(&mut sim, a, b, 4 * MIB);
        sim.run_for(S + MS * u32::try_from(seed).unwrap() * 40);
        // What was under way is read again after the connection has died, and is not what it was.
        sim.kill_connection(a, b);
        sim.corrupt(a, sent);
        let here = over(&mut sim, b, got, 60 * S);
        let there = over(&mut sim, a, sent, 10 * S);
        if here == TransferState::Failed(TransferError::Hash) {
            assert!(matches!(there, TransferState::Failed(_)), "seed {seed}: {there:?}");
            assert!(sim.sink(b, got).unwrap().is_dropped());
            noticed += 1;
        } else {
            // Nothing had to be read again.
            assert_eq!((here, there), (TransferState::Done, TransferState::Done), "seed {seed}");
        }
    }
    assert!(noticed >= 15, "noticed {noticed} times");
}

#[test]
fn too_many_files_at_once_are_refused_and_the_others_are_not_hurt() {
    let (mut sim, a, b) = pair(4);
    let mut sent = Vec::new();
    let refused = loop {
        match sim.offer_file(a, b, &format!("{}.txt", sent.len()), 1000) {
            Ok(id) => sent.push(id),
            Err(error) => break error,
        }
        assert!(sent.len() < 1000, "there is a bound");
    };
    assert_eq!(refused, SendError::QueueFull { peers: vec![sim.id(b)] });
    sim.run_for(5 * S);
    let offers: Vec<TransferId> = sim.core(b).transfers().into_iter().map(|transfer| transfer.id).collect();
    assert_eq!(offers.len(), sent.len());
    for got in &offers {
        sim.call(b, |core, now| core.accept(now, *got));
    }
    for (sent, got) in sent.iter().zip(&offers) {
        assert_eq!(over(&mut sim, b, *got, 10 * S), TransferState::Done);
        assert_eq!(over(&mut sim, a, *sent, 5 * S), TransferState::Done);
        same(&sim, a, *sent, b, *got, 1000);
    }
    begin(&mut sim, a, b, 1000);
}

#[test]
fn a_file_is_wanted_while_much_else_waits() {
    for seed in 0..10 {
        let (mut sim, a, b) = pair(seed);
        sim.weather.bytes_per_second = Some(1_000_000);
        let sent = sim.offer_file(a, b, "notes.txt", MIB).unwrap();
        let got = offered(&mut sim, b).id;
        for _ in 0..20 {
            sim.send_to(b, a, &"x".repeat(100_000)).unwrap();
        }
        sim.call(b, |core, now| core.accept(now, got));
        assert_eq!(over(&mut sim, b, got, 30 * S), TransferState::Done, "seed {seed}");
        assert_eq!(over(&mut sim, a, sent, 5 * S), TransferState::Done, "seed {seed}");
        same(&sim, a, sent, b, got, MIB);
    }
}

#[test]
fn a_file_ends_with_the_peer() {
    for seed in 0..20 {
        for reload in [true, false] {
            let (mut sim, a, b) = pair(seed);
            sim.weather.bytes_per_second = Some(1_000_000);
            let (sent, _) = begin(&mut sim, a, b, 30 * MIB);
            let (_, got) = begin(&mut sim, b, a, 30 * MIB);
            sim.run_for(2 * S);
            if reload {
                sim.reload(b, seed % 2 == 0);
            } else {
                sim.crash(b);
            }
            for id in [sent, got] {
                let state = over(&mut sim, a, id, 40 * S);
                assert_eq!(state, TransferState::Failed(TransferError::Gone), "seed {seed}");
            }
            assert!(sim.source(a, sent).unwrap().is_dropped() && sim.sink(a, got).unwrap().is_dropped());
            assert!(sim.core(a).held_bytes() < 64 * 1024, "seed {seed}: {}", sim.core(a).held_bytes());
        }
    }
}

#[test]
fn a_file_s_name_has_no_folders_and_nothing_that_deceives() {
    let (mut sim, a, b) = pair(5);
    for (name, shown) in
        [("../../etc/passwd", "passwd"), ("c:\\boot.ini", "boot.ini"), ("a\u{202e}gpj.exe", "agpj.exe")]
    {
        sim.offer_file(a, b, name, 10).unwrap();
        let offer = offered(&mut sim, b);
        assert_eq!(offer.name, shown);
        sim.call(b, |core, now| core.decline(now, offer.id));
    }
}
