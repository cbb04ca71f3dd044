//! Rooms in a simulated network: the real hub, real cores, virtual time. A failure names its seed, and
//! `SEED=n cargo test -p converge-p2p --features sim` runs the random schedules of that seed alone.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use converge_p2p::room::{Config, Input, MAX_QUEUED_MESSAGES, Output, RoomCore};
use converge_p2p::sim::{Got, NodeId, Sim, config, entrance, server_says};
use converge_p2p::{
    Activity, CloseReason, DisconnectReason, Event, Identity, PeerId, PeerState, SendError, Status, Time, Token,
};
use converge_signal::protocol::{ErrorCode, Limits, ServerMessage, VERSION};
use converge_signal::{Nonce, hub};

const S: Duration = Duration::from_secs(1);

fn texts(got: &[Got], from: PeerId) -> Vec<&str> {
    got.iter().filter(|got| got.from == from).map(|got| got.text.as_str()).collect()
}

/// Every page says `count` things; every other page gets each once, in order.
fn everybody_hears_everybody(sim: &mut Sim, nodes: &[NodeId], count: usize) {
    for node in nodes {
        sim.take_events(*node);
    }
    let words: Vec<String> = (0..count).map(|n| n.to_string()).collect();
    for word in &words {
        for node in nodes {
            sim.broadcast(*node, word).unwrap();
        }
        sim.run_for(Duration::from_millis(3));
    }
    sim.run_for(2 * S);
    for node in nodes {
        let got = sim.messages(*node);
        for other in nodes.iter().filter(|other| *other != node) {
            assert_eq!(texts(&got, sim.id(*other)), words, "seed {}: {other} to {node}", sim.seed());
        }
        assert_eq!(got.len(), (nodes.len() - 1) * count);
    }
}

#[test]
fn pages_that_join_together_all_link_and_hear_each_other() {
    for pages in [2, 3, 12] {
        for seed in 0..10 {
            let mut sim = Sim::new(seed);
            let nodes = sim.open_many(pages);
            sim.link_all(10 * S);
            everybody_hears_everybody(&mut sim, &nodes, 5);
        }
    }
}

#[test]
fn pages_that_join_one_by_one_all_link_and_hear_each_other() {
    for pages in [2, 3, 12] {
        for seed in 0..10 {
            let mut sim = Sim::new(seed);
            let mut nodes = Vec::new();
            for _ in 0..pages {
                nodes.push(sim.open());
                sim.link_all(10 * S);
            }
            everybody_hears_everybody(&mut sim, &nodes, 5);
        }
    }
}

#[test]
fn everyone_has_everyone_s_newest_presence_late_joiners_too() {
    for seed in 0..20 {
        let mut sim = Sim::new(seed);
        let nodes = sim.open_many(4);
        for node in &nodes {
            sim.show(*node, "profile", "before joining").unwrap();
        }
        sim.run_for(S / 20);
        for node in &nodes {
            sim.show(*node, "profile", "while joining").unwrap();
            sim.show(*node, "cursor", "0,0").unwrap();
        }
        sim.link_all(10 * S);
        for round in 0..20 {
            for node in &nodes {
                sim.show(*node, "cursor", &format!("{round},{node}")).unwrap();
            }
            sim.run_for(Duration::from_millis(16));
        }
        let late = sim.open();
        sim.link_all(10 * S);
        assert!(sim.run_until(2 * S, |sim| sim.all_know("profile") && sim.all_know("cursor")), "seed {seed}");
        assert_eq!(sim.core(late).presence("profile"), None, "what others show never becomes one's own");
        let seen = sim.core(late).presence_of(sim.id(nodes[3]), "cursor").unwrap();
        assert_eq!(seen.bytes, b"19,3");
    }
}

