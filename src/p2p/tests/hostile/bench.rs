//! A room, and the test at the other end of everything.

use super::*;

/// What one room may hold for one hostile peer, whatever that sends: messages of which the rest never comes, on each
/// reliable lane.
pub(crate) const BOUND: usize = 3 * MAX_MESSAGE_BYTES;

/// A room, and the test at the other end of everything.
pub(crate) struct Bench {
    pub(crate) core: RoomCore,
    pub(crate) now: Time,
    pub(crate) evil: Remote,
    pub(crate) friend: Remote,
    /// How many lanes are reliable.
    pub(crate) reliable: usize,
    pub(crate) events: Vec<Event>,
    pub(crate) closed: Vec<LinkId>,
    /// What the driver was asked to do about descriptions and candidates of the evil one's link.
    pub(crate) negotiations: usize,
    pub(crate) opened: usize,
    pub(crate) files: Vec<TransferId>,
    pub(crate) reads: usize,
    pub(crate) peak: usize,
    /// The page has no time to handle frames.
    pub(crate) busy: bool,
}

/// The other end of a link.
pub(crate) struct Remote {
    pub(crate) identity: Identity,
    pub(crate) link: Option<LinkId>,
    pub(crate) attempt: u64,
    pub(crate) frames: Vec<(Lane, Arc<[u8]>)>,
    pub(crate) lanes: Vec<u32>,
    /// The room's memory of this one, by name.
    pub(crate) token: u32,
}

impl Remote {
    pub(crate) fn new(secret: u8) -> Self {
        Self {
            identity: Identity::from_secret(&[secret; 32], 1),
            link: None,
            attempt: 0,
            frames: Vec::new(),
            lanes: Vec::new(),
            token: 0,
        }
    }

    pub(crate) fn member(&self, seq: u64) -> Member {
        Member { id: self.identity.id(), incarnation: self.identity.incarnation(), seq }
    }
}

pub(crate) fn text(text: &str) -> Payload {
    Payload { codec: 0, bytes: text.as_bytes().to_vec() }
}

pub(crate) fn value(bytes: &[u8]) -> Value<'_> {
    Value { codec: 0, bytes }
}

impl Bench {
    /// A room with two others: links to both are open but not greeted.
    pub(crate) fn opened() -> Self {
        Self::opened_with(Vec::new())
    }

    pub(crate) fn opened_with(lanes: Vec<Delivery>) -> Self {
        let now = Time::from_micros(1_000_000);
        let reliable = 2 + lanes.len();
        let config = config(Identity::from_secret(&[3; 32], 1), lanes);
        let mut bench = Self {
            core: RoomCore::new(now, config),
            now,
            evil: Remote::new(1),
            friend: Remote::new(2),
            reliable,
            events: Vec::new(),
            closed: Vec::new(),
            negotiations: 0,
            opened: 0,
            files: Vec::new(),
            reads: 0,
            peak: 0,
            busy: false,
        };
        bench.drain();
        let members = vec![bench.evil.member(1), bench.friend.member(2)];
        for input in entrance(3, members) {
            bench.input(input);
        }
        for link in [bench.evil.link.unwrap(), bench.friend.link.unwrap()] {
            bench.input(Input::Link { link, event: LinkEvent::LocalDescription(Sdp::Offer("offer".into())) });
            bench.input(Input::Link { link, event: LinkEvent::Open { max_message: 262_144 } });
        }
        bench
    }

    /// Both links are in use.
    pub(crate) fn new() -> Self {
        Self::with_lanes(Vec::new())
    }

    /// The same with lanes of the application's, which are reliable.
    pub(crate) fn with_lanes(lanes: Vec<Delivery>) -> Self {
        let mut bench = Self::opened_with(lanes);
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

    pub(crate) fn remote(&mut self, evil: bool) -> &mut Remote {
        if evil { &mut self.evil } else { &mut self.friend }
    }

    pub(crate) fn id(&self) -> PeerId {
        self.evil.identity.id()
    }

    pub(crate) fn hello(&mut self, evil: bool) -> Hello {
        let reliable = self.reliable;
        let remote = self.remote(evil);
        Hello { token: 5, yours: 0, lanes: remote.lanes.clone(), received: vec![(0, 0); reliable], activity: 0 }
    }

    pub(crate) fn greet(&mut self, evil: bool) {
        let hello = self.hello(evil).encode();
        self.feed(evil, Lane::RELIABLE, hello);
        self.feed(evil, Lane::RELIABLE, Frame::Ready.encode().unwrap());
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.core.handle(self.now, input);
        self.drain();
        self.work();
    }

    /// Handles waiting frames, unless the page is busy.
    pub(crate) fn work(&mut self) {
        while !self.busy && self.core.has_work() {
            self.core.handle(self.now, Input::Work);
            self.drain();
        }
    }

    pub(crate) fn drain(&mut self) {
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

    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.core.next_wakeup().filter(|at| *at <= end) {
            self.now = at.max(self.now + Duration::from_micros(1));
            self.input(Input::Timeout);
        }
        self.now = end;
    }

    /// Lets time pass while both others answer pings.
    pub(crate) fn keep_alive(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.pass(Duration::from_secs(1));
            for evil in [true, false] {
                self.feed(evil, Lane::RELIABLE, Frame::Activity(0).encode().unwrap());
            }
        }
    }

