//! Camera, microphone and screen of this page, shared with the room.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use converge_signal::PeerId;
use send_wrapper::SendWrapper;
use wasm_bindgen::prelude::*;
use web_sys::{HtmlMediaElement, MediaStream, MediaStreamTrack, MediaStreamTrackState};

use super::ext::reason;
use super::listen::Listener;
use super::meter::Meter;
use super::tracks::Outgoing;
use super::{Driver, Inner, capture, dispatch, run};
use crate::codec::Payload;
use crate::error::SendError;
use crate::event::{Event, Status};
use crate::link::LinkId;
use crate::media::{
    Announced, Audience, Device, MAX_METADATA_BYTES, MAX_STREAMS, MEDIA_SLOT, MediaError, SPEAKING_SLOT, Source,
    Stream, StreamId, StreamKind, ViewerState, Viewers, announced, video_bits,
};

/// A stream that the page has made itself, of a canvas for instance. In the browser it is made of a `MediaStream`.
#[derive(Debug, Clone)]
pub struct LocalMedia(SendWrapper<MediaStream>);

impl From<MediaStream> for LocalMedia {
    fn from(stream: MediaStream) -> Self {
        Self(SendWrapper::new(stream))
    }
}

impl LocalMedia {
    /// Tracks of its own: when they are not shared any more they end, and the application's go on.
    pub(super) fn stream(&self) -> MediaStream {
        // The browser's own `clone`, which makes another stream.
        MediaStream::clone(&self.0)
    }
}

/// Another handle to the same object. A method call would be the browser's own `clone`.
fn handle<T: Clone>(object: &T) -> T {
    T::clone(object)
}

#[derive(Default)]
pub(super) struct Media {
    shared: Vec<Shared>,
    /// What streams that are over were known as, to be used again by the next of their kind: so no connection has to carry
    /// more of them than were ever shared at the same time.
    free: Vec<(StreamKind, MediaStream)>,
    /// Devices being asked for: they count as shared.
    asking: usize,
    last: u32,
    viewers: Viewers,
    /// Whose sound is not let through.
    muted: Vec<PeerId>,
    meter: Option<(StreamId, Meter)>,
}

/// One of this peer's streams.
struct Shared {
    announced: Announced,
    /// What the others know it by; it stays the same when its device is replaced.
    stream: MediaStream,
    source: Source,
    tracks: Vec<MediaStreamTrack>,
    /// This side has paused it.
    paused: bool,
    /// Its device gives nothing at the moment.
    silent: bool,
    watching: Vec<Listener>,
}

impl Shared {
    /// Looks whether the device gives something, and announces what that means. Whether it has changed.
    fn look(&mut self) -> bool {
        let device = matches!(self.announced.kind, StreamKind::Camera | StreamKind::Microphone);
        self.silent = device && self.tracks.iter().any(MediaStreamTrack::muted);
        let paused = self.paused || self.silent;
        std::mem::replace(&mut self.announced.paused, paused) != paused
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        stop(&self.tracks);
    }
}

fn stop(tracks: &[MediaStreamTrack]) {
    for track in tracks {
        track.stop();
    }
}

fn tracks(stream: &MediaStream) -> Vec<MediaStreamTrack> {
    stream.get_tracks().iter().map(JsCast::unchecked_into).collect()
}

impl Driver {
    /// Opens a device and shows it to the room.
    pub(crate) fn share(&self, source: Source) -> impl Future<Output = Result<StreamId, MediaError>> + use<> {
        let begun = self.may_share(&source).map(|()| {
            let mut inner = self.0.borrow_mut();
            if inner.media.shared.is_empty() && inner.media.asking == 0 {
                // A member that joins while the browser asks the person counts as new.
                inner.media.viewers.begin();
            }
            inner.media.asking += 1;
            (inner.this.clone(), inner.join)
        });
        async move {
            let (weak, join) = begun?;
            let opened = capture::open(&source).await;
            let driver = weak.upgrade().ok_or(MediaError::NotJoined)?;
            let id = {
                let mut inner = driver.borrow_mut();
                if inner.join != join {
                    stop(&opened.as_ref().map(tracks).unwrap_or_default());
                    return Err(MediaError::NotJoined);
                }
                inner.media.asking = inner.media.asking.saturating_sub(1);
                let stream = opened?;
                if matches!(inner.status(), Status::Closed(_)) {
                    stop(&tracks(&stream));
                    return Err(MediaError::NotJoined);
                }
                inner.media.add(&weak, source, &stream)?
            };
            if let Err(error) = shared_anew(&driver) {
                // Nobody would know of it.
                unshare(&driver, id);
                return Err(MediaError::Announce(error));
            }
            listen(&driver);
            Ok(id)
        }
    }

