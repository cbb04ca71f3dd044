//! Links that are slow or pass nothing, and how much is held meanwhile.

use super::*;

#[test]
fn what_does_not_move_is_said_to_and_is_delivered_when_it_does() {
    for seed in 0..20 {
        let (mut sim, a, b) = Sim::pair(seed);
        let id = sim.id(b);
        sim.stall(a, b, 50 * S);
        if seed % 2 == 0 {
            sim.stall(b, a, 50 * S);
        }
        for n in 0..10 {
            send(&mut sim, a, b, Lane::RELIABLE, &numbered(n, 1000)).unwrap();
        }
        let stalled = |sim: &Sim| sim.was_told(a, |event| *event == Event::Stalled { peer: id });
        assert!(!sim.run_until(25 * S, stalled), "seed {seed}: too early");
        assert!(sim.run_until(20 * S, stalled), "seed {seed}: {:?}", sim.events(a));
        assert_eq!(sim.core(a).room_for(Some(id), Lane::RELIABLE), Err(SendError::Stalled { peer: id }), "seed {seed}");
        sim.run_for(90 * S);
        sim.link_all(S);
        let got: Vec<u64> = numbers(&sim, b, a).into_iter().map(|(number, _)| number).collect();
        assert_eq!(got, (0..10).collect::<Vec<_>>(), "seed {seed}: {:?}", sim.events(a));
        assert_eq!(sim.core(a).room_for(Some(id), Lane::RELIABLE), Ok(true), "seed {seed}");
        let times = sim.events(a).iter().filter(|event| matches!(event, Event::Stalled { .. })).count();
        assert_eq!(times, 1, "seed {seed}: it is said once");
    }
}

/// An outage of any length is no fault of the peer: its queue waits for the link, however full it is.
#[test]
fn a_full_queue_outlasts_an_outage() {
    for seed in 0..20 {
        let (mut sim, a, b) = Sim::pair(seed);
        let id = sim.id(b);
        sim.stall(a, b, 50 * S);
        sim.stall(b, a, 50 * S);
        for n in 0..40 {
            send(&mut sim, a, b, Lane::RELIABLE, &numbered(n, 50_000)).unwrap();
        }
        let stalled = |sim: &Sim| sim.was_told(a, |event| *event == Event::Stalled { peer: id });
        assert!(sim.run_until(45 * S, stalled), "seed {seed}: {:?}", sim.events(a));
        let all = |sim: &Sim| numbers(sim, b, a).len() == 40;
        assert!(sim.run_until(180 * S, all), "seed {seed}: {:?}", sim.events(a));
        let given_up = sim.was_told(a, |event| matches!(event, Event::Undelivered { .. }));
        assert!(!given_up, "seed {seed}: {:?}", sim.events(a));
    }
}

#[test]
fn who_waits_until_there_is_room_holds_little_and_keeps_the_link_busy() {
    const PIECE: usize = 64 * 1024;
    // What waits when there is still room, and one piece more.
    const BOUND: usize = 1024 * 1024 + 2 * PIECE;
    for lane in [Lane::RELIABLE, Lane::BULK] {
        let (mut sim, a, b) = Sim::pair(1);
        sim.weather.bytes_per_second = Some(2_000_000);
        let id = sim.id(b);
        let start = sim.now();
        let pieces = 320;
        for n in 0..pieces {
            let room = |sim: &Sim| sim.core(a).room_for(Some(id), lane) == Ok(true);
            assert!(sim.run_until(30 * S, room), "piece {n}");
            send(&mut sim, a, b, lane, &numbered(n, PIECE)).unwrap();
            assert!(sim.core(a).held_bytes() <= BOUND, "{}", sim.core(a).held_bytes());
        }
        let all = |sim: &Sim| numbers(sim, b, a).len() as u64 == pieces;
        assert!(sim.run_until(30 * S, all));
        let seconds = sim.now().since(start).as_secs_f64();
        let ideal = pieces as f64 * PIECE as f64 / 2e6;
        assert!(seconds < ideal * 1.3, "{seconds} s instead of {ideal} s");
        assert!(sim.peak_held(a) <= BOUND + AT_REST, "{}", sim.peak_held(a));
        assert!(sim.peak_held(b) <= BOUND + AT_REST, "{}", sim.peak_held(b));
    }
}

#[test]
fn who_does_not_wait_is_refused_and_what_was_accepted_arrives() {
    let (mut sim, a, b) = Sim::pair(2);
    sim.weather.bytes_per_second = Some(5_000_000);
    let mut accepted = 0;
    let refused = loop {
        match send(&mut sim, a, b, Lane::RELIABLE, &numbered(accepted, 100_000)) {
            Ok(()) => accepted += 1,
            Err(error) => break error,
        }
        assert!(accepted < 1000, "there is a bound");
    };
    assert_eq!(refused, SendError::QueueFull { peers: vec![sim.id(b)] });
    assert_eq!(sim.core(a).room_for(Some(sim.id(b)), Lane::RELIABLE), Ok(false));
    assert!(sim.core(a).held_bytes() <= 18 * 1024 * 1024);
    sim.run_for(20 * S);
    assert_eq!(numbers(&sim, b, a).len() as u64, accepted);
    assert_eq!(sim.core(a).room_for(Some(sim.id(b)), Lane::RELIABLE), Ok(true));
    assert!(sim.core(a).held_bytes() <= AT_REST);
}

