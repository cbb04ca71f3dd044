//! A room that has joined, with links to two others, driven by any bytes: what peers and the server say, what happens
//! to links and files, what the application asks for, and time.
//!
//! Each step takes a few bytes: which step it is, then its numbers. Most steps are well formed, for what is not is
//! refused early and leads nowhere; the target `frame` and two steps here see to the rest. What must hold:
//! * nothing panics (debug assertions are on);
//! * what is held was passed in, and is under the bound of the hostile tests apart from what the application sends;
//! * time handed in at a wake-up is taken note of: a timer that is due again at once, for ever, would stop the page.
#![no_main]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use converge_p2p::room::{Config, FileEvent, Input, LinkEvent, Output, RoomCore};
use converge_p2p::wire::{
    Answer, Body, FILE, FIRST, Frame, Hello, MAX_FRAME_BYTES, MAX_MESSAGE_BYTES, MORE, Value, WHOLE,
};
use converge_p2p::{
    Activity, Candidate, Delivery, ErrorCode, Event, Identity, Lane, LinkId, Payload, PeerId, RequestId, Sdp, Status,
    Time, Timings, TransferId,
};
use converge_signal::protocol::{Departed, LeftReason, Limits, Member, Offerer, ServerMessage, VERSION, Welcome};
use converge_signal::{Nonce, TopicHash};
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

/// What the room may hold that others made it hold: unfinished messages, as in the hostile tests, of each of the peers.
const BOUND: usize = 3 * MAX_MESSAGE_BYTES * REMOTES;

/// The peers there are. The first two are in the room, the third may come later and then makes the offer, the fourth is
/// the room's own id, which others may claim.
const REMOTES: usize = 3;

/// A step makes the room hold at most so much beside the bytes that were passed in: a reply, or a word about a file.
const STEP_BYTES: usize = 2048;

/// This many wake-ups in a row may ask for another at the same time.
const SPINS: usize = 100;

/// Ed25519 keys take longer to make than all the rest.
static IDENTITIES: LazyLock<Vec<Identity>> =
    LazyLock::new(|| [1, 2, 4, 3].iter().map(|secret| Identity::from_secret(&[*secret; 32], 1)).collect());
static IDS: LazyLock<Vec<PeerId>> = LazyLock::new(|| IDENTITIES.iter().map(Identity::id).collect());

const NAMES: [&str; 8] = [
    "chat",
    "a",
    "b",
    "",
    "é",
    "../x",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];
static ZEROS: [u8; MAX_FRAME_BYTES] = [0; MAX_FRAME_BYTES];

/// The bytes, from which every choice is taken; zeros once they have run out.
struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Small mostly, and sometimes anything.
    fn number(&mut self) -> u64 {
        match self.byte() {
            small @ ..0xf0 => u64::from(small),
            0xf0..0xf4 => u64::from(self.byte()) << 8 | u64::from(self.byte()),
            0xf4..0xf8 => self.take(4).iter().fold(0, |number, byte| number << 8 | u64::from(*byte)),
            0xf8..0xfc => self.take(8).iter().fold(0, |number, byte| number << 8 | u64::from(*byte)),
            0xfc => u64::from(u32::MAX),
            0xfd => 1 << 53,
            _ => u64::MAX - u64::from(self.byte()),
        }
    }

    fn number32(&mut self) -> u32 {
        self.number() as u32
    }

    /// Names one of a few things mostly, so that steps are about the same.
    fn few(&mut self) -> u32 {
        match self.byte() {
            few @ ..0xf0 => u32::from(few % 4),
            _ => self.number32(),
        }
    }

    fn one<'b, T>(&mut self, all: &'b [T]) -> Option<&'b T> {
        let index = usize::from(self.byte());
        if all.is_empty() { None } else { all.get(index % all.len()) }
    }

    fn name(&mut self) -> &'static str {
        NAMES[usize::from(self.byte()) % NAMES.len()]
    }

    fn lane(&mut self) -> Lane {
        match self.byte() % 8 {
            0 | 5.. => Lane::RELIABLE,
            1 => Lane::LOSSY,
            2 => Lane::BULK,
            3 => Lane::app(0),
            _ => Lane::app(1),
        }
    }

    /// So many bytes: few mostly, and sometimes as many as a frame has.
    fn length(&mut self) -> usize {
        match self.byte() {
            small @ ..0xc0 => usize::from(small),
            large => usize::from(large - 0xc0) * 1024,
        }
    }

    fn remote(&mut self) -> usize {
        usize::from(self.byte()) % REMOTES
    }

    fn member(&mut self) -> Member {
        let id = IDS[usize::from(self.byte()) % IDS.len()];
        Member { id, incarnation: u64::from(self.byte() % 4), seq: u64::from(self.byte() % 8) }
    }

    fn sdp(&mut self) -> Sdp {
        if self.flag() { Sdp::Offer("offer".into()) } else { Sdp::Answer("answer".into()) }
    }
}