#[test]
fn a_cleared_slot_is_cleared_everywhere_and_a_reload_starts_afresh() {
    let mut sim = Sim::new(1);
    let nodes = sim.open_many(3);
    sim.show(nodes[0], "profile", "Ada").unwrap();
    sim.show(nodes[0], "cursor", "1,1").unwrap();
    sim.link_all(10 * S);
    sim.call(nodes[0], |core, now| core.set_presence(now, "cursor", None)).unwrap();
    sim.run_for(S);
    let id = sim.id(nodes[0]);
    assert_eq!(sim.core(nodes[1]).presence_of(id, "cursor"), None);
    assert!(sim.core(nodes[1]).presence_of(id, "profile").is_some());
    sim.reload(nodes[0], false);
    sim.link_all(20 * S);
    sim.run_for(S);
    assert_eq!(sim.core(nodes[1]).presence_of(id, "profile"), None, "the new life has shown nothing yet");
    sim.show(nodes[0], "profile", "Ada again").unwrap();
    assert!(sim.run_until(S, |sim| sim.all_know("profile")), "counters start anew with each life");
}

#[test]
fn a_direct_message_reaches_its_target_alone() {
    for seed in 0..20 {
        let mut sim = Sim::new(seed);
        let nodes = sim.open_many(4);
        sim.link_all(10 * S);
        sim.send_to(nodes[0], nodes[2], "for you").unwrap();
        sim.run_for(S);
        for node in &nodes {
            let got = sim.messages(*node);
            if *node == nodes[2] {
                assert_eq!(got, [Got { from: sim.id(nodes[0]), direct: true, text: "for you".to_owned() }]);
            } else {
                assert_eq!(got, []);
            }
        }
    }
}

#[test]
fn what_is_sent_before_the_link_opens_arrives_when_it_does_in_order() {
    for seed in 0..20 {
        let mut sim = Sim::new(seed);
        let first = sim.open();
        sim.run_for(S);
        let second = sim.open();
        assert!(sim.run_until(S, |sim| !sim.core(first).peers().is_empty()));
        assert_eq!(sim.core(first).peers()[0].1, PeerState::Connecting);
        let words: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        for word in &words {
            sim.broadcast(first, word).unwrap();
        }
        sim.link_all(10 * S);
        sim.run_for(S);
        assert_eq!(texts(&sim.messages(second), sim.id(first)), words);
    }
}

#[test]
fn what_can_t_be_kept_is_refused_and_what_can_t_be_delivered_is_reported() {
    let mut sim = Sim::new(3);
    let first = sim.open();
    assert_eq!(sim.broadcast(first, "nobody is there yet"), Err(SendError::NotJoined));
    sim.run_for(S);
    let second = sim.open();
    assert!(sim.run_until(S, |sim| !sim.core(first).peers().is_empty()));
    let peers = vec![sim.id(second)];
    for _ in 0..MAX_QUEUED_MESSAGES {
        sim.broadcast(first, "waits").unwrap();
    }
    assert_eq!(sim.broadcast(first, "too many"), Err(SendError::QueueFull { peers: peers.clone() }));
    sim.crash(second);
    sim.run_for(60 * S);
    let undelivered = Event::Undelivered { peer: peers[0], messages: MAX_QUEUED_MESSAGES };
    assert!(sim.take_events(first).contains(&undelivered));
    assert_eq!(sim.send_to(first, second, "gone"), Err(SendError::UnknownPeer { peer: peers[0] }));
    sim.call(first, |core, _| core.leave());
    assert_eq!(sim.broadcast(first, "left"), Err(SendError::Closed));
}

#[test]
fn a_page_that_says_goodbye_is_gone_at_once() {
    for seed in 0..20 {
        let mut sim = Sim::new(seed);
        let nodes = sim.open_many(3);
        sim.link_all(10 * S);
        let id = sim.id(nodes[1]);
        sim.close(nodes[1]);
        sim.link_all(S / 2);
        for node in [nodes[0], nodes[2]] {
            let events = sim.take_events(node);
            let left = Event::PeerLeft { peer: id, reason: DisconnectReason::Left };
            assert!(events.contains(&left), "seed {seed}: {events:?}");
        }
    }
}

