//! Requests and replies.

use super::*;

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
        let (mut sim, a, b) = Sim::pair(seed);
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
    let (mut sim, a, b) = Sim::pair(1);
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
        let (mut sim, a, b) = Sim::pair(seed);
        sim.call(b, |core, _| core.serve("slow", true));
        let id = request(&mut sim, a, b, "slow", &text("1"), 10 * S);
        sim.run_for(S);
        let from = sim.id(a);
        let got = requests(&mut sim, b);
        let [(_, number, _)] = got[..] else { panic!("{got:?}") };
        sim.call(a, |core, now| core.cancel_request(now, id));
        sim.run_for(S);
        assert!(sim.was_told(b, |event| *event == Event::RequestCancelled { from, request: number }), "seed {seed}");
        let _ = sim.call(b, |core, now| core.reply(now, from, number, Ok(&text("late"))));
        sim.run_for(20 * S);
        assert_eq!(outcome(&sim, a, id), None, "seed {seed}: nobody waits for it");
    }
}

#[test]
fn a_timeout_reaches_the_other_end_as_a_cancellation() {
    let (mut sim, a, b) = Sim::pair(2);
    sim.call(b, |core, _| core.serve("slow", true));
    request(&mut sim, a, b, "slow", &text("1"), 2 * S);
    sim.run_for(4 * S);
    assert!(sim.was_told(b, |event| matches!(event, Event::RequestCancelled { .. })));
}

#[test]
fn too_many_requests_at_once_are_turned_away() {
    let (mut sim, a, b) = Sim::pair(3);
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
        let (mut sim, a, b) = Sim::pair(seed);
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
