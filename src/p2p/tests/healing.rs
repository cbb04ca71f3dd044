//! Links that break in every way the simulator knows, and what may come of it: nothing is lost without word of it, and
//! nothing is doubled. A failure names its seed, and
//! `SEED=n cargo test -p converge-p2p --features sim --test healing` runs the random schedule of that seed alone.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use converge_p2p::room::Input;
use converge_p2p::sim::{NodeId, Sim, Weather};
use converge_p2p::{Activity, Delivery, DisconnectReason, Event, Lane, Payload, PeerId, PeerState, SendError, Status};

const S: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// What a room of a random schedule may hold at any time: all that such a page ever sends to four others.
const RANDOM_BOUND: usize = 24 * 1024 * 1024;
/// What is left when all is acknowledged: nothing of messages; some of presence and of how links were negotiated.
const AT_REST: usize = 64 * 1024;

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

fn bytes(payload: Vec<u8>) -> Payload {
    Payload { codec: 0, bytes: payload }
}

/// A message that says its number and has so many bytes.
fn numbered(number: u64, size: usize) -> Payload {
    let mut text = format!("{number} ").into_bytes();
    text.resize(size.max(text.len()), b'.');
    bytes(text)
}

fn number(payload: &Payload) -> u64 {
    let text = String::from_utf8_lossy(&payload.bytes);
    text.split(' ').next().and_then(|number| number.parse().ok()).unwrap()
}

fn send(sim: &mut Sim, from: NodeId, to: NodeId, lane: Lane, payload: &Payload) -> Result<(), SendError> {
    let to = sim.id(to);
    sim.call(from, |core, now| core.send_to(now, to, lane, "numbers", payload))
}

/// The numbers that a page got from another, in the order in which they came, and how long the messages were.
fn numbers(sim: &Sim, node: NodeId, from: NodeId) -> Vec<(u64, usize)> {
    let from = sim.id(from);
    let got = |event: &Event| match event {
        Event::Message { from: sender, payload, .. } if *sender == from => Some((number(payload), payload.bytes.len())),
        _ => None,
    };
    sim.events(node).iter().filter_map(got).collect()
}

fn has(sim: &Sim, node: NodeId, what: impl Fn(&Event) -> bool) -> bool {
    sim.events(node).iter().any(what)
}

fn lost_link(event: &Event) -> bool {
    matches!(event, Event::PeerDisconnected { .. } | Event::PeerLeft { .. })
}

fn restarts(sim: &Sim, node: NodeId) -> u32 {
    sim.core(node).report(sim.clock(node)).links.iter().map(|link| link.restarts).sum()
}

// ---------------------------------------------------------------------------------------------------------------------
// Random schedules

/// A page in one of its lives.
type Life = (NodeId, u64);

/// What was sent in one life of a page to another page, and what came of it.
#[derive(Default)]
struct Account {
    accepted: Vec<u64>,
    /// Which of them were received, in which life of the receiver.
    received: BTreeMap<u64, u64>,
    /// The last number that each life of the receiver got.
    last: BTreeMap<u64, u64>,
    /// How many messages the sender was told may not have been delivered; all of them among the first `covered`.
    reported: usize,
    covered: usize,
}

/// Keeps the books of a whole schedule.
#[derive(Default)]
struct Books {
    accounts: BTreeMap<(Life, NodeId), Account>,
    /// The lives that can still be told of what was not delivered.
    next: u64,
}