#[test]
fn a_page_that_crashes_is_doubted_within_seconds_and_gone_within_half_a_minute() {
    for seed in 0..20 {
        let mut sim = Sim::new(seed);
        let nodes = sim.open_many(3);
        sim.link_all(10 * S);
        sim.run_for(Duration::from_millis(500 * seed));
        let id = sim.id(nodes[1]);
        sim.crash(nodes[1]);
        sim.run_for(6 * S);
        for node in [nodes[0], nodes[2]] {
            let core = sim.core(node);
            let state = core.peers().into_iter().find(|(peer, _)| *peer == id).map(|(_, state)| state);
            let doubted = core.activity_of(id) == Activity::Stale || state == Some(PeerState::Unreachable);
            assert!(doubted, "seed {seed}: {state:?}, {:?}", core.activity_of(id));
        }
        sim.link_all(24 * S);
        for node in [nodes[0], nodes[2]] {
            let events = sim.take_events(node);
            let left = Event::PeerLeft { peer: id, reason: DisconnectReason::Lost };
            assert!(events.contains(&left), "seed {seed}: {events:?}");
        }
    }
}

#[test]
fn a_crash_is_noticed_by_silence_alone_when_the_server_is_away_too() {
    let mut sim = Sim::new(5);
    let nodes = sim.open_many(3);
    sim.link_all(10 * S);
    sim.stop_server();
    sim.run_for(S);
    sim.crash(nodes[2]);
    sim.link_all(30 * S);
    assert_eq!(sim.core(nodes[0]).status(), Status::Reconnecting);
}

#[test]
fn the_server_dies_and_returns_and_no_link_is_lost() {
    for seed in 0..20 {
        let mut sim = Sim::new(seed);
        let mut nodes = sim.open_many(3);
        sim.link_all(10 * S);
        for node in &nodes {
            sim.take_events(*node);
        }
        sim.stop_server();
        sim.run_for(20 * S);
        everybody_hears_everybody(&mut sim, &nodes, 5);
        for node in &nodes {
            assert_eq!(sim.core(*node).status(), Status::Reconnecting);
        }
        sim.start_server();
        let all_back = |sim: &Sim| (0..3).all(|node| sim.core(node).status() == Status::Connected);
        assert!(sim.run_until(40 * S, all_back), "seed {seed}");
        sim.run_for(20 * S);
        for node in &nodes {
            let events = sim.take_events(*node);
            let lost = events.iter().any(|e| matches!(e, Event::PeerDisconnected { .. } | Event::PeerLeft { .. }));
            assert!(!lost, "seed {seed}: {events:?}");
        }
        nodes.push(sim.open());
        sim.link_all(10 * S);
        everybody_hears_everybody(&mut sim, &nodes, 5);
    }
}

#[test]
fn a_broken_socket_is_nobody_else_s_business() {
    for seed in 0..20 {
        let mut sim = Sim::new(seed);
        let nodes = sim.open_many(3);
        sim.link_all(10 * S);
        for node in &nodes {
            sim.take_events(*node);
        }
        sim.cut_socket(nodes[1]);
        sim.run_for(30 * S);
        sim.link_all(S);
        for node in &nodes {
            let events = sim.take_events(*node);
            let noise = |e: &Event| !matches!(e, Event::Connected { .. } | Event::Status(_));
            assert!(!events.iter().any(noise), "seed {seed}: {events:?}");
        }
    }
}

#[test]
fn both_sides_reload_at_the_same_moment() {
    for seed in 0..50 {
        for goodbye in [true, false] {
            let mut sim = Sim::new(seed);
            let nodes = sim.open_many(2);
            sim.link_all(10 * S);
            sim.reload(nodes[0], goodbye);
            sim.reload(nodes[1], goodbye);
            sim.link_all(25 * S);
            everybody_hears_everybody(&mut sim, &nodes, 3);
        }
    }
}

