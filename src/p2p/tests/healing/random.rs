//! Random schedules, of which each keeps books.

use super::*;

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
                sim.call(node, |core, now| core.send_to(now, to, lane, "numbers", &payload)).map(|()| Vec::new())
            }
            None => sim.call(node, |core, now| core.broadcast(now, lane, "numbers", &payload)).map(|sent| sent.missed),
        };
        let refused: BTreeSet<NodeId> = match sent {
            Ok(peers) | Err(SendError::QueueFull { peers }) => peers.iter().map(|id| nodes[id]).collect(),
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
    sim.link_all(120 * S);
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
    sim.link_all(S);
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

#[test]
fn a_thousand_random_schedules_lose_nothing_without_word_and_double_nothing() {
    for_seeds(0..1000, random_schedule);
}