impl Books {
    /// Reads what the pages were told since the last time.
    fn collect(&mut self, sim: &mut Sim) {
        let nodes: BTreeMap<PeerId, NodeId> = (0..sim.pages()).map(|node| (sim.id(node), node)).collect();
        let seed = sim.seed();
        for node in 0..sim.pages() {
            let life = sim.life(node);
            for event in sim.take_events(node) {
                match event {
                    Event::Message { from, channel, payload, .. } if channel == "numbers" => {
                        let text = String::from_utf8_lossy(&payload.bytes).into_owned();
                        let words: Vec<u64> = text.split(' ').take(3).map(|word| word.parse().unwrap()).collect();
                        let [number, sent_by, size] = words[..] else { panic!("seed {seed}: {text}") };
                        assert_eq!(payload.bytes.len() as u64, size, "seed {seed}: a message changed its size");
                        let from = nodes[&from];
                        let account = self.accounts.get_mut(&((from, sent_by), node));
                        let Some(account) = account.filter(|account| account.accepted.contains(&number)) else {
                            panic!("seed {seed}: page {node} got {number}, which {from} never sent it");
                        };
                        if let Some(before) = account.received.insert(number, life) {
                            panic!("seed {seed}: page {node} got {number} of {from} in life {before} and {life}");
                        }
                        let last = account.last.insert(life, number);
                        assert!(last < Some(number), "seed {seed}: {node} got {number} of {from} after {last:?}");
                    }
                    Event::Undelivered { peer, messages } => {
                        let account = self.accounts.entry(((node, life), nodes[&peer])).or_default();
                        account.reported += messages;
                        account.covered = account.accepted.len();
                    }
                    _ => {}
                }
            }
        }
    }

    /// Sends a message, to all or to one, and notes who should get it.
    fn send(&mut self, sim: &mut Sim, node: NodeId, to: Option<NodeId>, size: usize, lane: Lane) {
        self.collect(sim);
        self.next += 1;
        let number = self.next;
        let life = sim.life(node);
        let size = size.max(32);
        let payload = {
            let mut text = format!("{number} {life} {size} ").into_bytes();
            text.resize(size, b'.');
            bytes(text)
        };
        let members: Vec<PeerId> = sim.core(node).peers().into_iter().map(|(id, _)| id).collect();
        let nodes: BTreeMap<PeerId, NodeId> = (0..sim.pages()).map(|node| (sim.id(node), node)).collect();
        // Before the message is under way: the other side may get it before the call is over, if it isn't.
        let targets: Vec<NodeId> = match to {
            Some(to) => vec![to],
            None => members.iter().map(|id| nodes[id]).collect(),
        };
        let sent = match to {
            Some(to) => {
                let to = sim.id(to);
                sim.call(node, |core, now| core.send_to(now, to, lane, "numbers", &payload))
            }
            None => sim.call(node, |core, now| core.broadcast(now, lane, "numbers", &payload)),
        };
        let refused: BTreeSet<NodeId> = match sent {
            Ok(()) => BTreeSet::new(),
            Err(SendError::QueueFull { peers }) => peers.iter().map(|id| nodes[id]).collect(),
            Err(SendError::NotJoined | SendError::UnknownPeer { .. }) => targets.iter().copied().collect(),
            Err(other) => panic!("seed {}: {other}", sim.seed()),
        };
        for to in targets.into_iter().filter(|to| !refused.contains(to)) {
            self.accounts.entry(((node, life), to)).or_default().accepted.push(number);
        }
    }

    /// Everything that was accepted by a page that has lived on was received, or the page was told.
    fn balance(&self, sim: &Sim) {
        let seed = sim.seed();
        for (((from, life), to), account) in &self.accounts {
            if !sim.is_open(*from) || sim.life(*from) != *life {
                continue;
            }
            let missing: Vec<usize> = (0..account.accepted.len())
                .filter(|at| !account.received.contains_key(&account.accepted[*at]))
                .collect();
            let unreported = missing.iter().find(|at| **at >= account.covered);
            assert!(
                missing.len() <= account.reported && unreported.is_none(),
                "seed {seed}: {from} in life {life} sent {} messages to {to}; those at {missing:?} were not received; \
                 told of {} among the first {}",
                account.accepted.len(),
                account.reported,
                account.covered
            );
        }
    }
}

