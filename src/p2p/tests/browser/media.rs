//! Pictures and sound between peers of one page. What is shown comes of a canvas, what is heard of an oscillator: a test
//! must not depend on a camera.

use converge_p2p::{
    Audience, Client, LocalMedia, MAX_METADATA_BYTES, MAX_STREAMS, MAX_VIEWERS, MediaError, PeerState, Source, Stream,
    StreamKind, ViewerState,
};
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::{HtmlMediaElement, MediaStream};

use crate::server::{self, linked, options, pair, until};

#[wasm_bindgen(inline_js = r#"
// A picture that changes, of this width, and a tone, if wanted.
export function make_media(width, tone) {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [width, 48];
  const context = canvas.getContext('2d');
  let frame = 0;
  const paint = () => {
    setTimeout(paint, 40);
    context.fillStyle = frame++ % 2 ? 'red' : 'blue';
    context.fillRect(0, 0, width, 48);
  };
  paint();
  const stream = canvas.captureStream(20);
  if (tone) {
    const audio = new AudioContext();
    const oscillator = audio.createOscillator();
    const out = audio.createMediaStreamDestination();
    oscillator.connect(out);
    oscillator.start();
    stream.addTrack(out.stream.getAudioTracks()[0]);
  }
  return stream;
}
export function make_element() {
  const element = document.createElement('video');
  element.muted = true;
  element.autoplay = true;
  document.body.append(element);
  return element;
}
export function width_of(element) { return element.videoWidth; }
export function hears(element) { return element.srcObject?.getAudioTracks().some((track) => track.enabled) ?? false; }
export function is_running(stream) { return stream.getTracks().every((track) => track.readyState === 'live'); }
// Of the newest connection: how many media descriptions it has.
export function transceivers() { return Math.max(0, ...window.made_connections().map((c) => c.getTransceivers().length)); }
// The most media descriptions that any of the newest connections has.
export function newest_transceivers(connections) {
  return Math.max(...window.made_connections().slice(-connections).map((c) => c.getTransceivers().length));
}
"#)]
extern "C" {
    fn make_media(width: u32, tone: bool) -> MediaStream;
    fn make_element() -> HtmlMediaElement;
    fn width_of(element: &HtmlMediaElement) -> u32;
    fn hears(element: &HtmlMediaElement) -> bool;
    fn is_running(stream: &MediaStream) -> bool;
    fn transceivers() -> u32;
    fn newest_transceivers(connections: usize) -> u32;
}

fn connected(client: &Client) -> usize {
    client.peers().iter().filter(|(_, state)| *state == PeerState::Connected).count()
}

fn picture(width: u32) -> Source {
    Source::media(LocalMedia::from(make_media(width, false)))
}

/// What one of the two sees of the other, once it has arrived.
async fn seen(viewer: &Client, owner: &Client) -> Stream {
    let owner = owner.id().unwrap();
    let live = || viewer.streams(owner).into_iter().find(|stream| stream.live);
    until(|| live().is_some()).await;
    live().unwrap()
}

/// A stream is not only announced: its picture is drawn.
async fn drawn(viewer: &Client, owner: &Client, width: u32) -> HtmlMediaElement {
    let stream = seen(viewer, owner).await;
    let element = make_element();
    assert!(viewer.play(stream.owner, stream.id, &element));
    until(|| width_of(&element) == width).await;
    element
}

#[wasm_bindgen_test]
async fn what_is_shared_is_seen_and_heard_by_all_and_by_who_comes_later() {
    let (ada, ben) = pair("media").await;
    let own = make_media(64, true);
    let id = ada.publish(Source::media(LocalMedia::from(own.clone())).metadata("a test card")).await.unwrap();
    let element = drawn(&ben, &ada, 64).await;
    let stream = seen(&ben, &ada).await;
    assert_eq!((stream.id, stream.kind, stream.metadata.as_str()), (id, StreamKind::Other, "a test card"));
    assert!(stream.video && stream.audio && !stream.paused);

    ben.mute(ada.id().unwrap(), true);
    assert!(!hears(&element) && ben.is_muted(ada.id().unwrap()));
    ben.mute(ada.id().unwrap(), false);
    assert!(hears(&element));

    // Both ways, and to a third.
    ben.publish(picture(32)).await.unwrap();
    drawn(&ada, &ben, 32).await;
    let cleo = Client::join(options("media", 3)).unwrap();
    linked(&cleo, &ada).await;
    drawn(&cleo, &ada, 64).await;
    drawn(&cleo, &ben, 32).await;

    ada.pause(id, true).unwrap();
    until(|| cleo.streams(ada.id().unwrap()).iter().any(|stream| stream.paused)).await;

    ada.unpublish(id);
    until(|| ben.streams(ada.id().unwrap()).is_empty() && cleo.streams(ada.id().unwrap()).is_empty()).await;
    assert_eq!(ada.pause(id, true), Err(MediaError::Unknown));
    assert!(is_running(&own), "the application's own stream is its own to end");
}

