#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use ed25519_dalek::{Signer, SigningKey};

use super::*;
use crate::ids::Signature;
use crate::protocol::blind_topic;

struct Client {
    conn: ConnId,
    key: SigningKey,
}

impl Client {
    fn id(&self) -> PeerId {
        PeerId::from_bytes(self.key.verifying_key().to_bytes())
    }
}

struct Bench {
    hub: Hub,
    next: ConnId,
}

impl Bench {
    fn new() -> Self {
        Self::with(Settings::default())
    }

    fn with(settings: Settings) -> Self {
        Self { hub: Hub::new(settings), next: 0 }
    }

    fn drain(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.hub.poll()).collect()
    }

    fn input(&mut self, input: Input<'_>) -> Vec<Output> {
        self.hub.handle(input);
        self.drain()
    }

    fn text(&mut self, conn: ConnId, text: &str) -> Vec<Output> {
        self.input(Input::Frame { conn, text })
    }

    fn connect(&mut self) -> ConnId {
        self.next += 1;
        let conn = self.next;
        self.input(Input::Connected { conn, nonce: Nonce::from_bytes([9; 32]), origin: "http://page" });
        conn
    }

    fn hello(&mut self, conn: ConnId, seed: u8, topic: &str, incarnation: u64) -> (Client, Vec<Output>) {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let topic = blind_topic(topic);
        let bytes = hello_bytes(&Nonce::from_bytes([9; 32]), "http://page", &topic, incarnation);
        let hello = Hello {
            v: VERSION,
            topic,
            id: PeerId::from_bytes(key.verifying_key().to_bytes()),
            incarnation,
            sig: Signature::from_bytes(key.sign(&bytes).to_bytes()),
        };
        let text = serde_json::to_string(&ClientMessage::Hello(hello)).unwrap();
        let out = self.text(conn, &text);
        (Client { conn, key }, out)
    }

    fn join(&mut self, seed: u8, topic: &str, incarnation: u64) -> (Client, Vec<Output>) {
        let conn = self.connect();
        self.hello(conn, seed, topic, incarnation)
    }
}

/// What one connection is told, as the names of the messages with what matters of them.
fn told(out: &[Output], to: ConnId) -> Vec<String> {
    out.iter()
        .filter_map(|output| match output {
            Output::Send { conn, frame } if *conn == to => Some(match serde_json::from_str(frame).unwrap() {
                ServerMessage::Welcome(welcome) => format!("welcome {}", welcome.members.len()),
                ServerMessage::Joined { members } => format!("joined {}", members[0].id.short()),
                ServerMessage::Left { members } => format!("left {:?}", members[0].reason),
                ServerMessage::Signal { from, data, .. } => format!("signal {} {data}", from.short()),
                ServerMessage::Error { code, .. } => format!("error {code:?}"),
                ServerMessage::Pong {} => "pong".to_owned(),
                other => format!("{other:?}"),
            }),
            Output::Close { conn, code, .. } if *conn == to => Some(format!("close {code}")),
            _ => None,
        })
        .collect()
}

#[test]
fn a_newcomer_gets_the_members_and_they_hear_of_it() {
    let mut bench = Bench::new();
    let (a, out) = bench.join(1, "x", 1);
    assert_eq!(told(&out, a.conn), ["welcome 0"]);
    let (b, out) = bench.join(2, "x", 1);
    assert_eq!(told(&out, b.conn), ["welcome 1"]);
    assert_eq!(told(&out, a.conn), [format!("joined {}", b.id().short())]);
    assert_eq!((bench.hub.topics(), bench.hub.members()), (1, 2));
}