/// A minute of trouble, then peace.
fn random_schedule(seed: u64) {
    let mut sim = Sim::new(seed);
    let mut random = fastrand::Rng::with_seed(!seed);
    let mut books = Books::default();
    let pages = random.usize(2..=5);
    sim.lanes = if random.bool() { vec![Delivery::Reliable] } else { Vec::new() };
    let lanes: Vec<Lane> = if sim.lanes.is_empty() {
        vec![Lane::RELIABLE, Lane::BULK]
    } else {
        vec![Lane::RELIABLE, Lane::BULK, Lane::app(0)]
    };
    // Order is kept within a lane: each sender uses one.
    let lane_of: Vec<Lane> = (0..pages).map(|_| lanes[random.usize(0..lanes.len())]).collect();
    sim.weather.bytes_per_second = [None, Some(300_000), Some(5_000_000)][random.usize(0..3)];
    sim.weather.max_message = [64 * 1024, 256 * 1024, 1 << 20][random.usize(0..3)];
    sim.open_many(pages);
    let mut server = true;
    let mut big = 0;
    for _ in 0..random.usize(10..=60) {
        sim.run_for(MS * random.u32(0..1500));
        books.collect(&mut sim);
        let node = random.usize(0..pages);
        let other = (node + random.usize(1..pages)) % pages;
        let able = sim.is_open(node) && !sim.is_asleep(node);
        match random.u8(0..32) {
            0 => sim.crash(node),
            1 | 2 => sim.reload(node, random.bool()),
            3 | 4 => sim.cut(node, other),
            5 | 6 => (0..pages).for_each(|other| sim.mend(node, other)),
            7..=9 => sim.kill_connection(node, other),
            10 => sim.stall(node, other, MS * random.u32(100..20_000)),
            11 => sim.sleep(node, MS * random.u32(500..60_000)),
            12 => sim.suspend(node, MS * random.u32(500..60_000)),
            13 => sim.freeze(node, MS * random.u32(500..60_000)),
            14 if server => {
                sim.stop_server();
                server = false;
            }
            14 | 15 if !server => {
                sim.start_server();
                server = true;
            }
            15 => sim.cut_socket(node),
            16 => {
                sim.weather.loss = random.f64() * 0.5;
                sim.weather.reorder = random.f64() * 0.5;
                sim.weather.signal_loss = if random.u8(0..4) == 0 { 0.05 } else { 0.0 };
            }
            17 if able => sim.tell(node, Input::NetworkChanged),
            18 if able => {
                let activity = [Activity::Active, Activity::Idle, Activity::Hidden][random.usize(0..3)];
                sim.tell(node, Input::Activity(activity));
            }
            19 if able => {
                sim.tell(node, Input::Online(false));
                sim.run_for(MS * random.u32(0..3000));
                if sim.is_open(node) && !sim.is_asleep(node) {
                    sim.tell(node, Input::Online(true));
                }
            }
            20 => sim.renegotiate(node, other),
            _ if able => {
                let size = match random.u8(0..6) {
                    0 if big < 12 => {
                        big += 1;
                        random.usize(60_000..300_000)
                    }
                    1 => random.usize(0..20_000),
                    _ => random.usize(0..200),
                };
                let to = random.bool().then_some(other);
                for _ in 0..if size < 200 { random.usize(1..10) } else { 1 } {
                    books.send(&mut sim, node, to, size, lane_of[node]);
                }
                for _ in 0..random.usize(0..5) {
                    sim.show(node, "cursor", &random.u32(..).to_string()).unwrap();
                    sim.run_for(MS * random.u32(0..40));
                    if sim.is_asleep(node) {
                        break;
                    }
                }
            }
            _ => {}
        }
    }
    for node in 0..pages {
        for other in 0..node {
            sim.mend(node, other);
        }
    }
    if !server {
        sim.start_server();
    }
    sim.weather = Weather { max_message: sim.weather.max_message, ..Weather::default() };
    let awake = sim.run_until(61 * S, |sim| (0..pages).all(|node| !sim.is_asleep(node)));
    assert!(awake, "seed {seed}");
    for node in (0..pages).filter(|node| sim.is_open(*node)).collect::<Vec<_>>() {
        sim.tell(node, Input::Online(true));
    }
    // The longest stall is over.
    sim.run_for(20 * S);
    linked(&mut sim, 120 * S);
    let open: Vec<NodeId> = (0..pages).filter(|node| sim.is_open(*node)).collect();
    let joined = |sim: &Sim| open.iter().all(|node| sim.core(*node).status() == Status::Connected);
    assert!(sim.run_until(60 * S, joined), "seed {seed}: not all are back in the room");
    for node in &open {
        for _ in 0..3 {
            books.send(&mut sim, *node, None, 1000, lane_of[*node]);
        }
        sim.show(*node, "cursor", "peace").unwrap();
    }
    let knows = |sim: &Sim| sim.all_know("cursor");
    assert!(sim.run_until(5 * S, knows), "seed {seed}: presence");
    let at_rest = |sim: &Sim| open.iter().all(|node| sim.core(*node).held_bytes() <= AT_REST);
    assert!(
        sim.run_until(10 * S, at_rest),
        "seed {seed}: {:?} bytes are held",
        open.iter().map(|node| sim.core(*node).held_bytes()).collect::<Vec<_>>()
    );
    linked(&mut sim, S);
    sim.run_for(2 * S);
    books.collect(&mut sim);
    books.balance(&sim);
    for node in &open {
        let peak = sim.peak_held(*node);
        assert!(peak <= RANDOM_BOUND, "seed {seed}: page {node} held {peak} bytes");
        for other in open.iter().filter(|other| *other != node) {
            let account = &books.accounts[&((*node, sim.life(*node)), *other)];
            let newest = &account.accepted[account.accepted.len() - 3..];
            assert!(
                newest.iter().all(|number| account.received.contains_key(number)),
                "seed {seed}: {node} to {other}: what was sent in peace did not arrive"
            );
            let activity = sim.core(*node).activity_of(sim.id(*other));
            assert_ne!(activity, Activity::Stale, "seed {seed}: {other} as {node} sees it");
        }
    }
}

