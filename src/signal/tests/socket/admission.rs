//! Who is let into a room.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use converge_signal::Signature;
use converge_signal::protocol::{ClientMessage, ErrorCode, Hello, IceServer, blind_topic};
use converge_signal::server::{Denied, Grant, JoinRequest, RoomTokens, Settings};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::{HOUR, ORIGIN, PATIENCE, Server, Tab, pass, prompt};

const SECRET: &str = "a secret of thirty-two bytes, ok";

fn tokens() -> RoomTokens {
    RoomTokens::new(&[SECRET], "meet.example").unwrap()
}

fn later() -> SystemTime {
    SystemTime::now() + HOUR
}

async fn denied(server: &Server, token: Option<String>, topic: &str) {
    let mut tab = server.connect(1).await;
    tab.hello_with(topic, token).await;
    assert_eq!(tab.error().await, ErrorCode::Denied);
    assert_eq!(tab.closed().await, Some(4003));
}

#[tokio::test]
async fn a_token_opens_its_room_and_everything_else_looks_alike() {
    let server = Server::start(prompt().authorizer(tokens())).await;
    let mut tab = server.connect(1).await;
    tab.hello_with("lobby", Some(tokens().mint("lobby", later(), Grant::ALL, None))).await;
    tab.welcome().await;

    let expired = tokens().mint("lobby", SystemTime::now() - Duration::from_secs(1), Grant::ALL, None);
    let other = RoomTokens::new(&["another secret of thirty-two bytes"], "meet.example").unwrap();
    denied(&server, None, "lobby").await;
    denied(&server, Some("nonsense".to_owned()), "lobby").await;
    denied(&server, Some(expired), "lobby").await;
    denied(&server, Some(other.mint("lobby", later(), Grant::ALL, None)), "lobby").await;
    denied(&server, Some(tokens().mint("lobby", later(), Grant::ALL, None)), "attic").await;
}

#[tokio::test]
async fn strangers_without_a_token_use_up_nothing_of_the_room() {
    let mut settings = prompt().authorizer(tokens());
    let limits = &mut settings.hub.limits;
    (limits.joins_per_second_per_topic, limits.join_burst_per_topic) = (1, 2);
    limits.max_topic_members = 100;
    let server = Server::start(settings).await;
    let token = || Some(tokens().mint("lobby", later(), Grant::ALL, None));
    for token in [None, Some("nonsense".to_owned()), Some(tokens().mint("attic", later(), Grant::ALL, None))] {
        for _ in 0..20 {
            denied(&server, token.clone(), "lobby").await;
        }
    }
    // Two of the room's joins, and eight of the address' own.
    for n in 1..=10 {
        let mut tab = server.connect(n).await;
        tab.hello_with("lobby", token()).await;
        tab.welcome().await;
    }
    let refused = server.signalling.counters().refusals;
    assert_eq!((refused[&ErrorCode::Denied], refused.get(&ErrorCode::TooManyJoins)), (60, None));
}

#[tokio::test]
async fn strangers_are_denied_before_their_signature_is_checked() {
    let server = Server::start(prompt().authorizer(tokens())).await;
    let mut tab = server.connect(1).await;
    let hello = Hello { sig: Signature::from_bytes([0; 64]), ..tab.signed("lobby", 1) };
    tab.say(&ClientMessage::Hello(hello)).await;
    assert_eq!(tab.error().await, ErrorCode::Denied);
}

#[tokio::test]
async fn joins_by_token_are_no_guesses() {
    let mut settings = prompt().authorizer(tokens());
    (settings.hub.limits.empty_joins_per_minute_per_ip, settings.hub.limits.empty_join_burst_per_ip) = (1, 1);
    let server = Server::start(settings).await;
    for room in ["a", "b", "c"] {
        let mut tab = server.connect(1).await;
        tab.hello_with(room, Some(tokens().mint(room, later(), Grant::ALL, None))).await;
        tab.welcome().await;
    }
}

#[tokio::test]
async fn who_may_not_relay_is_not_given_the_relay() {
    let mut settings = prompt().authorizer(tokens());
    let stun = IceServer { urls: vec!["stun:stun.example".to_owned()], ..IceServer::default() };
    let credential = Some("secret".to_owned());
    let turn = IceServer { urls: vec!["turn:turn.example".to_owned()], username: credential.clone(), credential };
    settings.hub.ice_servers = vec![stun.clone(), turn.clone()];
    let server = Server::start(settings).await;
    for (grant, expected) in [(Grant::ALL, vec![stun.clone(), turn]), (Grant::WITHOUT_RELAY, vec![stun])] {
        let mut tab = server.connect(1).await;
        tab.hello_with("lobby", Some(tokens().mint("lobby", later(), grant, None))).await;
        assert_eq!(tab.welcome().await.ice_servers, expected);
    }
}

#[tokio::test]
async fn a_closure_decides_knowing_who_asks_and_where_from() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = asked.clone();
    let lobby = blind_topic("lobby");
    let server = Server::start(prompt().authorizer(move |join: JoinRequest| {
        count.fetch_add(1, Ordering::Relaxed);
        async move {
            tokio::task::yield_now().await;
            if join.topic == lobby && join.origin == ORIGIN && join.token.is_none() {
                Ok(Grant::ALL)
            } else {
                Err(Denied)
            }
        }
    }))
    .await;
    server.join(1, "lobby").await;
    denied(&server, None, "attic").await;
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    // Who proves nothing is not asked about.
    let mut tab = server.connect(2).await;
    let mut hello = tab.signed("lobby", 1);
    hello.incarnation = 2;
    tab.say(&ClientMessage::Hello(hello)).await;
    assert_eq!(tab.error().await, ErrorCode::BadSignature);
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn one_who_decides_too_long_or_panics_hurts_only_the_one_who_asks() {
    let asked = Arc::new(Notify::new());
    let asking = asked.clone();
    let settings = prompt().authorizer(move |join: JoinRequest| {
        let asking = asking.clone();
        async move {
            match join.token.as_deref() {
                Some("never") => {
                    asking.notify_one();
                    std::future::pending().await
                }
                Some("panic") => panic!("a fault in an embedder's code"),
                _ => Ok(Grant::ALL),
            }
        }
    });
    let server = Server::start(settings).await;
    let mut ada = server.join(1, "room").await;
    let mut ben = server.join(2, "room").await;
    ada.joined().await;
    let mut slow = server.connect(3).await;
    slow.hello_with("room", Some("never".to_owned())).await;
    timeout(PATIENCE, asked.notified()).await.expect("the authorizer is not asked");
    pass(HOUR).await;
    assert_eq!(slow.error().await, ErrorCode::Timeout);
    let mut unlucky = server.connect(4).await;
    unlucky.hello_with("room", Some("panic".to_owned())).await;
    assert_eq!(unlucky.closed().await, None);
    server.until("both have gone", |signalling| signalling.counts().connections == 2).await;
    ben.signal(ada.id(), "still here").await;
    assert_eq!(ada.signalled().await, (ben.id(), "\"still here\"".to_owned()));
}

#[tokio::test]
async fn the_default_is_open() {
    let server = Server::start(Settings { ..prompt() }).await;
    let mut tab = Tab::connect(server.addr, 1).await;
    tab.hello_with("room", Some("whatever".to_owned())).await;
    tab.welcome().await;
}