    fn may_share(&self, source: &Source) -> Result<(), MediaError> {
        let inner = self.0.borrow();
        if inner.core.is_none() || matches!(inner.status(), Status::Closed(_)) {
            Err(MediaError::NotJoined)
        } else if source.metadata.len() > MAX_METADATA_BYTES {
            Err(MediaError::Metadata)
        } else if inner.media.shared.len() + inner.media.asking >= MAX_STREAMS {
            Err(MediaError::TooMany)
        } else {
            Ok(())
        }
    }

    /// Takes another device for a stream; its viewers see the same stream go on.
    pub(crate) fn replace(&self, id: StreamId, device: String) -> impl Future<Output = Result<(), MediaError>> + use<> {
        let (source, weak) = {
            let inner = self.0.borrow();
            let source = inner.media.find(id).map(|shared| shared.source.clone().device(device));
            (source.ok_or(MediaError::Unknown), inner.this.clone())
        };
        async move {
            let source = source?;
            let opened = capture::open(&source).await?;
            let driver = weak.upgrade().ok_or(MediaError::NotJoined)?;
            if !driver.borrow_mut().media.replace(&weak, id, source, &opened) {
                stop(&tracks(&opened));
                return Err(MediaError::Unknown);
            }
            shared_anew(&driver).map_err(MediaError::Announce)?;
            listen(&driver);
            Ok(())
        }
    }

    /// Stops sharing a stream and lets go of its device.
    pub(crate) fn unshare(&self, id: StreamId) {
        unshare(&self.0, id);
    }

    /// Sends nothing of a stream for a while, or again; the device stays open.
    pub(crate) fn pause(&self, id: StreamId, paused: bool) -> Result<(), MediaError> {
        {
            let mut inner = self.0.borrow_mut();
            let shared = inner.media.shared.iter_mut().find(|shared| shared.announced.id == id);
            let shared = shared.ok_or(MediaError::Unknown)?;
            shared.paused = paused;
            shared.look();
            for track in &shared.tracks {
                track.set_enabled(!paused);
            }
        }
        shared_anew(&self.0).map_err(MediaError::Announce)
    }

    pub(crate) fn set_audience(&self, audience: Audience) {
        let announced = {
            let media = &mut self.0.borrow_mut().media;
            let sharing = !media.shared.is_empty() || media.asking > 0;
            media.viewers.set_audience(audience, sharing);
            !media.shared.is_empty()
        };
        if announced {
            // Only a flag changes, so the announcement still fits.
            let _ = shared_anew(&self.0);
        }
    }

    pub(crate) fn audience(&self) -> Audience {
        self.0.borrow().media.viewers.audience()
    }

    pub(crate) fn approve_viewer(&self, peer: PeerId) {
        self.decide(|viewers| viewers.approve(peer));
    }

    pub(crate) fn deny_viewer(&self, peer: PeerId) {
        self.decide(|viewers| viewers.deny(peer));
    }

    fn decide(&self, decide: impl FnOnce(&mut Viewers)) {
        {
            let mut inner = self.0.borrow_mut();
            decide(&mut inner.media.viewers);
            inner.send_media();
        }
        dispatch(&self.0);
    }

    pub(crate) fn viewer(&self, peer: PeerId) -> Option<ViewerState> {
        let inner = self.0.borrow();
        if inner.media.shared.is_empty() { None } else { inner.media.viewers.state(peer) }
    }

    /// What a member shares; of this peer itself too.
    pub(crate) fn streams(&self, peer: PeerId) -> Vec<Stream> {
        let inner = self.0.borrow();
        let Some(core) = &inner.core else { return Vec::new() };
        if peer == core.id() {
            let limited = inner.media.is_limited();
            let own =
                |shared: &Shared| Stream { silent: shared.silent, limited, ..shared.announced.stream(peer, true) };
            return inner.media.shared.iter().map(own).collect();
        }
        let announced = announced(core.presence_of(peer, MEDIA_SLOT));
        let arrived = |msid: &str| inner.arriving(peer, msid).is_some();
        announced.iter().map(|stream| stream.stream(peer, arrived(&stream.msid))).collect()
    }

