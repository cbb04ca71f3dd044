//! Camera, microphone and screen as signals.

use converge_signal::PeerId;
use leptos::html::Video;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::room::{Room, use_room};
use crate::client::Client;
use crate::codec::Json;
use crate::event::Event;
use crate::media::{Audience, Device, MediaError, SPEAKING_SLOT, Source, Stream, StreamId, StreamKind, ViewerState};

/// What this peer shares, and what it hears of others. See [`use_media`].
#[derive(Clone, Copy)]
pub struct UseMedia {
    room: Room,
    mine: Signal<Vec<Stream>>,
    asking: RwSignal<Vec<StreamKind>>,
    error: RwSignal<Option<MediaError>>,
    /// The audience set here; the next client of the room gets it too.
    audience: RwSignal<Option<Audience>>,
}

/// Camera, microphone and screen: shared with the room, or not.
///
/// ```
/// use converge_p2p::hooks::{use_all_streams, use_media, use_player};
/// use converge_p2p::{Source, Stream, StreamKind};
/// use leptos::html::Video;
/// use leptos::prelude::*;
///
/// #[component]
/// fn Call() -> impl IntoView {
///     let (media, streams) = (use_media(), use_all_streams());
///     let on = media.is_on(StreamKind::Camera);
///     let error = move || media.error().get().map(|error| error.to_string());
///     view! {
///         <button aria-pressed=move || on.get().to_string() on:click=move |_| media.toggle(Source::camera())>
///             "Camera"
///         </button>
///         <p role="alert">{error}</p>
///         <For each=move || streams.get() key=|stream| (stream.owner, stream.id) let:stream>
///             <Picture stream/>
///         </For>
///     }
/// }
///
/// #[component]
/// fn Picture(stream: Stream) -> impl IntoView {
///     let element = NodeRef::<Video>::new();
///     use_player(stream.owner, stream.id, element);
///     view! { <video node_ref=element autoplay playsinline/> }
/// }
/// # let _ = Call;
/// ```
///
/// On the server nothing is shared, and there is nothing to share with. What is asked of the browser goes on when the
/// owner of this call is cleaned up; what is shared ends with the room.
///
/// # Errors
/// In [`UseMedia::error`], until the next attempt; [`MediaError::Ended`] there if a camera or microphone stops by itself.
///
/// # Panics
/// As [`use_room`].
pub fn use_media() -> UseMedia {
    let room = use_room();
    let error = RwSignal::new(None);
    room.on_event(move |event| match event {
        // It was the person who ended it.
        Event::MediaEnded { kind: StreamKind::Screen } => {}
        Event::MediaEnded { kind } => {
            error.try_set(Some(MediaError::Ended { kind: *kind }));
        }
        _ => {}
    });
    let audience = RwSignal::new(None);
    room.hold(move |client| audience.try_get_untracked().flatten().map(|audience| client.set_audience(audience)));
    UseMedia {
        room,
        mine: follow(of_anyone, |client| Some(client.streams(client.id()?))),
        asking: RwSignal::new(Vec::new()),
        error,
        audience,
    }
}

impl UseMedia {
    /// Shares something; the browser asks the person where it has to.
    pub fn publish(self, source: Source) {
        let Some(client) = self.room.client() else {
            self.error.set(Some(MediaError::NotJoined));
            return;
        };
        let kind = source.kind();
        self.ask(kind, async move { client.publish(source).await.map(drop) });
    }

    /// Stops sharing what is of this kind.
    pub fn unpublish(self, kind: StreamKind) {
        if let Some(client) = self.room.client() {
            for stream in self.mine.get_untracked().into_iter().filter(|stream| stream.kind == kind) {
                client.unpublish(stream.id);
            }
        }
    }

    /// Shares something, or no longer.
    pub fn toggle(self, source: Source) {
        let kind = source.kind();
        if self.mine.get_untracked().iter().any(|stream| stream.kind == kind) {
            self.unpublish(kind);
        } else if self.asking.with_untracked(|asking| !asking.contains(&kind)) {
            self.publish(source);
        }
    }

    /// Takes another device for what is shared of this kind, if something is.
    pub fn replace_device(self, kind: StreamKind, device: String) {
        let stream = self.mine.get_untracked().into_iter().find(|stream| stream.kind == kind);
        if let (Some(stream), Some(client)) = (stream, self.room.client()) {
            self.ask(kind, async move { client.replace_device(stream.id, device).await });
        }
    }

    fn ask(self, kind: StreamKind, asked: impl Future<Output = Result<(), MediaError>> + 'static) {
        self.error.set(None);
        self.asking.update(|asking| asking.push(kind));
        spawn_local(async move {
            let result = asked.await;
            self.asking.try_update(|asking| asking.retain(|other| *other != kind));
            if let Err(error) = result {
                self.error.try_set(Some(error));
            }
        });
    }

    /// What this peer shares.
    pub fn mine(self) -> Signal<Vec<Stream>> {
        self.mine
    }

