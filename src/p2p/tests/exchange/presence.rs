//! What a page shows, and what the person at it does.

use super::*;

#[test]
fn a_thousand_changes_in_a_second_cost_a_link_what_sixty_do() {
    for seed in 0..10 {
        let (mut sim, a, b) = Sim::pair(seed);
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
        let (mut sim, a, b) = Sim::pair(seed);
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
        let (mut sim, a, b) = Sim::pair(seed);
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
        sim.link_all(40 * S);
        sim.run_for(2 * S);
        for slot in 0..32 {
            assert!(sim.all_know(&format!("slot {slot}")), "seed {seed}: slot {slot}");
        }
        assert_eq!(sim.core(late).presence_of(sim.id(a), "slot 0").unwrap().bytes, b"changed");
    }
}

#[test]
fn what_a_person_does_is_known_to_all_and_to_who_comes_later() {
    for seed in 0..20 {
        let (mut sim, a, b) = Sim::pair(seed);
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
        sim.link_all(10 * S);
        assert_eq!(sim.core(late).activity_of(ida), Activity::Hidden, "seed {seed}");
        assert_eq!(sim.core(late).activity_of(idb), Activity::Active, "seed {seed}");
        // Still so on another connection.
        sim.kill_connection(a, b);
        sim.run_for(20 * S);
        sim.link_all(S);
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
        sim.link_all(30 * S);
        sim.run_for(S);
        assert_eq!(sim.core(b).activity_of(ida), Activity::Active, "seed {seed}");
    }
}
