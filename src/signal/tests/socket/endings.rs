//! Sockets that don't do their part: the server lets go of them, and the others hear of it.

use converge_signal::protocol::{ErrorCode, LeftReason, ServerMessage};

use crate::{Server, Tab, pass, prompt};

async fn left(tab: &mut Tab) -> (converge_signal::PeerId, LeftReason) {
    match tab.frame().await {
        ServerMessage::Left { members } => (members[0].id, members[0].reason),
        other => panic!("expected left, got {other:?}"),
    }
}

#[tokio::test]
async fn a_socket_without_hello_is_closed() {
    let mut settings = prompt();
    settings.hub.limits.hello_within_ms = 50;
    let server = Server::start(settings).await;
    let mut tab = server.connect(1).await;
    assert_eq!(tab.error().await, ErrorCode::Timeout);
    assert_eq!(tab.closed().await, Some(1008));
}

#[tokio::test]
async fn a_socket_that_does_not_answer_pings_goes() {
    let settings = prompt();
    let (ping_every, pong_within) = (settings.ping_every, settings.pong_within);
    let server = Server::start(settings).await;
    let mut ada = server.join(1, "room").await;
    // Pongs are sent when the socket is read; this one never is.
    let silent = server.join(2, "room").await;
    ada.joined().await;
    pass(ping_every).await;
    // By the time that Ada has an answer, the other one has been pinged; and Ada has been heard.
    ada.text(r#"{"ping":{}}"#).await;
    assert!(matches!(ada.frame().await, ServerMessage::Pong {}));
    pass(pong_within).await;
    assert_eq!(left(&mut ada).await, (silent.id(), LeftReason::Lost));
    ada.text(r#"{"ping":{}}"#).await;
    assert!(matches!(ada.frame().await, ServerMessage::Pong {}), "Ada stays");
}

#[tokio::test]
async fn a_member_that_never_reads_is_dropped_and_the_others_go_on() {
    let mut settings = prompt();
    let limits = &mut settings.hub.limits;
    limits.max_queued_bytes = 131_072;
    // It is the outbox that is to overflow.
    (limits.frame_burst, limits.byte_burst) = (u32::MAX, u32::MAX);
    let server = Server::start(settings).await;
    let mut ada = server.join(1, "room").await;
    let mut ben = server.join(2, "room").await;
    ada.joined().await;
    let deaf = server.join(3, "room").await;
    ada.joined().await;
    ben.joined().await;

    let data = "x".repeat(60_000);
    // Bounded: the kernel takes a few megabytes, the outbox 128 KiB.
    for _ in 0..2_000 {
        if server.signalling.counts().members < 3 {
            break;
        }
        ada.signal(deaf.id(), &data).await;
    }
    assert_eq!(left(&mut ben).await, (deaf.id(), LeftReason::Lost));
    assert_eq!(left(&mut ada).await, (deaf.id(), LeftReason::Lost));
    ben.signal(ada.id(), "still here").await;
    loop {
        match ada.frame().await {
            ServerMessage::Signal { from, .. } => break assert_eq!(from, ben.id()),
            // What was on its way when the other one was dropped.
            ServerMessage::Error { code: ErrorCode::UnknownPeer, .. } => {}
            other => panic!("{other:?}"),
        }
    }
}