/// Runs something for each seed, on every processor there is.
fn for_seeds(seeds: std::ops::Range<u64>, run: impl Fn(u64) + Sync) {
    if let Some(seed) = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()) {
        return run(seed);
    }
    let workers = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let (run, seeds) = (&run, seeds.clone());
            scope.spawn(move || seeds.filter(|seed| seed % workers == worker).for_each(run));
        }
    });
}

#[test]
fn a_thousand_random_schedules_lose_nothing_without_word_and_double_nothing() {
    for_seeds(0..1000, random_schedule);
}

// ---------------------------------------------------------------------------------------------------------------------
// Connections that are mended

/// Packets vanish for some seconds, and ICE gives up: only a restart can mend the connection.
#[test]
fn a_restart_of_ice_keeps_the_link() {
    for seed in 0..50 {
        let (mut sim, a, b) = pair(seed);
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
            assert!(!has(&sim, node, lost_link), "seed {seed}: {:?}", sim.events(node));
            let got: Vec<u64> = numbers(&sim, node, other).into_iter().map(|(number, _)| number).collect();
            assert_eq!(got, (0..10).collect::<Vec<_>>(), "seed {seed}");
            assert_eq!(sim.core(node).activity_of(sim.id(other)), Activity::Active, "seed {seed}");
        }
        assert!(restarts(&sim, a) + restarts(&sim, b) > 0, "seed {seed}");
        assert_eq!(sim.connections_made(a) + sim.connections_made(b), connections, "seed {seed}");
        linked(&mut sim, S);
    }
}

