//! A peer that sends what no page would, against one room: each time its link is closed with a reason or what it sent
//! is ignored; nothing panics, little is held, and the link to another peer goes on as if nothing had happened.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use converge_p2p::room::{Config, FileEvent, Input, LinkEvent, Output, RoomCore};
use converge_p2p::wire::{
    Answer, Body, FILE, FIRST, Frame, Hello, MAX_FRAME_BYTES, MAX_MESSAGE_BYTES, MAX_NAME_BYTES, MAX_SLOTS, MORE, PACK,
    Value, WHOLE,
};
use converge_p2p::{
    Activity, DisconnectReason, Event, Identity, Lane, LinkId, Payload, PeerId, PeerState, Sdp, Time, Timings,
    TransferId, TransferState,
};
use converge_signal::TopicHash;
use converge_signal::protocol::{Limits, Member, Offerer, ServerMessage, VERSION, Welcome};
use serde_json::value::RawValue;

/// What one room may hold for one hostile peer, whatever that sends: messages of which the rest never comes, on each
/// reliable lane.
const BOUND: usize = 3 * MAX_MESSAGE_BYTES;

/// A room, and the test at the other end of everything.
struct Bench {
    core: RoomCore,
    now: Time,
    evil: Remote,
    friend: Remote,
    events: Vec<Event>,
    closed: Vec<LinkId>,
    /// What the driver was asked to do about descriptions and candidates of the evil one's link.
    negotiations: usize,
    opened: usize,
    files: Vec<TransferId>,
    reads: usize,
    peak: usize,
}

/// The other end of a link.
struct Remote {
    identity: Identity,
    link: Option<LinkId>,
    attempt: u64,
    frames: Vec<(Lane, Arc<[u8]>)>,
    lanes: Vec<u32>,
    /// The room's memory of this one, by name.
    token: u32,
}

impl Remote {
    fn new(secret: u8) -> Self {
        Self {
            identity: Identity::from_secret(&[secret; 32], 1),
            link: None,
            attempt: 0,
            frames: Vec::new(),
            lanes: Vec::new(),
            token: 0,
        }
    }

    fn member(&self, seq: u64) -> Member {
        Member { id: self.identity.id(), incarnation: self.identity.incarnation(), seq }
    }
}

fn server(message: &ServerMessage) -> Input {
    Input::SocketFrame(serde_json::to_string(message).unwrap())
}

fn text(text: &str) -> Payload {
    Payload { codec: 0, bytes: text.as_bytes().to_vec() }
}

fn value(bytes: &[u8]) -> Value<'_> {
    Value { codec: 0, bytes }
}

impl Bench {
    /// A room with two others: links to both are open but not greeted.
    fn opened() -> Self {
        let now = Time::from_micros(1_000_000);
        let config = Config {
            topic: TopicHash::from_bytes([7; 32]),
            identity: Identity::from_secret(&[3; 32], 1),
            origin: String::new(),
            seed: 1,
            timings: Timings::default(),
            lanes: Vec::new(),
        };
        let mut bench = Self {
            core: RoomCore::new(now, config),
            now,
            evil: Remote::new(1),
            friend: Remote::new(2),
            events: Vec::new(),
            closed: Vec::new(),
            negotiations: 0,
            opened: 0,
            files: Vec::new(),
            reads: 0,
            peak: 0,
        };
        bench.drain();
        bench.input(Input::SocketOpen);
        let limits = Limits { max_frame_bytes: 65536, max_topic_members: 32 };
        let nonce = converge_signal::Nonce::from_bytes([1; 32]);
        bench.input(server(&ServerMessage::Challenge { v: VERSION, nonce, limits }));
        let members = vec![bench.evil.member(1), bench.friend.member(2)];
        bench.input(server(&ServerMessage::Welcome(Welcome {
            seq: 3,
            offerer: Offerer::Newcomer,
            members,
            total: 3,
            ice_servers: Vec::new(),
        })));
        for link in [bench.evil.link.unwrap(), bench.friend.link.unwrap()] {
            bench.input(Input::Link { link, event: LinkEvent::LocalDescription(Sdp::Offer("offer".into())) });
            bench.input(Input::Link { link, event: LinkEvent::Open { max_message: 262_144 } });
        }
        bench
    }

    /// Both links are in use.
    fn new() -> Self {
        let mut bench = Self::opened();
        bench.greet(false);
        bench.greet(true);
        assert_eq!(bench.core.open_links(), 2);
        bench.events.clear();
        bench.negotiations = 0;
        bench.opened = 0;
        bench.evil.frames.clear();
        bench.friend.frames.clear();
        bench
    }

    fn remote(&mut self, evil: bool) -> &mut Remote {
        if evil { &mut self.evil } else { &mut self.friend }
    }

    fn id(&self) -> PeerId {
        self.evil.identity.id()
    }

    fn hello(&mut self, evil: bool) -> Hello {
        let remote = self.remote(evil);
        Hello { token: 5, yours: 0, lanes: remote.lanes.clone(), received: vec![(0, 0); 2], activity: 0 }
    }

    fn greet(&mut self, evil: bool) {
        let hello = self.hello(evil).encode();
        self.feed(evil, Lane::RELIABLE, hello);
        self.feed(evil, Lane::RELIABLE, Frame::Ready.encode().unwrap());
    }

