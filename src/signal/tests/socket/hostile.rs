//! Input that no converge client sends. Each case: what the sender is told, how its socket ends, and that two members
//! of the topic can still signal each other afterwards and have heard of nothing but a member that came or went.

use converge_signal::protocol::{ClientMessage, ErrorCode, Hello, ServerMessage};
use converge_signal::{PeerId, Signature};
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::{Got, Server, Tab, prompt};

/// What the sender of a hostile input is to see.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Expect {
    /// An error with this code; the connection goes on.
    Error(ErrorCode),
    /// An error with this code, then a close frame with this one.
    Closed(ErrorCode, u16),
    /// The end of the connection: it broke WebSocket itself, not our protocol.
    Cut,
    /// The same, and this code if it still arrives: bytes that the server won't read can reset the connection.
    Gone(ErrorCode),
}

use Expect::{Closed, Cut, Error, Gone};

struct Stage {
    server: Server,
    ada: Tab,
    ben: Tab,
    /// In another topic.
    stranger: Tab,
}

const ADA: u8 = 1;
const BEN: u8 = 2;
const MALLORY: u8 = 66;

impl Stage {
    async fn set() -> Self {
        let mut settings = prompt();
        settings.hub.limits.max_topic_members = 3;
        let server = Server::start(settings).await;
        let mut ada = server.join(ADA, "room").await;
        let ben = server.join(BEN, "room").await;
        ada.joined().await;
        let stranger = server.join(3, "elsewhere").await;
        Self { server, ada, ben, stranger }
    }

    /// Ada and Ben can still signal each other; returns what they heard before.
    async fn others_are_well(&mut self, case: &str) -> Vec<ServerMessage> {
        let mut heard = Vec::new();
        let (ada, ben) = (self.ada.id(), self.ben.id());
        self.ada.signal(ben, case).await;
        self.ben.signal(ada, case).await;
        for (tab, other) in [(&mut self.ben, ada), (&mut self.ada, ben)] {
            loop {
                match tab.frame().await {
                    ServerMessage::Signal { from, data, .. } => {
                        assert_eq!(from, other, "{case}");
                        assert_eq!(serde_json::from_str::<String>(data.get()).unwrap(), case);
                        break;
                    }
                    other => heard.push(other),
                }
            }
        }
        heard
    }
}