/// What is known of the other end.
#[derive(Default)]
struct Remote {
    link: Option<LinkId>,
    attempt: u64,
    /// The room's memory of this one.
    token: u32,
    lanes: Vec<u32>,
    /// Bodies the room has sent on each lane, on the present link.
    sent: [u64; 8],
    /// Where the next piece of each file lies that was offered to the room.
    pieces: BTreeMap<u32, u64>,
    /// Requests of this one that the room has not replied to.
    asks: Vec<u32>,
}

struct Bench {
    core: RoomCore,
    now: Time,
    remotes: [Remote; REMOTES],
    links: BTreeSet<LinkId>,
    /// The link that was opened last, until the room says who it leads to.
    opened: Option<LinkId>,
    socket: bool,
    requests: Vec<RequestId>,
    transfers: BTreeSet<TransferId>,
    /// What the room has asked for and not been given.
    reads: Vec<(TransferId, usize)>,
    writes: Vec<TransferId>,
    finishes: Vec<TransferId>,
    /// Bytes that others have passed in, and that the application and its files have.
    fed: usize,
    own: usize,
    steps: usize,
    /// The other sides and the server answer pings, as far as a bit of this says so: the fourth is the server's.
    alive: u8,
    pongs: Vec<(usize, u32)>,
    server_pong: bool,
}

fn server(message: &ServerMessage) -> Input {
    Input::SocketFrame(serde_json::to_string(message).expect("it has a form"))
}

impl Bench {
    /// Both of the first two are linked to, and greeted.
    fn new(seed: u8) -> Self {
        let now = Time::from_micros(1_000_000);
        let config = Config {
            topic: TopicHash::from_bytes([7; 32]),
            identity: IDENTITIES[REMOTES].clone(),
            origin: String::new(),
            seed: u64::from(seed),
            timings: Timings::default(),
            lanes: vec![Delivery::Reliable, Delivery::Lifetime { ordered: true, millis: 50 }],
        };
        let mut bench = Self {
            core: RoomCore::new(now, config),
            now,
            remotes: Default::default(),
            links: BTreeSet::new(),
            opened: None,
            socket: false,
            requests: Vec::new(),
            transfers: BTreeSet::new(),
            reads: Vec::new(),
            writes: Vec::new(),
            finishes: Vec::new(),
            fed: 0,
            own: 0,
            steps: 0,
            alive: seed >> 4,
            pongs: Vec::new(),
            server_pong: false,
        };
        bench.drain();
        bench.join(3, &[(0, 1), (1, 2)]);
        for remote in 0..2 {
            bench.connect(remote);
            bench.greet(remote, None);
        }
        bench
    }

    fn join(&mut self, seq: u64, members: &[(usize, u64)]) {
        self.input(Input::SocketOpen);
        let limits = Limits { max_frame_bytes: 65536, max_topic_members: 32 };
        self.input(server(&ServerMessage::Challenge { v: VERSION, nonce: Nonce::from_bytes([1; 32]), limits }));
        let members = members.iter().map(|(remote, seq)| Member { id: IDS[*remote], incarnation: 1, seq: *seq });
        let members: Vec<Member> = members.collect();
        let total = members.len() as u32 + 1;
        let (offerer, ice_servers) = (Offerer::Newcomer, Vec::new());
        self.input(server(&ServerMessage::Welcome(Welcome { seq, offerer, members, total, ice_servers })));
    }

    fn connect(&mut self, remote: usize) {
        self.link_event(remote, LinkEvent::LocalDescription(Sdp::Offer("offer".into())));
        self.link_event(remote, LinkEvent::Open { max_message: 262_144 });
    }

