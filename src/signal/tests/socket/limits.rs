//! What strangers are held to: every limit, with the code that says which it was.

use std::net::SocketAddr;
use std::time::Duration;

use converge_signal::protocol::{ErrorCode, Limits, ServerMessage, WELL_KNOWN_PATH};
use converge_signal::server::{Origins, Settings};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::{Got, Server, Tab, prompt, settings};

async fn with(change: impl FnOnce(&mut Limits)) -> Server {
    let mut settings = prompt();
    change(&mut settings.hub.limits);
    Server::start(settings).await
}

/// Answers of the server until it closes, with the close code.
async fn last_words(tab: &mut Tab) -> (ErrorCode, Option<u16>) {
    let code = loop {
        match tab.frame().await {
            ServerMessage::Error { code, .. } => break code,
            ServerMessage::Pong {} | ServerMessage::Joined { .. } | ServerMessage::Left { .. } => {}
            other => panic!("{other:?}"),
        }
    };
    (code, tab.closed().await)
}

#[tokio::test]
async fn a_flood_of_frames_or_bytes_is_cut_off_and_the_others_lose_nothing() {
    // As little as possible comes back: one frame and one byte in a second.
    let server = with(|limits| {
        (limits.frames_per_second, limits.frame_burst) = (1, 50);
        (limits.bytes_per_second, limits.byte_burst) = (1, 70_000);
    })
    .await;
    let mut ada = server.join(1, "room").await;
    let mut ben = server.join(2, "room").await;
    ada.joined().await;
    for (what, frame) in [
        ("messages", Message::text(r#"{"ping":{}}"#)),
        ("pings of the WebSocket itself", Message::Ping("x".into())),
        ("bytes", Message::text(format!(r#"{{"ping":{{}}}}{}"#, " ".repeat(30_000)))),
    ] {
        let mut mallory = server.join(66, "elsewhere").await;
        // Bounded: the limit would let through as many only in a quarter of an hour.
        for n in 0..1_000 {
            if server.signalling.counts().connections < 3 {
                break;
            }
            if n % 20 == 0 {
                ada.signal(ben.id(), &n.to_string()).await;
                assert_eq!(ben.signalled().await, (ada.id(), format!("\"{n}\"")));
            }
            mallory.message(frame.clone()).await;
        }
        assert_eq!(last_words(&mut mallory).await, (ErrorCode::RateLimited, Some(1008)), "{what}");
    }
}

#[tokio::test]
async fn so_many_sockets_come_from_one_address_and_in_all() {
    let server = with(|limits| (limits.max_connections, limits.max_connections_per_ip) = (3, 2)).await;
    let _first = server.join(1, "room").await;
    let second = server.join(2, "room").await;
    let mut third = Tab::knock(server.addr, "127.0.0.1").await;
    assert_eq!(last_words(&mut third).await, (ErrorCode::TooManyConnections, Some(1013)));
    let _third = Tab::connect_from(server.addr, "127.0.0.2", 3).await;
    let mut fourth = Tab::knock(server.addr, "127.0.0.3").await;
    assert_eq!(last_words(&mut fourth).await, (ErrorCode::TooManyConnections, Some(1013)));
    // Whose socket has ended makes room for another.
    drop(second);
    server.until("the second has gone", |signalling| signalling.counts().connections == 2).await;
    Tab::connect_from(server.addr, "127.0.0.1", 4).await;
}

/// Sockets that say hello at once. One join comes back in a second, so a server would let all of them in only if it took
/// nearly as many seconds.
const CROWD: u8 = 50;

/// Has a crowd say hello at once, each for the topic of its number. Returns the numbers of welcomes and of refusals.
async fn crowd(server: &Server, topic: impl Fn(u8) -> String) -> (usize, usize) {
    let mut tabs = Vec::new();
    for n in 1..=CROWD {
        tabs.push(server.connect(n).await);
    }
    for (n, tab) in (1..=CROWD).zip(&mut tabs) {
        tab.hello(&topic(n), 1).await;
    }
    let (mut welcomed, mut refused) = (0, 0);
    for tab in &mut tabs {
        match tab.frame().await {
            ServerMessage::Welcome(_) => welcomed += 1,
            ServerMessage::Error { code, .. } => {
                assert_eq!((code, tab.closed().await), (ErrorCode::TooManyJoins, Some(1013)));
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    (welcomed, refused)
}

// The exact number is tested with the limiter, on a clock that the test moves.
#[tokio::test]
async fn so_many_joins_come_from_one_address_or_of_one_topic_at_once() {
    let server = with(|limits| (limits.joins_per_second_per_ip, limits.join_burst_per_ip) = (1, 2)).await;
    let (welcomed, refused) = crowd(&server, |n| format!("room {n}")).await;
    assert!(welcomed >= 2 && refused > 0, "from one address {welcomed} were welcomed, {refused} refused");
    let mut elsewhere = Tab::connect_from(server.addr, "127.0.0.2", 60).await;
    elsewhere.hello("room 1", 1).await;
    elsewhere.welcome().await;

    let server = with(|limits| {
        (limits.joins_per_second_per_topic, limits.join_burst_per_topic) = (1, 2);
        limits.max_topic_members = CROWD.into();
    })
    .await;
    let (welcomed, refused) = crowd(&server, |_| "room".to_owned()).await;
    assert!(welcomed >= 2 && refused > 0, "of one topic {welcomed} were welcomed, {refused} refused");
    server.join(60, "other room").await;
}

#[tokio::test]
async fn an_address_opens_a_limited_number_of_rooms_and_then_joins_none() {
    let mut settings = settings();
    (settings.hub.limits.empty_joins_per_minute_per_ip, settings.hub.limits.empty_join_burst_per_ip) = (1, 3);
    let server = Server::start(settings).await;
    let mut elsewhere = Tab::connect_from(server.addr, "127.0.0.2", 100).await;
    elsewhere.hello("occupied", 1).await;
    elsewhere.welcome().await;
    let opened = [server.join(1, "a").await, server.join(2, "b").await, server.join(3, "c").await];
    // A class that joins occupied rooms is not limited by that.
    let mut class = Vec::new();
    for n in 10..30 {
        class.push(server.join(n, if n % 2 == 0 { "a" } else { "occupied" }).await);
    }
    for topic in ["nobody is here", "occupied", "a"] {
        let mut guess = server.connect(50).await;
        guess.hello(topic, 1).await;
        assert_eq!(last_words(&mut guess).await, (ErrorCode::TooManyJoins, Some(1013)), "{topic}");
    }
    // A member still returns, and peers from elsewhere still join.
    let [first, ..] = opened;
    let members = server.signalling.counts().members;
    drop(first);
    server.until("the first has gone", |signalling| signalling.counts().members == members - 1).await;
    server.join(1, "a").await;
    let mut another = Tab::connect_from(server.addr, "127.0.0.2", 101).await;
    another.hello("another", 1).await;
    another.welcome().await;
}

#[tokio::test]
async fn members_return_when_joins_of_their_address_and_room_are_used_up() {
    let server = Server::start({
        let mut settings = settings();
        let limits = &mut settings.hub.limits;
        (limits.joins_per_second_per_ip, limits.join_burst_per_ip) = (1, 10);
        (limits.joins_per_second_per_topic, limits.join_burst_per_topic) = (1, 5);
        settings
    })
    .await;
    let member = server.join(1, "room").await;
    // Others use up the joins of the address and of the room: five at once, and each address eight of its own.
    let mut refused = 0;
    for source in ["127.0.0.1", "127.0.0.3"] {
        for n in 100..150 {
            let mut tab = Tab::connect_from(server.addr, source, n).await;
            tab.hello("room", 1).await;
            match tab.frame().await {
                ServerMessage::Welcome(_) => tab.text(r#"{"leave":{}}"#).await,
                ServerMessage::Error { code, .. } => {
                    assert_eq!(code, ErrorCode::TooManyJoins);
                    refused += 1;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(refused > 0, "nothing was used up");
    drop(member);
    server.join(1, "room").await;
    let mut newcomer = Tab::connect_from(server.addr, "127.0.0.4", 60).await;
    newcomer.hello("room", 1).await;
    newcomer.welcome().await;
}

#[tokio::test]
async fn a_proxy_s_clients_are_counted_apart_and_only_if_it_is_trusted() {
    for (trusted, expected) in
        [(vec!["127.0.0.0/8".parse().unwrap()], None), (vec![], Some(ErrorCode::TooManyConnections))]
    {
        let mut settings = Settings { trusted_proxies: trusted, ..prompt() };
        settings.hub.limits.max_connections_per_ip = 1;
        let server = Server::start(settings).await;
        let _ada = Tab::forwarded(server.addr, "203.0.113.1").await;
        let mut ben = Tab::forwarded(server.addr, "203.0.113.2").await;
        match (ben.frame().await, expected) {
            (ServerMessage::Challenge { .. }, None) => {}
            (ServerMessage::Error { code, .. }, Some(expected)) => assert_eq!(code, expected),
            (other, _) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn pages_of_other_origins_are_turned_away() {
    let server = Server::start(Settings { origins: Origins::same(), ..prompt() }).await;
    for origin in ["https://evil.example", "null", "http://127.0.0.1", "http://localhost:3000"] {
        let mut tab = Tab::open(server.addr, "127.0.0.1", &[("origin", origin)]).await;
        assert_eq!(last_words(&mut tab).await, (ErrorCode::Origin, Some(1008)), "{origin}");
    }
    let own = format!("http://{}", server.addr);
    for headers in [&[("origin", own.as_str())][..], &[]] {
        let mut tab = Tab::open(server.addr, "127.0.0.1", headers).await;
        assert!(matches!(tab.frame().await, ServerMessage::Challenge { .. }), "{headers:?}");
    }
}

#[tokio::test]
async fn the_limits_are_published_to_whoever_asks() {
    let server = with(|limits| limits.frame_burst = 777).await;
    let mut tab = Tab::open(server.addr, "127.0.0.1", &[("origin", crate::ORIGIN)]).await;
    match tab.frame().await {
        ServerMessage::Challenge { limits, .. } => assert_eq!(limits.frame_burst, 777),
        other => panic!("{other:?}"),
    }
    let (status, body) = get(server.addr, WELL_KNOWN_PATH).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &body["auth"], &body["versions"][0]), (200, &Value::from("open"), &Value::from(1)));
    assert_eq!(body["limits"]["frame_burst"], 777);
}

/// A request of its own connection.
pub(crate) async fn get(addr: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    (status, body.to_owned())
}

#[tokio::test]
async fn a_room_larger_than_the_sample_tells_each_of_some() {
    let mut settings = settings();
    (settings.hub.limits.max_sample, settings.hub.limits.max_topic_members) = (4, 100);
    settings.hub.tick = Duration::ZERO;
    let server = Server::start(settings).await;
    let mut tabs = Vec::new();
    for n in 1..=20 {
        let mut tab = server.connect(n).await;
        tab.hello("room", 1).await;
        let welcome = tab.welcome().await;
        assert_eq!((welcome.members.len(), welcome.total), (4.min(usize::from(n) - 1), n.into()));
        tabs.push(tab);
    }
    // Everybody can be reached, named or not.
    let (last, first) = (tabs.len() - 1, tabs[0].id());
    tabs[last].signal(first, "hello").await;
    let text = loop {
        match tabs[0].next().await {
            Got::Frame(ServerMessage::Signal { data, .. }) => break data.get().to_owned(),
            Got::Frame(_) => {}
            Got::Closed(code) => panic!("{code:?}"),
        }
    };
    assert_eq!(text, "\"hello\"");
}
