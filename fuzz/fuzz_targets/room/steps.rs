//! What may happen.

use super::*;

/// A description, a candidate, or what looks like one.
pub(crate) fn negotiation(source: &mut Source<'_>, attempt: u64) -> String {
    let attempt = if source.byte() < 0xe0 { attempt } else { source.number() };
    let (round, answers) = (source.byte() % 4, source.byte() % 4);
    let kind = source.byte();
    let mut fields = format!("{{\"attempt\":{attempt},\"round\":{round},\"answers\":{answers}");
    for (bit, field) in [
        (1, ",\"offer\":\"v=0\""),
        (2, ",\"answer\":\"v=0\""),
        (4, ",\"candidate\":{\"candidate\":\"candidate:1 1 udp 1 10.0.0.1 5 typ host\",\"sdpMid\":\"0\"}"),
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
    pub(crate) fn step(&mut self, source: &mut Source<'_>) {
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
            _ if source.flag() => {
                self.busy = source.flag();
                self.work();
            }
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

    pub(crate) fn control(&mut self, source: &mut Source<'_>) {
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

    pub(crate) fn body(&mut self, source: &mut Source<'_>) {
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
    pub(crate) fn part(&mut self, source: &mut Source<'_>) {
        let (remote, lane) = (source.remote(), source.lane());
        let head = if source.byte() % 4 == 0 {
            // Bodies that waited together, of which the last may be cut.
            [&[PACK], &[6, 0, 1, b'a', 0, 0, 0].repeat(usize::from(source.byte()))[..]].concat()
        } else if source.flag() {
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
    pub(crate) fn piece(&mut self, source: &mut Source<'_>) {
        let (remote, transfer, length) = (source.remote(), source.few(), source.length());
        let next = self.remotes[remote].pieces.entry(transfer).or_default();
        let offset = if source.byte() < 0xe0 { *next } else { source.number() };
        *next = offset.saturating_add(length as u64);
        let lane = if source.byte() < 0xf0 { Lane::BULK } else { source.lane() };
        let head = postcard::to_extend(&(transfer, offset), vec![FILE]).expect("it has a form");
        self.frame(remote, lane, [&head, &ZEROS[..length]].concat());
    }

    pub(crate) fn link(&mut self, source: &mut Source<'_>) {
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

    pub(crate) fn signal(&mut self, source: &mut Source<'_>) {
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
            self.input(server_says(&ServerMessage::Signal { from: id, incarnation, seq, data }));
        }
    }

    pub(crate) fn server(&mut self, source: &mut Source<'_>) {
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
        self.input(server_says(&message));
    }

    /// The answer to something the room wants of a file; now and then one that it has not asked for.
    pub(crate) fn file(&mut self, source: &mut Source<'_>) {
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

    pub(crate) fn send(&mut self, source: &mut Source<'_>) {
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

    pub(crate) fn ask(&mut self, source: &mut Source<'_>) {
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
    pub(crate) fn whole_file(&mut self, source: &mut Source<'_>) {
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

    pub(crate) fn whole(&mut self, remote: usize, body: &Body<'_>) {
        if let Ok(bytes) = body.encode() {
            self.frame(remote, Lane::RELIABLE, bytes);
        }
    }

    pub(crate) fn transfer(&mut self, source: &mut Source<'_>) {
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