    /// It says hello, as one that knows the room or (without a place where it left off) as one that doesn't.
    fn greet(&mut self, remote: usize, resume: Option<u64>) {
        let of = &self.remotes[remote];
        let yours = if resume.is_some() { of.token } else { 0 };
        let received = vec![(resume.unwrap_or_default(), 0); 3];
        let hello = Hello { token: 5, yours, lanes: of.lanes.clone(), received, activity: 0 };
        self.frame(remote, Lane::RELIABLE, hello.encode());
        self.frame(remote, Lane::RELIABLE, Frame::Ready.encode().expect("it has a form"));
    }

    fn input(&mut self, input: Input) {
        self.core.handle(self.now, input);
        self.drain();
    }

    fn link_event(&mut self, remote: usize, event: LinkEvent) {
        if let Some(link) = self.remotes[remote].link {
            self.input(Input::Link { link, event });
        }
    }

    fn frame(&mut self, remote: usize, lane: Lane, bytes: Vec<u8>) {
        self.fed += bytes.len();
        self.link_event(remote, LinkEvent::Frame { lane, bytes });
    }

    fn drain(&mut self) {
        while let Some(output) = self.core.poll() {
            self.output(output);
        }
        self.core.next_wakeup();
        let held = self.core.held_bytes();
        assert!(held <= BOUND + self.own + self.steps * STEP_BYTES, "{held} bytes are held");
        assert!(held <= self.fed + self.own + self.steps * STEP_BYTES, "{held} bytes of {} are held", self.fed);
    }

    fn output(&mut self, output: Output) {
        match output {
            Output::OpenSocket => self.socket = true,
            Output::CloseSocket { .. } => self.socket = false,
            Output::SendSocket(text) if text.contains("\"signal\"") => {
                let json: serde_json::Value = serde_json::from_str(&text).expect("the room writes JSON");
                let (to, data) = (&json["signal"]["to"], &json["signal"]["data"]);
                let to: PeerId = serde_json::from_value(to.clone()).expect("to a peer");
                if let Some(remote) = IDS[..REMOTES].iter().position(|id| *id == to) {
                    self.remotes[remote].attempt = data["attempt"].as_u64().unwrap_or_default();
                }
            }
            Output::SendSocket(text) if text.contains("\"ping\"") => self.server_pong = true,
            Output::OpenLink { link, .. } => {
                assert!(self.links.insert(link), "a name is used twice");
                self.opened = Some(link);
            }
            // It says that it dials, which tells who the link leads to.
            Output::Event(Event::LinkChanged { peer }) if self.opened.is_some() => {
                if let Some(remote) = IDS[..REMOTES].iter().position(|id| *id == peer) {
                    self.remotes[remote].link = self.opened.take();
                }
            }
            Output::CloseLink { link } => {
                assert!(self.links.remove(&link), "closed twice, or never opened");
                for remote in &mut self.remotes {
                    remote.link = remote.link.filter(|of| *of != link);
                }
            }
            Output::SendFrame { link, lane, frame } => self.sent(link, lane, &frame),
            Output::SetRemote { link, .. }
            | Output::AddCandidate { link, .. }
            | Output::Offer { link, .. }
            | Output::AwaitWritable { link, .. } => {
                assert!(self.links.contains(&link), "about a link that is closed");
            }
            Output::ReadFile { transfer, bytes, .. } => {
                assert!(self.reads.iter().all(|(of, _)| *of != transfer), "one piece is read at a time");
                self.reads.push((transfer, bytes));
            }
            Output::WriteFile { transfer, .. } => {
                assert!(!self.writes.contains(&transfer), "one piece is written at a time");
                self.writes.push(transfer);
            }
            Output::FinishFile { transfer } => {
                assert!(!self.writes.contains(&transfer), "finished while there is more to write");
                self.finishes.push(transfer);
            }
            Output::DropFile { transfer } => {
                self.reads.retain(|(of, _)| *of != transfer);
                self.writes.retain(|of| *of != transfer);
                self.finishes.retain(|of| *of != transfer);
            }
            Output::Event(Event::Request { from, request, .. }) => {
                if let Some(remote) = IDS[..REMOTES].iter().position(|id| *id == from) {
                    self.remotes[remote].asks.push(request);
                }
            }
            Output::Event(Event::Transfer(transfer)) => {
                self.transfers.insert(transfer.id);
            }
            _ => {}
        }
    }