#[wasm_bindgen_test]
async fn a_newcomer_gets_no_track_until_it_is_approved() {
    let (ada, ben) = pair("approved").await;
    ada.set_audience(Audience::Approved);
    assert!(ada.viewers().is_empty(), "nothing is shared");
    ada.publish(picture(64)).await.unwrap();
    drawn(&ben, &ada, 64).await;

    let cleo = Client::join(options("approved", 3)).unwrap();
    until(|| connected(&cleo) == 2).await;
    let id = cleo.id().unwrap();
    until(|| ada.viewer(id) == Some(ViewerState::Waiting)).await;
    // Cleo gets only the announcement: another stream, negotiated with Ben meanwhile, adds nothing to any link of hers.
    until(|| cleo.streams(ada.id().unwrap()).iter().any(|stream| stream.limited && !stream.live)).await;
    let second = ada.publish(picture(32)).await.unwrap();
    until(|| ben.streams(ada.id().unwrap()).iter().filter(|stream| stream.live).count() == 2).await;
    ada.unpublish(second);
    assert_eq!(newest_transceivers(4), 0);

    ada.approve_viewer(id);
    drawn(&cleo, &ada, 64).await;
    assert_eq!(ada.viewers(), [(ben.id().unwrap(), ViewerState::Viewing), (id, ViewerState::Viewing)]);
    ada.deny_viewer(id);
    until(|| cleo.streams(ada.id().unwrap()).iter().all(|stream| !stream.live)).await;
    assert_eq!(ada.viewer(id), Some(ViewerState::Denied));
    assert!(ben.streams(ada.id().unwrap()).iter().all(|stream| stream.live), "the others keep it");
}

#[wasm_bindgen_test]
async fn a_member_that_joins_while_the_browser_asks_is_a_newcomer() {
    let (ada, _ben) = pair("asking").await;
    ada.set_audience(Audience::Approved);
    let asking = ada.publish(picture(64));
    let cleo = Client::join(options("asking", 3)).unwrap();
    until(|| connected(&cleo) == 2).await;
    asking.await.unwrap();
    assert_eq!(ada.viewer(cleo.id().unwrap()), Some(ViewerState::Waiting));
}

#[wasm_bindgen_test]
async fn where_eight_tabs_came_first_an_approved_member_gets_the_place_of_one() {
    server::start();
    let join = |peer| Client::join(options("tabs", peer)).unwrap();
    let ada = join(1);
    let tabs: Vec<Client> = (11..19).map(join).collect();
    assert_eq!(tabs.len(), MAX_VIEWERS);
    until(|| connected(&ada) == MAX_VIEWERS).await;
    let ben = join(2);
    until(|| connected(&ada) == MAX_VIEWERS + 1 && connected(&ben) == MAX_VIEWERS + 1).await;
    let id = ben.id().unwrap();
    ada.publish(picture(64)).await.unwrap();
    assert_eq!(ada.viewer(id), Some(ViewerState::Crowded));
    ada.approve_viewer(id);
    drawn(&ben, &ada, 64).await;
    let live = |tab: &Client| tab.streams(ada.id().unwrap()).iter().any(|stream| stream.live);
    until(|| tabs.iter().filter(|tab| live(tab)).count() == MAX_VIEWERS - 1).await;
    let states = ada.viewers().into_iter().filter(|(_, state)| *state == ViewerState::Viewing);
    assert_eq!(states.count(), MAX_VIEWERS);
    // Another member that joins takes no place.
    let late = join(20);
    until(|| connected(&late) > MAX_VIEWERS).await;
    assert_eq!(ada.viewer(late.id().unwrap()), Some(ViewerState::Crowded));
    assert!(live(&ben));
}

#[wasm_bindgen_test]
async fn turning_it_on_and_off_again_and_again_makes_descriptions_no_longer() {
    let (ada, ben) = pair("toggle").await;
    for width in [16, 32, 48, 64, 80] {
        // Both at once: their offers cross.
        let (mine, theirs) = (ada.publish(picture(width)), ben.publish(picture(width)));
        let (mine, theirs) = (mine.await.unwrap(), theirs.await.unwrap());
        drawn(&ben, &ada, width).await;
        drawn(&ada, &ben, width).await;
        ada.unpublish(mine);
        ben.unpublish(theirs);
        until(|| ben.streams(ada.id().unwrap()).is_empty() && ada.streams(ben.id().unwrap()).is_empty()).await;
    }
    assert_eq!(transceivers(), 2);
}

#[wasm_bindgen_test]
async fn what_is_shared_goes_on_over_the_next_connection() {
    let (ada, ben) = pair("mended").await;
    ada.publish(picture(64)).await.unwrap();
    drawn(&ben, &ada, 64).await;
    server::close_newest_connection(0);
    until(|| ben.streams(ada.id().unwrap()).iter().all(|stream| !stream.live)).await;
    drawn(&ben, &ada, 64).await;
}

#[wasm_bindgen_test]
async fn what_can_not_be_announced_is_not_shared() {
    let (ada, ben) = pair("slots").await;
    for slot in 0..converge_p2p::wire::MAX_SLOTS {
        ada.set_presence(&slot.to_string(), Some(converge_p2p::Payload { codec: 1, bytes: b"1".to_vec() })).unwrap();
    }
    let own = make_media(16, false);
    let shared = ada.publish(Source::media(LocalMedia::from(own))).await;
    assert!(matches!(shared, Err(MediaError::Announce(_))), "{shared:?}");
    assert!(ada.streams(ada.id().unwrap()).is_empty() && ben.streams(ada.id().unwrap()).is_empty());
}

#[wasm_bindgen_test]
async fn what_can_not_be_shared_says_why() {
    let (ada, _ben) = pair("refused").await;
    let long = picture(16).metadata("x".repeat(MAX_METADATA_BYTES + 1));
    assert_eq!(ada.publish(long).await, Err(MediaError::Metadata));
    for _ in 0..MAX_STREAMS {
        ada.publish(picture(16)).await.unwrap();
    }
    assert_eq!(ada.publish(picture(16)).await, Err(MediaError::TooMany));
    let own = ada.streams(ada.id().unwrap());
    assert_eq!(own.len(), MAX_STREAMS);
    ada.unpublish(own[0].id);
    assert_eq!(ada.replace_device(own[0].id, "").await, Err(MediaError::Unknown));
    ada.leave();
    assert_eq!(ada.publish(picture(16)).await, Err(MediaError::NotJoined));
    assert!(ada.streams(own[0].owner).is_empty());
}