#[test]
fn a_reload_in_the_middle_of_a_negotiation() {
    for seed in 0..100 {
        let mut sim = Sim::new(seed);
        let nodes = sim.open_many(2);
        // Somewhere between the first frame and the open link.
        sim.run_for(Duration::from_millis(10 + 5 * seed));
        sim.reload(nodes[(seed % 2) as usize], seed % 3 == 0);
        sim.link_all(30 * S);
        everybody_hears_everybody(&mut sim, &nodes, 3);
    }
}

#[test]
fn lost_signalling_messages_only_cost_time() {
    for seed in 0..20 {
        let mut sim = Sim::new(seed);
        sim.weather.signal_loss = 0.1;
        let nodes = sim.open_many(5);
        sim.link_all(300 * S);
        everybody_hears_everybody(&mut sim, &nodes, 3);
    }
}

#[test]
fn a_server_that_drains_is_stayed_away_from_as_long_as_it_says_and_nobody_leaves() {
    let mut sim = Sim::new(1);
    let nodes = sim.open_many(3);
    sim.link_all(10 * S);
    for node in &nodes {
        sim.take_events(*node);
    }
    sim.drain_server(4 * S);
    sim.run_for(S);
    for node in &nodes {
        assert_eq!(sim.core(*node).status(), Status::Reconnecting);
    }
    sim.run_for(2 * S);
    assert!(nodes.iter().all(|node| sim.core(*node).status() == Status::Reconnecting), "not sooner than told");
    sim.run_for(3 * S);
    for node in &nodes {
        assert_eq!(sim.core(*node).status(), Status::Connected);
        assert!(!sim.was_told(*node, |event| matches!(event, Event::PeerLeft { .. } | Event::PeerDisconnected { .. })));
    }
    everybody_hears_everybody(&mut sim, &nodes, 3);
}

/// What a core does about inputs at one moment is of no interest here.
fn feed(core: &mut RoomCore, now: Time, inputs: impl IntoIterator<Item = Input>) {
    while core.poll().is_some() {}
    for input in inputs {
        core.handle(now, input);
        while core.poll().is_some() {}
    }
}

fn refusal(code: ErrorCode) -> Input {
    server_says(&ServerMessage::Error { code, message: "no".to_owned(), peer: None })
}

#[test]
fn who_is_not_let_in_does_not_come_back_by_itself() {
    for (code, reason) in [(ErrorCode::Denied, CloseReason::Denied), (ErrorCode::Origin, CloseReason::Refused)] {
        let mut core = RoomCore::new(Time::ZERO, config(Identity::from_secret(&[1; 32], 1), Vec::new()));
        feed(&mut core, Time::ZERO, [Input::SocketOpen, refusal(code), Input::SocketClosed]);
        assert_eq!(core.status(), Status::Closed(reason));
        assert_eq!(core.next_wakeup(), None);
    }
}

#[test]
fn whoever_was_too_much_for_the_server_stays_away_for_a_while() {
    for code in [ErrorCode::TooManyJoins, ErrorCode::TooManyConnections, ErrorCode::RateLimited] {
        let mut core = RoomCore::new(Time::ZERO, config(Identity::from_secret(&[1; 32], 1), Vec::new()));
        let mut waits = Duration::ZERO;
        for round in 1..=20 {
            let now = Time::ZERO + round * 60 * S;
            // It was in the room: otherwise it would come back within half a second.
            let refused = [refusal(code), Input::SocketClosed];
            feed(&mut core, now, [Input::Timeout].into_iter().chain(entrance(1, Vec::new())).chain(refused));
            waits += core.next_wakeup().map(|at| at.since(now)).unwrap_or_default();
        }
        assert!(waits > 20 * 4 * S, "{code:?}: {waits:?}");
    }
}