    fn sent(&mut self, link: LinkId, lane: Lane, frame: &Arc<[u8]>) {
        assert!(self.links.contains(&link), "a frame on a link that is closed");
        assert!(frame.len() <= MAX_FRAME_BYTES, "a frame of {} bytes", frame.len());
        let Some(index) = self.remotes.iter().position(|remote| remote.link == Some(link)) else { return };
        let remote = &mut self.remotes[index];
        if let Ok(Frame::Ping(token)) = Frame::decode(frame) {
            self.pongs.push((index, token));
        }
        if let Ok(hello) = Hello::decode(frame) {
            (remote.lanes, remote.token, remote.sent) = (hello.lanes, hello.token, [0; 8]);
        } else if matches!(frame[0], WHOLE | FIRST) {
            remote.sent[usize::from(lane.id()) % 8] += 1;
        }
    }

    /// Those who are alive answer the pings of this moment.
    fn answer(&mut self) {
        for (remote, token) in std::mem::take(&mut self.pongs) {
            if self.alive & 1 << remote != 0 {
                self.frame(remote, Lane::RELIABLE, Frame::Pong(token).encode().expect("it has a form"));
            }
        }
        if std::mem::take(&mut self.server_pong) && self.alive & 8 != 0 && self.socket {
            self.input(server(&ServerMessage::Pong {}));
        }
    }

    /// Time passes: every wake-up that is asked for comes, `late` or not.
    fn pass(&mut self, time: Duration, late: Duration) {
        let end = self.now + time;
        let mut spins = 0;
        while let Some(at) = self.core.next_wakeup().filter(|at| *at <= end) {
            if at <= self.now {
                spins += 1;
                assert!(spins <= SPINS, "the timer is due at once, for ever");
            } else {
                spins = 0;
                self.now = at + late;
            }
            self.input(Input::Timeout);
            self.answer();
        }
        self.now = self.now.max(end);
    }
}

/// A description, a candidate, or what looks like one.
fn negotiation(source: &mut Source<'_>, attempt: u64) -> String {
    let attempt = if source.byte() < 0xe0 { attempt } else { source.number() };
    let (round, answers) = (source.byte() % 4, source.byte() % 4);
    let kind = source.byte();
    let mut fields = format!("{{\"attempt\":{attempt},\"round\":{round},\"answers\":{answers}");
    for (bit, field) in [
        (1, ",\"offer\":\"v=0\""),
        (2, ",\"answer\":\"v=0\""),
        (4, ",\"candidate\":{\"candidate\":\"c\",\"sdpMid\":\"0\"}"),
        (8, ",\"dial\":{}"),
        (16, ",\"offer\":null"),
    ] {
        // Of the rarer ones both bits must be set.
        if kind & bit != 0 && (bit < 8 || kind & 0x80 != 0) {
            fields.push_str(field);
        }
    }
    fields.push('}');
    fields
}

