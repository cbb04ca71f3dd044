//! What a message costs in allocations, on a link that is open and has been used: they are what a busy page pays for in
//! pauses, and one more is easily added unseen.
//!
//! To send one:
//! 1. the frame, written into a `Vec` with room for the longest channel name;
//! 2. the `Arc<[u8]>` it is copied into, which the queue keeps until the other side has it and the driver sends from.
//!
//! To take one in (its own bytes, which the driver hands over, are not counted):
//! 1. the channel's name, as a `String` of the event;
//! 2. the payload's bytes, as a `Vec` of the event.
//!
//! Acknowledgements cost something every so many messages: received ones nothing, those that are sent two, as above.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::alloc::System;
use std::time::Duration;

use converge_p2p::room::{Input, LinkEvent, Output, RoomCore};
use converge_p2p::sim::{config, entrance};
use converge_p2p::wire::{Body, Frame, Hello, Value};
use converge_p2p::{Event, Identity, Lane, LinkId, Payload, PeerId, Sdp, Time};
use converge_signal::protocol::Member;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const MESSAGES: u64 = 1000;

/// Both ends acknowledge at the latest after so many.
const ACK_EVERY: u64 = 64;

/// Allocations of a message that is sent. Its acknowledgement costs none.
const SENT: u64 = 2;

/// Allocations of a message that is received.
const RECEIVED: u64 = 2;

/// Allocations of an acknowledgement that is sent, every [`ACK_EVERY`] messages received.
const ACKNOWLEDGED: u64 = 2;

/// A room with one other member, who is the test.
struct Bench {
    core: RoomCore,
    now: Time,
    other: PeerId,
    link: Option<LinkId>,
    lanes: Vec<u32>,
    frames: u64,
    acks: u64,
    messages: u64,
}

impl Bench {
    /// The link is open and greeted.
    fn new() -> Self {
        let now = Time::from_micros(1_000_000);
        let other = Identity::from_secret(&[1; 32], 1).id();
        let core = RoomCore::new(now, config(Identity::from_secret(&[3; 32], 1), Vec::new()));
        let mut bench = Self { core, now, other, link: None, lanes: Vec::new(), frames: 0, acks: 0, messages: 0 };
        bench.drain();
        for input in entrance(2, vec![Member { id: other, incarnation: 1, seq: 1 }]) {
            bench.input(input);
        }
        bench.link(LinkEvent::LocalDescription(Sdp::Offer("offer".into())));
        bench.link(LinkEvent::Open { max_message: 262_144 });
        let hello = Hello { token: 5, yours: 0, lanes: bench.lanes.clone(), received: vec![(0, 0); 2], activity: 0 };
        bench.frame(hello.encode());
        bench.frame(Frame::Ready.encode().unwrap());
        assert_eq!(bench.core.open_links(), 1);
        bench
    }

    fn input(&mut self, input: Input) {
        self.now += Duration::from_micros(10);
        self.core.handle(self.now, input);
        self.drain();
        while self.core.has_work() {
            self.core.handle(self.now, Input::Work);
            self.drain();
        }
    }

    fn link(&mut self, event: LinkEvent) {
        let link = self.link.unwrap();
        self.input(Input::Link { link, event });
    }

    fn frame(&mut self, bytes: Vec<u8>) {
        self.link(LinkEvent::Frame { lane: Lane::RELIABLE, bytes });
    }

    /// Does what a driver does after each call; here that must not allocate.
    fn drain(&mut self) {
        let mut writable = None;
        while let Some(output) = self.core.poll() {
            match output {
                Output::OpenLink { link, .. } => self.link = Some(link),
                Output::SendFrame { frame, .. } => {
                    if let Ok(hello) = Hello::decode(&frame) {
                        self.lanes = hello.lanes;
                    }
                    self.acks += u64::from(matches!(Frame::decode(&frame), Ok(Frame::Ack { .. })));
                    self.frames += 1;
                }
                Output::AwaitWritable { lane, .. } => writable = Some(lane),
                Output::Event(Event::Message { .. }) => self.messages += 1,
                _ => {}
            }
        }
        self.core.next_wakeup();
        if let Some(lane) = writable {
            self.link(LinkEvent::Writable { lane });
        }
    }
}

/// The allocations of what is done, those that make something grow included.
fn allocations(f: impl FnOnce()) -> u64 {
    let region = Region::new(ALLOCATOR);
    f();
    let change = region.change();
    (change.allocations + change.reallocations) as u64
}

// One test, for allocations are counted in the whole process.
#[test]
fn a_message_costs_few_allocations() {
    let mut bench = Bench::new();

    let payload = Payload { codec: 0, bytes: vec![7; 100] };
    let mut number = 0;
    let mut send = |bench: &mut Bench, ack: &mut Vec<Vec<u8>>| {
        for _ in 0..MESSAGES {
            bench.core.send_to(bench.now, bench.other, Lane::RELIABLE, "chat", &payload).unwrap();
            bench.drain();
            number += 1;
            if number % ACK_EVERY == 0 {
                bench.frame(ack.pop().unwrap());
            }
        }
    };
    // What the driver hands over is made before anything is counted; the last is popped first.
    let acks = (1..=2 * MESSAGES / ACK_EVERY).rev();
    let mut acks: Vec<_> =
        acks.map(|n| Frame::Ack { lane: 0, messages: n * ACK_EVERY, bytes: 0 }.encode().unwrap()).collect();
    send(&mut bench, &mut acks);
    bench.frames = 0;
    let sent = allocations(|| send(&mut bench, &mut acks));
    assert_eq!(bench.frames, MESSAGES, "every message went out at once");
    println!("RESULT allocations_per_message_sent={} count", sent as f64 / MESSAGES as f64);

    let value = Value { codec: 0, bytes: &payload.bytes };
    let message = Body::Message { channel: "chat", direct: true, value }.encode().unwrap();
    let mut frames = vec![message; 2 * MESSAGES as usize];
    let mut receive = |bench: &mut Bench| {
        for _ in 0..MESSAGES {
            bench.frame(frames.pop().unwrap());
        }
    };
    receive(&mut bench);
    (bench.acks, bench.messages) = (0, 0);
    let received = allocations(|| receive(&mut bench));
    assert_eq!(bench.messages, MESSAGES, "every message was handed on");
    println!("RESULT allocations_per_message_received={} count", received as f64 / MESSAGES as f64);
    println!("{} acknowledgements were sent", bench.acks);

    assert!(sent <= SENT * MESSAGES, "{MESSAGES} messages sent cost {sent} allocations, more than {SENT} each");
    let most = RECEIVED * MESSAGES + ACKNOWLEDGED * bench.acks;
    assert!(received <= most, "{MESSAGES} messages received cost {received} allocations, more than {RECEIVED} each");
}