    /// Has one of the others acknowledge all messages sent to it on lane 0.
    pub(crate) fn acknowledge(&mut self, evil: bool) {
        let id = self.remote(evil).identity.id();
        let link = self.remote(evil).link.unwrap();
        self.input(Input::Link { link, event: LinkEvent::Writable { lane: Lane::RELIABLE } });
        let Some(messages) = self.core.accepted(id, Lane::RELIABLE) else { return };
        self.feed(evil, Lane::RELIABLE, Frame::Ack { lane: 0, messages, bytes: 0 }.encode().unwrap());
    }

    pub(crate) fn feed(&mut self, evil: bool, lane: Lane, bytes: Vec<u8>) {
        if let Some(link) = self.remote(evil).link {
            self.input(Input::Link { link, event: LinkEvent::Frame { lane, bytes } });
        }
    }

    /// The evil one sends bytes.
    pub(crate) fn send(&mut self, lane: Lane, bytes: impl AsRef<[u8]>) {
        self.feed(true, lane, bytes.as_ref().to_vec());
    }

    pub(crate) fn control(&mut self, frame: &Frame<'_>) {
        self.send(Lane::RELIABLE, frame.encode().unwrap());
    }

    pub(crate) fn body(&mut self, body: &Body<'_>) {
        self.send(Lane::RELIABLE, body.encode().unwrap());
    }

    /// It says something through the server.
    pub(crate) fn signal(&mut self, data: &str) {
        let data = RawValue::from_string(data.to_owned()).unwrap();
        let from = self.evil.identity.id();
        self.input(server_says(&ServerMessage::Signal { from, incarnation: 1, seq: 1, data }));
    }

    /// The room offers a file to it; returns the number under which.
    pub(crate) fn offer(&mut self, size: u64) -> (TransferId, u32) {
        let (now, to) = (self.now, self.id());
        let id = self.core.offer_file(now, to, "a.txt", "text/plain", size).unwrap();
        self.drain();
        (id, 1)
    }

    /// It offers a file, which the room accepts.
    pub(crate) fn accepted(&mut self, number: u32, size: u64) -> TransferId {
        self.body(&Body::Offer { transfer: number, name: "a.txt", mime: "", size });
        let id = self.core.transfers().last().unwrap().id;
        self.core.accept(self.now, id);
        self.drain();
        id
    }

    pub(crate) fn piece(&mut self, number: u8, offset: u8, bytes: &[u8]) {
        self.send(Lane::BULK, [&[FILE, number, offset], bytes].concat());
    }

    pub(crate) fn state(&self, id: TransferId) -> TransferState {
        self.core.transfers().into_iter().find(|transfer| transfer.id == id).unwrap().state
    }

    pub(crate) fn messages(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::Message { .. })).count()
    }

    /// Why the evil one's link was closed, if it was.
    pub(crate) fn reason(&self) -> Option<DisconnectReason> {
        let id = self.id();
        let of = |event: &Event| match event {
            Event::PeerDisconnected { peer, reason } if *peer == id => Some(*reason),
            _ => None,
        };
        self.events.iter().find_map(of)
    }

    /// The friend's link passes messages in both directions.
    pub(crate) fn friend_is_well(&mut self, attack: &str) {
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
pub(crate) enum Fate {
    /// The link is closed, for that reason.
    Closed(DisconnectReason),
    /// Nothing happens to the link.
    Ignored,
}
pub(crate) use Fate::{Closed, Ignored};

pub(crate) const PROTOCOL: Fate = Closed(DisconnectReason::Protocol);

pub(crate) type Attack = (&'static str, Fate, fn(&mut Bench));

pub(crate) fn run(attacks: &[Attack], begin: fn() -> Bench) {
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