impl Bench {
    fn step(&mut self, source: &mut Source<'_>) {
        let now = self.now;
        match source.byte() % 32 {
            0..4 => self.control(source),
            4..8 => self.body(source),
            8 => self.part(source),
            9 => self.piece(source),
            10 => {
                let (remote, lane, length) = (source.remote(), source.lane(), source.length());
                let bytes = source.take(length).to_vec();
                self.frame(remote, lane, bytes);
            }
            11 => {
                let remote = source.remote();
                let resume = source.flag().then(|| source.number());
                self.connect(remote);
                self.greet(remote, resume);
            }
            12 => {
                let remote = source.remote();
                let token = source.number32();
                let yours = if source.flag() { self.remotes[remote].token } else { source.number32() };
                let received = (0..source.byte() % 5).map(|_| (source.number(), source.number())).collect();
                let lanes = self.remotes[remote].lanes.clone();
                let hello = Hello { token, yours, lanes, received, activity: source.byte() };
                self.frame(remote, Lane::RELIABLE, hello.encode());
            }
            13 | 14 => self.link(source),
            15 => self.signal(source),
            16 | 17 => self.server(source),
            18 => {
                let length = source.length();
                let text = String::from_utf8_lossy(source.take(length)).into_owned();
                self.fed += text.len();
                self.input(Input::SocketFrame(text));
            }
            19 | 20 => self.file(source),
            21 | 22 => {
                let unit = [1, 10, 100, 1000, 10_000][usize::from(source.byte()) % 5];
                let time = Duration::from_millis(u64::from(source.byte()) * unit);
                let late = Duration::from_millis(if source.byte() < 0xc0 { 0 } else { source.number() % 100_000 });
                self.pass(time, late);
            }
            23 => {
                // At the next wake-up, and sometimes when none was asked for.
                let at = self.core.next_wakeup().unwrap_or(now).max(now);
                self.now = at + Duration::from_micros(source.number() % 100_000_000);
                self.input(Input::Timeout);
                self.pass(Duration::ZERO, Duration::ZERO);
            }
            24 => match source.byte() % 8 {
                0 => self.input(Input::Online(true)),
                1 => self.input(Input::Online(false)),
                2 => self.input(Input::NetworkChanged),
                3 => self.input(Input::Awake),
                4 => self.input(Input::Activity(Activity::Hidden)),
                5 => self.input(Input::Activity(Activity::Active)),
                6 => self.input(Input::Activity(Activity::Stale)),
                _ => self.core.probe(now),
            },
            25 | 26 => self.send(source),
            27 => {
                let (slot, length) = (source.name(), source.length());
                let value = source.flag().then(|| Payload { codec: source.byte(), bytes: ZEROS[..length].to_vec() });
                let _ = self.core.set_presence(now, slot, value);
            }
            28 => self.ask(source),
            29 => self.transfer(source),
            30 => self.whole_file(source),
            _ => {
                // What only reads.
                let lane = source.lane();
                let to = source.flag().then(|| IDS[source.remote()]);
                let _ = self.core.room_for(to, lane);
                let _ = self.core.report(now);
                assert!(self.core.transfers().len() <= 1024, "over are forgotten, and few may be offered");
                assert!(self.core.open_links() <= self.core.connections());
                assert_eq!(self.core.connections(), self.links.len());
            }
        }
        self.drain();
    }

    fn control(&mut self, source: &mut Source<'_>) {
        let (remote, lane) = (source.remote(), source.lane());
        let attempt = self.remotes[remote].attempt;
        let kind = source.byte() % 11;
        let (name, text) = (source.name(), if kind == 7 { negotiation(source, attempt) } else { String::new() });
        let codec = source.byte();
        let value = |source: &mut Source<'_>| Value { codec, bytes: &ZEROS[..source.length()] };
        let frame = match kind {
            0 => Frame::Presence { slot: name, counter: source.number(), value: source.flag().then(|| value(source)) },
            1 => Frame::Ready,
            2 => Frame::Ping(source.number32()),
            3 => Frame::Pong(source.number32()),
            4 if source.byte() > 0xe0 => Frame::Bye,
            4 | 5 | 10 => {
                let of = source.byte() % 6;
                let sent = self.remotes[remote].sent[usize::from(of)];
                let messages = if source.byte() < 0xe0 { sent } else { source.number() };
                let bytes = if source.byte() < 0xe0 { 0 } else { source.number() };
                Frame::Ack { lane: of, messages, bytes }
            }
            6 => Frame::Activity(source.byte() % 4),
            7 => Frame::Negotiation(&text),
            8 => Frame::Credit {
                transfer: source.few(),
                have: source.number(),
                until: source.number().saturating_mul(u64::from(source.byte())),
            },
            _ => Frame::Loose { channel: name, direct: source.flag(), value: value(source) },
        };
        if let Ok(bytes) = frame.encode() {
            self.frame(remote, lane, bytes);
        }
    }