/// Trouble that passes by itself costs nothing.
#[test]
fn a_short_silence_is_no_news() {
    for seed in 0..20 {
        let (mut sim, a, b) = pair(seed);
        let connections = sim.connections_made(a) + sim.connections_made(b);
        sim.cut(a, b);
        send(&mut sim, a, b, Lane::RELIABLE, &numbered(1, 10)).unwrap();
        sim.run_for(Duration::from_millis(1500));
        sim.mend(a, b);
        sim.run_for(20 * S);
        assert_eq!(numbers(&sim, b, a).len(), 1);
        assert!(!has(&sim, a, lost_link) && !has(&sim, b, lost_link), "seed {seed}");
        assert_eq!(sim.connections_made(a) + sim.connections_made(b), connections, "seed {seed}");
    }
}

#[test]
fn a_change_of_network_restarts_ice_and_two_restarts_at_once_settle() {
    for seed in 0..100 {
        let (mut sim, a, b) = pair(seed);
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
            assert!(!has(&sim, node, lost_link), "seed {seed}: {:?}", sim.events(node));
            assert_eq!(numbers(&sim, node, other).len(), 1, "seed {seed}");
        }
        assert_eq!(sim.connections_made(a) + sim.connections_made(b), connections, "seed {seed}");
        linked(&mut sim, S);
    }
}

#[test]
fn two_who_want_to_negotiate_at_once_both_get_to() {
    for seed in 0..100 {
        let (mut sim, a, b) = pair(seed);
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
        assert!(!has(&sim, a, lost_link) && !has(&sim, b, lost_link), "seed {seed}");
        linked(&mut sim, S);
    }
}

const SIZES: [usize; 8] = [1, 100, 60_000, 65_000, 70_000, 200_000, 1_000_000, 3_000_000];

#[test]
fn a_connection_that_dies_is_made_again_and_what_was_under_way_goes_on() {
    for_seeds(0..100, |seed| {
        let (mut sim, a, b) = pair(seed);
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
        linked(&mut sim, S);
        for (node, other) in [(a, b), (b, a)] {
            let got = numbers(&sim, node, other);
            let expected: Vec<(u64, usize)> =
                (1..=sent).zip(SIZES.into_iter().cycle()).map(|(n, size)| (n, numbered(n, size).bytes.len())).collect();
            assert_eq!(got, expected, "seed {seed}: {other} to {node}");
            let id = sim.id(other);
            assert!(has(&sim, node, |event| *event == Event::PeerConnected { peer: id }), "seed {seed}");
            assert!(!has(&sim, node, |event| matches!(event, Event::Undelivered { .. } | Event::PeerLeft { .. })));
            assert!(sim.core(node).held_bytes() <= AT_REST, "seed {seed}: {}", sim.core(node).held_bytes());
        }
    });
}

#[test]
fn who_can_t_be_reached_in_any_way_is_gone_and_what_it_did_not_get_is_reported() {
    for seed in 0..30 {
        let (mut sim, a, b) = pair(seed);
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
        let gone = |sim: &Sim| has(sim, a, |event| matches!(event, Event::PeerLeft { .. }));
        assert!(!sim.run_until(5 * S, gone), "seed {seed}: too early");
        assert!(sim.run_until(20 * S, gone), "seed {seed}: {:?}", sim.events(a));
        let left = Event::PeerLeft { peer: id, reason: DisconnectReason::Lost };
        let events = sim.events(a);
        assert!(events.contains(&left), "seed {seed}: {events:?}");
        assert!(events.contains(&Event::Undelivered { peer: id, messages: 5 }), "seed {seed}: {events:?}");
        // And back again, as strangers.
        sim.mend(a, b);
        sim.start_server();
        linked(&mut sim, 60 * S);
        sim.take_events(b);
        send(&mut sim, a, b, Lane::RELIABLE, &numbered(9, 10)).unwrap();
        sim.run_for(S);
        assert_eq!(numbers(&sim, b, a), [(9, 10)], "seed {seed}");
    }
}

