//! The plain client.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use converge_p2p::{
    Client, CloseReason, DisconnectReason, Event, Events, Json, Lane, Options, Postcard, SendError, Status,
};
use futures_util::{Stream, StreamExt};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::server::{self, open_connections, options, until};

/// The first event that is what is looked for.
async fn wait<T>(events: &mut Events, wanted: impl Fn(Event) -> Option<T>) -> T {
    loop {
        if let Some(found) = wanted(events.next().await.expect("the stream of a living client doesn't end")) {
            return found;
        }
    }
}

/// What has happened and was not read yet.
async fn rest(events: &mut Events) -> Vec<Event> {
    let mut rest = Vec::new();
    poll_fn(|cx| {
        while let Poll::Ready(Some(event)) = Pin::new(&mut *events).poll_next(cx) {
            rest.push(event);
        }
        Poll::Ready(())
    })
    .await;
    rest
}

async fn connected(events: &mut Events) -> converge_p2p::PeerId {
    wait(events, |event| match event {
        Event::PeerConnected { peer } => Some(peer),
        _ => None,
    })
    .await
}

async fn message(events: &mut Events) -> (converge_p2p::PeerId, bool, String) {
    wait(events, |event| match event {
        Event::Message { from, direct, payload, .. } => Some((from, direct, payload.decode::<_, Json>().unwrap())),
        _ => None,
    })
    .await
}

#[wasm_bindgen_test]
async fn peers_meet_and_talk_directly() {
    server::start();
    let ada = Client::join(options("meet", 1)).unwrap();
    let mut ada_hears = ada.events();
    ada.update_presence(&"Ada").unwrap();
    until(|| ada.status() == Status::Connected).await;

    let ben = Client::join(options("meet", 2)).unwrap();
    let mut ben_hears = ben.events();
    // Sent before there is a link: it waits for it.
    until(|| !ben.peers().is_empty()).await;
    ben.broadcast("chat", &"first").unwrap();
    let (ada_id, ben_id) = (ada.id().unwrap(), ben.id().unwrap());
    assert_eq!(connected(&mut ada_hears).await, ben_id);
    assert_eq!(connected(&mut ben_hears).await, ada_id);
    assert_eq!(message(&mut ada_hears).await, (ben_id, false, "first".to_owned()));

    // Presence of before the join is known to who came later.
    until(|| ben.get_presence::<String>(ada_id).ok().flatten().as_deref() == Some("Ada")).await;
    assert_eq!(ada.presence::<String>().unwrap().as_deref(), Some("Ada"));
    assert!(ben.get_presence::<u32>(ada_id).is_err(), "a value of another type is an error, not a loss");

    let cleo = Client::join(options("meet", 3)).unwrap();
    let mut cleo_hears = cleo.events();
    // Each learns of her by the offer that she makes it.
    until(|| [&ada, &ben, &cleo].iter().all(|client| client.peers().len() == 2)).await;
    ada.send_to(ben_id, "chat", &"for you").unwrap();
    ada.broadcast("chat", &"for all").unwrap();
    assert_eq!(message(&mut ben_hears).await, (ada_id, true, "for you".to_owned()));
    assert_eq!(message(&mut ben_hears).await, (ada_id, false, "for all".to_owned()));
    assert_eq!(message(&mut cleo_hears).await, (ada_id, false, "for all".to_owned()));
    for events in [&mut ben_hears, &mut cleo_hears] {
        let more = rest(events).await;
        assert!(!more.iter().any(|event| matches!(event, Event::Message { .. })), "each message once: {more:?}");
    }
}

#[wasm_bindgen_test]
async fn dropping_the_last_handle_leaves_and_closes_everything() {
    server::start();
    let ada = Client::join(options("drop", 1)).unwrap();
    let mut hears = ada.events();
    let ben = Client::join(options("drop", 2)).unwrap();
    let ben_id = connected(&mut hears).await;
    let clone = ben.clone();
    drop(ben);
    assert_eq!(clone.status(), Status::Connected, "a clone is a handle to the same room");
    drop(clone);
    let (peer, reason) = wait(&mut hears, |event| match event {
        Event::PeerLeft { peer, reason } => Some((peer, reason)),
        _ => None,
    })
    .await;
    assert_eq!((peer, reason), (ben_id, DisconnectReason::Left));
    ada.leave();
    assert_eq!(ada.status(), Status::Closed(CloseReason::Left));
    assert_eq!(ada.broadcast("chat", &1), Err(SendError::Closed));
    drop(ada);
    while let Some(_event) = hears.next().await {}
    until(|| open_connections() == 0).await;
}

