//! Connections that are mended, and those that are made anew.

use super::*;

/// Packets vanish for some seconds, and ICE gives up: only a restart can mend the connection.
#[test]
fn a_restart_of_ice_keeps_the_link() {
    for seed in 0..50 {
        let (mut sim, a, b) = Sim::pair(seed);
        sim.weather.ice_trouble = S;
        sim.weather.ice_failure = 2 * S;
        let connections = sim.connections_made(a) + sim.connections_made(b);
        sim.cut(a, b);
        for n in 0..10 {
            send(&mut sim, a, b, Lane::RELIABLE, &numbered(n, 10_000)).unwrap();
            send(&mut sim, b, a, Lane::RELIABLE, &numbered(n, 10)).unwrap();
        }
        sim.run_for(3 * S + MS * u32::try_from(seed).unwrap() * 10);
        assert_eq!(sim.core(a).activity_of(sim.id(b)), Activity::Stale, "seed {seed}");
        sim.mend(a, b);
        sim.run_for(3 * S);
        for (node, other) in [(a, b), (b, a)] {
            assert!(!sim.was_told(node, lost_link), "seed {seed}: {:?}", sim.events(node));
            let got: Vec<u64> = numbers(&sim, node, other).into_iter().map(|(number, _)| number).collect();
            assert_eq!(got, (0..10).collect::<Vec<_>>(), "seed {seed}");
            assert_eq!(sim.core(node).activity_of(sim.id(other)), Activity::Active, "seed {seed}");
        }
        assert!(restarts(&sim, a) + restarts(&sim, b) > 0, "seed {seed}");
        assert_eq!(sim.connections_made(a) + sim.connections_made(b), connections, "seed {seed}");
        sim.link_all(S);
    }
}

/// Trouble that passes by itself costs nothing.
#[test]
fn a_short_silence_is_no_news() {
    for seed in 0..20 {
        let (mut sim, a, b) = Sim::pair(seed);
        let connections = sim.connections_made(a) + sim.connections_made(b);
        sim.cut(a, b);
        send(&mut sim, a, b, Lane::RELIABLE, &numbered(1, 10)).unwrap();
        sim.run_for(Duration::from_millis(1500));
        sim.mend(a, b);
        sim.run_for(20 * S);
        assert_eq!(numbers(&sim, b, a).len(), 1);
        assert!(!sim.was_told(a, lost_link) && !sim.was_told(b, lost_link), "seed {seed}");
        assert_eq!(sim.connections_made(a) + sim.connections_made(b), connections, "seed {seed}");
    }
}

#[test]
fn a_change_of_network_restarts_ice_and_two_restarts_at_once_settle() {
    for seed in 0..100 {
        let (mut sim, a, b) = Sim::pair(seed);
        let connections = sim.connections_made(a) + sim.connections_made(b);
        sim.tell(a, Input::NetworkChanged);
        if seed % 2 == 0 {
            sim.run_for(MS * u32::try_from(seed).unwrap());
            sim.tell(b, Input::NetworkChanged);
        }
        send(&mut sim, a, b, Lane::RELIABLE, &numbered(1, 100_000)).unwrap();
        send(&mut sim, b, a, Lane::RELIABLE, &numbered(1, 10)).unwrap();
        sim.run_for(20 * S);
        assert!(restarts(&sim, a) + restarts(&sim, b) > 0, "seed {seed}");
        for (node, other) in [(a, b), (b, a)] {
            assert!(!sim.was_told(node, lost_link), "seed {seed}: {:?}", sim.events(node));
            assert_eq!(numbers(&sim, node, other).len(), 1, "seed {seed}");
        }
        assert_eq!(sim.connections_made(a) + sim.connections_made(b), connections, "seed {seed}");
        sim.link_all(S);
    }
}

#[test]
fn two_who_want_to_negotiate_at_once_both_get_to() {
    for seed in 0..100 {
        let (mut sim, a, b) = Sim::pair(seed);
        for _ in 0..3 {
            sim.renegotiate(a, b);
            if seed % 2 == 0 {
                sim.run_for(MS * u32::try_from(seed).unwrap());
            }
            sim.renegotiate(b, a);
            if seed % 3 == 0 {
                sim.tell(a, Input::NetworkChanged);
            }
            sim.run_for(3 * S);
            assert!(!sim.wants_negotiation(a) && !sim.wants_negotiation(b), "seed {seed}");
        }
        sim.run_for(20 * S);
        assert!(!sim.was_told(a, lost_link) && !sim.was_told(b, lost_link), "seed {seed}");
        sim.link_all(S);
    }
}

const SIZES: [usize; 8] = [1, 100, 60_000, 65_000, 70_000, 200_000, 1_000_000, 3_000_000];

#[test]
fn a_connection_that_dies_is_made_again_and_what_was_under_way_goes_on() {
    for_seeds(0..100, |seed| {
        let (mut sim, a, b) = Sim::pair(seed);
        sim.weather.bytes_per_second = Some(3_000_000);
        let mut random = fastrand::Rng::with_seed(seed);
        let mut sent = 0;
        for _ in 0..2 {
            for size in SIZES {
                sent += 1;
                send(&mut sim, a, b, Lane::RELIABLE, &numbered(sent, size)).unwrap();
                send(&mut sim, b, a, Lane::BULK, &numbered(sent, size)).unwrap();
            }
        }
        for _ in 0..random.usize(1..4) {
            sim.run_for(MS * random.u32(0..2000));
            sim.kill_connection(a, b);
        }
        sim.run_for(60 * S);
        sim.link_all(S);
        for (node, other) in [(a, b), (b, a)] {
            let got = numbers(&sim, node, other);
            let expected: Vec<(u64, usize)> =
                (1..=sent).zip(SIZES.into_iter().cycle()).map(|(n, size)| (n, numbered(n, size).bytes.len())).collect();
            assert_eq!(got, expected, "seed {seed}: {other} to {node}");
            let id = sim.id(other);
            assert!(sim.was_told(node, |event| *event == Event::PeerConnected { peer: id }), "seed {seed}");
            assert!(!sim.was_told(node, |event| matches!(event, Event::Undelivered { .. } | Event::PeerLeft { .. })));
            assert!(sim.core(node).held_bytes() <= AT_REST, "seed {seed}: {}", sim.core(node).held_bytes());
        }
    });
}