    fn input(&mut self, input: Input) {
        self.core.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.core.poll() {
            match output {
                Output::OpenLink { link, .. } => {
                    // In the order of `welcome`.
                    self.opened += 1;
                    let evil = self.evil.link.is_none();
                    self.remote(evil).link = Some(link);
                }
                Output::SendSocket(text) if text.contains("\"signal\"") => {
                    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
                    let (to, data) = (&json["signal"]["to"], &json["signal"]["data"]);
                    let evil = *to == serde_json::json!(self.evil.identity.id());
                    self.remote(evil).attempt = data["attempt"].as_u64().unwrap();
                }
                Output::SendFrame { link, lane, frame } => {
                    let evil = Some(link) == self.evil.link;
                    assert!(evil || Some(link) == self.friend.link, "a frame on a link that is closed");
                    let remote = self.remote(evil);
                    if let Ok(hello) = Hello::decode(&frame) {
                        remote.lanes = hello.lanes;
                        remote.token = hello.token;
                    }
                    remote.frames.push((lane, frame));
                }
                Output::CloseLink { link } => {
                    self.closed.push(link);
                    for remote in [&mut self.evil, &mut self.friend] {
                        remote.link = remote.link.filter(|of| *of != link);
                    }
                }
                Output::SetRemote { .. } | Output::AddCandidate { .. } | Output::Offer { .. } => self.negotiations += 1,
                Output::ReadFile { .. } => self.reads += 1,
                Output::CreateFile { transfer } => self.files.push(transfer.id),
                Output::DropFile { transfer } => self.files.retain(|id| *id != transfer),
                Output::Event(event) => self.events.push(event),
                _ => {}
            }
        }
        self.peak = self.peak.max(self.core.held_bytes());
        self.core.next_wakeup();
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.core.next_wakeup().filter(|at| *at <= end) {
            self.now = at.max(self.now + Duration::from_micros(1));
            self.input(Input::Timeout);
        }
        self.now = end;
    }

    fn feed(&mut self, evil: bool, lane: Lane, bytes: Vec<u8>) {
        if let Some(link) = self.remote(evil).link {
            self.input(Input::Link { link, event: LinkEvent::Frame { lane, bytes } });
        }
    }

    /// The evil one sends bytes.
    fn send(&mut self, lane: Lane, bytes: impl AsRef<[u8]>) {
        self.feed(true, lane, bytes.as_ref().to_vec());
    }

    fn control(&mut self, frame: &Frame<'_>) {
        self.send(Lane::RELIABLE, frame.encode().unwrap());
    }

    fn body(&mut self, body: &Body<'_>) {
        self.send(Lane::RELIABLE, body.encode().unwrap());
    }

    /// It says something through the server.
    fn signal(&mut self, data: &str) {
        let data = RawValue::from_string(data.to_owned()).unwrap();
        let from = self.evil.identity.id();
        self.input(server(&ServerMessage::Signal { from, incarnation: 1, seq: 1, data }));
    }

    /// The room offers a file to it; returns the number under which.
    fn offer(&mut self, size: u64) -> (TransferId, u32) {
        let (now, to) = (self.now, self.id());
        let id = self.core.offer_file(now, to, "a.txt", "text/plain", size).unwrap();
        self.drain();
        (id, 1)
    }

    /// It offers a file, which the room accepts.
    fn accepted(&mut self, number: u32, size: u64) -> TransferId {
        self.body(&Body::Offer { transfer: number, name: "a.txt", mime: "", size });
        let id = self.core.transfers().last().unwrap().id;
        self.core.accept(self.now, id);
        self.drain();
        id
    }

    fn piece(&mut self, number: u8, offset: u8, bytes: &[u8]) {
        self.send(Lane::BULK, [&[FILE, number, offset], bytes].concat());
    }

    fn state(&self, id: TransferId) -> TransferState {
        self.core.transfers().into_iter().find(|transfer| transfer.id == id).unwrap().state
    }

    fn messages(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::Message { .. })).count()
    }

    /// Why the evil one's link was closed, if it was.
    fn reason(&self) -> Option<DisconnectReason> {
        let id = self.id();
        let of = |event: &Event| match event {
            Event::PeerDisconnected { peer, reason } if *peer == id => Some(*reason),
            _ => None,
        };
        self.events.iter().find_map(of)
    }

    /// The friend's link passes messages in both directions.
    fn friend_is_well(&mut self, attack: &str) {
        let (now, to) = (self.now, self.friend.identity.id());
        self.friend.frames.clear();
        let before = self.messages();
        self.core.send_to(now, to, Lane::RELIABLE, "chat", &text("well?")).unwrap();
        self.drain();
        assert!(self.friend.frames.iter().any(|(lane, _)| *lane == Lane::RELIABLE), "{attack}");
        let reply = Body::Message { channel: "chat", direct: true, value: value(b"well.") }.encode().unwrap();
        self.feed(false, Lane::RELIABLE, reply);
        assert_eq!(self.messages(), before + 1, "{attack}");
        let friend = self.friend.identity.id();
        let state = self.core.peers().into_iter().find(|(id, _)| *id == friend).map(|(_, state)| state);
        assert_eq!(state, Some(PeerState::Connected), "{attack}");
    }
}

/// What is to come of an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The link is closed, for that reason.
    Closed(DisconnectReason),
    /// Nothing happens to the link.
    Ignored,
}
use Fate::{Closed, Ignored};

const PROTOCOL: Fate = Closed(DisconnectReason::Protocol);

