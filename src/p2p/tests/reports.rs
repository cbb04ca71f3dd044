//! Reports that turn out false, and what a room says of its links and of what it has sent.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use converge_p2p::room::{Input, LinkEvent, Output, RoomCore};
use converge_p2p::sim::{NodeId, Sim, config, entrance};
use converge_p2p::wire::WireError;
use converge_p2p::{
    CloseReason, Diagnosis, Event, Identity, Lane, LinkChange, LinkReport, Payload, PeerId, Sdp, Status, Time, Timings,
};
use converge_signal::protocol::Member;

const S: Duration = Duration::from_secs(1);

fn text(text: &str) -> Payload {
    Payload { codec: 0, bytes: text.as_bytes().to_vec() }
}

fn acknowledged(sim: &Sim, node: NodeId, peer: PeerId) -> Option<u64> {
    let up_to = |event: &Event| match event {
        Event::Acknowledged { peer: from, lane: Lane::RELIABLE, up_to } if *from == peer => Some(*up_to),
        _ => None,
    };
    sim.events(node).iter().filter_map(up_to).next_back()
}

/// Some VPNs have browsers report that the network is gone while it works.
#[test]
fn a_false_report_of_no_network_costs_nothing() {
    for seed in 0..20 {
        let (mut sim, a, b) = Sim::pair(seed);
        sim.tell(a, Input::Online(false));
        sim.run_for(30 * S);
        assert_eq!(sim.core(a).status(), Status::Connected, "seed {seed}");
        assert!(sim.core(a).report(sim.clock(a)).online, "seed {seed}");
        let told = |event: &Event| matches!(event, Event::Status(_) | Event::PeerDisconnected { .. });
        assert!(!sim.was_told(a, told) && !sim.was_told(b, told), "seed {seed}: {:?}", sim.events(a));
        // Newcomers are met.
        sim.open();
        sim.link_all(10 * S);
    }
}

/// Nobody else is there to prove it false, and the server is away when it is made.
#[test]
fn a_page_alone_that_is_told_of_no_network_finds_the_server_when_it_is_back() {
    for seed in 0..20 {
        let mut sim = Sim::new(seed);
        let a = sim.open();
        sim.run_for(5 * S);
        sim.stop_server();
        sim.tell(a, Input::Online(false));
        sim.run_for(60 * S);
        assert_eq!(sim.core(a).status(), Status::Offline, "seed {seed}");
        sim.start_server();
        let back = |sim: &Sim| sim.core(a).status() == Status::Connected;
        assert!(sim.run_until(Timings::default().backoff_max + 5 * S, back), "seed {seed}");
    }
}

#[test]
fn a_server_that_does_not_answer_makes_the_report_true() {
    let mut core = RoomCore::new(Time::ZERO, config(Identity::from_secret(&[1; 32], 1), Vec::new()));
    while core.poll().is_some() {}
    for input in entrance(1, Vec::new()) {
        core.handle(Time::ZERO, input);
        while core.poll().is_some() {}
    }
    core.handle(Time::ZERO, Input::Online(false));
    while core.poll().is_some() {}
    assert_eq!(core.status(), Status::Connected, "nothing is known yet");
    let asked = core.next_wakeup().unwrap();
    core.handle(asked, Input::Timeout);
    let outputs: Vec<Output> = std::iter::from_fn(|| core.poll()).collect();
    assert!(outputs.iter().any(|output| matches!(output, Output::CloseSocket { goodbye: false })));
    assert_eq!(core.status(), Status::Offline);
    let again = core.next_wakeup().unwrap();
    let timings = Timings::default();
    assert!(again.since(asked) >= timings.backoff_max / 2 && again.since(asked) <= timings.backoff_max);
    core.handle(again, Input::Timeout);
    assert!(std::iter::from_fn(|| core.poll()).any(|output| matches!(output, Output::OpenSocket)));
}

#[test]
fn a_message_has_a_number_and_its_arrival_is_reported() {
    for seed in 0..20 {
        let (mut sim, a, b) = Sim::pair(seed);
        let to = sim.id(b);
        for n in 1..=100 {
            sim.call(a, |core, now| core.send_to(now, to, Lane::RELIABLE, "chat", &text("hello"))).unwrap();
            let number = sim.core(a).accepted(to, Lane::RELIABLE).unwrap();
            assert!(number >= n && sim.core(a).settled(to, Lane::RELIABLE) < Some(number));
        }
        let last = sim.core(a).accepted(to, Lane::RELIABLE);
        sim.run_for(2 * S);
        assert_eq!((acknowledged(&sim, a, to), sim.core(a).settled(to, Lane::RELIABLE)), (last, last), "seed {seed}");
        assert_eq!((sim.core(a).accepted(to, Lane::LOSSY), sim.core(a).accepted(sim.id(a), Lane::BULK)), (None, None));
    }
}

