//! The room, and all that is around it.

use super::*;

/// What is known of the other end.
#[derive(Default)]
pub(crate) struct Remote {
    pub(crate) link: Option<LinkId>,
    pub(crate) attempt: u64,
    /// The room's memory of this one.
    pub(crate) token: u32,
    pub(crate) lanes: Vec<u32>,
    /// Bodies the room has sent on each lane, on the present link.
    pub(crate) sent: [u64; 8],
    /// Where the next piece of each file lies that was offered to the room.
    pub(crate) pieces: BTreeMap<u32, u64>,
    /// Requests of this one that the room has not replied to.
    pub(crate) asks: Vec<u32>,
}

pub(crate) struct Bench {
    pub(crate) core: RoomCore,
    pub(crate) now: Time,
    pub(crate) remotes: [Remote; REMOTES],
    pub(crate) links: BTreeSet<LinkId>,
    /// The link that was opened last, until the room says who it leads to.
    pub(crate) opened: Option<LinkId>,
    pub(crate) socket: bool,
    pub(crate) requests: Vec<RequestId>,
    pub(crate) transfers: BTreeSet<TransferId>,
    /// What the room has asked for and not been given.
    pub(crate) reads: Vec<(TransferId, usize)>,
    pub(crate) writes: Vec<TransferId>,
    pub(crate) finishes: Vec<TransferId>,
    /// Bytes that others have passed in, and that the application and its files have.
    pub(crate) fed: usize,
    pub(crate) own: usize,
    pub(crate) steps: usize,
    /// The other sides and the server answer pings, as far as a bit of this says so: the fourth is the server's.
    pub(crate) alive: u8,
    pub(crate) pongs: Vec<(usize, u32)>,
    pub(crate) server_pong: bool,
    /// The page is too busy to handle the others' frames.
    pub(crate) busy: bool,
}

impl Bench {
    /// Both of the first two are linked to, and greeted.
    pub(crate) fn new(seed: u8) -> Self {
        let now = Time::from_micros(1_000_000);
        let lanes = vec![Delivery::Reliable, Delivery::Lifetime { ordered: true, millis: 50 }];
        let config = Config { seed: u64::from(seed), ..config(IDENTITIES[REMOTES].clone(), lanes) };
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
            busy: false,
        };
        bench.drain();
        bench.join(3, &[(0, 1), (1, 2)]);
        for remote in 0..2 {
            bench.connect(remote);
            bench.greet(remote, None);
        }
        bench
    }

    pub(crate) fn join(&mut self, seq: u64, members: &[(usize, u64)]) {
        let members = members.iter().map(|(remote, seq)| Member { id: IDS[*remote], incarnation: 1, seq: *seq });
        for input in entrance(seq, members.collect()) {
            self.input(input);
        }
    }

    pub(crate) fn connect(&mut self, remote: usize) {
        self.link_event(remote, LinkEvent::LocalDescription(Sdp::Offer("offer".into())));
        self.link_event(remote, LinkEvent::Open { max_message: 262_144 });
    }

    /// It says hello, as one that knows the room or (without a place where it left off) as one that doesn't.
    pub(crate) fn greet(&mut self, remote: usize, resume: Option<u64>) {
        let of = &self.remotes[remote];
        let yours = if resume.is_some() { of.token } else { 0 };
        let received = vec![(resume.unwrap_or_default(), 0); 3];
        let hello = Hello { token: 5, yours, lanes: of.lanes.clone(), received, activity: 0 };
        self.frame(remote, Lane::RELIABLE, hello.encode());
        self.frame(remote, Lane::RELIABLE, Frame::Ready.encode().expect("it has a form"));
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.core.handle(self.now, input);
        self.drain();
        self.work();
    }

    /// Handles the others' queued frames, unless the page is busy.
    pub(crate) fn work(&mut self) {
        while !self.busy && self.core.has_work() {
            self.core.handle(self.now, Input::Work);
            self.drain();
        }
    }

    pub(crate) fn link_event(&mut self, remote: usize, event: LinkEvent) {
        if let Some(link) = self.remotes[remote].link {
            self.input(Input::Link { link, event });
        }
    }

    pub(crate) fn frame(&mut self, remote: usize, lane: Lane, bytes: Vec<u8>) {
        self.fed += bytes.len() + ENTRY_BYTES;
        self.link_event(remote, LinkEvent::Frame { lane, bytes });
    }

    pub(crate) fn drain(&mut self) {
        while let Some(output) = self.core.poll() {
            self.output(output);
        }
        self.core.next_wakeup();
        let held = self.core.held_bytes();
        assert!(held <= BOUND + self.own + self.steps * STEP_BYTES, "{held} bytes are held");
        assert!(held <= self.fed + self.own + self.steps * STEP_BYTES, "{held} bytes of {} are held", self.fed);
    }

    pub(crate) fn output(&mut self, output: Output) {
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

    pub(crate) fn sent(&mut self, link: LinkId, lane: Lane, frame: &Arc<[u8]>) {
        assert!(self.links.contains(&link), "a frame on a link that is closed");
        assert!(frame.len() <= MAX_FRAME_BYTES, "a frame of {} bytes", frame.len());
        let Some(index) = self.remotes.iter().position(|remote| remote.link == Some(link)) else { return };
        let remote = &mut self.remotes[index];
        if let Ok(Frame::Ping(token)) = Frame::decode(frame) {
            self.pongs.push((index, token));
        }
        if let Ok(hello) = Hello::decode(frame) {
            (remote.lanes, remote.token, remote.sent) = (hello.lanes, hello.token, [0; 8]);
            return;
        }
        let bodies = match Packet::decode(frame) {
            Ok(Packet::Whole(_) | Packet::First { .. }) => 1,
            Ok(Packet::Pack(mut bodies)) => {
                let mut count = 0;
                while !bodies.is_empty() {
                    unpack(&mut bodies).expect("the room packs bodies");
                    count += 1;
                }
                count
            }
            _ => 0,
        };
        remote.sent[usize::from(lane.id()) % 8] += bodies;
    }

    /// Those who are alive answer the pings of this moment.
    pub(crate) fn answer(&mut self) {
        for (remote, token) in std::mem::take(&mut self.pongs) {
            if self.alive & 1 << remote != 0 {
                self.frame(remote, Lane::RELIABLE, Frame::Pong(token).encode().expect("it has a form"));
            }
        }
        if std::mem::take(&mut self.server_pong) && self.alive & 8 != 0 && self.socket {
            self.input(server_says(&ServerMessage::Pong {}));
        }
    }

    /// Time passes: every wake-up that is asked for comes, `late` or not.
    pub(crate) fn pass(&mut self, time: Duration, late: Duration) {
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