type Attack = (&'static str, Fate, fn(&mut Bench));

fn run(attacks: &[Attack], begin: fn() -> Bench) {
    for (name, fate, attack) in attacks {
        let mut bench = begin();
        let link = bench.evil.link.unwrap();
        attack(&mut bench);
        let found = match bench.reason() {
            Some(reason) => {
                assert!(bench.closed.contains(&link), "{name}: the connection is closed too");
                Closed(reason)
            }
            None => {
                assert!(!bench.closed.contains(&link), "{name}: closed without a reason");
                Ignored
            }
        };
        assert_eq!(found, *fate, "{name}: {:?}", bench.events.iter().take(20).collect::<Vec<_>>());
        assert!(bench.peak <= BOUND, "{name}: {} bytes were held", bench.peak);
        if matches!(found, Closed(_)) {
            assert!(bench.core.held_bytes() < 4096, "{name}: {} bytes are held for nobody", bench.core.held_bytes());
        }
        bench.friend_is_well(name);
    }
}

/// Every kind of frame, whole.
fn frames() -> Vec<(Lane, Vec<u8>)> {
    let long = "a".repeat(MAX_NAME_BYTES);
    let v = value(b"value");
    let control = [
        Frame::Presence { slot: &long, counter: 300, value: Some(v) },
        Frame::Ready,
        Frame::Ping(300),
        Frame::Pong(300),
        Frame::Ack { lane: 0, messages: 300, bytes: 300 },
        Frame::Activity(2),
        Frame::Negotiation("{\"attempt\":1}"),
        Frame::Credit { transfer: 300, have: 300, until: 300 },
        Frame::Loose { channel: &long, direct: true, value: v },
    ];
    let bodies = [
        Body::Message { channel: &long, direct: true, value: v },
        Body::Request { request: 300, channel: &long, value: v },
        Body::Reply { request: 300, answer: Answer::Value(v) },
        Body::Reply { request: 300, answer: Answer::Refused("no") },
        Body::Cancel(300),
        Body::Offer { transfer: 300, name: "a", mime: "b", size: 300 },
        Body::Accept(300),
        Body::Decline(300),
        Body::Stop { transfer: 300, offered: true, failed: true },
        Body::End { transfer: 300, hash: [9; 32] },
        Body::Stored(300),
    ];
    let control = control.iter().map(|frame| (Lane::RELIABLE, frame.encode().unwrap()));
    let bodies = bodies.iter().map(|body| (Lane::RELIABLE, body.encode().unwrap()));
    control.chain(bodies).chain([(Lane::RELIABLE, vec![FIRST, 0xff, 0x01, 7, 7])]).collect()
}

#[test]
fn every_frame_that_is_cut_short_or_too_long_closes_the_link() {
    for (lane, frame) in frames() {
        for end in 0..=frame.len() {
            // A first part may end anywhere behind its length.
            if end == frame.len() || (frame[0] == FIRST && end > 3) {
                continue;
            }
            let mut bench = Bench::new();
            bench.send(lane, &frame[..end]);
            assert_eq!(bench.reason(), Some(DisconnectReason::Protocol), "{frame:?} cut at {end}");
        }
        if frame[0] != FIRST {
            let mut bench = Bench::new();
            bench.send(lane, [&*frame, &[0]].concat());
            assert_eq!(bench.reason(), Some(DisconnectReason::Protocol), "{frame:?} and a byte more");
            bench.friend_is_well("cut short");
        }
    }
}

#[test]
fn every_frame_with_a_byte_changed_does_no_harm() {
    for (lane, frame) in frames() {
        for at in 0..frame.len().min(80) {
            for byte in [0, 1, 2, 3, 0x7f, 0x80, 0xff] {
                let mut changed = frame.clone();
                changed[at] = byte;
                let mut bench = Bench::new();
                bench.send(lane, &changed);
                bench.send(Lane::LOSSY, &changed);
                bench.pass(Duration::from_secs(1));
                assert!(bench.peak <= BOUND);
                bench.friend_is_well("a byte changed");
            }
        }
    }
}

#[test]
fn a_peer_that_says_no_proper_hello() {
    const VERSIONS: Fate = Closed(DisconnectReason::Version);
    let attacks: &[Attack] = &[
        ("text instead of bytes", PROTOCOL, |b| b.send(Lane::RELIABLE, b"")),
        ("a message before the hello", PROTOCOL, |b| {
            b.body(&Body::Message { channel: "chat", direct: false, value: value(b"hi") });
        }),
        ("ready before the hello", PROTOCOL, |b| b.control(&Frame::Ready)),
        ("goodbye before the hello", PROTOCOL, |b| b.control(&Frame::Bye)),
        ("bulk before the hello", PROTOCOL, |b| b.send(Lane::BULK, [WHOLE])),
        ("presence on the lossy lane before the hello", PROTOCOL, |b| {
            b.send(Lane::LOSSY, Frame::Presence { slot: "a", counter: 1, value: None }.encode().unwrap());
        }),
        ("an older version", VERSIONS, |b| b.send(Lane::RELIABLE, b"cvg\x01")),
        ("a later version", VERSIONS, |b| b.send(Lane::RELIABLE, b"cvg\xff whatever that says")),
        ("half a magic number", PROTOCOL, |b| b.send(Lane::RELIABLE, b"cv")),
        ("a hello that ends", PROTOCOL, |b| {
            let hello = b.hello(true).encode();
            b.send(Lane::RELIABLE, &hello[..hello.len() - 1]);
        }),
        ("a hello and more", PROTOCOL, |b| {
            let hello = [b.hello(true).encode(), vec![0]].concat();
            b.send(Lane::RELIABLE, hello);
        }),
        ("a hello of a megabyte", PROTOCOL, |b| {
            let hello = Hello { lanes: vec![0; 1 << 20], ..b.hello(true) }.encode();
            b.send(Lane::RELIABLE, hello);
        }),
        ("a hello that announces a list of 2^32 lanes", PROTOCOL, |b| {
            b.send(Lane::RELIABLE, [b"cvg\x02".as_slice(), &[1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f]].concat());
        }),
        ("other lanes", Closed(DisconnectReason::Lanes), |b| {
            let mut hello = b.hello(true);
            hello.lanes.push(0);
            b.send(Lane::RELIABLE, hello.encode());
        }),
        ("no lanes", Closed(DisconnectReason::Lanes), |b| {
            let hello = Hello { lanes: Vec::new(), ..b.hello(true) };
            b.send(Lane::RELIABLE, hello.encode());
        }),
        ("too few places", PROTOCOL, |b| {
            let hello = Hello { received: Vec::new(), ..b.hello(true) };
            b.send(Lane::RELIABLE, hello.encode());
        }),
        ("no name", PROTOCOL, |b| {
            let hello = Hello { token: 0, ..b.hello(true) };
            b.send(Lane::RELIABLE, hello.encode());
        }),
        ("an activity that does not exist", PROTOCOL, |b| {
            let hello = Hello { activity: 3, ..b.hello(true) };
            b.send(Lane::RELIABLE, hello.encode());
        }),
        ("places that make no sense, from a stranger", Ignored, |b| {
            let hello = Hello { received: vec![(u64::MAX, u64::MAX); 2], ..b.hello(true) };
            b.send(Lane::RELIABLE, hello.encode());
        }),
    ];
    run(attacks, || {
        let mut bench = Bench::opened();
        bench.greet(false);
        bench.events.clear();
        bench
    });
}

/// A connection after another, whose hello claims to have received what was never sent, or less than it had said.
#[test]
fn a_peer_that_lies_about_what_it_has_received() {
    for (name, received) in [
        ("more than was sent", [(9, 0), (0, 0)]),
        ("the greatest number", [(u64::MAX, u64::MAX), (u64::MAX, 0)]),
        ("bytes of a message that was never begun", [(2, 1), (0, 0)]),
        ("more bytes than a message has", [(1, 1_000_000), (0, 0)]),
        ("less than it had acknowledged", [(0, 0), (0, 0)]),
        ("less than it had acknowledged, by bytes", [(0, 5), (0, 0)]),
    ] {
        let mut bench = Bench::new();
        let (now, to) = (bench.now, bench.id());
        for _ in 0..2 {
            bench.core.send_to(now, to, Lane::RELIABLE, "chat", &text("hello")).unwrap();
            bench.drain();
        }
        bench.control(&Frame::Ack { lane: 0, messages: 1, bytes: 0 });
        // The room's name for its memory was said in its first hello.
        let (link, token) = (bench.evil.link.unwrap(), bench.evil.token);
        bench.input(Input::Link { link, event: LinkEvent::Closed });
        bench.pass(Duration::from_secs(1));
        let link = bench.evil.link.unwrap();
        bench.input(Input::Link { link, event: LinkEvent::Open { max_message: 65_536 } });
        bench.events.clear();
        let hello = Hello { yours: token, received: received.to_vec(), ..bench.hello(true) };
        bench.send(Lane::RELIABLE, hello.encode());
        assert_eq!(bench.reason(), Some(DisconnectReason::Protocol), "{name}: {:?}", bench.events);
        bench.friend_is_well(name);
    }
}

#[test]
fn frames_that_can_t_come_here_and_now() {
    let attacks: &[Attack] = &[
        ("text instead of bytes", PROTOCOL, |b| b.send(Lane::RELIABLE, b"")),
        ("text on the lossy lane", PROTOCOL, |b| b.send(Lane::LOSSY, b"")),
        ("an unknown frame", PROTOCOL, |b| b.send(Lane::RELIABLE, [10])),
        ("another unknown frame", PROTOCOL, |b| b.send(Lane::RELIABLE, [68, 0, 0])),
        ("an unknown body", PROTOCOL, |b| b.send(Lane::RELIABLE, [WHOLE, 10, 0])),
        ("a number that does not end", PROTOCOL, |b| b.send(Lane::RELIABLE, [2, 255, 255, 255, 255, 255, 255])),
        ("a text that is no UTF-8", PROTOCOL, |b| b.send(Lane::RELIABLE, [WHOLE, 0, 1, 0xff, 0, 0, 0])),
        ("a channel name longer than the frame", PROTOCOL, |b| b.send(Lane::RELIABLE, [WHOLE, 0, 200, 1, b'a'])),
        ("a channel name longer than allowed", PROTOCOL, |b| {
            let name = "a".repeat(MAX_NAME_BYTES + 1);
            b.body(&Body::Message { channel: &name, direct: false, value: value(b"") });
        }),
        ("a frame larger than the largest", PROTOCOL, |b| {
            let bytes = vec![0; MAX_FRAME_BYTES];
            b.body(&Body::Message { channel: "chat", direct: false, value: value(&bytes) });
        }),
        ("a second hello", PROTOCOL, |b| {
            let hello = b.hello(true).encode();
            b.send(Lane::RELIABLE, hello);
        }),
        ("ready twice", PROTOCOL, |b| b.control(&Frame::Ready)),
        ("a message on the lossy lane", PROTOCOL, |b| {
            let body = Body::Message { channel: "chat", direct: false, value: value(b"") };
            b.send(Lane::LOSSY, body.encode().unwrap());
        }),
        ("part of a message on the lossy lane", PROTOCOL, |b| b.send(Lane::LOSSY, [FIRST, 100, 1])),
        ("a loose message on a reliable lane", PROTOCOL, |b| {
            b.control(&Frame::Loose { channel: "chat", direct: false, value: value(b"") });
        }),
        ("a ping on the bulk lane", PROTOCOL, |b| b.send(Lane::BULK, Frame::Ping(1).encode().unwrap())),
        ("a goodbye on the lossy lane", PROTOCOL, |b| b.send(Lane::LOSSY, Frame::Bye.encode().unwrap())),
        ("a request on the bulk lane", PROTOCOL, |b| {
            let body = Body::Request { request: 1, channel: "a", value: value(b"") };
            b.send(Lane::BULK, body.encode().unwrap());
        }),
        ("an offer on the bulk lane", PROTOCOL, |b| {
            let body = Body::Offer { transfer: 1, name: "a", mime: "", size: 1 };
            b.send(Lane::BULK, body.encode().unwrap());
        }),
        ("a piece of a file on the reliable lane", PROTOCOL, |b| b.send(Lane::RELIABLE, [FILE, 1, 0, 1])),
        ("a piece of a file on the lossy lane", PROTOCOL, |b| b.send(Lane::LOSSY, [FILE, 1, 0, 1])),
        ("presence on the bulk lane", PROTOCOL, |b| {
            b.send(Lane::BULK, Frame::Presence { slot: "a", counter: 1, value: None }.encode().unwrap());
        }),
        ("an activity that does not exist", PROTOCOL, |b| b.send(Lane::RELIABLE, [6, 3])),
        ("an acknowledgement of the future", PROTOCOL, |b| {
            b.control(&Frame::Ack { lane: 0, messages: 1, bytes: 0 });
        }),
        ("an acknowledgement of the far future", PROTOCOL, |b| {
            b.control(&Frame::Ack { lane: 0, messages: u64::MAX, bytes: u64::MAX });
        }),
        ("an acknowledgement of bytes of nothing", PROTOCOL, |b| {
            b.control(&Frame::Ack { lane: 2, messages: 0, bytes: 1 });
        }),
        ("an acknowledgement for the lossy lane", PROTOCOL, |b| {
            b.control(&Frame::Ack { lane: 1, messages: 0, bytes: 0 });
        }),
        ("an acknowledgement for a lane that is not there", PROTOCOL, |b| {
            b.control(&Frame::Ack { lane: 9, messages: 0, bytes: 0 });
        }),
        ("acknowledgements that go back", Ignored, |b| {
            let (now, to) = (b.now, b.id());
            b.core.send_to(now, to, Lane::RELIABLE, "chat", &text("one")).unwrap();
            b.drain();
            b.core.send_to(now, to, Lane::RELIABLE, "chat", &text("two")).unwrap();
            b.drain();
            b.control(&Frame::Ack { lane: 0, messages: 2, bytes: 0 });
            assert_eq!(b.core.held_bytes(), 0);
            b.control(&Frame::Ack { lane: 0, messages: 1, bytes: 0 });
            b.control(&Frame::Ack { lane: 0, messages: 0, bytes: 0 });
            b.control(&Frame::Ack { lane: 0, messages: 0, bytes: 3 });
        }),
        ("an answer to no ping", Ignored, |b| b.control(&Frame::Pong(12345))),
        ("a goodbye, and then more", Closed(DisconnectReason::Left), |b| {
            b.control(&Frame::Bye);
            b.body(&Body::Message { channel: "chat", direct: false, value: value(b"still here") });
            assert_eq!(b.messages(), 0);
        }),
        ("a link that takes no frame of a sensible size", PROTOCOL, |b| {
            let link = b.evil.link.unwrap();
            b.input(Input::Link { link, event: LinkEvent::Open { max_message: 0 } });
        }),
    ];
    run(attacks, Bench::new);
}

#[test]
fn bombs_and_floods() {
    let attacks: &[Attack] = &[
        ("a message of 4 GiB is announced", PROTOCOL, |b| {
            b.send(Lane::RELIABLE, [FIRST, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3]);
            assert!(b.peak < 4096);
        }),
        ("a message of 2^64 bytes is announced", PROTOCOL, |b| {
            b.send(Lane::RELIABLE, [FIRST, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 1, 2, 3]);
        }),
        ("a message that is a byte too long is announced", PROTOCOL, |b| {
            // 16 MiB + 1 as a varint.
            b.send(Lane::RELIABLE, [FIRST, 0x81, 0x80, 0x80, 0x08, 1, 2, 3]);
        }),
        ("a message of no bytes is announced", PROTOCOL, |b| b.send(Lane::RELIABLE, [FIRST, 0])),
        ("a first part without bytes", PROTOCOL, |b| b.send(Lane::RELIABLE, [FIRST, 100])),
        ("a first part that is all of it", PROTOCOL, |b| b.send(Lane::RELIABLE, [FIRST, 2, 0, 0])),
        ("a part without a first one", PROTOCOL, |b| b.send(Lane::RELIABLE, [MORE, 1, 2, 3])),
        ("a pack of nothing", PROTOCOL, |b| b.send(Lane::RELIABLE, [PACK])),
        ("a pack whose last body is cut", PROTOCOL, |b| b.send(Lane::RELIABLE, [PACK, 2, 3, 7, 2, 3])),
        ("a pack of a body of 4 GiB", PROTOCOL, |b| b.send(Lane::RELIABLE, [PACK, 0xff, 0xff, 0xff, 0xff, 0x0f, 3, 7])),
        ("a pack of empty bodies", PROTOCOL, |b| b.send(Lane::RELIABLE, [PACK, 0, 0, 0, 0])),
        ("a pack that is too long", PROTOCOL, |b| {
            b.send(Lane::RELIABLE, [&[PACK][..], &[2, 3, 7].repeat(6000)].concat())
        }),
        ("a pack on the lossy lane", PROTOCOL, |b| b.send(Lane::LOSSY, [PACK, 2, 3, 7])),
        ("a pack within a message", PROTOCOL, |b| {
            b.send(Lane::RELIABLE, [FIRST, 100, 1]);
            b.send(Lane::RELIABLE, [PACK, 2, 3, 7]);
        }),
        ("a pack of thousands of cancellations of nothing", Ignored, |b| {
            b.send(Lane::RELIABLE, [&[PACK][..], &[2, 3, 7].repeat(5000)].concat());
        }),
        ("an empty part", PROTOCOL, |b| {
            b.send(Lane::RELIABLE, [FIRST, 100, 1]);
            b.send(Lane::RELIABLE, [MORE]);
        }),
        ("parts beyond what was announced", PROTOCOL, |b| {
            b.send(Lane::RELIABLE, [FIRST, 3, 1]);
            b.send(Lane::RELIABLE, [MORE, 1, 2, 3]);
        }),
        ("a first part within a message", PROTOCOL, |b| {
            b.send(Lane::RELIABLE, [FIRST, 100, 1]);
            b.send(Lane::RELIABLE, [FIRST, 100, 1]);
        }),
        ("a whole message within another", PROTOCOL, |b| {
            b.send(Lane::RELIABLE, [FIRST, 100, 1]);
            b.body(&Body::Cancel(1));
        }),
        ("a message of parts that is no message", PROTOCOL, |b| {
            b.send(Lane::RELIABLE, [FIRST, 3, 200]);
            b.send(Lane::RELIABLE, [MORE, 200, 200]);
        }),
        ("messages on all lanes of which the rest never comes", Ignored, |b| {
            for lane in [Lane::RELIABLE, Lane::BULK] {
                // 16 MiB as a varint.
                b.send(lane, [FIRST, 0x80, 0x80, 0x80, 0x08, 0]);
                let part = [&[MORE][..], &vec![0; 65_535]].concat();
                for _ in 0..255 {
                    b.send(lane, &part);
                }
            }
            b.pass(Duration::from_millis(900));
        }),
        ("presence in more slots than there are", PROTOCOL, |b| {
            for n in 0..=MAX_SLOTS {
                b.control(&Frame::Presence { slot: &n.to_string(), counter: 1, value: Some(value(b"x")) });
            }
        }),
        ("presence that is cleared in ever new slots", PROTOCOL, |b| {
            for n in 0..=MAX_SLOTS {
                b.control(&Frame::Presence { slot: &n.to_string(), counter: 1, value: None });
            }
        }),
        ("presence that never grows older", Ignored, |b| {
            for n in 0..1000 {
                b.control(&Frame::Presence { slot: "a", counter: u64::MAX, value: Some(value(&[n as u8])) });
            }
            let changes = b.events.iter().filter(|e| matches!(e, Event::PresenceChanged { .. })).count();
            assert_eq!(changes, 1);
        }),
        ("ten thousand changes of activity", Ignored, |b| {
            for n in 0..10_000 {
                b.control(&Frame::Activity(n as u8 % 3));
            }
            assert_eq!(b.core.activity_of(b.id()), Activity::Active);
        }),
        ("signals that are no negotiation", Ignored, |b| {
            for data in ["0", "\"\"", "[]", "{}", "{\"attempt\":-1}", "{\"attempt\":\"x\"}", "null"] {
                b.signal(data);
                b.control(&Frame::Negotiation(data));
            }
            b.control(&Frame::Negotiation("no json"));
            b.control(&Frame::Negotiation(&"[".repeat(60_000)));
            b.control(&Frame::Negotiation(""));
            assert_eq!((b.negotiations, b.opened), (0, 0));
        }),
        ("answers that nobody awaits", Ignored, |b| {
            let attempt = b.evil.attempt;
            b.signal(&format!("{{\"attempt\":{attempt},\"answer\":\"first\"}}"));
            let before = b.negotiations;
            for n in 0..100 {
                b.signal(&format!("{{\"attempt\":{attempt},\"answer\":\"again\",\"round\":{n},\"answers\":{n}}}"));
                b.control(&Frame::Negotiation(&format!("{{\"attempt\":{attempt},\"answer\":\"\",\"answers\":{n}}}")));
            }
            assert!(before <= 1 && b.negotiations == before, "{}", b.negotiations);
        }),
        ("candidates without end, before there is a description", Ignored, |b| {
            let attempt = b.evil.attempt;
            for n in 0..10_000 {
                let candidate = format!("{{\"candidate\":\"{n}\",\"sdpMid\":\"0\"}}");
                b.signal(&format!("{{\"attempt\":{attempt},\"round\":{n},\"candidate\":{candidate}}}"));
            }
            assert!(b.negotiations < 200, "{}", b.negotiations);
        }),
        ("offers to renew the connection without end", Ignored, |b| {
            let attempt = b.evil.attempt;
            b.signal(&format!("{{\"attempt\":{attempt},\"answer\":\"first\"}}"));
            let link = b.evil.link.unwrap();
            b.input(Input::Link { link, event: LinkEvent::RemoteSet });
            b.negotiations = 0;
            for n in 1..1000 {
                let offer = format!("{{\"attempt\":{attempt},\"round\":{n},\"offer\":\"{}\"}}", "x".repeat(1000));
                b.control(&Frame::Negotiation(&offer));
                b.input(Input::Link { link, event: LinkEvent::RemoteSet });
                b.input(Input::Link { link, event: LinkEvent::LocalDescription(Sdp::Answer("a".into())) });
            }
            assert!(b.negotiations <= 10, "{} negotiations", b.negotiations);
        }),
        ("an offer for another attempt over the link", Ignored, |b| {
            b.control(&Frame::Negotiation("{\"attempt\":77,\"offer\":\"x\"}"));
            b.control(&Frame::Negotiation("{\"attempt\":77,\"dial\":{}}"));
            assert_eq!((b.negotiations, b.opened), (0, 0));
        }),
    ];
    run(attacks, Bench::new);
}

/// Many connections are as bad as many frames: a peer gets only so many in a while.
#[test]
fn a_peer_that_starts_over_without_end_gets_few_connections() {
    for signal in ["{\"attempt\":0,\"dial\":{}}", "{\"attempt\":N,\"offer\":\"x\"}"] {
        let mut bench = Bench::new();
        for n in 0..1000 {
            bench.signal(&signal.replace('N', &(1000 + n).to_string()));
        }
        assert!(bench.opened <= 10, "{signal}: {} connections in no time", bench.opened);
        assert!(bench.closed.len() <= 11);
        bench.friend_is_well(signal);
    }
}

#[test]
fn pings_without_end_make_no_heap_of_pongs() {
    let mut bench = Bench::new();
    // The other side reads nothing: the driver never says that there is room again.
    for n in 0..200_000 {
        bench.control(&Frame::Ping(n));
    }
    let bytes: usize = bench.evil.frames.iter().map(|(_, frame)| frame.len()).sum();
    assert!(bytes <= 512 * 1024, "{bytes} bytes wait in the browser for who reads nothing");
    bench.friend_is_well("pings");
}

#[test]
fn requests_and_replies_that_nobody_asked_for() {
    let attacks: &[Attack] = &[
        ("requests without end on a channel nobody serves", Ignored, |b| {
            for n in 0..10_000 {
                b.body(&Body::Request { request: n, channel: "none", value: value(b"?") });
            }
            assert!(!b.events.iter().any(|event| matches!(event, Event::Request { .. })));
        }),
        ("requests without end on a channel that is served", Ignored, |b| {
            b.core.serve("sum", true);
            for n in 0..10_000 {
                b.body(&Body::Request { request: n, channel: "sum", value: value(b"?") });
            }
            let requests = b.events.iter().filter(|event| matches!(event, Event::Request { .. })).count();
            assert!(requests <= 64, "{requests}");
        }),
        ("the same request again and again", Ignored, |b| {
            b.core.serve("sum", true);
            for _ in 0..100 {
                b.body(&Body::Request { request: 7, channel: "sum", value: value(b"?") });
            }
            let requests = b.events.iter().filter(|event| matches!(event, Event::Request { .. })).count();
            assert_eq!(requests, 1);
        }),
        ("replies to nothing", Ignored, |b| {
            for n in 0..1000 {
                b.body(&Body::Reply { request: n, answer: Answer::Value(value(b"!")) });
                b.body(&Body::Reply { request: n, answer: Answer::Busy });
            }
            assert!(!b.events.iter().any(|event| matches!(event, Event::Reply { .. })));
        }),
        ("a reply to what was asked of another", Ignored, |b| {
            let (now, friend) = (b.now, b.friend.identity.id());
            b.core.request(now, friend, "sum", &text("1"), Duration::from_secs(5)).unwrap();
            b.drain();
            for request in 0..10 {
                b.body(&Body::Reply { request, answer: Answer::Value(value(b"mine")) });
            }
            assert!(!b.events.iter().any(|event| matches!(event, Event::Reply { .. })));
        }),
        ("two replies", Ignored, |b| {
            let (now, to) = (b.now, b.id());
            b.core.request(now, to, "sum", &text("1"), Duration::from_secs(5)).unwrap();
            b.drain();
            for _ in 0..2 {
                b.body(&Body::Reply { request: 1, answer: Answer::Value(value(b"1")) });
            }
            let replies = b.events.iter().filter(|event| matches!(event, Event::Reply { .. })).count();
            assert_eq!(replies, 1);
        }),
        ("a refusal with a book for a reason", PROTOCOL, |b| {
            let why = "x".repeat(2000);
            b.body(&Body::Reply { request: 1, answer: Answer::Refused(&why) });
        }),
        ("cancellations of nothing", Ignored, |b| {
            for n in 0..1000 {
                b.body(&Body::Cancel(n));
            }
            assert!(!b.events.iter().any(|event| matches!(event, Event::RequestCancelled { .. })));
        }),
    ];
    run(attacks, Bench::new);
}

#[test]
fn files_that_are_not_what_they_should_be() {
    fn fails(b: &Bench, id: TransferId) {
        assert!(matches!(b.state(id), TransferState::Failed(_)), "{:?}", b.state(id));
    }
    let attacks: &[Attack] = &[
        ("pieces of a file that was never offered", Ignored, |b| {
            for n in 0..100 {
                b.piece(n, 0, b"piece");
            }
        }),
        ("pieces of a file that was not accepted", Ignored, |b| {
            b.body(&Body::Offer { transfer: 1, name: "a", mime: "", size: 5 });
            b.piece(1, 0, b"piece");
            fails(b, b.core.transfers()[0].id);
        }),
        ("a piece at another place", Ignored, |b| {
            let id = b.accepted(1, 100);
            b.piece(1, 50, b"piece");
            fails(b, id);
        }),
        ("a piece twice", Ignored, |b| {
            let id = b.accepted(1, 100);
            b.piece(1, 0, b"piece");
            b.piece(1, 0, b"piece");
            fails(b, id);
        }),
        ("an empty piece", Ignored, |b| {
            let id = b.accepted(1, 100);
            b.piece(1, 0, b"");
            fails(b, id);
        }),
        ("more than the file has", Ignored, |b| {
            let id = b.accepted(1, 3);
            b.piece(1, 0, b"piece");
            fails(b, id);
        }),
        ("more than was allowed", Ignored, |b| {
            let id = b.accepted(1, 1 << 40);
            let mut offset = 0_u64;
            let piece = vec![1; 60_000];
            for _ in 0..2000 {
                let mut frame = vec![FILE, 1];
                let mut rest = offset;
                while rest >= 0x80 {
                    frame.push(rest as u8 | 0x80);
                    rest >>= 7;
                }
                frame.push(rest as u8);
                frame.extend_from_slice(&piece);
                b.send(Lane::BULK, frame);
                offset += piece.len() as u64;
            }
            fails(b, id);
            assert!(b.peak <= 9 << 20, "{} bytes are held", b.peak);
            assert!(b.files.is_empty(), "what was stored is let go");
        }),
        ("a piece at the end of all numbers", Ignored, |b| {
            let id = b.accepted(1, u64::MAX);
            b.send(Lane::BULK, [FILE, 1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 1, 2, 3]);
            fails(b, id);
        }),
        ("a file of 2^64 bytes", Ignored, |b| {
            b.accepted(1, u64::MAX);
            assert!(b.peak < 4096);
        }),
        ("a wrong hash", Ignored, |b| {
            let id = b.accepted(1, 5);
            b.piece(1, 0, b"piece");
            b.input(Input::File { transfer: id, event: FileEvent::Written });
            b.body(&Body::End { transfer: 1, hash: [0; 32] });
            fails(b, id);
            assert!(b.files.is_empty());
        }),
        ("an end before the file", Ignored, |b| {
            let id = b.accepted(1, 5);
            b.body(&Body::End { transfer: 1, hash: [0; 32] });
            assert_eq!(b.state(id), TransferState::Moving);
        }),
        ("an end of what was not accepted", Ignored, |b| {
            b.body(&Body::Offer { transfer: 1, name: "a", mime: "", size: 0 });
            b.body(&Body::End { transfer: 1, hash: [0; 32] });
            assert_eq!(b.core.transfers()[0].state, TransferState::Offered);
        }),
        ("answers about files that were never offered", Ignored, |b| {
            for transfer in 0..100 {
                b.body(&Body::Accept(transfer));
                b.body(&Body::Decline(transfer));
                b.body(&Body::Stored(transfer));
                b.body(&Body::End { transfer, hash: [0; 32] });
                b.body(&Body::Stop { transfer, offered: true, failed: false });
                b.body(&Body::Stop { transfer, offered: false, failed: true });
                b.control(&Frame::Credit { transfer, have: 0, until: 100 });
            }
            assert!(b.core.transfers().is_empty() && b.reads == 0);
        }),
        ("answers about a file of one's own", Ignored, |b| {
            let id = b.accepted(1, 100);
            b.body(&Body::Accept(1));
            b.body(&Body::Stored(1));
            b.body(&Body::Decline(1));
            b.control(&Frame::Credit { transfer: 1, have: 0, until: 100 });
            assert_eq!((b.state(id), b.reads), (TransferState::Moving, 0));
        }),
        ("credit without acceptance, which it implies", Ignored, |b| {
            let (id, number) = b.offer(100);
            b.control(&Frame::Credit { transfer: number, have: 0, until: 100 });
            assert_eq!((b.state(id), b.reads), (TransferState::Moving, 1));
        }),
        ("credit beyond the file", Ignored, |b| {
            let (_, number) = b.offer(100);
            b.body(&Body::Accept(number));
            b.control(&Frame::Credit { transfer: number, have: 0, until: u64::MAX });
            assert_eq!(b.reads, 1);
        }),
        ("more received than was sent", Ignored, |b| {
            let (id, number) = b.offer(100);
            b.body(&Body::Accept(number));
            b.control(&Frame::Credit { transfer: number, have: 0, until: 10 });
            b.control(&Frame::Credit { transfer: number, have: 90, until: 100 });
            fails(b, id);
        }),
        ("more received than there is", Ignored, |b| {
            let (id, number) = b.offer(100);
            b.body(&Body::Accept(number));
            b.control(&Frame::Credit { transfer: number, have: 101, until: 102 });
            fails(b, id);
        }),
        ("credit that goes back", Ignored, |b| {
            let (_, number) = b.offer(100);
            b.body(&Body::Accept(number));
            for until in [100, 50, 0] {
                b.control(&Frame::Credit { transfer: number, have: 0, until });
            }
            b.control(&Frame::Credit { transfer: number, have: 5, until: 2 });
        }),
        ("credit without end for one file", Ignored, |b| {
            let (_, number) = b.offer(1 << 40);
            b.body(&Body::Accept(number));
            for until in 0..10_000 {
                b.control(&Frame::Credit { transfer: number, have: 0, until });
            }
            assert_eq!(b.reads, 1, "one at a time");
        }),
        ("stored before it was sent", Ignored, |b| {
            let (id, number) = b.offer(100);
            b.body(&Body::Accept(number));
            b.body(&Body::Stored(number));
            assert_ne!(b.state(id), TransferState::Done);
        }),
        ("accepted, declined and accepted", Ignored, |b| {
            let (id, number) = b.offer(100);
            for _ in 0..3 {
                b.body(&Body::Accept(number));
                b.body(&Body::Decline(number));
            }
            assert_eq!(b.state(id), TransferState::Moving);
        }),
        ("offers without end", Ignored, |b| {
            for transfer in 0..10_000 {
                b.body(&Body::Offer { transfer, name: "a", mime: "", size: 1 });
            }
            let offered = b.core.transfers().iter().filter(|t| t.state == TransferState::Offered).count();
            assert!(offered <= 64, "{offered}");
        }),
        ("offers that are withdrawn without end", Ignored, |b| {
            for transfer in 0..10_000 {
                b.body(&Body::Offer { transfer, name: &"a".repeat(200), mime: "", size: 1 });
                b.body(&Body::Stop { transfer, offered: true, failed: false });
            }
            assert!(b.core.transfers().len() <= 320, "{}", b.core.transfers().len());
        }),
        ("the same offer again", Ignored, |b| {
            let id = b.accepted(1, 5);
            b.body(&Body::Offer { transfer: 1, name: "another", mime: "", size: 50 });
            let transfer = b.core.transfers().into_iter().find(|t| t.id == id).unwrap();
            assert_eq!((transfer.name.as_str(), transfer.size), ("a.txt", 5));
        }),
        ("names that deceive", Ignored, |b| {
            let names = ["../../a", "c:\\b", "a\u{0}b\u{7}", "\u{202e}gpj.exe", "..", "", "\u{2066}x\u{2069}", "/"];
            for (transfer, name) in (0..).zip(names) {
                b.body(&Body::Offer { transfer, name, mime: "text/html\r\nx", size: 1 });
            }
            let transfers = b.core.transfers();
            assert_eq!(transfers.len(), names.len());
            for transfer in transfers {
                let bad = |c: char| c.is_control() || "/\\\u{202e}\u{2066}\u{2069}".contains(c);
                assert!(!transfer.name.contains(bad) && !transfer.mime.contains(char::is_control), "{transfer:?}");
                assert!(!["", ".", ".."].contains(&transfer.name.as_str()), "{transfer:?}");
            }
        }),
        ("a name that is too long", PROTOCOL, |b| {
            b.body(&Body::Offer { transfer: 1, name: &"a".repeat(256), mime: "", size: 1 });
        }),
        ("a media type that is too long", PROTOCOL, |b| {
            b.body(&Body::Offer { transfer: 1, name: "a", mime: &"a".repeat(256), size: 1 });
        }),
    ];
    run(attacks, Bench::new);
}

/// The driver is trusted, but a file may change under it.
#[test]
fn a_file_that_gives_more_or_less_than_was_asked_for_fails() {
    for given in [0, 99, 101, 5000] {
        let mut bench = Bench::new();
        let (id, number) = bench.offer(100);
        bench.body(&Body::Accept(number));
        bench.control(&Frame::Credit { transfer: number, have: 0, until: 100 });
        bench.input(Input::File { transfer: id, event: FileEvent::Read(vec![0; given]) });
        assert!(matches!(bench.state(id), TransferState::Failed(_)), "{given}: {:?}", bench.state(id));
    }
}

#[test]
fn a_link_closed_for_cause_is_tried_again_only_after_a_while() {
    let mut bench = Bench::new();
    bench.send(Lane::RELIABLE, b"nonsense");
    assert_eq!(bench.reason(), Some(DisconnectReason::Protocol));
    let id = bench.id();
    let state = bench.core.peers().into_iter().find(|(peer, _)| *peer == id).map(|(_, state)| state);
    assert_eq!(state, Some(PeerState::Unreachable));
    // It begins anew each time it is let: that does not go faster than for others.
    for n in 0..100 {
        bench.signal(&format!("{{\"attempt\":{n},\"offer\":\"x\"}}"));
        if let Some(link) = bench.evil.link {
            bench.input(Input::Link { link, event: LinkEvent::Open { max_message: 65_536 } });
            bench.send(Lane::RELIABLE, b"nonsense");
        }
    }
    assert!(bench.opened <= 10, "{} connections", bench.opened);
    bench.friend_is_well("nonsense");
}