    /// Plays a stream in an element, as far as it has arrived.
    pub(crate) fn play(&self, peer: PeerId, id: StreamId, element: &HtmlMediaElement) -> bool {
        let inner = self.0.borrow();
        let Some(core) = &inner.core else { return false };
        let stream = if peer == core.id() {
            inner.media.find(id).map(|shared| handle(&shared.stream))
        } else {
            let announced = announced(core.presence_of(peer, MEDIA_SLOT));
            let msid = announced.into_iter().find(|stream| stream.id == id).map(|stream| stream.msid);
            msid.and_then(|msid| inner.arriving(peer, &msid).map(handle))
        };
        drop(inner);
        if element.src_object() != stream {
            element.set_src_object(stream.as_ref());
        }
        stream.is_some()
    }

    /// Lets a member's sound through, or not.
    pub(crate) fn mute(&self, peer: PeerId, muted: bool) {
        {
            let mut inner = self.0.borrow_mut();
            let inner = &mut *inner;
            inner.media.muted.retain(|other| *other != peer);
            if muted {
                inner.media.muted.push(peer);
            }
            if let Some(link) = inner.link_to(peer).and_then(|link| inner.links.get(&link)) {
                link.tracks.mute(muted);
            }
            inner.events.push_back(Event::StreamsChanged { peer });
        }
        dispatch(&self.0);
    }

    /// Whether its sound is kept from being heard.
    pub(crate) fn is_muted(&self, peer: PeerId) -> bool {
        self.0.borrow().media.muted.contains(&peer)
    }
}

/// The cameras and microphones there are.
pub(crate) async fn devices() -> Result<Vec<Device>, MediaError> {
    capture::list().await
}

/// Calls `tell` whenever a device comes or goes, until dropped. None where there are no devices to speak of.
#[cfg(feature = "hooks")]
pub(crate) fn on_devices(tell: impl Fn() + 'static) -> Option<DeviceWatch> {
    let devices = capture::devices().ok()?;
    Some(DeviceWatch { _listener: SendWrapper::new(Listener::new(&devices, "devicechange", move |_| tell())) })
}

/// See [`on_devices`].
#[cfg(feature = "hooks")]
pub(crate) struct DeviceWatch {
    _listener: SendWrapper<Listener>,
}

impl Media {
    fn find(&self, id: StreamId) -> Option<&Shared> {
        self.shared.iter().find(|shared| shared.announced.id == id)
    }

    fn add(
        &mut self,
        driver: &Weak<RefCell<Inner>>,
        source: Source,
        opened: &MediaStream,
    ) -> Result<StreamId, MediaError> {
        let kind = source.kind();
        let free = self.free.iter().position(|(other, _)| *other == kind).map(|at| self.free.swap_remove(at).1);
        let tracks = tracks(opened);
        let stream = free.map_or_else(MediaStream::new, Ok).map_err(|error| {
            stop(&tracks);
            MediaError::Browser(reason(&error))
        })?;
        for track in &tracks {
            stream.add_track(track);
        }
        self.last += 1;
        let id = StreamId(self.last);
        let has = |kind: &str| tracks.iter().any(|track| track.kind() == kind);
        let announced = Announced {
            id,
            kind,
            msid: stream.id(),
            metadata: source.metadata.clone(),
            video: has("video"),
            audio: has("audio"),
            paused: false,
            limited: false,
        };
        let watching = watch_tracks(driver, id, &tracks);
        let mut shared = Shared { announced, stream, source, tracks, paused: false, silent: false, watching };
        shared.look();
        self.shared.push(shared);
        Ok(id)
    }

    fn replace(&mut self, driver: &Weak<RefCell<Inner>>, id: StreamId, source: Source, opened: &MediaStream) -> bool {
        let Some(shared) = self.shared.iter_mut().find(|shared| shared.announced.id == id) else { return false };
        let new = tracks(opened);
        for track in &new {
            track.set_enabled(!shared.paused);
            shared.stream.add_track(track);
        }
        for track in &shared.tracks {
            shared.stream.remove_track(track);
        }
        stop(&shared.tracks);
        shared.watching = watch_tracks(driver, id, &new);
        shared.tracks = new;
        shared.look();
        shared.source = source;
        // It listens to a track that is over.
        if self.meter.as_ref().is_some_and(|(metered, _)| *metered == id) {
            self.meter = None;
        }
        true
    }

    /// Whether members that join later wait for approval.
    fn is_limited(&self) -> bool {
        self.viewers.audience() == Audience::Approved
    }