async fn expect(tab: &mut Tab, case: &str, expected: Expect) {
    let code = match tab.next().await {
        Got::Frame(ServerMessage::Error { code, .. }) => Some(code),
        Got::Frame(other) => panic!("{case}: {other:?}"),
        Got::Closed(_) => None,
    };
    match expected {
        Error(error) => {
            assert_eq!(code, Some(error), "{case}");
            tab.text(r#"{"ping":{}}"#).await;
            assert!(matches!(tab.frame().await, ServerMessage::Pong {}), "{case}: the connection goes on");
        }
        Closed(error, close) => {
            assert_eq!(code, Some(error), "{case}");
            assert_eq!(tab.closed().await, Some(close), "{case}");
        }
        Cut => assert_eq!(code, None, "{case}"),
        Gone(error) => assert!(code.is_none_or(|code| code == error), "{case}: {code:?}"),
    }
}

#[tokio::test]
async fn frames_that_are_no_messages() {
    use ErrorCode::*;
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let wide = format!(r#"{{"signal":{{"to":"x","data":"{}"}}}}"#, "x".repeat(65_536));
    let huge = "x".repeat(300_000);
    let cases: [(&str, &str, Expect); 27] = [
        ("an empty frame", "", Error(Malformed)),
        ("white space", "  \n", Error(Malformed)),
        ("null", "null", Error(Malformed)),
        ("a number", "42", Error(Malformed)),
        ("a list", "[]", Error(Malformed)),
        ("a text", r#""ping""#, Error(Malformed)),
        ("no message at all", "{}", Error(Malformed)),
        ("two messages in one", r#"{"ping":{},"leave":{}}"#, Error(Malformed)),
        ("the same message twice", r#"{"ping":{},"ping":{}}"#, Error(Malformed)),
        ("something cut short", r#"{"ping":{"#, Error(Malformed)),
        ("something after the end", r#"{"ping":{}} {"ping":{}}"#, Error(Malformed)),
        ("a byte order mark", "\u{feff}{\"ping\":{}}", Error(Malformed)),
        ("zero bytes", "\0\0\0\0", Error(Malformed)),
        ("half of a surrogate pair", r#"{"\ud800":{}}"#, Error(Malformed)),
        ("nesting without end", &deep, Error(Malformed)),
        ("an unknown message", r#"{"dance":{}}"#, Error(UnknownType)),
        ("a message in another spelling", r#"{"Ping":{}}"#, Error(UnknownType)),
        ("a message of the server's", r#"{"welcome":{"seq":1}}"#, Error(UnknownType)),
        ("a name out of every object", r#"{"__proto__":{}}"#, Error(UnknownType)),
        ("hello without content", r#"{"hello":null}"#, Error(Malformed)),
        ("hello without fields", r#"{"hello":{}}"#, Error(Malformed)),
        ("signal without content", r#"{"signal":{}}"#, Error(Malformed)),
        ("signal to no id", r#"{"signal":{"to":"ada","data":1}}"#, Error(Malformed)),
        ("signal to a number", r#"{"signal":{"to":1,"data":1}}"#, Error(Malformed)),
        ("leave with a list", r#"{"leave":[1,2]}"#, Error(Malformed)),
        ("a frame over the limit", &wide, Closed(TooLarge, 1009)),
        ("a frame far over the limit", &huge, Gone(TooLarge)),
    ];
    let mut stage = Stage::set().await;
    for (case, text, expected) in cases {
        // As a member and as one who has not joined.
        for joins in [true, false] {
            let mut mallory = match joins {
                true => stage.server.join(MALLORY, "room").await,
                false => stage.server.connect(MALLORY).await,
            };
            mallory.text(text).await;
            expect(&mut mallory, case, expected).await;
            let id = mallory.id();
            drop(mallory);
            stage.server.until(case, |signalling| signalling.counts().connections == 3).await;
            for heard in stage.others_are_well(case).await {
                match heard {
                    ServerMessage::Joined { members } => assert_eq!((joins, members[0].id), (true, id), "{case}"),
                    ServerMessage::Left { members } => assert_eq!((joins, members[0].id), (true, id), "{case}"),
                    other => panic!("{case}: {other:?}"),
                }
            }
        }
    }
}

#[tokio::test]
async fn hellos_that_prove_nothing() {
    use ErrorCode::*;
    type Change = fn(&Tab, &mut Hello);
    let ada = PeerId::from_bytes(ed25519_dalek::SigningKey::from_bytes(&[ADA; 32]).verifying_key().to_bytes());
    let cases: [(&str, Change, Expect); 11] = [
        ("another version", |_, hello| hello.v = 2, Closed(Version, 1008)),
        ("version zero", |_, hello| hello.v = 0, Closed(Version, 1008)),
        (
            "a signature with one bit changed",
            |_, hello| {
                let mut bytes = *hello.sig.as_bytes();
                bytes[10] ^= 1;
                hello.sig = Signature::from_bytes(bytes);
            },
            Closed(BadSignature, 1008),
        ),
        ("a signature of zeros", |_, hello| hello.sig = Signature::from_bytes([0; 64]), Closed(BadSignature, 1008)),
        (
            "a signature for another topic",
            |tab, hello| hello.sig = tab.signed("elsewhere", hello.incarnation).sig,
            Closed(BadSignature, 1008),
        ),
        (
            "a signature for another life",
            |tab, hello| hello.sig = tab.signed("room", hello.incarnation + 1).sig,
            Closed(BadSignature, 1008),
        ),
        (
            "a signature for another page",
            |tab, hello| hello.sig = tab.signed_for("https://other.example", "room", hello.incarnation).sig,
            Closed(BadSignature, 1008),
        ),
        (
            "a signature for no page",
            |tab, hello| hello.sig = tab.signed_for("", "room", hello.incarnation).sig,
            Closed(BadSignature, 1008),
        ),
        ("an id of zeros", |_, hello| hello.id = PeerId::from_bytes([0; 32]), Closed(BadSignature, 1008)),
        (
            // The point of order one, with which a signature of zeros would hold for any message.
            "an id of small order",
            |_, hello| {
                let mut one = [0; 32];
                one[0] = 1;
                hello.id = PeerId::from_bytes(one);
                hello.sig = Signature::from_bytes({
                    let mut sig = [0; 64];
                    sig[0] = 1;
                    sig
                });
            },
            Closed(BadSignature, 1008),
        ),
        ("an id that is no point", |_, hello| hello.id = PeerId::from_bytes([0xff; 32]), Closed(BadSignature, 1008)),
    ];
    let mut stage = Stage::set().await;
    for (case, change, expected) in cases {
        let mut mallory = stage.server.connect(MALLORY).await;
        let mut hello = mallory.signed("room", 1);
        change(&mallory, &mut hello);
        mallory.say(&ClientMessage::Hello(hello)).await;
        expect(&mut mallory, case, expected).await;
        assert_eq!(stage.others_are_well(case).await.len(), 0, "{case}");
    }

    // Somebody else's id, and somebody else's hello of before.
    let mut mallory = stage.server.connect(MALLORY).await;
    let hello = Hello { id: ada, ..mallory.signed("room", 9) };
    mallory.say(&ClientMessage::Hello(hello)).await;
    expect(&mut mallory, "a stolen id", Closed(BadSignature, 1008)).await;
    let recorded = stage.ada.signed("room", 9);
    let mut mallory = stage.server.connect(MALLORY).await;
    mallory.say(&ClientMessage::Hello(recorded)).await;
    expect(&mut mallory, "a recorded hello", Closed(BadSignature, 1008)).await;
    assert_eq!(stage.others_are_well("impostors").await.len(), 0);

    // An earlier life of one who is here, and one more than the room may have.
    let mut earlier = stage.server.connect(ADA).await;
    earlier.hello("room", 0).await;
    expect(&mut earlier, "an earlier life", Closed(Stale, 1008)).await;
    let _third = stage.server.join(4, "room").await;
    let mut fourth = stage.server.connect(5).await;
    fourth.hello("room", 1).await;
    expect(&mut fourth, "one too many", Closed(RoomFull, 4005)).await;
    let heard = stage.others_are_well("late comers").await;
    assert!(heard.iter().all(|heard| matches!(heard, ServerMessage::Joined { .. })), "{heard:?}");
}

#[tokio::test]
async fn fields_that_are_not_of_their_kind() {
    let mut stage = Stage::set().await;
    let mut mallory = stage.server.connect(MALLORY).await;
    let good = serde_json::to_value(mallory.signed("room", 1)).unwrap();
    let id = good["id"].as_str().unwrap().to_owned();
    let cases = [
        ("v", serde_json::json!("1")),
        ("v", serde_json::json!(70_000)),
        ("incarnation", serde_json::json!(-1)),
        ("incarnation", serde_json::json!(1.5)),
        ("incarnation", serde_json::json!(1e30)),
        ("incarnation", serde_json::json!(null)),
        ("topic", serde_json::json!("room")),
        ("topic", serde_json::json!("x".repeat(60_000))),
        ("id", serde_json::json!(format!("{id}a"))),
        ("id", serde_json::json!(id.replace(&id[..1], "!"))),
        ("id", serde_json::json!(["a"])),
        ("sig", serde_json::json!("")),
    ];
    for (field, value) in cases {
        let mut hello = good.clone();
        hello[field] = value.clone();
        mallory.text(&serde_json::json!({ "hello": hello }).to_string()).await;
        expect(&mut mallory, &format!("{field}: {value:.40}"), Error(ErrorCode::Malformed)).await;
    }
    for field in ["v", "incarnation", "topic", "id", "sig"] {
        let mut hello = good.clone();
        hello.as_object_mut().unwrap().remove(field);
        mallory.text(&serde_json::json!({ "hello": hello }).to_string()).await;
        expect(&mut mallory, &format!("no {field}"), Error(ErrorCode::Malformed)).await;
    }
    // After all that the right one is still taken.
    mallory.hello("room", 1).await;
    mallory.welcome().await;
    assert_eq!(stage.others_are_well("fields").await.len(), 2, "both hear of the one who joined");
}

#[tokio::test]
async fn messages_at_the_wrong_time_or_to_the_wrong_peer() {
    use ErrorCode::*;
    let mut stage = Stage::set().await;
    let (ada, stranger) = (stage.ada.id(), stage.stranger.id());

    let mut mallory = stage.server.connect(MALLORY).await;
    mallory.signal(ada, "before hello").await;
    expect(&mut mallory, "signal before hello", Closed(NotJoined, 1008)).await;

    let mut mallory = stage.server.join(MALLORY, "room").await;
    let me = mallory.id();
    for (case, to) in [("to a stranger", stranger), ("to oneself", me), ("to nobody", PeerId::from_bytes([9; 32]))] {
        mallory.signal(to, case).await;
        match mallory.frame().await {
            ServerMessage::Error { code, peer, .. } => assert_eq!((code, peer), (UnknownPeer, Some(to)), "{case}"),
            other => panic!("{case}: {other:?}"),
        }
    }
    mallory.hello("elsewhere", 1).await;
    expect(&mut mallory, "a second hello", Error(AlreadyJoined)).await;
    assert_eq!(stage.others_are_well("wrong addresses").await.len(), 2, "both heard of the join, and of nothing more");
    stage.stranger.text(r#"{"ping":{}}"#).await;
    assert!(matches!(stage.stranger.frame().await, ServerMessage::Pong {}), "nothing crossed the topics");

    // The sender is who the server says, whatever else the frame claims.
    mallory
        .text(&format!(r#"{{"signal":{{"to":"{ada}","from":"{stranger}","incarnation":99,"data":"spoofed"}}}}"#))
        .await;
    assert_eq!(stage.ada.signalled().await, (me, r#""spoofed""#.to_owned()));
    // What peers carry between them is theirs: the server neither reads nor changes it.
    let odd = r#"{"a":[1,  2.50e3,"\u00e9",{"a":1,"a":2}]}"#;
    mallory.text(&format!(r#"{{"signal":{{"to":"{ada}","data":{odd}}}}}"#)).await;
    assert_eq!(stage.ada.signalled().await, (me, odd.to_owned()));
    let nested = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    mallory.text(&format!(r#"{{"signal":{{"to":"{ada}","data":{nested}}}}}"#)).await;
    assert_eq!(stage.ada.signalled().await.1.len(), nested.len());

    mallory.text(r#"{"leave":{}}"#).await;
    mallory.signal(ada, "after leaving").await;
    assert_eq!(mallory.closed().await, Some(1000));
    let heard = stage.others_are_well("after leaving").await;
    assert!(heard.iter().all(|heard| matches!(heard, ServerMessage::Left { .. })), "{heard:?}");
}

#[tokio::test]
async fn sockets_that_break_websocket_itself() {
    let mut stage = Stage::set().await;
    let invalid = Frame::message(vec![0xff, 0xfe, 0xfd], OpCode::Data(Data::Text), true);
    let messages = [
        ("a binary frame", Message::binary(vec![1, 2, 3]), Closed(ErrorCode::NotText, 1003)),
        ("an empty binary frame", Message::binary(vec![]), Closed(ErrorCode::NotText, 1003)),
        ("text that is no UTF-8", Message::Frame(invalid), Cut),
    ];
    for (case, message, expected) in messages {
        let mut mallory = stage.server.join(MALLORY, "room").await;
        mallory.message(message).await;
        expect(&mut mallory, case, expected).await;
        stage.server.until(case, |signalling| signalling.counts().connections == 3).await;
        assert_eq!(stage.others_are_well(case).await.len(), 4, "{case}: both heard it come and go");
    }
    let bytes: [(&str, &[u8]); 4] = [
        ("a frame without a mask", &[0x81, 0x01, b'x']),
        ("a frame of a reserved kind", &[0x83, 0x80, 0, 0, 0, 0]),
        ("a frame with reserved bits", &[0xf1, 0x80, 0, 0, 0, 0]),
        ("a control frame in pieces", &[0x09, 0x80, 0, 0, 0, 0]),
    ];
    for (case, bytes) in bytes {
        let mut mallory = stage.server.join(MALLORY, "room").await;
        mallory.socket.get_mut().write_all(bytes).await.unwrap();
        expect(&mut mallory, case, Cut).await;
        stage.server.until(case, |signalling| signalling.counts().connections == 3).await;
        assert_eq!(stage.others_are_well(case).await.len(), 4, "{case}: both heard it come and go");
    }
    // It announces more than there is memory in the world.
    let mut mallory = stage.server.join(MALLORY, "room").await;
    let announced = [0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
    mallory.socket.get_mut().write_all(&announced).await.unwrap();
    expect(&mut mallory, "an endless frame", Gone(ErrorCode::TooLarge)).await;
    stage.others_are_well("an endless frame").await;
}

#[tokio::test]
async fn a_flood_of_frames_that_are_no_messages_ends() {
    let mut stage = Stage::set().await;
    let mut mallory = stage.server.join(MALLORY, "room").await;
    for _ in 0..100 {
        mallory.text("garbage").await;
    }
    let code = loop {
        match mallory.error().await {
            ErrorCode::Malformed => {}
            code => break code,
        }
    };
    assert_eq!(code, ErrorCode::Abuse);
    assert_eq!(mallory.closed().await, Some(1008));
    stage.server.until("the flood is over", |signalling| signalling.counts().connections == 3).await;
    assert_eq!(stage.others_are_well("a flood").await.len(), 4, "both heard it come and go");
}
