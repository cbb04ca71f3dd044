//! Who is told of whom.

use axum::Router;
use axum::routing::get;
use converge_signal::protocol::{ErrorCode, IceServer, LeftReason, Offerer, ServerMessage};
use converge_signal::server;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::{Server, Tab, prompt, serve, settings};

#[tokio::test]
async fn members_of_a_topic_hear_of_each_other_and_can_signal() {
    let server = Server::with_defaults().await;
    let mut ada = server.connect(1).await;
    ada.hello("room", 7).await;
    let welcome = ada.welcome().await;
    assert_eq!((welcome.members.len(), welcome.total, welcome.offerer), (0, 1, Offerer::Newcomer));

    let mut ben = server.connect(2).await;
    ben.hello("room", 1).await;
    let welcome = ben.welcome().await;
    assert_eq!(welcome.total, 2);
    assert_eq!((welcome.members[0].id, welcome.members[0].incarnation), (ada.id(), 7));
    let joined = ada.joined().await;
    assert_eq!((joined[0].id, joined[0].seq), (ben.id(), welcome.seq));
    assert!(welcome.members[0].seq < welcome.seq, "who came later has the greater number");

    ben.signal(ada.id(), "offer").await;
    assert_eq!(ada.signalled().await, (ben.id(), "\"offer\"".to_owned()));
    ada.signal(ben.id(), "answer").await;
    assert_eq!(ben.signalled().await, (ada.id(), "\"answer\"".to_owned()));
}

#[tokio::test]
async fn the_same_key_takes_its_old_socket_s_place_and_nobody_sees_it_leave() {
    let server = Server::with_defaults().await;
    let mut ada = server.join(1, "room").await;
    let mut ben = server.join(2, "room").await;
    ada.joined().await;

    // A reload: the next life. A lost network: the same life again.
    for incarnation in [2, 2] {
        let mut again = server.connect(2).await;
        again.hello("room", incarnation).await;
        assert_eq!(again.welcome().await.members[0].id, ada.id());
        assert_eq!(ben.error().await, ErrorCode::Replaced);
        assert_eq!(ben.closed().await, Some(4001));
        let joined = ada.joined().await;
        assert_eq!((joined[0].id, joined[0].incarnation), (ben.id(), incarnation));
        ben = again;
    }
    let counts = server.signalling.counts();
    assert_eq!((counts.members, counts.topics), (2, 1), "no ghost");
}

#[tokio::test]
async fn how_a_member_went_is_said() {
    let server = Server::with_defaults().await;
    let mut ada = server.join(1, "room").await;
    let close = |code| Message::Close(Some(CloseFrame { code: CloseCode::from(code), reason: "".into() }));
    let endings = [
        (Some(Message::text(r#"{"leave":{}}"#)), LeftReason::Goodbye),
        (Some(close(1000)), LeftReason::Goodbye),
        (Some(close(1001)), LeftReason::Goodbye),
        (Some(Message::Close(None)), LeftReason::Goodbye),
        // "Back soon", and the ending of a socket that nobody closed.
        (Some(close(4000)), LeftReason::Lost),
        (None, LeftReason::Lost),
    ];
    for (ending, expected) in endings {
        let mut ben = server.join(2, "room").await;
        ada.joined().await;
        if let Some(message) = ending {
            ben.message(message).await;
        }
        let id = ben.id();
        drop(ben);
        match ada.frame().await {
            ServerMessage::Left { members } => assert_eq!((members[0].id, members[0].reason), (id, expected)),
            other => panic!("expected left, got {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_full_room_says_so_and_takes_the_next_when_one_has_left() {
    let mut settings = prompt();
    settings.hub.limits.max_topic_members = 2;
    let server = Server::start(settings).await;
    let mut ada = server.join(1, "room").await;
    let mut ben = server.join(2, "room").await;
    ada.joined().await;

    let mut third = server.connect(3).await;
    third.hello("room", 1).await;
    assert_eq!(third.error().await, ErrorCode::RoomFull);
    assert_eq!(third.closed().await, Some(4005));

    // A member coming back is not one more.
    let mut again = server.connect(2).await;
    again.hello("room", 2).await;
    again.welcome().await;
    assert_eq!(ben.error().await, ErrorCode::Replaced);
    ada.joined().await;

    again.text(r#"{"leave":{}}"#).await;
    assert!(matches!(ada.frame().await, ServerMessage::Left { .. }));
    server.join(3, "room").await;
}

#[tokio::test]
async fn ice_servers_and_limits_are_handed_out() {
    let mut settings = prompt();
    let server = IceServer { urls: vec!["stun:stun.example".to_owned()], ..IceServer::default() };
    settings.hub.ice_servers.push(server.clone());
    let mut ada = Server::start(settings).await.connect(1).await;
    ada.hello("room", 1).await;
    assert_eq!(ada.welcome().await.ice_servers, [server]);
}

#[tokio::test]
async fn nothing_is_kept_of_topics_that_everybody_left() {
    let server = Server::with_defaults().await;
    for round in 0..20 {
        let mut tab = server.join(1, &format!("room {round}")).await;
        // The original kept a peer in its first topic for ever when it joined another: here that is an error.
        tab.hello("another", 1).await;
        assert_eq!(tab.error().await, ErrorCode::AlreadyJoined);
        tab.text(r#"{"leave":{}}"#).await;
        assert_eq!(tab.closed().await, Some(1000));
    }
    server.until("nobody is left", |signalling| signalling.counts().connections == 0).await;
    let counts = server.signalling.counts();
    assert_eq!((counts.topics, counts.members), (0, 0));
}

#[tokio::test]
async fn the_route_merges_into_an_application_with_a_state_of_its_own() {
    #[derive(Clone)]
    struct Mine(&'static str);
    let app = Router::new()
        .route("/", get(|state: axum::extract::State<Mine>| async move { state.0.0 }))
        .merge(server::router(settings()).unwrap())
        .with_state(Mine("mine"));
    let addr = serve(app).await;
    let mut tab = Tab::connect(addr, 1).await;
    tab.hello("room", 1).await;
    assert_eq!(tab.welcome().await.total, 1);
}