    /// The tracks that go to each viewer, where there are so many.
    fn outgoing(&self, viewers: usize) -> Vec<Outgoing> {
        let is_video = |track: &MediaStreamTrack| track.kind() == "video";
        let videos = self.shared.iter().flat_map(|shared| &shared.tracks).filter(|track| is_video(track)).count();
        let of_one = |shared: &Shared| {
            let kind = shared.announced.kind;
            let outgoing = |track: &MediaStreamTrack| Outgoing {
                stream: handle(&shared.stream),
                track: handle(track),
                bits: is_video(track).then(|| video_bits(kind, videos, viewers)),
            };
            shared.tracks.iter().map(outgoing).collect::<Vec<_>>()
        };
        self.shared.iter().flat_map(of_one).collect()
    }

    /// Everything ends: the room is left. What is being asked for finds that out by itself.
    pub(super) fn end(&mut self) {
        self.shared.clear();
        self.free.clear();
        self.meter = None;
        self.muted.clear();
        self.viewers.reset();
        self.asking = 0;
    }
}

/// Watches a stream's tracks. A device that is unplugged or no longer allowed, and a screen whose sharing is ended in the
/// browser's own bar, is not shared any more; a device that gives nothing for a while shows as paused.
fn watch_tracks(driver: &Weak<RefCell<Inner>>, id: StreamId, tracks: &[MediaStreamTrack]) -> Vec<Listener> {
    let on = |track: &MediaStreamTrack, name, act: fn(&Rc<RefCell<Inner>>, StreamId, &MediaStreamTrack)| {
        let (weak, this) = (driver.clone(), handle(track));
        Listener::new(track, name, move |_| {
            if let Some(driver) = weak.upgrade() {
                act(&driver, id, &this);
            }
        })
    };
    tracks
        .iter()
        .flat_map(|track| [on(track, "ended", ended), on(track, "mute", looked), on(track, "unmute", looked)])
        .collect()
}

fn ended(driver: &Rc<RefCell<Inner>>, id: StreamId, track: &MediaStreamTrack) {
    if track.ready_state() != MediaStreamTrackState::Ended {
        return;
    }
    let kind = driver.borrow().media.find(id).map(|shared| shared.announced.kind);
    unshare(driver, id);
    driver.borrow_mut().events.extend(kind.map(|kind| Event::MediaEnded { kind }));
    dispatch(driver);
}

fn looked(driver: &Rc<RefCell<Inner>>, id: StreamId, _track: &MediaStreamTrack) {
    let changed = driver.borrow_mut().media.shared.iter_mut().any(|shared| shared.announced.id == id && shared.look());
    if changed {
        // The announcement is as long as before, so it fits.
        let _ = shared_anew(driver);
    }
}

fn unshare(driver: &Rc<RefCell<Inner>>, id: StreamId) {
    let ended = {
        let media = &mut driver.borrow_mut().media;
        let ended: Vec<Shared> = media.shared.extract_if(.., |shared| shared.announced.id == id).collect();
        for shared in &ended {
            for track in &shared.tracks {
                shared.stream.remove_track(track);
            }
            media.free.push((shared.announced.kind, handle(&shared.stream)));
        }
        if media.meter.as_ref().is_some_and(|(metered, _)| *metered == id) {
            media.meter = None;
        }
        ended
    };
    if ended.is_empty() {
        return;
    }
    drop(ended);
    // Less is announced than before, or nothing: that fits.
    let _ = shared_anew(driver);
    listen(driver);
}

/// Tells everybody what is shared now, and sends it.
fn shared_anew(driver: &Rc<RefCell<Inner>>) -> Result<(), SendError> {
    let shared: Vec<Announced> = {
        let mut inner = driver.borrow_mut();
        inner.send_media();
        let limited = inner.media.is_limited();
        inner.media.shared.iter().map(|shared| Announced { limited, ..shared.announced.clone() }).collect()
    };
    let value = if shared.is_empty() { None } else { Payload::json(&shared).ok() };
    let shown = show(driver, MEDIA_SLOT, value);
    tell_own(driver);
    shown
}

/// This peer's own streams have changed.
fn tell_own(driver: &Rc<RefCell<Inner>>) {
    {
        let mut inner = driver.borrow_mut();
        let id = inner.core.as_ref().map(crate::room::RoomCore::id);
        inner.events.extend(id.map(|peer| Event::StreamsChanged { peer }));
    }
    dispatch(driver);
}

/// Sets a slot of this peer's presence; refused where the application has filled them all.
fn show(driver: &Rc<RefCell<Inner>>, slot: &str, value: Option<Payload>) -> Result<(), SendError> {
    driver.borrow_mut().presence.set(slot, value.clone())?;
    run(driver, |core, now| core.set_presence(now, slot, value)).unwrap_or(Ok(()))
}