#[test]
fn a_token_goes_with_the_hello_and_into_no_log() {
    let token = Some(Token::from("very secret"));
    let config = Config { token, ..config(Identity::from_secret(&[1; 32], 1), Vec::new()) };
    assert!(!format!("{config:?}").contains("secret"), "{config:?}");
    let mut core = RoomCore::new(Time::ZERO, config);
    while core.poll().is_some() {}
    core.handle(Time::ZERO, Input::SocketOpen);
    while core.poll().is_some() {}
    let limits = Limits::default();
    let challenge = ServerMessage::Challenge { v: VERSION, nonce: Nonce::from_bytes([1; 32]), limits };
    core.handle(Time::ZERO, server_says(&challenge));
    let sent: Vec<_> = std::iter::from_fn(|| core.poll()).collect();
    let hello = sent.iter().find_map(|output| match output {
        Output::SendSocket(text) => Some(text.as_str()),
        _ => None,
    });
    assert!(hello.unwrap_or_default().contains(r#""token":"very secret""#), "{hello:?}");
}

#[test]
fn a_full_room_closes_with_its_reason_and_leaves_the_others_alone() {
    let limits = Limits { max_topic_members: 2, ..Limits::default() };
    let settings = hub::Settings { limits, ..hub::Settings::default() };
    let mut sim = Sim::with_settings(1, settings);
    let nodes = sim.open_many(2);
    sim.link_all(10 * S);
    let third = sim.open();
    sim.run_for(5 * S);
    assert_eq!(sim.core(third).status(), Status::Closed(CloseReason::RoomFull));
    sim.close(third);
    everybody_hears_everybody(&mut sim, &nodes, 3);
    sim.close(nodes[1]);
    sim.run_for(S);
    sim.reload(third, true);
    sim.link_all(10 * S);
}

#[test]
fn one_seed_is_one_run() {
    let run = |seed| {
        let mut sim = Sim::new(seed);
        random_schedule(&mut sim);
        sim.trace()
    };
    assert_eq!(run(11), run(11));
    assert_ne!(run(11), run(12));
}

/// Half a minute of trouble, then peace.
fn random_schedule(sim: &mut Sim) {
    let mut random = fastrand::Rng::with_seed(!sim.seed());
    let pages = random.usize(2..=5);
    sim.open_many(pages);
    sim.weather.signal_loss = if random.bool() { 0.05 } else { 0.0 };
    let mut server = true;
    for _ in 0..random.usize(1..=12) {
        sim.run_for(Duration::from_millis(random.u64(0..3000)));
        let node = random.usize(0..pages);
        match random.u8(0..8) {
            0 if server => {
                sim.stop_server();
                server = false;
            }
            1 | 2 if !server => {
                sim.start_server();
                server = true;
            }
            3 => sim.cut_socket(node),
            4 | 5 => sim.reload(node, random.bool()),
            6 if sim.is_open(node) => sim.crash(node),
            _ if sim.is_open(node) => {
                let text = random.u16(..).to_string();
                sim.show(node, "profile", &text).unwrap();
                // Refused while nothing is joined yet; never anything else.
                let sent = sim.broadcast(node, &text);
                assert!(matches!(sent, Ok(_) | Err(SendError::NotJoined)), "{sent:?}");
            }
            _ => sim.reload(node, true),
        }
    }
    if !server {
        sim.start_server();
    }
    sim.weather.signal_loss = 0.0;
}

#[test]
fn a_thousand_random_schedules_leave_no_stuck_pair() {
    let seeds = match std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => seed..seed + 1,
        None => 0..1000,
    };
    for seed in seeds {
        let mut sim = Sim::new(seed);
        random_schedule(&mut sim);
        sim.link_all(120 * S);
        assert!(sim.run_until(5 * S, |sim| sim.all_know("profile")), "seed {seed}: presence");
        let open: Vec<NodeId> = (0..sim.pages()).filter(|node| sim.is_open(*node)).collect();
        let joined = |sim: &Sim| open.iter().all(|node| sim.core(*node).status() == Status::Connected);
        assert!(sim.run_until(60 * S, joined), "seed {seed}: not all are back in the room");
        // What was said in the turmoil and is still under way is not what is counted next.
        sim.run_for(2 * S);
        everybody_hears_everybody(&mut sim, &open, 2);
    }
}