#[test]
fn a_connection_that_dies_while_the_server_is_away_is_made_again_when_it_returns_in_time() {
    for seed in 0..30 {
        let (mut sim, a, b) = pair(seed);
        sim.stop_server();
        sim.run_for(S);
        sim.kill_connection(a, b);
        send(&mut sim, a, b, Lane::RELIABLE, &numbered(1, 100_000)).unwrap();
        sim.run_for(3 * S);
        sim.start_server();
        sim.run_for(60 * S);
        linked(&mut sim, S);
        // Whether they were back in time to know each other or not, nothing is lost without word of it.
        let undelivered = has(&sim, a, |event| matches!(event, Event::Undelivered { messages: 1, .. }));
        assert!(undelivered || numbers(&sim, b, a) == [(1, 100_000)], "seed {seed}: {:?}", sim.events(a));
    }
}

#[test]
fn a_page_that_is_loaded_anew_while_its_link_is_mended() {
    for seed in 0..100 {
        let (mut sim, a, b) = pair(seed);
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
        linked(&mut sim, 40 * S);
        let before = before + numbers(&sim, b, a).len();
        let reported = has(&sim, a, |event| matches!(event, Event::Undelivered { messages: 1, .. }));
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
            let (mut sim, a, b) = pair(seed);
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
            linked(&mut sim, S);
            assert_eq!(sim.core(a).activity_of(id), Activity::Active, "seed {seed}");
            // The server has kept its socket all the while, so it is never gone, and knows what it knew.
            assert!(!has(&sim, a, |event| matches!(event, Event::PeerLeft { .. })), "seed {seed}: {:?}", sim.events(a));
            assert_eq!(numbers(&sim, b, a), [(1, 70_000)], "seed {seed}, {seconds} s");
        }
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Links that are slow, or pass nothing

#[test]
fn what_does_not_move_is_said_to_and_is_delivered_when_it_does() {
    for seed in 0..20 {
        let (mut sim, a, b) = pair(seed);
        let id = sim.id(b);
        sim.stall(a, b, 50 * S);
        if seed % 2 == 0 {
            sim.stall(b, a, 50 * S);
        }
        for n in 0..10 {
            send(&mut sim, a, b, Lane::RELIABLE, &numbered(n, 1000)).unwrap();
        }
        let stalled = |sim: &Sim| has(sim, a, |event| *event == Event::Stalled { peer: id });
        assert!(!sim.run_until(25 * S, stalled), "seed {seed}: too early");
        assert!(sim.run_until(20 * S, stalled), "seed {seed}: {:?}", sim.events(a));
        assert_eq!(sim.core(a).room_for(Some(id), Lane::RELIABLE), Err(SendError::Stalled { peer: id }), "seed {seed}");
        sim.run_for(90 * S);
        linked(&mut sim, S);
        let got: Vec<u64> = numbers(&sim, b, a).into_iter().map(|(number, _)| number).collect();
        assert_eq!(got, (0..10).collect::<Vec<_>>(), "seed {seed}: {:?}", sim.events(a));
        assert_eq!(sim.core(a).room_for(Some(id), Lane::RELIABLE), Ok(true), "seed {seed}");
        let times = sim.events(a).iter().filter(|event| matches!(event, Event::Stalled { .. })).count();
        assert_eq!(times, 1, "seed {seed}: it is said once");
    }
}

#[test]
fn who_waits_until_there_is_room_holds_little_and_keeps_the_link_busy() {
    const PIECE: usize = 64 * 1024;
    // What waits when there is still room, and one piece more.
    const BOUND: usize = 1024 * 1024 + 2 * PIECE;
    for lane in [Lane::RELIABLE, Lane::BULK] {
        let (mut sim, a, b) = pair(1);
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
    let (mut sim, a, b) = pair(2);
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

#[test]
fn a_large_message_on_one_lane_does_not_hold_up_a_small_one_on_another() {
    let (mut sim, a, b) = pair(3);
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
        linked(&mut sim, 10 * S);
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
    linked(&mut sim, 10 * S);
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
        let (mut sim, a, b) = pair(seed);
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