    fn body(&mut self, source: &mut Source<'_>) {
        let (remote, lane) = (source.remote(), source.lane());
        let kind = source.byte() % 12;
        let number = if kind == 2 { 1 + source.number32() % 64 } else { source.few() };
        let (name, mut hash) = (source.name(), [0; 32]);
        let codec = source.byte();
        let value = |source: &mut Source<'_>| Value { codec, bytes: &ZEROS[..source.length()] };
        let body = match kind {
            0 => Body::Message { channel: name, direct: source.flag(), value: value(source) },
            1 | 10 => Body::Request { request: number, channel: name, value: value(source) },
            2 => {
                let answer = match source.byte() % 4 {
                    0 => Answer::NotServed,
                    1 => Answer::Busy,
                    2 => Answer::Refused(name),
                    _ => Answer::Value(value(source)),
                };
                Body::Reply { request: number, answer }
            }
            3 => Body::Cancel(number),
            4 | 11 => {
                self.remotes[remote].pieces.insert(number, 0);
                Body::Offer { transfer: number, name, mime: source.name(), size: source.number() }
            }
            5 => Body::Accept(number),
            6 => Body::Decline(number),
            7 => Body::Stop { transfer: number, offered: source.flag(), failed: source.flag() },
            8 => {
                let moved = self.remotes[remote].pieces.get(&number).copied().unwrap_or_default();
                if moved <= 1 << 20 && source.byte() < 0xe0 {
                    hash = blake3::hash(&vec![0; moved as usize]).into();
                }
                Body::End { transfer: number, hash }
            }
            _ => Body::Stored(number),
        };
        if let Ok(bytes) = body.encode() {
            self.frame(remote, lane, bytes);
        }
    }

    /// A part of a message that is longer than a frame.
    fn part(&mut self, source: &mut Source<'_>) {
        let (remote, lane) = (source.remote(), source.lane());
        let head = if source.flag() {
            let total = source.number().saturating_mul(u64::from(source.byte()));
            postcard::to_extend(&total, vec![FIRST]).expect("it has a form")
        } else {
            vec![MORE]
        };
        // Some of it makes sense once it is whole.
        let message = [0, 1, b'a', 0, 0, 0];
        let length = source.length();
        let bytes = if source.flag() { &ZEROS[..length] } else { &message[..length.min(message.len())] };
        self.frame(remote, lane, [&head, bytes].concat());
    }

    /// A piece of a file: the next one, mostly.
    fn piece(&mut self, source: &mut Source<'_>) {
        let (remote, transfer, length) = (source.remote(), source.few(), source.length());
        let next = self.remotes[remote].pieces.entry(transfer).or_default();
        let offset = if source.byte() < 0xe0 { *next } else { source.number() };
        *next = offset.saturating_add(length as u64);
        let lane = if source.byte() < 0xf0 { Lane::BULK } else { source.lane() };
        let head = postcard::to_extend(&(transfer, offset), vec![FILE]).expect("it has a form");
        self.frame(remote, lane, [&head, &ZEROS[..length]].concat());
    }

    fn link(&mut self, source: &mut Source<'_>) {
        let remote = source.remote();
        let event = match source.byte() % 12 {
            0 => LinkEvent::LocalDescription(source.sdp()),
            1 => LinkEvent::LocalCandidate(Candidate {
                candidate: "candidate".into(),
                sdp_mid: Some("0".into()),
                sdp_m_line_index: None,
            }),
            2 => LinkEvent::RemoteSet,
            3 => LinkEvent::NegotiationNeeded,
            4 => LinkEvent::Open { max_message: (source.number() as usize).saturating_mul(1024) },
            5 | 6 => LinkEvent::Writable { lane: source.lane() },
            7 => LinkEvent::Trouble,
            8 => LinkEvent::Recovered,
            9 => LinkEvent::Failed,
            10 => LinkEvent::Closed,
            _ => LinkEvent::LocalDescription(Sdp::Answer("answer".into())),
        };
        self.link_event(remote, event);
    }

    fn signal(&mut self, source: &mut Source<'_>) {
        let Member { id, incarnation, seq } = source.member();
        let attempt = IDS[..REMOTES].iter().position(|of| *of == id).map_or(0, |remote| self.remotes[remote].attempt);
        let text = if source.byte() < 0xe0 {
            let text = negotiation(source, attempt);
            // The other side's attempt, where it makes the offer, is known from then on.
            let json: Option<serde_json::Value> = serde_json::from_str(&text).ok();
            let attempt = json.and_then(|json| json["attempt"].as_u64());
            if let (Some(of), Some(attempt)) = (IDS[..REMOTES].iter().position(|of| *of == id), attempt) {
                self.remotes[of].attempt = attempt;
            }
            text
        } else {
            let length = source.length();
            String::from_utf8_lossy(source.take(length)).into_owned()
        };
        self.fed += text.len();
        if let Ok(data) = RawValue::from_string(text) {
            self.input(server(&ServerMessage::Signal { from: id, incarnation, seq, data }));
        }
    }