    /// Whether it shares something of this kind.
    pub fn is_on(self, kind: StreamKind) -> Signal<bool> {
        let mine = self.mine;
        Signal::derive(move || mine.with(|mine| mine.iter().any(|stream| stream.kind == kind)))
    }

    /// Whether the browser, or the person, is being asked for something of this kind.
    pub fn is_asking(self, kind: StreamKind) -> Signal<bool> {
        let asking = self.asking;
        Signal::derive(move || asking.with(|asking| asking.contains(&kind)))
    }

    /// Why the last attempt failed, or what was shared stopped.
    pub fn error(self) -> Signal<Option<MediaError>> {
        self.error.into()
    }

    /// Sets which members get this peer's streams. Rejoining, or joining another room, keeps the setting.
    ///
    /// ```
    /// use converge_p2p::hooks::use_media;
    /// use converge_p2p::{Audience, PeerId, ViewerState};
    /// use leptos::prelude::*;
    ///
    /// #[component]
    /// fn Newcomers() -> impl IntoView {
    ///     let media = use_media();
    ///     media.set_audience(Audience::Approved);
    ///     let waiting = move |(peer, state): (PeerId, ViewerState)| (state == ViewerState::Waiting).then_some(peer);
    ///     let waiting = move || media.viewers().get().into_iter().filter_map(waiting).collect::<Vec<_>>();
    ///     view! {
    ///         <For each=waiting key=|peer| *peer let:peer>
    ///             <button on:click=move |_| media.approve_viewer(peer)>"Show me to " {peer.short()}</button>
    ///         </For>
    ///     }
    /// }
    /// # let _ = Newcomers;
    /// ```
    ///
    /// See [`Client::set_audience`].
    pub fn set_audience(self, audience: Audience) {
        self.audience.set(Some(audience));
        if let Some(client) = self.room.client() {
            client.set_audience(audience);
        }
    }

    /// Sends this peer's streams to a member, now and later: see [`Client::approve_viewer`].
    pub fn approve_viewer(self, peer: PeerId) {
        if let Some(client) = self.room.client() {
            client.approve_viewer(peer);
        }
    }

    /// Withholds this peer's streams from a member until it is approved: see [`Client::deny_viewer`].
    pub fn deny_viewer(self, peer: PeerId) {
        if let Some(client) = self.room.client() {
            client.deny_viewer(peer);
        }
    }

    /// Returns all other members in join order, each with whether it gets this peer's streams; empty while nothing is
    /// shared.
    pub fn viewers(self) -> Signal<Vec<(PeerId, ViewerState)>> {
        follow(of_viewers, |client| Some(client.viewers()))
    }

    /// Returns whether a member gets this peer's streams; `None` while nothing is shared, or if the member isn't in the
    /// room.
    pub fn viewer(self, peer: PeerId) -> Signal<Option<ViewerState>> {
        follow(of_viewers, move |client| Some(client.viewer(peer)))
    }

    /// Keeps a member's sound from being heard here, or no longer.
    pub fn mute(self, peer: PeerId, muted: bool) {
        if let Some(client) = self.room.client() {
            client.mute(peer, muted);
        }
    }

    /// Whether that is so.
    pub fn is_muted(self, peer: PeerId) -> Signal<bool> {
        let of_peer = move |event: &Event| matches!(event, Event::StreamsChanged { peer: other } if *other == peer);
        let muted = follow(of_peer, move |client| Some(client.is_muted(peer)));
        Signal::derive(move || muted.get())
    }

    /// Whether a member speaks, as far as its own page can tell; of this peer too.
    pub fn is_speaking(self, peer: PeerId) -> Signal<bool> {
        let room = self.room;
        let speaking = RwSignal::new(false);
        let says = move || {
            let says = |client: Client| client.slot_of(peer, SPEAKING_SLOT)?.decode::<bool, Json>().ok();
            speaking.try_set(room.client().and_then(says).unwrap_or_default());
        };
        says();
        room.on_event(move |event| match event {
            Event::PresenceChanged { peer: other, slot, .. } if *other == peer && slot == SPEAKING_SLOT => says(),
            Event::StreamsChanged { peer: other } | Event::PeerLeft { peer: other, .. } if *other == peer => says(),
            _ => {}
        });
        speaking.into()
    }
}

/// What one member shares.
///
/// ```
/// use converge_p2p::PeerId;
/// use converge_p2p::hooks::use_streams;
/// use leptos::prelude::*;
///
/// #[component]
/// fn Shares(peer: PeerId) -> impl IntoView {
///     let streams = use_streams(peer);
///     let kinds = move || streams.get().iter().map(|stream| stream.kind.as_str()).collect::<Vec<_>>().join(", ");
///     view! { <p>{kinds}</p> }
/// }
/// # let _ = Shares;
/// ```
///
/// On the server nothing.
///
/// # Panics
/// As [`use_room`].
pub fn use_streams(peer: PeerId) -> Signal<Vec<Stream>> {
    let of_peer = move |event: &Event| match event {
        Event::StreamsChanged { peer: other } => *other == peer,
        event => of_anyone(event),
    };
    follow(of_peer, move |client| Some(client.streams(peer)))
}

