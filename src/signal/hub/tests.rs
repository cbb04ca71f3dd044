#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use ed25519_dalek::{Signer, SigningKey};

use super::*;
use crate::ids::{Incarnation, Signature};
use crate::protocol::{ClientMessage, Hello, blind_topic, hello_bytes};

const PAGE: &str = "http://page";
const NONCE: Nonce = Nonce::from_bytes([9; 32]);

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
    sessions: HashMap<ConnId, Session>,
    now: Duration,
    next: ConnId,
}

impl Bench {
    /// Says at once who is lost, and tells each thing by itself.
    fn new() -> Self {
        Self::with(Settings { grace: Duration::ZERO, ..Self::prompt() })
    }

    /// Who comes is told of at once.
    fn prompt() -> Settings {
        Settings { introduce: Duration::ZERO, tick: Duration::ZERO, ..Settings::default() }
    }

    fn with(settings: Settings) -> Self {
        Self { hub: Hub::new(settings, 1), sessions: HashMap::new(), now: Duration::ZERO, next: 0 }
    }

    fn small(max_topic_members: u32) -> Self {
        let limits = Limits { max_topic_members, ..Limits::default() };
        Self::with(Settings { limits, grace: Duration::ZERO, ..Self::prompt() })
    }

    /// A topic may have any number of members, of which each is told of `max_sample`.
    fn large(max_sample: u32) -> Self {
        let limits = Limits { max_sample, max_topic_members: u32::MAX, ..Limits::default() };
        Self::with(Settings { limits, ..Settings::default() })
    }