#[wasm_bindgen_test]
async fn links_outlive_the_server() {
    server::start();
    let (ada, ben) = (Client::join(options("away", 1)).unwrap(), Client::join(options("away", 2)).unwrap());
    let (mut ada_hears, mut ben_hears) = (ada.events(), ben.events());
    let ben_id = connected(&mut ada_hears).await;
    let ada_id = connected(&mut ben_hears).await;
    server::go_away();
    until(|| ada.status() == Status::Reconnecting && ben.status() == Status::Reconnecting).await;
    ada.send_to(ben_id, "chat", &"still there?").unwrap();
    assert_eq!(message(&mut ben_hears).await, (ada_id, true, "still there?".to_owned()));
    server::come_back();
    until(|| ada.status() == Status::Connected && ben.status() == Status::Connected).await;
    assert_eq!((ada.id(), ben.id()), (Some(ada_id), Some(ben_id)));
    for events in [&mut ada_hears, &mut ben_hears] {
        let seen = rest(events).await;
        assert!(!seen.iter().any(|event| matches!(event, Event::PeerDisconnected { .. })), "{seen:?}");
    }
}

#[wasm_bindgen_test]
async fn who_was_replaced_does_not_fight_back() {
    server::start();
    let first = Client::join(options("same", 1)).unwrap();
    until(|| first.status() == Status::Connected).await;
    let again = Options::new("same").identity(server::identity(1).reborn(1));
    let second = Client::join(again).unwrap();
    until(|| first.status() == Status::Closed(CloseReason::Replaced)).await;
    until(|| second.status() == Status::Connected).await;
    assert_eq!(first.id(), second.id());
    // Asked to, it takes the place back.
    first.rejoin();
    first.rejoin();
    until(|| second.status() == Status::Closed(CloseReason::Replaced)).await;
    until(|| first.status() == Status::Connected).await;
}

#[wasm_bindgen_test]
async fn the_tab_s_own_identity_is_the_same_in_all_its_rooms() {
    server::start();
    let (one, two) = (Client::join(Options::new("one")).unwrap(), Client::join(Options::new("two")).unwrap());
    until(|| one.status() == Status::Connected && two.status() == Status::Connected).await;
    assert!(one.id().is_some());
    assert_eq!(one.id(), two.id());
    let id = one.id();
    drop((one, two));
    let later = Client::join(Options::new("one")).unwrap();
    until(|| later.status() == Status::Connected).await;
    assert_eq!(later.id(), id);
}

#[wasm_bindgen_test]
async fn channels_carry_one_type_each() {
    server::start();
    let (ada, ben) = (Client::join(options("types", 1)).unwrap(), Client::join(options("types", 2)).unwrap());
    let mut hears = ada.events();
    let mut numbers = ben.channel::<u32>("numbers").messages();
    let mut pairs = ben.channel_with::<(u8, String), Postcard>("pairs").messages();
    let ben_id = connected(&mut hears).await;
    ada.channel::<String>("numbers").broadcast(&"not a number".to_owned()).unwrap();
    ada.channel::<u32>("numbers").send_to(ben_id, &7).unwrap();
    ada.channel_with::<(u8, String), Postcard>("pairs").broadcast(&(1, "one".to_owned())).unwrap();
    let bad = numbers.next().await.unwrap().unwrap_err();
    assert_eq!((bad.from, bad.channel.as_str()), (ada.id().unwrap(), "numbers"));
    let good = numbers.next().await.unwrap().unwrap();
    assert_eq!((good.value, good.direct, good.number), (7, true, 0));
    assert_eq!(pairs.next().await.unwrap().unwrap().value, (1, "one".to_owned()));
}

#[wasm_bindgen_test]
async fn what_can_not_be_joined_or_sent_is_an_error() {
    server::start();
    for topic in [String::new(), "x".repeat(129)] {
        assert!(Client::join(Options::new(topic)).is_err());
    }
    assert!(Client::join(Options::new("x").server("ftp://example")).is_err());
    let ada = Client::join(options("limits", 1)).unwrap();
    until(|| ada.status() == Status::Connected).await;
    assert!(matches!(ada.broadcast("chat", &"x".repeat(17_000_000)), Err(SendError::TooLarge { .. })));
    let long = "x".repeat(70_000);
    let lossy = ada.channel_on::<String>("chat", Lane::LOSSY);
    assert!(matches!(lossy.broadcast(&long), Err(SendError::TooLarge { .. })));
    assert!(matches!(ada.broadcast("", &1), Err(SendError::Name { .. })));
    assert!(matches!(ada.update_presence(&long), Err(SendError::TooLarge { .. })));
    let nobody = server::identity(9).id();
    assert_eq!(ada.send_to(nobody, "chat", &1), Err(SendError::UnknownPeer { peer: nobody }));
    assert_eq!(server::members(), 1);
}