#[test]
fn a_signal_is_stamped_and_stays_in_its_topic() {
    let mut bench = Bench::new();
    let (a, _) = bench.join(1, "x", 1);
    let (b, _) = bench.join(2, "x", 1);
    let (c, _) = bench.join(3, "y", 1);
    let signal = |to: &Client| format!(r#"{{"signal":{{"to":"{}","from":"spoofed","data":{{"n":[1, 2]}}}}}}"#, to.id());
    let out = bench.text(a.conn, &signal(&b));
    assert_eq!(told(&out, b.conn), [format!(r#"signal {} {{"n":[1, 2]}}"#, a.id().short())], "as it was written");
    for stranger in [&c, &a] {
        let out = bench.text(a.conn, &signal(stranger));
        assert_eq!(told(&out, a.conn), ["error UnknownPeer"]);
        assert_eq!(out.len(), 1);
    }
}

#[test]
fn the_same_key_takes_its_old_place_and_nobody_sees_it_leave() {
    for incarnation in [5, 6] {
        let mut bench = Bench::new();
        let (a, _) = bench.join(1, "x", 5);
        let (b, _) = bench.join(2, "x", 1);
        let (again, out) = bench.join(1, "x", incarnation);
        assert_eq!(told(&out, again.conn), ["welcome 1"]);
        assert_eq!(told(&out, a.conn), ["error Replaced", "close 4001"]);
        assert_eq!(told(&out, b.conn), [format!("joined {}", a.id().short())]);
        let out = bench.input(Input::Disconnected { conn: a.conn, clean: false });
        assert_eq!(out, [], "the old socket's end is nobody's business");
        assert_eq!(bench.hub.members(), 2);
    }
}

#[test]
fn an_earlier_life_is_refused() {
    let mut bench = Bench::new();
    let (a, _) = bench.join(1, "x", 5);
    let (early, out) = bench.join(1, "x", 4);
    assert_eq!(told(&out, early.conn), ["error Stale", "close 1008"]);
    assert_eq!(told(&out, a.conn), [""; 0]);
}

#[test]
fn goodbye_and_lost_are_told_apart() {
    let mut bench = Bench::new();
    let (watcher, _) = bench.join(1, "x", 1);
    let (leaver, _) = bench.join(2, "x", 1);
    let out = bench.text(leaver.conn, r#"{"leave":{}}"#);
    assert_eq!(told(&out, watcher.conn), ["left Goodbye"]);
    assert_eq!(told(&out, leaver.conn), ["close 1000"]);
    for (clean, expected) in [(true, "left Goodbye"), (false, "left Lost")] {
        let (leaver, _) = bench.join(2, "x", 1);
        let out = bench.input(Input::Disconnected { conn: leaver.conn, clean });
        assert_eq!(told(&out, watcher.conn), [expected]);
    }
}

#[test]
fn a_full_topic_refuses_newcomers_but_not_who_comes_back() {
    let mut bench = Bench::with(Settings { max_topic_members: 2, ..Settings::default() });
    bench.join(1, "x", 1);
    let (b, _) = bench.join(2, "x", 1);
    let (c, out) = bench.join(3, "x", 1);
    assert_eq!(told(&out, c.conn), ["error RoomFull", "close 4005"]);
    let (_, out) = bench.join(2, "x", 2);
    assert_eq!(told(&out, b.conn), ["error Replaced", "close 4001"]);
    let back = bench.next;
    bench.input(Input::Disconnected { conn: back, clean: true });
    let (c, out) = bench.join(3, "x", 1);
    assert_eq!(told(&out, c.conn), ["welcome 1"]);
}

#[test]
fn a_topic_of_no_members_leaves_nothing_behind() {
    let mut bench = Bench::with(Settings { max_topic_members: 0, ..Settings::default() });
    let (a, out) = bench.join(1, "x", 1);
    assert_eq!(told(&out, a.conn), ["error RoomFull", "close 4005"]);
    assert_eq!((bench.hub.topics(), bench.hub.connections()), (0, 0));
}

#[test]
fn ten_thousand_joins_and_leaves_leave_nothing_behind() {
    let mut bench = Bench::new();
    for n in 0..10_000u32 {
        let conn = bench.connect();
        if n < 50 {
            bench.hello(conn, 1, &n.to_string(), 1);
        }
        bench.input(Input::Disconnected { conn, clean: n % 2 == 0 });
    }
    assert_eq!((bench.hub.topics(), bench.hub.connections(), bench.hub.members()), (0, 0, 0));
}

#[test]
fn a_signature_for_another_origin_nonce_or_topic_proves_nothing() {
    let key = SigningKey::from_bytes(&[1; 32]);
    let (nonce, topic) = (Nonce::from_bytes([9; 32]), blind_topic("x"));
    let id = PeerId::from_bytes(key.verifying_key().to_bytes());
    let other = Nonce::from_bytes([8; 32]);
    for (bytes, good) in [
        (hello_bytes(&nonce, "http://page", &topic, 1), true),
        (hello_bytes(&nonce, "http://evil", &topic, 1), false),
        (hello_bytes(&other, "http://page", &topic, 1), false),
        (hello_bytes(&nonce, "http://page", &blind_topic("y"), 1), false),
        (hello_bytes(&nonce, "http://page", &topic, 2), false),
    ] {
        let sig = Signature::from_bytes(key.sign(&bytes).to_bytes());
        let hello = Hello { v: 1, topic, id, incarnation: 1, sig };
        assert_eq!(proves(&hello, &nonce, "http://page"), good);
    }
    let nobody =
        Hello { v: 1, topic, id: PeerId::from_bytes([255; 32]), incarnation: 1, sig: Signature::from_bytes([0; 64]) };
    assert!(!proves(&nobody, &nonce, "http://page"));
}

#[test]
fn nothing_follows_a_close() {
    let mut bench = Bench::new();
    let (a, _) = bench.join(1, "x", 1);
    let (b, _) = bench.join(2, "x", 1);
    let out = bench.input(Input::Violation { conn: a.conn, code: ErrorCode::TooLarge });
    assert_eq!(told(&out, a.conn), ["error TooLarge", "close 1009"]);
    assert_eq!(told(&out, b.conn), ["left Lost"]);
    assert_eq!(bench.text(a.conn, r#"{"ping":{}}"#), []);
    assert_eq!(bench.input(Input::Disconnected { conn: a.conn, clean: true }), []);
}
