//! What only a browser can show: files, requests, lanes, back-pressure, restarts of ICE, and what the page does.

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use converge_p2p::{
    Activity, Client, Delivery, Event, Events, Lane, LocalFile, PeerState, RequestError, SendError, Status, To,
    Transfer, TransferId, TransferState,
};
use futures_util::{FutureExt, StreamExt};
use js_sys::{Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::server::{self, linked, open_connections, options, pair, until};

#[wasm_bindgen(inline_js = r#"
export async function fetched(url) {
  return new Uint8Array(await (await fetch(url)).arrayBuffer());
}
export async function type_of(url) {
  return (await (await fetch(url)).blob()).type;
}
export async function stored() {
  const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('converge', { create: true });
  let files = 0;
  for await (const _ of folder.keys()) files += 1;
  return files;
}
export function hide_storage(hidden) {
  if (hidden) Object.defineProperty(navigator, 'storage', { value: undefined, configurable: true });
  else delete navigator.storage;
}
export function change_network(type) {
  Object.defineProperty(navigator.connection, 'type', { value: type, configurable: true });
  navigator.connection.dispatchEvent(new Event('change'));
}
export function hide_page(hidden) {
  Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
  document.dispatchEvent(new Event('visibilitychange'));
  if (!hidden) delete document.hidden;
}
"#)]
extern "C" {
    fn fetched(url: &str) -> Promise;
    fn type_of(url: &str) -> Promise;
    fn stored() -> Promise;
    fn hide_storage(hidden: bool);
    fn change_network(kind: &str);
    fn hide_page(hidden: bool);
}

async fn transfer(events: &mut Events, wanted: impl Fn(&Transfer) -> bool) -> Transfer {
    loop {
        match events.next().await.unwrap() {
            Event::Transfer(transfer) if wanted(&transfer) => return transfer,
            Event::Transfer(Transfer { state: TransferState::Failed(error), .. }) => panic!("{error}"),
            _ => {}
        }
    }
}

async fn bytes_at(url: &str) -> Option<Vec<u8>> {
    JsFuture::from(fetched(url)).await.ok().map(|bytes| bytes.unchecked_into::<Uint8Array>().to_vec())
}

/// Sends a file of three megabytes, and returns it as it arrived.
async fn send_file(ada: &Client, ben: &Client, mime: &str) -> TransferId {
    let (mut ada_hears, mut ben_hears) = (ada.events(), ben.events());
    let mut bytes = vec![0; 3_000_001];
    fastrand::Rng::with_seed(3).fill(&mut bytes);
    let file = LocalFile::from_bytes("a/b\u{202e}.bin", mime, &bytes);
    let sent = ada.send_file(To::Everyone, file).unwrap();
    assert_eq!(sent.len(), 1);

    let offered = transfer(&mut ben_hears, |_| true).await;
    assert_eq!((offered.outgoing, offered.size, &offered.state), (false, 3_000_001, &TransferState::Offered));
    assert_eq!(offered.mime, mime);
    assert!(!offered.name.contains(['/', '\u{202e}']), "{}", offered.name);
    assert_eq!(ben.saved(offered.id), None);
    ben.accept(offered.id);
    let done = transfer(&mut ben_hears, |transfer| transfer.state.is_over()).await;
    assert_eq!((done.moved, done.state), (3_000_001, TransferState::Done));
    transfer(&mut ada_hears, |transfer| transfer.id == sent[0] && transfer.state == TransferState::Done).await;
    let url = ben.saved(done.id).unwrap();
    assert!(bytes_at(&url).await.unwrap() == bytes, "what arrived is what was sent");
    done.id
}

async fn files_on_disk() -> f64 {
    JsFuture::from(stored()).await.unwrap().as_f64().unwrap()
}

async fn until_no_file_is_left() {
    while files_on_disk().await > 0.0 {
        server::turn().await;
    }
}

#[wasm_bindgen_test]
async fn a_file_arrives_on_disk_and_is_forgotten() {
    let (ada, ben) = pair("files").await;
    let id = send_file(&ada, &ben, "image/png").await;
    assert!(files_on_disk().await > 0.0);
    let url = ben.saved(id).unwrap();
    assert_eq!(JsFuture::from(type_of(&url)).await.unwrap().as_string().unwrap(), "image/png");
    ben.forget(id);
    assert_eq!(ben.saved(id), None);
    assert_eq!(bytes_at(&url).await, None, "the URL is revoked");
    until_no_file_is_left().await;
    assert!(ben.transfers().is_empty());

    // The room ends while a file is under way.
    let mut ben_hears = ben.events();
    ada.send_file(ben.id().unwrap(), LocalFile::from_bytes("x", "", &vec![7; 20_000_000])).unwrap();
    let offered = transfer(&mut ben_hears, |_| true).await;
    ben.accept(offered.id);
    transfer(&mut ben_hears, |transfer| transfer.moved > 0).await;
    drop((ada, ben, ben_hears));
    until_no_file_is_left().await;
    until(|| open_connections() == 0).await;
}

#[wasm_bindgen_test]
async fn without_a_private_file_system_a_file_arrives_in_memory() {
    let (ada, ben) = pair("memory").await;
    hide_storage(true);
    let id = send_file(&ada, &ben, "text/html").await;
    hide_storage(false);
    assert_eq!(files_on_disk().await, 0.0);
    let url = ben.saved(id).unwrap();
    let kept_as = JsFuture::from(type_of(&url)).await.unwrap().as_string().unwrap();
    assert_eq!(kept_as, "application/octet-stream", "no document of a peer's runs as one of this page");
    drop(ben);
    until(|| ada.peers().is_empty()).await;
    assert_eq!(bytes_at(&url).await, None, "the URL is revoked");
}

#[wasm_bindgen_test]
async fn a_file_is_empty_declined_or_cancelled() {
    let (ada, ben) = pair("small").await;
    let (mut ada_hears, mut ben_hears) = (ada.events(), ben.events());
    let ben_id = ben.id().unwrap();
    let file = |name| LocalFile::from_bytes(name, "", b"");
    ada.send_file(ben_id, file("empty")).unwrap();
    let offered = transfer(&mut ben_hears, |_| true).await;
    ben.accept(offered.id);
    transfer(&mut ben_hears, |transfer| transfer.state == TransferState::Done).await;
    assert_eq!(bytes_at(&ben.saved(offered.id).unwrap()).await, Some(Vec::new()));

    ada.send_file(ben_id, file("unwanted")).unwrap();
    let offered = transfer(&mut ben_hears, |transfer| transfer.name == "unwanted").await;
    ben.decline(offered.id);
    transfer(&mut ada_hears, |transfer| transfer.state == TransferState::Declined).await;

    let sent = ada.send_file(ben_id, file("withdrawn")).unwrap();
    let offered = transfer(&mut ben_hears, |transfer| transfer.name == "withdrawn").await;
    ada.cancel(sent[0]);
    transfer(&mut ben_hears, |transfer| transfer.id == offered.id && transfer.state == TransferState::Cancelled).await;

    let nobody = server::identity(9).id();
    assert_eq!(ada.send_file(nobody, file("x")), Err(SendError::UnknownPeer { peer: nobody }));
}

/// Tells that a future was dropped.
struct Dropped(Rc<Cell<bool>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

#[wasm_bindgen_test]
async fn requests_get_replies_or_reasons() {
    let (ada, ben) = pair("requests").await;
    let (ada_id, ben_id) = (ada.id().unwrap(), ben.id().unwrap());
    let sums = ben
        .serve("sum", move |from, (a, b): (u8, u8)| async move {
            assert_eq!(from, ada_id);
            server::turn().await;
            a.checked_add(b).ok_or_else(|| "too much".to_owned())
        })
        .unwrap();
    let sum = |value: (u32, u32)| ada.request::<_, u8>(ben_id, "sum", &value);
    assert_eq!(sum((1, 2)).await, Ok(3));
    assert_eq!(sum((200, 200)).await, Err(RequestError::Refused("too much".to_owned())));
    assert!(matches!(sum((1000, 0)).await, Err(RequestError::Refused(_))), "no value of the type");
    let text = ada.request::<_, String>(ben_id, "sum", &(1, 2)).await;
    assert!(matches!(text, Err(RequestError::Reply(_))), "{text:?}");
    assert_eq!(ada.request::<_, u8>(ben_id, "product", &(1, 2)).await, Err(RequestError::NotServed));
    let nobody = server::identity(9).id();
    let unknown = ada.request::<_, u8>(nobody, "sum", &(1, 2)).await;
    assert_eq!(unknown, Err(RequestError::Send(SendError::UnknownPeer { peer: nobody })));

    // In both directions, many at a time, in another codec.
    let names = ada.channel_with::<u32, converge_p2p::Postcard>("name");
    let _naming = names.serve(|_, number| async move { Ok(format!("number {number}")) }).unwrap();
    let asking = ben.channel_with::<u32, converge_p2p::Postcard>("name");
    let all: Vec<_> = (0..50).map(|number| asking.request::<String>(ada_id, &number)).collect();
    for (number, name) in futures_util::future::join_all(all).await.into_iter().enumerate() {
        assert_eq!(name, Ok(format!("number {number}")));
    }

    drop(sums);
    assert_eq!(sum((1, 2)).await, Err(RequestError::NotServed));
    assert!(ben.serve("", |_, (): ()| async { Ok(()) }).is_err());
}

#[wasm_bindgen_test]
async fn a_request_that_nobody_waits_for_is_dropped_on_both_sides() {
    let (ada, ben) = pair("cancel").await;
    let ben_id = ben.id().unwrap();
    let (begun, dropped) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
    let handler = {
        let (begun, dropped) = (begun.clone(), dropped.clone());
        move |_, (): ()| {
            begun.set(begun.get() + 1);
            let guard = Dropped(dropped.clone());
            async move {
                let _guard = guard;
                pending::<Result<(), String>>().await
            }
        }
    };
    let serving = ben.serve("slow", handler).unwrap();
    let ask = || ada.request::<_, ()>(ben_id, "slow", &());

    let late = ask().timeout(Duration::from_millis(300)).await;
    assert_eq!(late, Err(RequestError::Timeout));
    // The request and its cancellation arrive in order, however late: the handler begins and is dropped.
    until(|| dropped.get()).await;
    assert_eq!(begun.get(), 1);

    dropped.set(false);
    let mut cancelled = ask();
    assert!((&mut cancelled).now_or_never().is_none());
    until(|| begun.get() == 2).await;
    assert!(!dropped.get());
    drop(cancelled);
    until(|| dropped.get()).await;

    // The responder ends while it thinks: the asker need not wait for its time-out.
    dropped.set(false);
    let mut refused = ask();
    assert!((&mut refused).now_or_never().is_none());
    until(|| begun.get() == 3).await;
    drop(serving);
    assert!(matches!(refused.await, Err(RequestError::Refused(_))));
    until(|| dropped.get()).await;

    // The room ends under the request.
    let held = ask();
    let (asked, ready) = (ada.clone(), ada.ready(ben_id, Lane::RELIABLE));
    drop((ada, asked));
    assert_eq!(held.await, Err(RequestError::Send(SendError::Closed)));
    assert_eq!(ready.await, Err(SendError::Closed));
}

#[wasm_bindgen_test]
async fn a_request_under_way_ends_with_the_room() {
    let (ada, ben) = pair("ending").await;
    let _serving = ben.serve("slow", |_, (): ()| pending::<Result<(), String>>()).unwrap();
    let result = Rc::new(Cell::new(None));
    let mut asked = ada.request::<_, ()>(ben.id().unwrap(), "slow", &());
    assert!((&mut asked).now_or_never().is_none());
    let told = result.clone();
    spawn_local(async move { told.set(Some(asked.await)) });
    drop(ada);
    let told = loop {
        if let Some(told) = result.take() {
            break told;
        }
        server::turn().await;
    };
    assert!(matches!(told, Err(RequestError::Gone | RequestError::Send(SendError::Closed))), "{told:?}");
}

#[wasm_bindgen_test]
async fn an_application_has_lanes_of_its_own() {
    server::start();
    // A minute, so that a packet that is late on a busy machine is not dropped.
    let lane = Delivery::Lifetime { ordered: true, millis: 60_000 };
    let with_lane = |peer| options("lanes", peer).lane(lane);
    let (ada, ben) = (Client::join(with_lane(1)).unwrap(), Client::join(with_lane(2)).unwrap());
    linked(&ada, &ben).await;
    let mut strokes = ben.channel::<u32>("strokes").messages();
    for lane in [Lane::RELIABLE, Lane::LOSSY, Lane::BULK, Lane::app(0)] {
        let sending = ada.channel_on::<u32>("strokes", lane);
        sending.ready(To::Everyone).await.unwrap();
        sending.broadcast(&7).unwrap();
        sending.send_to(ben.id().unwrap(), &8).unwrap();
        let (first, second) = (strokes.next().await.unwrap().unwrap(), strokes.next().await.unwrap().unwrap());
        // On the lossy lane the order is not kept.
        let mut values = [(first.value, first.direct), (second.value, second.direct)];
        values.sort_unstable();
        assert_eq!(values, [(7, false), (8, true)], "{lane:?}");
    }
    let missing = ada.channel::<u32>("strokes").on(Lane::app(1));
    assert_eq!(missing.broadcast(&1), Err(SendError::NoLane { number: 4 }));
    assert_eq!(missing.ready(None).await, Err(SendError::NoLane { number: 4 }));
}

#[wasm_bindgen_test]
async fn who_awaits_room_holds_little_and_loses_nothing() {
    server::start();
    let ada = Client::join(options("room", 1)).unwrap();
    let ready = ada.ready(To::Everyone, Lane::BULK);
    // Asked before the room is joined, it waits for that.
    ready.await.unwrap();
    assert_eq!(ada.status(), Status::Connected);

    let ben = Client::join(options("room", 2)).unwrap();
    let mut hears = ben.channel::<String>("bulk").messages();
    until(|| !ada.peers().is_empty()).await;
    let most = Rc::new(Cell::new(0));
    {
        let (ada, most, ben_id) = (ada.clone(), most.clone(), ben.id().unwrap());
        spawn_local(async move {
            let bulk = ada.channel_on::<String>("bulk", Lane::BULK);
            for number in 0..300 {
                bulk.ready(ben_id).await.unwrap();
                bulk.send_to(ben_id, &format!("{number:060000}")).unwrap();
                most.set(most.get().max(ada.held_bytes()));
            }
        });
    }
    for number in 0..300 {
        let text = hears.next().await.unwrap().unwrap().value;
        assert_eq!(text.len(), 60_000);
        assert_eq!(text.trim_start_matches('0').parse().unwrap_or(0), number);
    }
    assert!(most.get() < 2_000_000, "{} bytes were held", most.get());
}

#[wasm_bindgen_test]
async fn a_change_of_network_restarts_ice_and_loses_nothing() {
    let (ada, ben) = pair("restart").await;
    let (ada_id, ben_id) = (ada.id().unwrap(), ben.id().unwrap());
    let mut ada_hears = ada.events();
    let mut hears = ben.channel::<u32>("count").messages();
    let restarts = |client: &Client, peer| client.link(peer).unwrap().restarts;
    assert_eq!(restarts(&ada, ben_id), 0);
    let count = ada.channel::<u32>("count");
    for round in 0..3u32 {
        // Both ends are in this page, so both restart, and their offers cross.
        change_network(["wifi", "ethernet", "cellular"][round as usize]);
        for number in 0..20 {
            count.send_to(ben_id, &(round * 20 + number)).unwrap();
        }
        until(|| restarts(&ada, ben_id) + restarts(&ben, ada_id) > round).await;
        for number in 0..20 {
            assert_eq!(hears.next().await.unwrap().unwrap().value, round * 20 + number);
        }
    }
    // The browser reports a change, but the network stays the same. The count is read right after the call: a restart
    // owed to the earlier changes could still arrive later.
    let before = restarts(&ada, ben_id) + restarts(&ben, ada_id);
    change_network("cellular");
    assert_eq!(restarts(&ada, ben_id) + restarts(&ben, ada_id), before);
    let link = ada.link(ben_id).unwrap();
    assert_eq!((link.connections, link.state), (1, PeerState::Connected), "it is the same connection");
    while let Some(Some(event)) = ada_hears.next().now_or_never() {
        assert!(!matches!(event, Event::PeerDisconnected { .. }), "{event:?}");
    }
}

#[wasm_bindgen_test]
async fn a_watched_link_says_which_way_its_packets_go() {
    let (ada, ben) = pair("watched").await;
    let ben_id = ben.id().unwrap();
    assert_eq!(ada.link(ben_id).unwrap().path, None);
    let watch = ada.watch_links();
    until(|| ada.link(ben_id).unwrap().path.is_some()).await;
    until(|| ada.link(ben_id).unwrap().rtt_ms.is_some()).await;
    let path = ada.link(ben_id).unwrap().path.unwrap();
    assert_eq!(path.protocol, "udp");
    assert!(!path.is_relayed(), "{path:?}");
    let report = ada.report();
    assert_eq!((report.id, report.links.len()), (ada.id(), 1));
    drop(watch);
    assert_eq!(ada.link(server::identity(9).id()), None);
}

#[wasm_bindgen_test]
async fn a_page_out_of_view_is_hidden_to_the_others() {
    let (ada, ben) = pair("hidden").await;
    let (ada_id, ben_id) = (ada.id().unwrap(), ben.id().unwrap());
    until(|| ada.activity(ben_id) == Activity::Active).await;
    hide_page(true);
    until(|| ada.activity(ben_id) == Activity::Hidden && ben.activity(ada_id) == Activity::Hidden).await;
    hide_page(false);
    until(|| ada.activity(ben_id) == Activity::Active && ben.activity(ada_id) == Activity::Active).await;
    assert_eq!(ada.activity(server::identity(9).id()), Activity::Stale);
}