    fn server(&mut self, source: &mut Source<'_>) {
        let message = match source.byte() % 8 {
            0 | 1 => ServerMessage::Joined { members: (0..source.byte() % 4).map(|_| source.member()).collect() },
            2 | 3 => {
                let member = source.member();
                let reason = if source.flag() { LeftReason::Goodbye } else { LeftReason::Lost };
                let departed = Departed { id: member.id, incarnation: member.incarnation, reason };
                ServerMessage::Left { members: vec![departed] }
            }
            4 => ServerMessage::Pong {},
            5 => {
                let codes = [
                    ErrorCode::UnknownPeer,
                    ErrorCode::Malformed,
                    ErrorCode::Timeout,
                    ErrorCode::SlowReader,
                    ErrorCode::Abuse,
                    ErrorCode::TooLarge,
                    ErrorCode::Stale,
                    ErrorCode::Unknown,
                ];
                let code = codes[usize::from(source.byte()) % codes.len()];
                let peer = source.flag().then(|| source.member().id);
                ServerMessage::Error { code, message: String::new(), peer }
            }
            6 => return self.input(Input::SocketClosed),
            _ if self.socket => {
                let members = [(0, 1 + u64::from(source.byte() % 8)), (1, 2), (2, 4)];
                let (from, to) = (usize::from(source.byte() % 3), usize::from(source.byte() % 4));
                let seq = u64::from(source.byte() % 8);
                return self.join(seq, members.get(from..to).unwrap_or_default());
            }
            _ => return,
        };
        self.input(server(&message));
    }

    /// The answer to something the room wants of a file; now and then one that it has not asked for.
    fn file(&mut self, source: &mut Source<'_>) {
        let failed = source.byte() > 0xf0;
        let failure = || FileEvent::Failed("no".into());
        let (transfer, event) = match source.byte() % 4 {
            0 if !self.reads.is_empty() => {
                let (transfer, bytes) = self.reads.remove(0);
                let bytes = if source.byte() < 0xf0 { bytes } else { source.length() };
                self.own += bytes;
                (transfer, FileEvent::Read(vec![0; bytes]))
            }
            0 | 1 if !self.writes.is_empty() => (self.writes.remove(0), FileEvent::Written),
            0..3 if !self.finishes.is_empty() => (self.finishes.remove(0), FileEvent::Finished),
            3 if failed => {
                let all: Vec<TransferId> = self.transfers.iter().copied().collect();
                let Some(transfer) = source.one(&all) else { return };
                let event = [FileEvent::Written, FileEvent::Finished, FileEvent::Read(vec![0; 10]), failure()];
                let index = usize::from(source.byte() % 4);
                self.own += 10;
                (*transfer, event.into_iter().nth(index).unwrap_or(FileEvent::Written))
            }
            _ => return,
        };
        let event = if failed { failure() } else { event };
        self.input(Input::File { transfer, event });
    }

    fn send(&mut self, source: &mut Source<'_>) {
        let (now, lane, channel) = (self.now, source.lane(), source.name());
        let bytes = ZEROS[..source.length()].repeat(usize::from(1 + source.byte() % 3));
        let payload = Payload { codec: source.byte(), bytes };
        self.own += payload.bytes.len() * REMOTES;
        if source.flag() {
            let _ = self.core.send_to(now, source.member().id, lane, channel, &payload);
        } else {
            let _ = self.core.broadcast(now, lane, channel, &payload);
        }
    }

    fn ask(&mut self, source: &mut Source<'_>) {
        let (now, remote, channel) = (self.now, source.remote(), source.name());
        let payload = Payload { codec: 0, bytes: ZEROS[..source.length()].to_vec() };
        self.own += payload.bytes.len();
        match source.byte() % 6 {
            0 | 1 => {
                let timeout = Duration::from_millis(source.number());
                if let Ok(request) = self.core.request(now, IDS[remote], channel, &payload, timeout) {
                    self.requests.push(request);
                }
            }
            2 => {
                if let Some(request) = source.one(&self.requests) {
                    self.core.cancel_request(now, *request);
                }
            }
            3 => self.core.serve(channel, source.byte() > 0x20),
            _ => {
                let Some(request) = source.one(&self.remotes[remote].asks).copied() else { return };
                let result = if source.flag() { Ok(&payload) } else { Err(channel) };
                let _ = self.core.reply(now, IDS[remote], request, result);
            }
        }
    }

