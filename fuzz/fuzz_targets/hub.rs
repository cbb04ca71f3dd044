//! A hub with a few connections, driven by any bytes: frames that are messages and frames that are none, sockets that
//! come and go, and time.
//!
//! Nothing panics. A connection that was notified of a member is notified when it leaves, and of no member that is
//! absent. The hub is empty once all connections have ended and every timeout has passed. A topic never exceeds its
//! limit of members. It is full only if present members take all places but those reserved for absent ones.
#![no_main]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::Duration;

use converge_signal::hub::{ConnId, Hub, Input, Join, Output, Session, Settings};
use converge_signal::protocol::{
    ClientMessage, ErrorCode, Hello, Limits, ServerMessage, VERSION, blind_topic, hello_bytes,
};
use converge_signal::{Nonce, PeerId, Signature, TopicHash};
use ed25519_dalek::{Signer, SigningKey};
use libfuzzer_sys::fuzz_target;

const NONCE: Nonce = Nonce::from_bytes([9; 32]);
const PEERS: u8 = 8;
const LIVES: u64 = 3;
const CODES: [ErrorCode; 4] = [ErrorCode::NotText, ErrorCode::SlowReader, ErrorCode::Timeout, ErrorCode::RateLimited];

/// Hellos that prove what they claim, for each peer, topic and life, and what was made of them: signing and checking
/// take longer than a whole run.
static HELLOS: LazyLock<Vec<(String, Join)>> = LazyLock::new(|| {
    let mut hellos = Vec::new();
    for peer in 0..PEERS {
        let key = SigningKey::from_bytes(&[peer + 1; 32]);
        for topic in [blind_topic("a"), blind_topic("b")] {
            for incarnation in 0..LIVES {
                let sig = key.sign(&hello_bytes(&NONCE, "", &topic, incarnation));
                let (id, sig) = (id(&key), Signature::from_bytes(sig.to_bytes()));
                let hello = Hello { v: VERSION, topic, id, incarnation, sig, token: None };
                let join = Session::new(NONCE, "", 8192).prove(&hello).expect("it is signed");
                hellos.push((serde_json::to_string(&ClientMessage::Hello(hello)).expect("it has a form"), join));
            }
        }
    }
    hellos
});

static IDS: LazyLock<Vec<PeerId>> =
    LazyLock::new(|| (0..PEERS).map(|peer| id(&SigningKey::from_bytes(&[peer + 1; 32]))).collect());

fn id(key: &SigningKey) -> PeerId {
    PeerId::from_bytes(key.verifying_key().to_bytes())
}

struct Bench {
    hub: Hub,
    now: Duration,
    last: ConnId,
    sessions: BTreeMap<ConnId, Session>,
    /// Whom each connection was told of and not told to be gone.
    views: BTreeMap<ConnId, BTreeSet<PeerId>>,
    /// The topic that each connection has joined, and the one that is being joined.
    joined: BTreeMap<ConnId, TopicHash>,
    joining: Option<TopicHash>,
    max_members: usize,
}

impl Bench {
    fn present(&self, topic: Option<TopicHash>) -> usize {
        self.joined.values().filter(|joined| Some(**joined) == topic).count()
    }

    fn join(&mut self, conn: ConnId, join: Join) {
        self.joining = Some(join.topic());
        self.handle(Input::Join { conn, join });
    }

    fn gone(&mut self, conn: ConnId) -> bool {
        self.views.remove(&conn);
        self.joined.remove(&conn);
        self.sessions.remove(&conn).is_some()
    }

    fn handle(&mut self, input: Input<'_>) {
        self.hub.handle(self.now, input);
        while let Some(output) = self.hub.poll() {
            match output {
                Output::Send { conn, frame, from } => {
                    assert!(self.sessions.contains_key(&conn), "nothing is said after the end");
                    assert!(frame.len() <= 65_536, "it fits into a client's largest frame");
                    if let Some(sender) = from {
                        assert!(frame.starts_with(r#"{"signal""#), "only signals have a sender");
                        assert_eq!(self.joined.get(&sender), self.joined.get(&conn), "of the same topic");
                    }
                    self.told(conn, serde_json::from_str(&frame).expect("the server speaks its own protocol"));
                }
                Output::Close { conn, .. } => assert!(self.gone(conn), "closed once"),
            }
        }
        assert!(self.hub.wake_at().is_none_or(|at| at > self.now), "nothing is due that could be done now");
        assert_eq!(self.hub.connections(), self.sessions.len());
        assert_eq!(self.hub.members(), self.joined.len());
        for topic in self.joined.values() {
            assert!(self.present(Some(*topic)) <= self.max_members, "within the topic's limit");
        }
    }

    fn told(&mut self, conn: ConnId, message: ServerMessage) {
        let view = self.views.entry(conn).or_default();
        match message {
            ServerMessage::Welcome(welcome) => {
                *view = welcome.members.iter().map(|member| member.id).collect();
                assert_eq!(view.len(), welcome.members.len(), "each once");
                assert!(view.len() < welcome.total as usize);
                self.joined.extend(self.joining.map(|topic| (conn, topic)));
            }
            ServerMessage::Error { code: ErrorCode::RoomFull, .. } => {
                let kept = (self.max_members / 4).max(1);
                assert!(self.present(self.joining) + kept >= self.max_members, "absent members' share");
            }
            ServerMessage::Joined { members } => view.extend(members.iter().map(|member| member.id)),
            ServerMessage::Left { members } => {
                for departed in members {
                    view.remove(&departed.id);
                }
            }
            _ => {}
        }
    }

    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.hub.wake_at().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.handle(Input::Woken);
        }
        self.now = end;
    }