#[test]
fn who_can_t_be_reached_in_any_way_is_gone_and_what_it_did_not_get_is_reported() {
    for seed in 0..30 {
        let (mut sim, a, b) = Sim::pair(seed);
        sim.stop_server();
        sim.run_for(S);
        // Packets vanish, the connection dies, and nobody can carry a new offer.
        sim.cut(a, b);
        for n in 0..5 {
            send(&mut sim, a, b, Lane::RELIABLE, &numbered(n, 10)).unwrap();
        }
        sim.run_for(S);
        sim.kill_connection(a, b);
        let id = sim.id(b);
        let gone = |sim: &Sim| sim.was_told(a, |event| matches!(event, Event::PeerLeft { .. }));
        assert!(!sim.run_until(5 * S, gone), "seed {seed}: too early");
        assert!(sim.run_until(20 * S, gone), "seed {seed}: {:?}", sim.events(a));
        let left = Event::PeerLeft { peer: id, reason: DisconnectReason::Lost };
        let events = sim.events(a);
        assert!(events.contains(&left), "seed {seed}: {events:?}");
        assert!(events.contains(&Event::Undelivered { peer: id, messages: 5 }), "seed {seed}: {events:?}");
        // And back again, as strangers.
        sim.mend(a, b);
        sim.start_server();
        sim.link_all(60 * S);
        sim.take_events(b);
        send(&mut sim, a, b, Lane::RELIABLE, &numbered(9, 10)).unwrap();
        sim.run_for(S);
        assert_eq!(numbers(&sim, b, a), [(9, 10)], "seed {seed}");
    }
}

#[test]
fn a_connection_that_dies_while_the_server_is_away_is_made_again_when_it_returns_in_time() {
    for seed in 0..30 {
        let (mut sim, a, b) = Sim::pair(seed);
        sim.stop_server();
        sim.run_for(S);
        sim.kill_connection(a, b);
        send(&mut sim, a, b, Lane::RELIABLE, &numbered(1, 100_000)).unwrap();
        sim.run_for(3 * S);
        sim.start_server();
        sim.run_for(60 * S);
        sim.link_all(S);
        // Whether they were back in time to know each other or not, nothing is lost without word of it.
        let undelivered = sim.was_told(a, |event| matches!(event, Event::Undelivered { messages: 1, .. }));
        assert!(undelivered || numbers(&sim, b, a) == [(1, 100_000)], "seed {seed}: {:?}", sim.events(a));
    }
}

#[test]
fn a_page_that_is_loaded_anew_while_its_link_is_mended() {
    for seed in 0..100 {
        let (mut sim, a, b) = Sim::pair(seed);
        let mut random = fastrand::Rng::with_seed(seed);
        if random.bool() {
            sim.cut(a, b);
        } else {
            sim.kill_connection(a, b);
        }
        send(&mut sim, a, b, Lane::RELIABLE, &numbered(1, 10)).unwrap();
        sim.run_for(MS * random.u32(0..12_000));
        let before = numbers(&sim, b, a).len();
        sim.reload(b, random.bool());
        sim.run_for(MS * random.u32(0..2_000));
        sim.mend(a, b);
        sim.link_all(40 * S);
        let before = before + numbers(&sim, b, a).len();
        let reported = sim.was_told(a, |event| matches!(event, Event::Undelivered { messages: 1, .. }));
        assert!(before == 1 || reported, "seed {seed}: {:?}", sim.events(a));
        sim.take_events(b);
        send(&mut sim, a, b, Lane::RELIABLE, &numbered(2, 10)).unwrap();
        send(&mut sim, b, a, Lane::RELIABLE, &numbered(3, 10)).unwrap();
        sim.run_for(S);
        assert_eq!(numbers(&sim, b, a), [(2, 10)], "seed {seed}");
        assert_eq!(numbers(&sim, a, b), [(3, 10)], "seed {seed}");
    }
}

#[test]
fn a_machine_that_sleeps_is_stale_and_comes_back_as_the_same() {
    for seed in 0..30 {
        for seconds in [3, 12, 25] {
            let (mut sim, a, b) = Sim::pair(seed);
            let id = sim.id(b);
            match seed % 3 {
                0 => sim.sleep(b, seconds * S),
                1 => sim.suspend(b, seconds * S),
                _ => sim.freeze(b, seconds * S),
            }
            send(&mut sim, a, b, Lane::RELIABLE, &numbered(1, 70_000)).unwrap();
            sim.run_for(10 * S);
            if seconds > 10 {
                assert_eq!(sim.core(a).activity_of(id), Activity::Stale, "seed {seed}");
            }
            sim.run_for(40 * S);
            sim.link_all(S);
            assert_eq!(sim.core(a).activity_of(id), Activity::Active, "seed {seed}");
            // The server has kept its socket all the while, so it is never gone, and knows what it knew.
            assert!(
                !sim.was_told(a, |event| matches!(event, Event::PeerLeft { .. })),
                "seed {seed}: {:?}",
                sim.events(a)
            );
            assert_eq!(numbers(&sim, b, a), [(1, 70_000)], "seed {seed}, {seconds} s");
        }
    }
}