    fn drain(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.hub.poll()).collect()
    }

    fn input(&mut self, input: Input<'_>) -> Vec<Output> {
        self.hub.handle(self.now, input);
        self.drain()
    }

    fn text(&mut self, conn: ConnId, text: &str) -> Vec<Output> {
        let input = self.sessions.get_mut(&conn).unwrap().input(conn, text);
        self.hub.handle(self.now, input);
        self.drain()
    }

    /// Lets time go by until the hub has nothing more to do, or for so long.
    fn wait(&mut self, time: Duration) -> Vec<Output> {
        let end = self.now + time;
        let mut out = Vec::new();
        while let Some(at) = self.hub.wake_at().filter(|at| *at <= end) {
            self.now = at;
            out.extend(self.input(Input::Woken));
        }
        self.now = end;
        out
    }

    fn connect(&mut self) -> ConnId {
        self.next += 1;
        let conn = self.next;
        self.sessions.insert(conn, Session::new(NONCE, PAGE, Limits::default().max_frame_bytes));
        self.input(Input::Connected { conn, nonce: NONCE });
        conn
    }

    /// A member that proves nothing: signatures are slow, and these tests have thousands.
    fn enter(&mut self, n: u32, topic: &str) -> (ConnId, Vec<Output>) {
        let conn = self.connect();
        self.sessions.remove(&conn);
        (conn, self.input(Input::Join { conn, join: join(n, topic, 1) }))
    }

    fn hello(&mut self, conn: ConnId, seed: u8, topic: &str, incarnation: u64) -> (Client, Vec<Output>) {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let topic = blind_topic(topic);
        let bytes = hello_bytes(&NONCE, PAGE, &topic, incarnation);
        let hello = Hello {
            v: VERSION,
            topic,
            id: PeerId::from_bytes(key.verifying_key().to_bytes()),
            incarnation,
            sig: Signature::from_bytes(key.sign(&bytes).to_bytes()),
            token: None,
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

fn peer(n: u32) -> PeerId {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    PeerId::from_bytes(bytes)
}

fn join(n: u32, topic: &str, incarnation: Incarnation) -> Join {
    Join { topic: blind_topic(topic), id: peer(n), incarnation, relay: true }
}

/// What one connection is told, as the names of the messages with what matters of them.
fn told(out: &[Output], to: ConnId) -> Vec<String> {
    out.iter()
        .filter_map(|output| match output {
            Output::Send { conn, frame, .. } if *conn == to => Some(match serde_json::from_str(frame).unwrap() {
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
    let mut bench = Bench::small(2);
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
    let mut bench = Bench::small(0);
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
    let topic = blind_topic("x");
    let id = PeerId::from_bytes(key.verifying_key().to_bytes());
    let other = Nonce::from_bytes([8; 32]);
    let prove = |hello: &Hello| Session::new(NONCE, PAGE, 1000).prove(hello).map(|join| (join.topic, join.id));
    for (bytes, expected) in [
        (hello_bytes(&NONCE, PAGE, &topic, 1), Ok((topic, id))),
        (hello_bytes(&NONCE, "http://evil", &topic, 1), Err(ErrorCode::BadSignature)),
        (hello_bytes(&other, PAGE, &topic, 1), Err(ErrorCode::BadSignature)),
        (hello_bytes(&NONCE, PAGE, &blind_topic("y"), 1), Err(ErrorCode::BadSignature)),
        (hello_bytes(&NONCE, PAGE, &topic, 2), Err(ErrorCode::BadSignature)),
    ] {
        let sig = Signature::from_bytes(key.sign(&bytes).to_bytes());
        assert_eq!(prove(&Hello { v: 1, topic, id, incarnation: 1, sig, token: None }), expected);
    }
    let (nobody, sig) = (PeerId::from_bytes([255; 32]), Signature::from_bytes([0; 64]));
    let hello = Hello { v: 1, topic, id: nobody, incarnation: 1, sig, token: None };
    assert_eq!(prove(&hello), Err(ErrorCode::BadSignature));
}

#[test]
fn nothing_follows_a_close() {
    let mut bench = Bench::new();
    let (a, _) = bench.join(1, "x", 1);
    let (b, _) = bench.join(2, "x", 1);
    let out = bench.input(Input::Refuse { conn: a.conn, code: ErrorCode::TooLarge });
    assert_eq!(told(&out, a.conn), ["error TooLarge", "close 1009"]);
    assert_eq!(told(&out, b.conn), ["left Lost"]);
    assert_eq!(bench.text(a.conn, r#"{"ping":{}}"#), []);
    assert_eq!(bench.input(Input::Disconnected { conn: a.conn, clean: true }), []);
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn who_comes_back_in_time_was_never_away() {
    let mut bench = Bench::with(Bench::prompt());
    let (ada, _) = bench.enter(1, "x");
    let (ben, _) = bench.enter(2, "x");
    bench.wait(SECOND);
    assert_eq!(bench.input(Input::Disconnected { conn: ben, clean: false }), []);
    assert_eq!(bench.hub.members(), 1);
    // Who came meanwhile is not told of it, and it is told of them.
    let (carl, out) = bench.enter(3, "x");
    assert_eq!(told(&out, carl), ["welcome 1"]);
    bench.wait(SECOND);
    let (ben, out) = bench.enter(2, "x");
    assert_eq!(told(&out, ben), ["welcome 2"]);
    assert_eq!(told(&out, ada), [""; 0]);
    assert_eq!(told(&out, carl), [format!("joined {}", peer(2).short())]);
    assert_eq!(bench.wait(60 * SECOND), [], "nor is anybody told later");
}

#[test]
fn who_does_not_come_back_in_time_is_lost() {
    let mut bench = Bench::with(Bench::prompt());
    let (ada, _) = bench.enter(1, "x");
    let (ben, _) = bench.enter(2, "x");
    bench.wait(SECOND);
    bench.input(Input::Disconnected { conn: ben, clean: false });
    assert_eq!(told(&bench.wait(4 * SECOND), ada), [""; 0]);
    assert_eq!(told(&bench.wait(SECOND), ada), ["left Lost"]);
    bench.wait(SECOND);
    let (_, out) = bench.enter(2, "x");
    assert_eq!(told(&out, ada), [format!("joined {}", peer(2).short())]);
}

#[test]
fn another_life_or_one_that_was_missed_is_told_of() {
    for missed in [false, true] {
        let mut bench = Bench::with(Bench::prompt());
        let (ada, _) = bench.join(1, "x", 1);
        let (ben, _) = bench.enter(2, "x");
        bench.wait(SECOND);
        bench.input(Input::Disconnected { conn: ben, clean: false });
        if missed {
            let signal = format!(r#"{{"signal":{{"to":"{}","data":1}}}}"#, peer(2));
            assert_eq!(told(&bench.text(ada.conn, &signal), ada.conn), ["error UnknownPeer"]);
        }
        let conn = bench.connect();
        let incarnation = if missed { 1 } else { 2 };
        let out = bench.input(Input::Join { conn, join: join(2, "x", incarnation) });
        assert_eq!(told(&out, ada.conn), [format!("joined {}", peer(2).short())]);
    }
}

#[test]
fn a_seat_is_kept_for_who_is_away() {
    let mut bench = Bench::large(8);
    bench.hub.settings.limits.max_topic_members = 2;
    bench.enter(1, "x");
    let (ben, _) = bench.enter(2, "x");
    bench.wait(5 * SECOND);
    bench.input(Input::Disconnected { conn: ben, clean: false });
    let (carl, out) = bench.enter(3, "x");
    assert_eq!(told(&out, carl), ["error RoomFull", "close 4005"]);
    bench.wait(6 * SECOND);
    let (carl, out) = bench.enter(3, "x");
    assert_eq!(told(&out, carl), ["welcome 1"]);
}

#[test]
fn joins_and_drops_keep_nobody_out_of_a_room() {
    let mut bench = Bench::with(Settings { introduce: Duration::ZERO, tick: Duration::ZERO, ..Settings::default() });
    bench.hub.settings.limits.max_topic_members = 8;
    let (ada, _) = bench.enter(0, "x");
    // Each takes one of seven seats, and keeps no socket.
    for n in 0..1000 {
        let (mallory, out) = bench.enter(1000 + n, "x");
        assert!(told(&out, mallory)[0].starts_with("welcome"), "{n}");
        bench.input(Input::Disconnected { conn: mallory, clean: false });
        if n % 100 == 99 {
            let (ben, out) = bench.enter(1, "x");
            assert_eq!(told(&out, ben), ["welcome 1"], "{n}");
            bench.wait(SECOND);
            bench.input(Input::Leave { conn: ben });
        }
        assert!(bench.hub.rooms.seats() <= 8);
    }
    // The evicted members were lost at once, and left no state.
    let out = bench.wait(6 * SECOND);
    assert!(told(&out, ada).iter().all(|told| told == "left Lost"));
    assert_eq!(bench.hub.rooms.seats(), 1);
    assert_eq!(bench.hub.counters().lost, 1000);
    assert_eq!(bench.hub.wake_at(), None);
}

#[test]
fn members_away_keep_a_quarter_of_a_full_room_and_return_to_the_rest_if_it_is_free() {
    let mut bench = Bench::with(Bench::prompt());
    bench.hub.settings.limits.max_topic_members = 8;
    let conns: Vec<ConnId> = (0..8).map(|n| bench.enter(n, "x").0).collect();
    bench.wait(5 * SECOND);
    // The network of five fails at once.
    for conn in &conns[3..] {
        bench.input(Input::Disconnected { conn: *conn, clean: false });
    }
    let mut lost = 0;
    for n in 0..3 {
        let (newcomer, out) = bench.enter(100 + n, "x");
        assert!(told(&out, newcomer)[0].starts_with("welcome"));
        lost += told(&out, conns[0]).iter().filter(|told| *told == "left Lost").count();
    }
    assert_eq!(lost, 3, "each newcomer took the seat of one");
    let (newcomer, out) = bench.enter(200, "x");
    assert_eq!(told(&out, newcomer), ["error RoomFull", "close 4005"], "two seats are kept");
    let welcomed = (3..8).filter(|n| {
        let (conn, out) = bench.enter(*n, "x");
        told(&out, conn)[0].starts_with("welcome")
    });
    assert_eq!(welcomed.count(), 2, "for two of those that return");
    assert_eq!((bench.hub.members(), bench.hub.counters().returns), (8, 2));
}

#[test]
fn a_driver_learns_how_a_topic_is_occupied() {
    let mut bench = Bench::with(Settings::default());
    let occupancy = |bench: &Bench, n| bench.hub.occupancy(&blind_topic("x"), &peer(n));
    assert_eq!(occupancy(&bench, 1), Occupancy::Empty);
    let (ada, _) = bench.enter(1, "x");
    assert_eq!((occupancy(&bench, 1), occupancy(&bench, 2)), (Occupancy::Returning, Occupancy::Occupied));
    bench.input(Input::Disconnected { conn: ada, clean: false });
    assert_eq!((occupancy(&bench, 1), occupancy(&bench, 2)), (Occupancy::Returning, Occupancy::Empty));
    bench.wait(6 * SECOND);
    assert_eq!(occupancy(&bench, 1), Occupancy::Empty);
}

#[test]
fn visits_are_announced_however_short() {
    for (introduce, tick) in [(500, 50), (500, 0), (0, 50), (0, 0)] {
        let [introduce, tick] = [introduce, tick].map(Duration::from_millis);
        for goodbye in [true, false] {
            let mut bench = Bench::with(Settings { introduce, tick, ..Settings::default() });
            let (ada, _) = bench.enter(1, "x");
            bench.wait(SECOND);
            let (ben, mut out) = bench.enter(2, "x");
            out.extend(match goodbye {
                true => bench.input(Input::Leave { conn: ben }),
                false => bench.input(Input::Disconnected { conn: ben, clean: false }),
            });
            out.extend(bench.wait(10 * SECOND));
            let left = if goodbye { "left Goodbye" } else { "left Lost" };
            let joined = format!("joined {}", peer(2).short());
            assert_eq!(told(&out, ada), [joined.as_str(), left], "{introduce:?} {tick:?}");
        }
    }
}

#[test]
fn each_of_many_visits_is_announced_once() {
    let mut bench = Bench::with(Settings::default());
    let (ada, _) = bench.enter(1, "x");
    let (ben, _) = bench.enter(2, "x");
    bench.wait(SECOND);
    // Each visitor twice, and more visitors than fit into a frame.
    let mut out = Vec::new();
    for n in (0..700).flat_map(|n| [1000 + n, 1000 + n]) {
        let (visitor, more) = bench.enter(n, "x");
        out.extend(more);
        out.extend(bench.input(Input::Leave { conn: visitor }));
    }
    out.extend(bench.input(Input::Leave { conn: ben }));
    out.extend(bench.wait(SECOND));
    let (mut joined, mut left, mut view) = (0, 0, std::collections::BTreeSet::from([peer(2)]));
    for output in &out {
        let Output::Send { conn, frame, .. } = output else { continue };
        if *conn != ada {
            continue;
        }
        assert!(frame.len() <= Limits::default().max_frame_bytes as usize);
        match serde_json::from_str(frame).unwrap() {
            ServerMessage::Joined { members } => {
                joined += members.len();
                view.extend(members.iter().map(|member| member.id));
            }
            ServerMessage::Left { members } => {
                left += members.len();
                assert!(members.iter().all(|departed| view.remove(&departed.id)), "none left that had not joined");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((joined, left, view.len()), (700, 701, 0));
}

#[test]
fn a_sender_is_notified_of_a_signal_that_was_dropped() {
    let mut bench = Bench::new();
    let (ada, _) = bench.enter(1, "x");
    let (ben, _) = bench.join(2, "x", 1);
    let out = bench.text(ben.conn, &format!(r#"{{"signal":{{"to":"{}","data":1}}}}"#, peer(1)));
    let sent =
        |output: &Output| matches!(output, Output::Send { conn, from, .. } if (*conn, *from) == (ada, Some(ben.conn)));
    assert!(out.iter().all(sent), "{out:?}");
    let out = bench.input(Input::Congested { conn: ben.conn, receiver: ada });
    assert_eq!(told(&out, ben.conn), ["error Congested"]);
    assert!(matches!(&out[..], [Output::Send { frame, from: None, .. }] if frame.contains(&peer(1).to_string())));
    // Either may have left meanwhile.
    bench.input(Input::Leave { conn: ada });
    assert_eq!(told(&bench.input(Input::Congested { conn: ben.conn, receiver: ada }), ben.conn), ["error Congested"]);
    bench.input(Input::Leave { conn: ben.conn });
    assert_eq!(bench.input(Input::Congested { conn: ben.conn, receiver: ada }), []);
}

#[test]
fn who_signals_needs_no_other_introduction() {
    let mut bench = Bench::with(Settings::default());
    let (ada, _) = bench.enter(1, "x");
    let (ben, _) = bench.enter(2, "x");
    bench.wait(SECOND);
    let (carl, out) = bench.join(3, "x", 1);
    assert_eq!(told(&out, ada), [""; 0]);
    let signal = format!(r#"{{"signal":{{"to":"{}","data":1}}}}"#, peer(1));
    assert_eq!(told(&bench.text(carl.conn, &signal), ada), [format!("signal {} 1", carl.id().short())]);
    let out = bench.wait(SECOND);
    assert_eq!(told(&out, ada), [""; 0]);
    assert_eq!(told(&out, ben), [format!("joined {}", carl.id().short())], "who was not signalled is told");
    bench.input(Input::Leave { conn: carl.conn });
    assert_eq!(bench.hub.wake_at(), None, "and both at once that it has left");
}

#[test]
fn news_are_told_together_and_the_last_word_counts() {
    let mut bench = Bench::with(Settings::default());
    let (ada, _) = bench.enter(1, "x");
    let (ben, _) = bench.enter(2, "x");
    bench.wait(SECOND);
    let out = bench.input(Input::Leave { conn: ben });
    assert_eq!(told(&out, ada), ["left Goodbye"], "at once, in a quiet room");
    let (carl, _) = bench.enter(3, "x");
    bench.enter(4, "x");
    bench.input(Input::Leave { conn: carl });
    // Who comes can wait, but who left is told of within a tick, and what waits along with it.
    let out = bench.wait(Duration::from_millis(60));
    let joined = |n| format!("joined {}", peer(n).short());
    assert_eq!(told(&out, ada), [joined(3).as_str(), "left Goodbye"], "two members in one frame, then the visitor");
    let (_, out) = bench.enter(4, "x");
    assert_eq!(told(&out, ada), [""; 0]);
    bench.input(Input::Leave { conn: bench.next });
    bench.enter(4, "x");
    assert_eq!(told(&bench.wait(Duration::from_millis(60)), ada), [joined(4)], "the last word");
    assert_eq!(bench.wait(SECOND), []);
    assert_eq!(bench.hub.wake_at(), None);
}

#[test]
fn what_need_not_wait_takes_along_what_does() {
    let mut bench = Bench::with(Settings { tick: Duration::ZERO, ..Settings::default() });
    let (ada, _) = bench.enter(1, "x");
    let (ben, _) = bench.enter(2, "x");
    bench.wait(SECOND);
    bench.enter(3, "x");
    let out = bench.input(Input::Leave { conn: ben });
    assert_eq!(told(&out, ada), ["left Goodbye".to_owned(), format!("joined {}", peer(3).short())]);
    assert!(bench.hub.wake_at().is_none_or(|at| at > bench.now), "nothing is due that could be done now");
}

/// Who each member of a topic has been told of and has not been told to be gone.
#[derive(Default)]
struct Views(HashMap<ConnId, std::collections::BTreeSet<PeerId>>);

impl Views {
    fn take(&mut self, out: &[Output]) {
        for output in out {
            let Output::Send { conn, frame, .. } = output else { continue };
            let view = self.0.entry(*conn).or_default();
            match serde_json::from_str(frame).unwrap() {
                ServerMessage::Welcome(welcome) => *view = welcome.members.iter().map(|member| member.id).collect(),
                ServerMessage::Joined { members } => view.extend(members.iter().map(|member| member.id)),
                ServerMessage::Left { members } => {
                    for departed in members {
                        view.remove(&departed.id);
                    }
                }
                _ => {}
            }
        }
    }
}

#[test]
fn a_thousand_who_join_at_once_cost_a_few_frames_each_and_all_who_leave_are_told_of() {
    let mut bench = Bench::large(16);
    let (mut views, mut conns, mut frames) = (Views::default(), Vec::new(), 0);
    for n in 0..1000 {
        bench.now += Duration::from_micros(200);
        let mut out = bench.wait(Duration::ZERO);
        let (conn, more) = bench.enter(n, "x");
        out.extend(more);
        frames += out.len() + 2;
        views.take(&out);
        conns.push(conn);
        let welcomed: usize = views.0[&conn].len();
        assert!(welcomed <= 16 && welcomed == 16.min(n as usize), "{n}: {welcomed}");
    }
    let out = bench.wait(SECOND);
    frames += out.len();
    views.take(&out);
    assert!(frames < 20_000, "{frames}");
    // Acquaintance is mutual.
    for (n, conn) in conns.iter().enumerate() {
        for other in &views.0[conn] {
            let other = u32::from_be_bytes(other.as_bytes()[..4].try_into().unwrap());
            assert!(views.0[&conns[other as usize]].contains(&peer(n as u32)), "{n} and {other}");
        }
    }
    // Every second one goes; nobody who stays is left with a ghost.
    for conn in conns.iter().skip(1).step_by(2) {
        let out = bench.input(Input::Disconnected { conn: *conn, clean: false });
        views.take(&out);
    }
    let out = bench.wait(60 * SECOND);
    views.take(&out);
    for conn in conns.iter().step_by(2) {
        let ghosts =
            views.0[conn].iter().filter(|id| u32::from_be_bytes(id.as_bytes()[..4].try_into().unwrap()) % 2 == 1);
        assert_eq!(ghosts.count(), 0);
    }
    assert_eq!(bench.hub.members(), 500);
}

#[test]
fn a_drained_connection_is_told_when_to_come_back_and_nobody_else_hears_of_it() {
    let mut bench = Bench::with(Settings::default());
    let (ada, _) = bench.enter(1, "x");
    let (ben, _) = bench.enter(2, "x");
    bench.wait(SECOND);
    let out = bench.input(Input::Drain { conn: ada, retry_after: SECOND });
    assert_eq!(told(&out, ada), ["Drain { retry_after_ms: 1000 }", "close 1012"]);
    assert_eq!(told(&out, ben), [""; 0]);
}

#[test]
fn nothing_is_kept_of_who_has_gone() {
    let mut bench = Bench::large(4);
    for n in 0..20_000_u32 {
        let (conn, _) = bench.enter(n, if n % 3 == 0 { "x" } else { "y" });
        match n % 4 {
            0 => bench.input(Input::Leave { conn }),
            clean => bench.input(Input::Disconnected { conn, clean: clean == 1 }),
        };
        bench.now += Duration::from_millis(1);
    }
    bench.wait(60 * SECOND);
    assert_eq!((bench.hub.topics(), bench.hub.connections(), bench.hub.members()), (0, 0, 0));
    assert_eq!((bench.hub.wake_at(), bench.hub.rooms.seats()), (None, 0));
}