/// Back-pressure: frames that a page has no time for wait at the sender. Nothing is lost, no link is closed, and the
/// others are still served.
#[test]
fn a_page_that_handles_slowly_slows_its_senders_and_loses_nothing() {
    for seed in 0..3 {
        let mut sim = Sim::new(seed);
        let [a, b, c] = [sim.open(), sim.open(), sim.open()];
        sim.link_all(10 * S);
        sim.weather.step = Duration::from_millis(2);
        let (id, mut sent) = (sim.id(a), 0);
        for second in 0..8 {
            while sim.core(b).room_for(Some(id), Lane::RELIABLE) == Ok(true) {
                send(&mut sim, b, a, Lane::RELIABLE, &numbered(sent, 100)).unwrap();
                sent += 1;
            }
            send(&mut sim, c, a, Lane::RELIABLE, &numbered(second, 100)).unwrap();
            sim.run_for(S);
            assert_eq!(
                numbers(&sim, a, c).len() as u64,
                second + 1,
                "seed {seed}: {sent} of another's are no reason to wait"
            );
        }
        sim.weather.step = Duration::ZERO;
        sim.run_for(20 * S);
        let got: Vec<u64> = numbers(&sim, a, b).into_iter().map(|(number, _)| number).collect();
        assert!(sent > 5000 && got == (0..sent).collect::<Vec<_>>(), "seed {seed}: {} of {sent}", got.len());
        assert!(sim.all_linked() && !sim.was_told(a, |event| matches!(event, Event::PeerDisconnected { .. })));
    }
}

#[test]
fn a_large_message_on_one_lane_does_not_hold_up_a_small_one_on_another() {
    let (mut sim, a, b) = Sim::pair(3);
    sim.weather.bytes_per_second = Some(1_000_000);
    send(&mut sim, a, b, Lane::BULK, &numbered(1, 10_000_000)).unwrap();
    sim.run_for(S);
    send(&mut sim, a, b, Lane::RELIABLE, &numbered(2, 100)).unwrap();
    sim.run_for(S);
    assert_eq!(numbers(&sim, b, a), [(2, 100)]);
    sim.run_for(15 * S);
    assert_eq!(numbers(&sim, b, a), [(2, 100), (1, 10_000_000)]);
}

#[test]
fn the_largest_message_arrives_and_a_larger_one_is_refused() {
    use converge_p2p::wire::MAX_PAYLOAD_BYTES;
    for max_message in [65_536, 256 * 1024, 20 * 1024] {
        let mut sim = Sim::new(4);
        sim.weather.max_message = max_message;
        let (a, b) = (sim.open(), sim.open());
        sim.link_all(10 * S);
        let too_large = send(&mut sim, a, b, Lane::RELIABLE, &bytes(vec![0; MAX_PAYLOAD_BYTES + 1]));
        assert!(matches!(too_large, Err(SendError::TooLarge { .. })), "{too_large:?}");
        send(&mut sim, a, b, Lane::RELIABLE, &numbered(1, MAX_PAYLOAD_BYTES)).unwrap();
        sim.run_for(20 * S);
        assert_eq!(numbers(&sim, b, a), [(1, MAX_PAYLOAD_BYTES)]);
    }
}

#[test]
fn a_lane_of_the_application_s_delivers_as_it_was_asked_to() {
    let mut sim = Sim::new(6);
    sim.lanes = vec![
        Delivery::Retransmits { ordered: true, times: 0 },
        Delivery::Lifetime { ordered: false, millis: 100 },
        Delivery::Reliable,
    ];
    let (a, b) = (sim.open(), sim.open());
    sim.link_all(10 * S);
    sim.weather.loss = 0.3;
    sim.weather.reorder = 0.5;
    for lane in (0..3).map(Lane::app).chain([Lane::LOSSY]) {
        sim.take_events(b);
        for n in 0..200 {
            send(&mut sim, a, b, lane, &numbered(n, 20)).unwrap();
            sim.run_for(5 * MS);
        }
        sim.run_for(2 * S);
        let got: Vec<u64> = numbers(&sim, b, a).into_iter().map(|(number, _)| number).collect();
        let reliable = lane == Lane::app(2);
        assert_eq!(got.len() == 200, reliable, "{lane:?}");
        assert!(got.len() > 100, "{lane:?}: {}", got.len());
        assert_eq!(got.is_sorted(), reliable || lane == Lane::app(0), "{lane:?}");
    }
    let none = send(&mut sim, a, b, Lane::app(3), &numbered(1, 1));
    assert!(matches!(none, Err(SendError::NoLane { .. })), "{none:?}");
    let large = send(&mut sim, a, b, Lane::LOSSY, &numbered(1, 100_000));
    assert!(matches!(large, Err(SendError::TooLarge { .. })), "{large:?}");
}

#[test]
fn pages_with_other_lanes_part_with_that_reason() {
    let mut sim = Sim::new(7);
    let a = sim.open();
    sim.lanes = vec![Delivery::Reliable];
    let b = sim.open();
    sim.run_for(10 * S);
    let id = sim.id(b);
    let lanes = Event::PeerDisconnected { peer: id, reason: DisconnectReason::Lanes };
    assert!(sim.events(a).contains(&lanes), "{:?}", sim.events(a));
    assert_eq!(sim.core(a).peers(), [(id, PeerState::Unreachable)]);
}

#[test]
fn one_seed_is_one_run() {
    let run = |seed| {
        let (mut sim, a, b) = Sim::pair(seed);
        sim.weather.loss = 0.2;
        sim.weather.reorder = 0.2;
        sim.weather.bytes_per_second = Some(1_000_000);
        for n in 0..20 {
            send(&mut sim, a, b, Lane::LOSSY, &numbered(n, 1000)).unwrap();
            send(&mut sim, a, b, Lane::BULK, &numbered(n, 100_000)).unwrap();
            sim.run_for(100 * MS);
        }
        sim.kill_connection(a, b);
        sim.run_for(20 * S);
        (sim.trace(), numbers(&sim, b, a))
    };
    assert_eq!(run(11), run(11));
    assert_ne!(run(11).0, run(12).0);
}
