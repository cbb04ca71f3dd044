//! Sockets that break and come back, and servers that end.

use std::time::Duration;

use converge_signal::protocol::{ErrorCode, LeftReason, ServerMessage};

use crate::limits::get;
use crate::{Got, Server, Tab, serve, settings};

#[tokio::test]
async fn a_broken_socket_comes_back_and_nobody_is_told() {
    let server = Server::start(settings()).await;
    let mut ada = server.join(1, "room").await;
    let ben = server.join(2, "room").await;
    ada.joined().await;
    drop(ben);
    server.until("the server has noticed", |signalling| signalling.counts().members == 1).await;
    let mut ben = server.join(2, "room").await;
    // The next thing that Ada hears is what Ben says.
    ben.signal(ada.id(), "back").await;
    assert_eq!(ada.signalled().await, (ben.id(), "\"back\"".to_owned()));
    assert_eq!(server.signalling.counters().returns, 1);
}

#[tokio::test]
async fn one_that_does_not_come_back_is_lost_and_one_that_was_closed_is_gone_at_once() {
    let mut settings = settings();
    settings.hub.grace = Duration::from_millis(200);
    let server = Server::start(settings).await;
    let mut ada = server.join(1, "room").await;
    for (goodbye, expected) in [(false, LeftReason::Lost), (true, LeftReason::Goodbye)] {
        let mut ben = server.join(2, "room").await;
        ada.joined().await;
        if goodbye {
            ben.text(r#"{"leave":{}}"#).await;
        }
        drop(ben);
        match ada.frame().await {
            ServerMessage::Left { members } => assert_eq!(members[0].reason, expected),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_server_that_ends_says_when_to_come_back_and_lets_go_in_bounded_time() {
    let server = Server::start(settings()).await;
    let operator = serve(server.signalling.operator_router()).await;
    assert_eq!(get(operator, "/readyz").await, (200, "ready".to_owned()));
    let mut tabs = Vec::new();
    for n in 1..=10 {
        let mut tab = server.connect(n).await;
        tab.hello("room", 1).await;
        tabs.push(tab);
    }
    // One that says nothing more and reads nothing must not keep the server.
    let _deaf = server.connect(11).await;
    let draining = server.signalling.clone();
    let drained = tokio::spawn(async move { draining.drain(Duration::from_secs(10)).await });
    let mut waits = Vec::new();
    for tab in &mut tabs {
        let wait = loop {
            match tab.next().await {
                Got::Frame(ServerMessage::Drain { retry_after_ms }) => break retry_after_ms,
                Got::Frame(ServerMessage::Left { .. }) => panic!("nobody has left"),
                Got::Frame(_) => {}
                Got::Closed(code) => panic!("{code:?}"),
            }
        };
        assert!(wait <= 5_000);
        waits.push(wait);
        assert_eq!(tab.closed().await, Some(1012));
    }
    waits.sort_unstable();
    waits.dedup();
    assert!(waits.len() > 1, "not all at the same moment: {waits:?}");
    assert_eq!(get(operator, "/readyz").await.0, 503);
    assert_eq!(get(operator, "/livez").await.0, 200);
    drained.await.unwrap();
    // Nobody new.
    assert_eq!(get(server.addr, "/signal").await.0, 400, "that is no upgrade");
    let refused = Tab::try_open(server.addr, "127.0.0.1", &[("origin", crate::ORIGIN)]).await;
    assert_eq!(refused.err(), Some(503));
}

#[tokio::test]
async fn what_happens_is_counted() {
    let server = Server::with_defaults().await;
    let mut ada = server.join(1, "room").await;
    let mut ben = server.join(2, "room").await;
    ada.joined().await;
    ben.signal(ada.id(), "hello").await;
    ada.signalled().await;
    ada.text("nonsense").await;
    assert_eq!(ada.error().await, ErrorCode::Malformed);
    let mut page = Tab::open(server.addr, "127.0.0.1", &[("origin", "https://evil.example")]).await;
    assert_eq!(page.error().await, ErrorCode::Origin);
    let operator = serve(server.signalling.operator_router()).await;
    let (_, metrics) = get(operator, "/metrics").await;
    for line in [
        "converge_connections 2",
        "converge_members 2",
        "converge_topics 1",
        "converge_joins_total 2",
        "converge_signals_total 1",
        "converge_signal_bytes_total 7",
        r#"converge_refusals_total{reason="malformed"} 1"#,
        r#"converge_refusals_total{reason="origin"} 1"#,
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} in {metrics}");
    }
    assert!(!metrics.contains("127.0.0.1"));
}