#[test]
fn what_a_reload_loses_is_settled_and_never_acknowledged() {
    for seed in 0..20 {
        let (mut sim, a, b) = Sim::pair(seed);
        let to = sim.id(b);
        sim.cut(a, b);
        sim.call(a, |core, now| core.send_to(now, to, Lane::RELIABLE, "chat", &text("lost"))).unwrap();
        let lost = sim.core(a).accepted(to, Lane::RELIABLE).unwrap();
        sim.reload(b, false);
        sim.mend(a, b);
        sim.link_all(30 * S);
        sim.run_for(2 * S);
        assert!(sim.was_told(a, |event| matches!(event, Event::Undelivered { peer, messages: 1 } if *peer == to)));
        assert!(sim.core(a).settled(to, Lane::RELIABLE) >= Some(lost), "seed {seed}");
        assert!(acknowledged(&sim, a, to) < Some(lost), "seed {seed}");
        // Numbers go on where they were.
        sim.call(a, |core, now| core.send_to(now, to, Lane::RELIABLE, "chat", &text("again"))).unwrap();
        sim.run_for(2 * S);
        assert_eq!(acknowledged(&sim, a, to), Some(lost + 1), "seed {seed}");
    }
}

/// A room that dials one member, as far as the offer.
fn dialling() -> (RoomCore, PeerId, converge_p2p::LinkId) {
    let peer = Identity::from_secret(&[2; 32], 1);
    let mut core = RoomCore::new(Time::ZERO, config(Identity::from_secret(&[1; 32], 1), Vec::new()));
    while core.poll().is_some() {}
    let member = Member { id: peer.id(), incarnation: peer.incarnation(), seq: 1 };
    let mut link = None;
    for input in entrance(2, vec![member]) {
        core.handle(Time::ZERO, input);
        while let Some(output) = core.poll() {
            if let Output::OpenLink { link: opened, .. } = output {
                link = Some(opened);
            }
        }
    }
    (core, peer.id(), link.unwrap())
}

fn tell(core: &mut RoomCore, now: Time, input: Input) {
    core.handle(now, input);
    while core.poll().is_some() {}
    while core.has_work() {
        core.handle(now, Input::Work);
        while core.poll().is_some() {}
    }
}

fn link_to(core: &RoomCore, now: Time, peer: PeerId) -> (LinkReport, Diagnosis) {
    let report = core.report(now);
    let link = report.links.iter().find(|link| link.peer == peer).unwrap();
    (link.clone(), report.diagnose(link))
}

#[test]
fn a_browser_that_may_not_use_udp_is_told_from_a_network_without_a_way() {
    let cases = [(Some(0), Diagnosis::NoCandidates), (Some(1), Diagnosis::NoRelay), (None, Diagnosis::NoRelay)];
    for (candidates, diagnosis) in cases {
        let (mut core, peer, link) = dialling();
        if candidates.is_some() {
            let description = LinkEvent::LocalDescription(Sdp::Offer("v=0\r\n".into()));
            tell(&mut core, Time::ZERO, Input::Link { link, event: description });
        }
        for _ in 0..candidates.unwrap_or_default() {
            let candidate = converge_p2p::Candidate { candidate: "c".into(), sdp_mid: None, sdp_m_line_index: None };
            tell(&mut core, Time::ZERO, Input::Link { link, event: LinkEvent::LocalCandidate(candidate) });
        }
        let (report, first) = link_to(&core, Time::ZERO, peer);
        assert_eq!((report.candidates, first), (None, Diagnosis::Connecting), "nothing has ended yet");
        let now = Time::ZERO + Timings::default().dial;
        tell(&mut core, now, Input::Timeout);
        let (report, told) = link_to(&core, now, peer);
        assert_eq!((report.candidates, told), (candidates, diagnosis));
    }
}

#[test]
fn the_report_says_what_was_wrong_with_a_frame() {
    let (mut core, peer, link) = dialling();
    tell(&mut core, Time::ZERO, Input::Link { link, event: LinkEvent::Open { max_message: 262_144 } });
    let frame = LinkEvent::Frame { lane: Lane::RELIABLE, bytes: b"cvg\x09".to_vec() };
    tell(&mut core, Time::ZERO, Input::Link { link, event: frame });
    let (report, diagnosis) = link_to(&core, Time::ZERO, peer);
    assert_eq!((report.fault.clone(), diagnosis), (Some(WireError::Version { found: 9 }), Diagnosis::Version));
    let json = serde_json::to_value(&report).unwrap();
    assert!(json["fault"].as_str().unwrap().contains("version 9"), "{json}");
}

#[test]
fn a_browser_that_refuses_a_description_is_reported_as_that() {
    let (mut core, peer, link) = dialling();
    tell(&mut core, Time::ZERO, Input::Link { link, event: LinkEvent::Refused });
    let (report, diagnosis) = link_to(&core, Time::ZERO, peer);
    assert_eq!((report.last_change, diagnosis), (LinkChange::Refused, Diagnosis::Refused));
}

/// A VPN that comes and goes reports it again and again.
#[test]
fn repeated_reports_of_no_network_do_not_put_the_next_try_off() {
    let mut sim = Sim::new(1);
    let a = sim.open();
    sim.run_for(5 * S);
    sim.stop_server();
    sim.tell(a, Input::Online(false));
    sim.run_for(20 * S);
    sim.start_server();
    for _ in 0..20 {
        sim.tell(a, Input::Online(false));
        sim.run_for(S);
    }
    assert_eq!(sim.core(a).status(), Status::Connected);
}

#[test]
fn a_driver_without_connections_leaves_and_says_goodbye() {
    let (mut core, ..) = dialling();
    core.give_up();
    let outputs: Vec<Output> = std::iter::from_fn(|| core.poll()).collect();
    assert!(outputs.iter().any(|output| matches!(output, Output::CloseSocket { goodbye: true })));
    assert_eq!(core.status(), Status::Closed(CloseReason::Unsupported));
}
