//! Much data, and connections that are closed under it. `scripts/test.sh` runs these in a page of their own: WebAssembly's
//! memory never shrinks, so beside other tests nobody could say what this needs.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use converge_p2p::room::READY_BYTES;
use converge_p2p::{Event, Lane, Raw};
use futures_util::{FutureExt, StreamExt};
use js_sys::{ArrayBuffer, WebAssembly};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::spawn_local;
use wasm_bindgen_test::{console_log, wasm_bindgen_test};

use crate::server::{close_newest_connection, pair};

const PIECE: usize = 64 * 1024;
const PIECES: usize = 1024;

/// WebAssembly's memory never shrinks: what it has grown by is what was needed at the worst moment.
fn memory() -> u32 {
    let memory = wasm_bindgen::memory().unchecked_into::<WebAssembly::Memory>();
    memory.buffer().unchecked_into::<ArrayBuffer>().byte_length()
}

fn now() -> f64 {
    web_sys::window().unwrap().performance().unwrap().now()
}

/// Pieces that all differ, and of which each can be told from what it should be.
fn noise() -> Vec<u8> {
    let mut noise = vec![0; 2 * PIECE];
    fastrand::Rng::with_seed(64).fill(&mut noise);
    noise
}

fn piece(noise: &[u8], number: usize) -> &[u8] {
    &noise[number * 61..][..PIECE]
}

#[wasm_bindgen_test]
async fn sixty_four_mebibytes_arrive_intact_and_little_is_held() {
    let (ada, ben) = pair("bulk").await;
    let (ada_id, ben_id) = (ada.id().unwrap(), ben.id().unwrap());
    let mut pieces = ben.channel_with::<Vec<u8>, Raw>("pieces").messages();
    let noise = Rc::new(noise());
    let (most, received) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0usize)));
    let before = memory();
    let started = now();
    {
        let (ada, ben, most, noise) = (ada.clone(), ben.clone(), most.clone(), noise.clone());
        spawn_local(async move {
            let sending = ada.channel_with::<Vec<u8>, Raw>("pieces").on(Lane::BULK);
            for number in 0..PIECES {
                sending.ready(ben_id).await.unwrap();
                sending.send_to(ben_id, &piece(&noise, number).to_vec()).unwrap();
                most.set(most.get().max(ada.held_bytes() + ben.held_bytes()));
            }
        });
    }
    // Meanwhile they chat. Whatever the machine's speed, a line must not have to wait for all of the pieces.
    let round_trips = Rc::new(RefCell::new(Vec::new()));
    let _echo = ben.serve("echo", |_, text: String| async move { Ok(text) }).unwrap();
    {
        let (ada, received, round_trips) = (ada.clone(), received.clone(), round_trips.clone());
        spawn_local(async move {
            while received.get() < PIECES {
                let (asked, at) = (now(), received.get());
                match ada.request::<_, String>(ben_id, "echo", "hello").await {
                    Ok(reply) => assert_eq!(reply, "hello"),
                    // The room ends under the last one.
                    Err(error) => return assert_eq!(received.get(), PIECES, "{error}"),
                }
                round_trips.borrow_mut().push((now() - asked, received.get() - at));
            }
        });
    }
    while received.get() < PIECES {
        let got = pieces.next().await.unwrap().unwrap();
        assert_eq!(got.from, ada_id);
        assert!(got.value == piece(&noise, received.get()), "piece {} is not what was sent", received.get());
        received.set(received.get() + 1);
        most.set(most.get().max(ada.held_bytes() + ben.held_bytes()));
    }
    let seconds = (now() - started) / 1000.0;
    let grown = memory() - before;
    let mut trips = round_trips.take();
    trips.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (median, worst) = (trips[trips.len() / 2].0, trips[trips.len() - 1].0);
    let overtaken = trips.iter().map(|(_, pieces)| *pieces).max().unwrap();
    console_log!("RESULT bulk_debug_mb_s={:.1} MB/s", (PIECES * PIECE) as f64 / 1e6 / seconds);
    console_log!("RESULT bulk_held_kb={} kB", most.get() / 1024);
    console_log!("RESULT bulk_memory_growth_kb={} kB", grown / 1024);
    console_log!("RESULT chat_round_trip_during_bulk_ms={median:.1} ms (worst {worst:.1} ms of {})", trips.len());
    console_log!("RESULT pieces_during_a_chat_round_trip={overtaken} pieces of 64 KiB at most");
    assert!(most.get() <= 3 * READY_BYTES, "{} bytes were held", most.get());
    assert!(grown <= 16 * 1024 * 1024, "memory grew by {grown} bytes");
    // Two low-water marks and grants of the bulk lane, one for each direction, and what the network holds.
    assert!(trips.len() > 10 && overtaken * PIECE <= 4 * 1024 * 1024, "{} round trips, {overtaken}", trips.len());
}

#[wasm_bindgen_test]
async fn a_connection_that_is_closed_by_force_is_made_anew_and_nothing_is_lost() {
    let (ada, ben) = pair("force").await;
    let (ada_id, ben_id) = (ada.id().unwrap(), ben.id().unwrap());
    let mut hears = ada.events();
    let lanes = [Lane::RELIABLE, Lane::BULK];
    let noise = Rc::new(noise());
    for closing in 0..3u32 {
        let mut received: Vec<_> =
            lanes.iter().map(|lane| ben.channel_with::<Vec<u8>, Raw>(&format!("lane {lane:?}")).messages()).collect();
        for lane in lanes {
            let (ada, noise) = (ada.clone(), noise.clone());
            spawn_local(async move {
                let sending = ada.channel_with::<Vec<u8>, Raw>(&format!("lane {lane:?}")).on(lane);
                for number in 0..100 {
                    sending.ready(ben_id).await.unwrap();
                    sending.send_to(ben_id, &piece(&noise, number).to_vec()).unwrap();
                }
            });
        }
        for number in 0..100 {
            if number == 30 {
                close_newest_connection(closing % 2);
            }
            for messages in &mut received {
                let got = messages.next().await.unwrap().unwrap();
                assert!(got.value == piece(&noise, number), "message {number} is not what was sent");
            }
        }
        for messages in &mut received {
            assert!(messages.next().now_or_never().is_none(), "nothing comes twice");
        }
    }
    assert!(ada.link(ben_id).unwrap().connections > 1 && ben.link(ada_id).unwrap().connections > 1);
    while let Some(Some(event)) = hears.next().now_or_never() {
        let lost = matches!(event, Event::Undelivered { .. } | Event::PeerLeft { .. });
        assert!(!lost, "{event:?}");
    }
}