/// What everybody shares: one's own streams first, then the others', in the order in which they came.
///
/// # Panics
/// As [`use_room`].
pub fn use_all_streams() -> Signal<Vec<Stream>> {
    follow(of_anyone, |client| {
        let peers = client.id().into_iter().chain(client.peers().into_iter().map(|(peer, _)| peer));
        Some(peers.flat_map(|peer| client.streams(peer)).collect())
    })
}

/// Whether an event may change the streams of any member.
fn of_anyone(event: &Event) -> bool {
    matches!(event, Event::StreamsChanged { .. } | Event::PeerLeft { .. } | Event::Connected { .. } | Event::Status(_))
}

fn of_viewers(event: &Event) -> bool {
    matches!(event, Event::ViewersChanged | Event::Status(_))
}

/// Returns the value of `read`, updated at each event that it `concerns`.
fn follow<T: Default + PartialEq + Send + Sync + 'static>(
    concerns: impl Fn(&Event) -> bool + Send + Sync + 'static,
    read: impl Fn(&Client) -> Option<T> + Send + Sync + 'static,
) -> Signal<T> {
    let room = use_room();
    let value = RwSignal::new(T::default());
    let update = move || {
        let new = room.client().and_then(|client| read(&client)).unwrap_or_default();
        if value.try_with_untracked(|value| *value != new) == Some(true) {
            value.try_set(new);
        }
    };
    update();
    room.on_event(move |event| {
        if concerns(event) {
            update();
        }
    });
    value.into()
}

/// Plays a stream in an element for as long as it is there. True while the browser doesn't let it be heard: until the
/// person has touched the page, which the page should then ask for.
///
/// An element that plays one's own microphone should be `muted`.
///
/// # Panics
/// As [`use_room`].
pub fn use_player(owner: PeerId, stream: StreamId, element: NodeRef<Video>) -> Signal<bool> {
    let room = use_room();
    let blocked = RwSignal::new(false);
    let changed = RwSignal::new(());
    room.on_event(move |event| {
        if matches!(event, Event::StreamsChanged { peer } if *peer == owner) {
            changed.try_set(());
        }
    });
    // Whoever touches the page lets it be heard.
    Effect::new(move |_| {
        let retry = move || {
            if blocked.try_get_untracked() == Some(true) {
                changed.try_set(());
            }
        };
        let listeners = [
            window_event_listener_untyped("pointerdown", move |_| retry()),
            window_event_listener_untyped("keydown", move |_| retry()),
        ];
        on_cleanup(move || listeners.into_iter().for_each(WindowListenerHandle::remove));
    });
    Effect::new(move |_| {
        changed.track();
        if let (Some(element), Some(client)) = (element.get(), room.client()) {
            player::play(&client, owner, stream, &element, blocked);
        }
    });
    blocked.into()
}

#[cfg(target_family = "wasm")]
mod player {
    use leptos::web_sys::HtmlVideoElement;
    use wasm_bindgen_futures::JsFuture;

    use super::*;

    pub(super) fn play(
        client: &Client,
        owner: PeerId,
        stream: StreamId,
        element: &HtmlVideoElement,
        blocked: RwSignal<bool>,
    ) {
        if !client.play(owner, stream, element) {
            return;
        }
        let Ok(playing) = element.play() else { return };
        spawn_local(async move {
            let refused = JsFuture::from(playing).await.err();
            // Refused too where something else is to be played, or nothing: that is no matter of the person's.
            let name = refused.and_then(|error| js_sys::Reflect::get(&error, &"name".into()).ok());
            let is_blocked = name.and_then(|name| name.as_string()).is_some_and(|name| name == "NotAllowedError");
            blocked.try_set(is_blocked);
        });
    }
}

#[cfg(not(target_family = "wasm"))]
mod player {
    use leptos::web_sys::HtmlVideoElement;

    use super::*;

    pub(super) fn play(_: &Client, _: PeerId, _: StreamId, _: &HtmlVideoElement, _: RwSignal<bool>) {}
}

/// The cameras and microphones there are, also when one is plugged in or the page is first allowed to use one.
///
/// On the server, and where the page may not know, there are none.
pub fn use_devices() -> Signal<Vec<Device>> {
    let devices = RwSignal::new(Vec::new());
    let look = move || {
        spawn_local(async move {
            // Where the page may not know, publishing says why.
            if let Ok(found) = Client::devices().await {
                devices.try_set(found);
            }
        });
    };
    let media = super::room::try_use_room().map(|_| use_media());
    Effect::new(move |_| {
        // Names are known once something is shared.
        if let Some(media) = media {
            media.mine().track();
        }
        look();
    });
    let watch = StoredValue::new(None);
    Effect::new(move |_| {
        watch.set_value(crate::driver::on_devices(look));
    });
    devices.into()
}
