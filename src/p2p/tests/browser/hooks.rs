//! The hooks, with effects that really run.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use converge_p2p::hooks::{
    Room, RoomError, provide_room, use_channel, use_peers, use_presence, use_presence_slot, use_room_status,
};
use converge_p2p::{CloseReason, Options, PeerState, Status};
use leptos::prelude::*;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::server::{self, identity, open_connections, options, turn, until};

/// Runs `f` as a component would be, under an owner of its own.
fn component<T>(f: impl FnOnce() -> T) -> (Owner, T) {
    let owner = Owner::new_root(None);
    let value = owner.with(f);
    (owner, value)
}

fn links(room: Room) -> usize {
    room.links().get_untracked()
}

#[wasm_bindgen_test]
async fn one_cursor_moving_runs_one_row_again() {
    server::start();
    type Cursor = (i32, i32);
    /// How often it was run, and what it shows.
    type Row = (Arc<AtomicUsize>, Arc<Mutex<Option<Cursor>>>);
    let cursor = || use_presence_slot::<Cursor>("cursor");
    let (ada, (room, seen, rows)) = component(|| {
        let room = provide_room(options("cursors", 1));
        let cursors = cursor();
        let rows: Vec<Row> = Vec::from_iter((0..2).map(|_| Default::default()));
        for (peer, (runs, shown)) in [2, 3].into_iter().zip(rows.clone()) {
            let theirs = cursors.of(identity(peer).id());
            Effect::new(move |_| {
                *shown.lock().unwrap() = theirs.get();
                runs.fetch_add(1, Ordering::Relaxed);
            });
        }
        (room, cursors, rows)
    });
    let (ben, (ben_room, ben_cursor)) = component(|| (provide_room(options("cursors", 2)), cursor()));
    let (cleo, (cleo_room, cleo_cursor)) = component(|| (provide_room(options("cursors", 3)), cursor()));
    until(|| links(room) == 2 && links(ben_room) == 2 && links(cleo_room) == 2).await;
    cleo_cursor.mine().set((3, 3));
    until(|| *rows[1].1.lock().unwrap() == Some((3, 3))).await;
    until(|| rows[0].1.lock().unwrap().is_some()).await;

    let cleo_runs = rows[1].0.load(Ordering::Relaxed);
    for step in 1..=20 {
        ben_cursor.mine().set((step, step));
        until(|| *rows[0].1.lock().unwrap() == Some((step, step))).await;
    }
    assert!(rows[0].0.load(Ordering::Relaxed) >= 20);
    assert_eq!(rows[1].0.load(Ordering::Relaxed), cleo_runs, "the other row was not run again");
    assert_eq!(seen.mine().get_untracked(), (0, 0), "nobody else writes one's own");
    assert_eq!(seen.peek(identity(2).id()), Some((20, 20)));
    for owner in [ada, ben, cleo] {
        owner.cleanup();
    }
}

#[wasm_bindgen_test]
async fn reading_a_peer_that_has_just_left_never_panics() {
    server::start();
    let (ada, (peers, name, events)) = component(|| {
        let room = provide_room(options("leaving", 1));
        let (peers, name) = (use_peers(), use_presence::<String>());
        let events = Arc::new(AtomicUsize::new(0));
        let count = events.clone();
        // Reads everybody at the very moment of each event, the one who is leaving too.
        let ben = identity(2).id();
        room.on_event(move |_| {
            let _ = (name.peek(ben), name.of(ben).get_untracked());
            for peer in peers.get_untracked() {
                let _ = (peer.state().get_untracked(), name.peek(peer.id()));
            }
            count.fetch_add(1, Ordering::Relaxed);
        });
        (peers, name, events)
    });
    let (ben, ben_name) = component(|| {
        provide_room(options("leaving", 2));
        use_presence::<String>()
    });
    ben_name.mine().set("Ben".to_owned());
    let ben_id = identity(2).id();
    let row = ada.with(|| (peers, name.of(ben_id)));
    until(|| row.1.get_untracked().as_deref() == Some("Ben")).await;
    let peer = peers.get_untracked()[0];
    let state = ada.with(|| peer.state());
    assert_eq!(state.get_untracked(), PeerState::Connected);

    ben.cleanup();
    until(|| peers.get_untracked().is_empty()).await;
    // Its effects follow with the next frame.
    until(|| row.1.get_untracked().is_none() && state.get_untracked() == PeerState::Unreachable).await;
    assert!(events.load(Ordering::Relaxed) > 0);

    // Back again, the same signals go on.
    let (ben, ben_name) = component(|| {
        provide_room(Options::new("leaving").identity(identity(2).reborn(1)));
        use_presence::<String>()
    });
    ben_name.mine().set("Ben again".to_owned());
    until(|| row.1.get_untracked().as_deref() == Some("Ben again")).await;
    assert_eq!(state.get_untracked(), PeerState::Connected);
    for owner in [ada, ben] {
        owner.cleanup();
    }
    // Nor does reading after the room itself has gone.
    assert!(peers.try_get_untracked().is_none_or(|peers| peers.is_empty()));
    assert_eq!(name.peek(ben_id), None);
}