/// Listens whether somebody speaks, while a microphone is shared.
fn listen(driver: &Rc<RefCell<Inner>>) {
    let microphone = {
        let inner = driver.borrow();
        let shared = inner.media.shared.iter().find(|shared| shared.announced.kind == StreamKind::Microphone);
        match (shared, &inner.media.meter) {
            (Some(_), Some(_)) => return,
            (Some(shared), None) => Some((shared.announced.id, handle(&shared.stream))),
            (None, _) => None,
        }
    };
    match microphone {
        Some((id, stream)) => {
            let weak = driver.borrow().this.clone();
            let meter = Meter::new(&stream, move |speaking| {
                if let Some(driver) = weak.upgrade() {
                    // Where there is no slot for it, nobody sees who speaks, and everybody hears it.
                    let _ = show(&driver, SPEAKING_SLOT, Payload::json(&speaking).ok());
                    tell_own(&driver);
                }
            });
            // The same without a meter.
            driver.borrow_mut().media.meter = meter.ok().map(|meter| (id, meter));
        }
        None => {
            // Clearing breaks no limit.
            let _ = show(driver, SPEAKING_SLOT, None);
        }
    }
}

impl Inner {
    fn link_to(&self, peer: PeerId) -> Option<LinkId> {
        let links = self.core.as_ref()?.open_links_by_peer();
        links.into_iter().find(|(other, _)| *other == peer).map(|(_, link)| link)
    }

    fn arriving(&self, peer: PeerId, msid: &str) -> Option<&MediaStream> {
        self.links.get(&self.link_to(peer)?)?.tracks.incoming(msid)
    }

    /// Sends this side's tracks to the members that have a place, and to no others.
    pub(super) fn send_media(&mut self) {
        let Some(core) = &self.core else { return };
        // Sorted by id, for the binary search.
        let open = core.open_links_by_peer();
        let link = |peer: &PeerId| Some(open[open.binary_search_by_key(peer, |(other, _)| *other).ok()?].1);
        let viewers: Vec<LinkId> = self.media.viewers.places().iter().filter_map(link).collect();
        let outgoing = self.media.outgoing(viewers.len());
        for (id, link) in &mut self.links {
            link.send_media(if viewers.contains(id) { &outgoing } else { &[] });
        }
        self.events.push_back(Event::ViewersChanged);
    }

    /// A track of another's stream has arrived on a link.
    pub(super) fn arrived(&mut self, link: LinkId, stream: MediaStream) {
        let peer = self.core.as_ref().and_then(|core| core.peer_of(link));
        let (Some(peer), Some(link)) = (peer, self.links.get_mut(&link)) else { return };
        let weak = self.this.clone();
        // A sender that removes a track for this peer alone announces nothing.
        let removed = Listener::new(&stream, "removetrack", move |_| {
            if let Some(driver) = weak.upgrade() {
                driver.borrow_mut().events.push_back(Event::StreamsChanged { peer });
                dispatch(&driver);
            }
        });
        link.tracks.arrived(stream, removed);
        link.tracks.mute(self.media.muted.contains(&peer));
        self.events.push_back(Event::StreamsChanged { peer });
    }

    /// What an event means for the streams.
    pub(super) fn media_event(&mut self, event: &Event) {
        match event {
            Event::PeerJoined { peer } => {
                let now = self.now();
                self.media.viewers.joined(now, *peer);
                self.events.push_back(Event::ViewersChanged);
            }
            Event::PeerConnected { peer } | Event::PeerDisconnected { peer, .. } => {
                if matches!(event, Event::PeerConnected { .. }) {
                    self.media.viewers.connected(*peer);
                }
                self.send_media();
                self.events.push_back(Event::StreamsChanged { peer: *peer });
            }
            Event::PeerLeft { peer, .. } => {
                self.media.muted.retain(|muted| muted != peer);
                let now = self.now();
                self.media.viewers.left(now, *peer);
                self.send_media();
            }
            Event::PresenceChanged { peer, slot, .. } if slot == MEDIA_SLOT => {
                self.events.push_back(Event::StreamsChanged { peer: *peer });
            }
            Event::Status(Status::Closed(_)) => {
                self.media.end();
                // Clearing breaks no limit.
                let _ = self.presence.set(MEDIA_SLOT, None);
                let _ = self.presence.set(SPEAKING_SLOT, None);
            }
            _ => {}
        }
    }
}