    /// A file moves, in one direction, as far as the bytes say: steps for it seldom come in this order by chance.
    fn whole_file(&mut self, source: &mut Source<'_>) {
        let (now, remote, stages, length) = (self.now, source.remote(), source.byte(), source.length());
        let (number, size) = (source.few(), length as u64);
        if source.flag() {
            let offered = self.core.offer_file(now, IDS[remote], "a", "", size);
            self.drain();
            // It is the only one, or the source guesses its number.
            let number = if offered.is_ok() { number.max(1) } else { number };
            self.whole(remote, &Body::Accept(number));
            let credit = Frame::Credit { transfer: number, have: 0, until: size };
            self.frame(remote, Lane::RELIABLE, credit.encode().expect("it has a form"));
            while stages & 1 == 0 && !self.reads.is_empty() {
                let (transfer, bytes) = self.reads.remove(0);
                self.own += bytes;
                self.input(Input::File { transfer, event: FileEvent::Read(vec![0; bytes]) });
            }
            if stages & 2 == 0 {
                self.whole(remote, &Body::Stored(number));
            }
            return;
        }
        self.remotes[remote].pieces.insert(number, 0);
        self.whole(remote, &Body::Offer { transfer: number, name: "a", mime: "", size });
        if let Some(id) = self.transfers.last().copied() {
            self.core.accept(now, id);
            self.drain();
        }
        let half = length / usize::from(1 + stages % 2);
        for (offset, end) in [(0, half), (half, length)] {
            let head = postcard::to_extend(&(number, offset as u64), vec![FILE]).expect("it has a form");
            if offset < end {
                self.frame(remote, Lane::BULK, [&head, &ZEROS[offset..end]].concat());
                self.remotes[remote].pieces.insert(number, end as u64);
            }
        }
        if stages & 4 == 0 {
            self.whole(remote, &Body::End { transfer: number, hash: blake3::hash(&ZEROS[..length]).into() });
        }
        while stages & 8 == 0 && !self.writes.is_empty() {
            let transfer = self.writes.remove(0);
            self.input(Input::File { transfer, event: FileEvent::Written });
        }
        while stages & 16 == 0 && !self.finishes.is_empty() {
            let transfer = self.finishes.remove(0);
            self.input(Input::File { transfer, event: FileEvent::Finished });
        }
    }

    fn whole(&mut self, remote: usize, body: &Body<'_>) {
        if let Ok(bytes) = body.encode() {
            self.frame(remote, Lane::RELIABLE, bytes);
        }
    }

    fn transfer(&mut self, source: &mut Source<'_>) {
        let now = self.now;
        let all: Vec<TransferId> = self.transfers.iter().copied().collect();
        match (source.byte() % 8, source.one(&all).copied()) {
            (0 | 1, _) => {
                let size = source.number().saturating_mul(u64::from(source.byte()));
                let _ = self.core.offer_file(now, IDS[source.remote()], source.name(), source.name(), size);
            }
            (2..5, Some(id)) => self.core.accept(now, id),
            (5, Some(id)) => self.core.decline(now, id),
            (6, Some(id)) => self.core.cancel(now, id),
            (7, Some(id)) => self.core.forget(id),
            _ => {}
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut source = Source(bytes);
    let mut bench = Bench::new(source.byte());
    while !source.0.is_empty() && !matches!(bench.core.status(), Status::Closed(_)) {
        bench.steps += 1;
        bench.step(&mut source);
    }
    bench.alive = 0;
    // Nothing more comes from anybody: whatever was begun is given up, and the room goes on at its own pace.
    bench.pass(Duration::from_secs(120), Duration::ZERO);
    bench.core.leave();
    bench.drain();
    assert_eq!(bench.core.connections(), 0, "who has left has no connections");
    assert!(bench.core.next_wakeup().is_none(), "nor anything to wait for");
});