#[wasm_bindgen_test]
async fn cleaning_up_leaves_the_room_and_closes_its_connections() {
    server::start();
    let (ada, room) = component(|| provide_room(options("cleanup", 1)));
    let (ben, ben_room) = component(|| provide_room(options("cleanup", 2)));
    until(|| links(room) == 1 && links(ben_room) == 1).await;
    ben.cleanup();
    until(|| links(room) == 0).await;
    ada.cleanup();
    until(|| (open_connections(), server::members()) == (0, 0)).await;
}

#[wasm_bindgen_test]
async fn another_topic_is_another_room_and_presence_goes_along() {
    server::start();
    let topic = RwSignal::new("first".to_owned());
    let (ada, (room, chat)) = component(move || {
        let room = provide_room(Signal::derive(move || options(&topic.get(), 1)));
        use_presence::<String>().mine().set("Ada".to_owned());
        (room, use_channel::<String>("chat"))
    });
    let (ben, (ben_room, ben_chat)) = component(|| (provide_room(options("first", 2)), use_channel::<String>("chat")));
    let (cleo, (cleo_room, names)) = component(|| (provide_room(options("second", 3)), use_presence::<String>()));
    until(|| links(room) == 1 && links(ben_room) == 1).await;
    ben_chat.broadcast(&"hello".to_owned()).unwrap();
    until(|| !chat.messages().get_untracked().is_empty()).await;
    assert_eq!(chat.messages().get_untracked()[0].value, "hello");

    topic.set("second".to_owned());
    until(|| links(cleo_room) == 1 && links(room) == 1).await;
    until(|| links(ben_room) == 0).await;
    assert_eq!(room.topic().get_untracked(), "second");
    until(|| names.peek(identity(1).id()).as_deref() == Some("Ada")).await;
    assert!(chat.messages().get_untracked().is_empty(), "what was said in the other room stays there");

    // A signal that fires with the same value is no reason to leave.
    topic.set("second".to_owned());
    turn().await;
    assert_eq!(links(room), 1);
    for owner in [ada, ben, cleo] {
        owner.cleanup();
    }
}

#[wasm_bindgen_test]
async fn a_slot_ends_with_its_last_user() {
    server::start();
    let (ada, (room, names)) = component(|| (provide_room(options("slots", 1)), use_presence_slot::<u8>("level")));
    let (ben, ben_room) = component(|| provide_room(options("slots", 2)));
    let (first, second) = ben.with(|| (Owner::new(), Owner::new()));
    let (one, two) =
        (first.with(|| use_presence_slot::<u8>("level")), second.with(|| use_presence_slot::<u8>("level")));
    until(|| links(room) == 1 && links(ben_room) == 1).await;
    one.mine().set(5);
    assert_eq!(two.mine().get_untracked(), 5, "users of a slot share it");
    let ben_id = identity(2).id();
    until(|| names.peek(ben_id) == Some(5)).await;
    first.cleanup();
    two.mine().set(6);
    until(|| names.peek(ben_id) == Some(6)).await;
    second.cleanup();
    until(|| names.peek(ben_id).is_none()).await;
    assert_eq!(links(room), 1);
    for owner in [ada, ben] {
        owner.cleanup();
    }
}

#[wasm_bindgen_test]
async fn a_flood_runs_effects_once_a_frame() {
    server::start();
    const MESSAGES: usize = 1000;
    let (ada, (room, chat, runs)) = component(|| {
        let (room, chat) = (provide_room(options("flood", 1)), use_channel::<u32>("numbers"));
        let runs = Arc::new(AtomicUsize::new(0));
        let count = runs.clone();
        Effect::new(move |_| {
            chat.messages().with(|_| ());
            count.fetch_add(1, Ordering::Relaxed);
        });
        (room, chat, runs)
    });
    let (ben, (ben_room, ben_chat)) = component(|| (provide_room(options("flood", 2)), use_channel::<u32>("numbers")));
    until(|| links(room) == 1 && links(ben_room) == 1).await;
    let last = || chat.messages().with_untracked(|messages| messages.last().map(|message| message.value));
    for number in 1..=MESSAGES as u32 {
        ben_chat.broadcast(&number).unwrap();
    }
    until(|| last() == Some(MESSAGES as u32)).await;
    let runs = runs.load(Ordering::Relaxed);
    assert!(runs < MESSAGES / 4, "{runs} runs");
    for owner in [ada, ben] {
        owner.cleanup();
    }
}

#[wasm_bindgen_test]
async fn what_can_not_be_joined_says_why() {
    server::start();
    let (owner, (room, status)) = component(|| (provide_room(Options::new("")), use_room_status()));
    until(|| status.get_untracked() == Status::Closed(CloseReason::Refused)).await;
    assert!(matches!(room.error().get_untracked(), Some(RoomError::Join(_))));
    owner.cleanup();
}
