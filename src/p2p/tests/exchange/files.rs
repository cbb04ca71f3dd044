//! Files.

use super::*;

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
        let (mut sim, a, b) = Sim::pair(seed);
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
        let (mut sim, a, b) = Sim::pair(seed);
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
        let (mut sim, a, b) = Sim::pair(seed);
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
    let (mut sim, a, b) = Sim::pair(1);
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
    let (mut sim, a, b) = Sim::pair(2);
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
            let (mut sim, a, b) = Sim::pair(seed);
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
            sim.link_all(S);
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
            let (mut sim, a, b) = Sim::pair(seed);
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
            sim.link_all(S);
        }
    }
}

#[test]
fn a_file_that_changes_while_it_is_sent_is_noticed() {
    let mut noticed = 0;
    for seed in 0..20 {
        let (mut sim, a, b) = Sim::pair(seed);
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
    let (mut sim, a, b) = Sim::pair(4);
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
        let (mut sim, a, b) = Sim::pair(seed);
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
            let (mut sim, a, b) = Sim::pair(seed);
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
    let (mut sim, a, b) = Sim::pair(5);
    for (name, shown) in
        [("../../etc/passwd", "passwd"), ("c:\\boot.ini", "boot.ini"), ("a\u{202e}gpj.exe", "agpj.exe")]
    {
        sim.offer_file(a, b, name, 10).unwrap();
        let offer = offered(&mut sim, b);
        assert_eq!(offer.name, shown);
        sim.call(b, |core, now| core.decline(now, offer.id));
    }
}
