//! Sockets that don't do their part: the server lets go of them, and the others hear of it.

use std::time::Duration;

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
    settings.write_within = Duration::from_millis(200);
    let limits = &mut settings.hub.limits;
    limits.max_queued_bytes = 131_072;
    // The socket must fill up, not the budget.
    (limits.frame_burst, limits.byte_burst) = (u32::MAX, u32::MAX);
    let server = Server::start(settings).await;
    let mut ada = server.join(1, "room").await;
    let mut ben = server.join(2, "room").await;
    ada.joined().await;
    let deaf = server.join(3, "room").await;
    ada.joined().await;
    ben.joined().await;

    // The kernel takes a few megabytes, the server a little; the rest is dropped.
    let data = "x".repeat(60_000);
    while server.signalling.counts().members == 3 {
        ada.signal(deaf.id(), &data).await;
        dropped_or(&mut ada).await;
    }
    assert_eq!(server.signalling.counters().refusals.get(&ErrorCode::SlowReader), Some(&1));
    assert_eq!(left(&mut ben).await, (deaf.id(), LeftReason::Lost));
    ben.signal(ada.id(), "still here").await;
    loop {
        match ada.frame().await {
            ServerMessage::Signal { from, .. } => break assert_eq!(from, ben.id()),
            ServerMessage::Left { members } => assert_eq!(members[0].id, deaf.id()),
            // What was on its way when the other one was dropped.
            ServerMessage::Error { code: ErrorCode::UnknownPeer | ErrorCode::Congested, .. } => {}
            ServerMessage::Pong {} => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Reads a member's frames until the server has handled all that the member sent. Returns the errors.
async fn dropped_or(tab: &mut Tab) -> Vec<ErrorCode> {
    tab.text(r#"{"ping":{}}"#).await;
    let mut errors = Vec::new();
    loop {
        match tab.frame().await {
            ServerMessage::Pong {} => return errors,
            ServerMessage::Error { code, .. } => errors.push(code),
            ServerMessage::Left { .. } | ServerMessage::Joined { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn members_that_flood_a_slow_reader_lose_signals_of_their_own() {
    let mut settings = prompt();
    // The reader reads nothing for a while, so its queue must fill soon.
    settings.hub.limits.max_queued_bytes = 131_072;
    (settings.hub.limits.frame_burst, settings.hub.limits.byte_burst) = (u32::MAX, u32::MAX);
    let server = Server::start(settings).await;
    let mut reader = server.join(1, "room").await;
    let mut calm = server.join(2, "room").await;
    reader.joined().await;
    let mut flooders = Vec::new();
    for n in 0..8 {
        flooders.push(server.join(10 + n, "room").await);
        reader.joined().await;
    }
    dropped_or(&mut calm).await;
    // Until the kernel's buffers are full, and each flooder had signals dropped.
    let data = "x".repeat(16_000);
    let mut dropped = [0; 8];
    while dropped.iter().any(|dropped| *dropped < 10) {
        for (flooder, dropped) in flooders.iter_mut().zip(&mut dropped) {
            flooder.signal(reader.id(), &data).await;
            for code in dropped_or(flooder).await {
                assert_eq!(code, ErrorCode::Congested);
                *dropped += 1;
            }
        }
    }
    // A calm member's signal is not dropped, nor is the reader closed.
    calm.signal(reader.id(), "an offer").await;
    assert_eq!(dropped_or(&mut calm).await, []);
    assert_eq!(server.signalling.counts().members, 10);
    loop {
        let (from, data) = reader.signalled().await;
        if from == calm.id() {
            break assert_eq!(data, "\"an offer\"");
        }
    }
    assert_eq!(server.signalling.counters().refusals.get(&ErrorCode::SlowReader), None);
}