    fn frame(&mut self, conn: ConnId, text: &str) {
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        // What it borrows is the text, not the session.
        let input = session.input(conn, text);
        self.handle(input);
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes.iter().copied();
    let mut next = move || bytes.next();
    let Some(first) = next() else { return };
    let limits = Limits {
        max_sample: u32::from(first % 4) + 1,
        max_topic_members: u32::from(first >> 2 & 7) + 1,
        max_frame_bytes: 8192,
        ..Limits::default()
    };
    let (tick, grace) = if first & 32 == 0 { (50, 5000) } else { (0, 0) };
    let (tick, grace) = (Duration::from_millis(tick), Duration::from_millis(grace));
    let hub = Hub::new(Settings { limits, tick, grace, ..Settings::default() }, first.into());
    let mut bench = Bench {
        hub,
        now: Duration::ZERO,
        last: 0,
        sessions: BTreeMap::new(),
        views: BTreeMap::new(),
        joined: BTreeMap::new(),
        joining: None,
        max_members: limits.max_topic_members as usize,
    };
    while let Some(step) = next() {
        let conns: Vec<ConnId> = bench.sessions.keys().copied().collect();
        let which = usize::from(next().unwrap_or_default());
        let conn = if conns.is_empty() { 1 } else { conns[which % conns.len()] };
        match step % 16 {
            0..3 if conns.len() < 16 => {
                bench.last += 1;
                let conn = bench.last;
                bench.sessions.insert(conn, Session::new(NONCE, "", limits.max_frame_bytes));
                bench.handle(Input::Connected { conn, nonce: NONCE });
                bench.join(conn, HELLOS[which % HELLOS.len()].1);
            }
            // Seldom, since it is slow: as it comes.
            3 if which < 4 => {
                let (text, join) = &HELLOS[usize::from(next().unwrap_or_default()) % HELLOS.len()];
                bench.joining = Some(join.topic());
                bench.frame(conn, text);
            }
            3 => bench.join(conn, HELLOS[which % HELLOS.len()].1),
            4..7 => {
                let to = IDS[usize::from(next().unwrap_or_default()) % IDS.len()];
                bench.frame(conn, &format!(r#"{{"signal":{{"to":"{to}","data":{{"n":[1, 2]}}}}}}"#));
            }
            7 => bench.frame(conn, r#"{"leave":{}}"#),
            8 => bench.frame(conn, r#"{"ping":{}}"#),
            9 | 10 => {
                if bench.gone(conn) {
                    bench.handle(Input::Disconnected { conn, clean: step % 16 == 9 });
                }
            }
            11 => bench.handle(Input::Refuse { conn, code: CODES[which % CODES.len()] }),
            12 => bench.handle(Input::Drain { conn, retry_after: Duration::from_millis(which as u64) }),
            13 => bench.wait(Duration::from_millis(which as u64 * 40)),
            // A driver drops a signal between any two, or an unknown one.
            14 => bench.handle(Input::Congested { conn, receiver: which as ConnId }),
            // Any text at all.
            _ => {
                let text: Vec<u8> = (0..which).map_while(|_| next()).collect();
                bench.frame(conn, &String::from_utf8_lossy(&text));
            }
        }
    }
    // Whoever is told of somebody hears of the end.
    bench.wait(Duration::from_secs(60));
    for view in bench.views.values() {
        assert!(view.len() <= bench.hub.members(), "no ghosts");
    }
    for conn in bench.sessions.keys().copied().collect::<Vec<_>>() {
        bench.gone(conn);
        bench.handle(Input::Disconnected { conn, clean: false });
    }
    bench.wait(Duration::from_secs(60));
    let left = (bench.hub.topics(), bench.hub.connections(), bench.hub.members(), bench.hub.wake_at());
    assert_eq!(left, (0, 0, 0, None));
});
