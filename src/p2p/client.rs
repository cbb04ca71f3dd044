//! A room without Leptos: calls and a stream of events.

mod channel;
mod events;
mod ready;
mod request;

use converge_signal::PeerId;
use serde::Serialize;
use serde::de::DeserializeOwned;

#[cfg(feature = "hooks")]
pub(crate) use self::channel::receive;
pub use self::channel::{BadMessage, Channel, Messages, Received};
pub use self::events::{Events, MAX_WAITING_BYTES, MAX_WAITING_EVENTS};
pub use self::ready::{Ready, To};
pub(crate) use self::request::{Answer, Waiting};
pub use self::request::{Request, Serving};
use crate::codec::{Codec, CodecError, Json, Payload};
use crate::driver::{Driver, Subscription, Watching};
use crate::error::{JoinError, SendError};
use crate::event::{Activity, Event, PeerState, Status};
pub(crate) use crate::file::LocalFile;
use crate::lane::Lane;
use crate::media::{Audience, Device, MediaError, Source, Stream, StreamId, ViewerState};
use crate::options::Options;
use crate::report::{LinkReport, RoomReport};
use crate::room::Sent;
use crate::transfer::{Transfer, TransferId};

/// The presence slot that [`Client::update_presence`] writes.
pub const PROFILE: &str = "profile";

/// A joined room. Clones are handles to the same one; when the last is dropped, the room is left.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use converge_p2p::{Client, Event, Options};
/// use futures_util::StreamExt;
///
/// let client = Client::join(Options::new("lobby"))?;
/// client.update_presence(&"Ada")?;
/// let mut events = client.events();
/// while let Some(event) = events.next().await {
///     match event {
///         Event::PeerConnected { peer } => client.send_to(peer, "chat", &"welcome")?,
///         Event::Message { from, payload, .. } => {
///             let text: String = payload.decode::<_, converge_p2p::Json>()?;
///             println!("{from}: {text}");
///         }
///         _ => {}
///     }
/// }
/// # Ok(()) }
/// ```
///
/// Outside a browser, for instance while a page is rendered on the server, it joins nothing: the status stays
/// [`Status::Connecting`], nobody is there, and streams of events end at once.
#[derive(Clone)]
pub struct Client {
    driver: Driver,
}

impl Client {
    /// Joins a room. What follows comes as [events](Self::events), [`Event::Connected`] among the first.
    ///
    /// # Errors
    /// If the topic or the server's address is none, or the browser lacks WebRTC or WebSocket.
    pub fn join(options: Options) -> Result<Self, JoinError> {
        Ok(Self { driver: Driver::join(options)? })
    }

    /// Everything that happens from now on. Each call returns a stream of its own, which ends when the client is
    /// dropped.
    pub fn events(&self) -> Events {
        self.events_that(|_| true)
    }

    /// Those events of which this is true.
    pub(crate) fn events_that(&self, wanted: impl Fn(&Event) -> bool + 'static) -> Events {
        Events::new(|source| {
            self.subscribe(move |event| {
                if wanted(event) {
                    source.push(event);
                }
            })
        })
    }

    /// Calls `sink` with everything that happens, until the subscription is dropped.
    pub(crate) fn subscribe(&self, sink: impl Fn(&Event) + 'static) -> Subscription {
        self.driver.subscribe(sink)
    }

    /// This peer's id; none until the tab's key is loaded.
    pub fn id(&self) -> Option<PeerId> {
        self.driver.id()
    }

    /// How the room is doing.
    pub fn status(&self) -> Status {
        self.driver.status()
    }

    /// The other members, in the order in which they came.
    pub fn peers(&self) -> Vec<(PeerId, PeerState)> {
        self.driver.peers()
    }

    /// What a member does now; [`Activity::Stale`] for one that isn't there.
    pub fn activity(&self, peer: PeerId) -> Activity {
        self.driver.activity(peer)
    }

    /// A named stream of messages of one type, as JSON.
    pub fn channel<T: Serialize + DeserializeOwned>(&self, name: impl Into<String>) -> Channel<T> {
        self.channel_with(name)
    }

    /// The same on another lane than [`Lane::RELIABLE`].
    pub fn channel_on<T: Serialize + DeserializeOwned>(&self, name: impl Into<String>, lane: Lane) -> Channel<T> {
        self.channel_with(name).on(lane)
    }

    /// A named stream of messages of one type, in a codec of your choice.
    pub fn channel_with<T, C: Codec<T>>(&self, name: impl Into<String>) -> Channel<T, C> {
        Channel::new(self.clone(), name.into())
    }

    /// Sends a value, as JSON, to every member; those whose link isn't open yet get it when it is.
    ///
    /// Returns [`Sent`], which names the members whose queue is full: they don't get the value.
    ///
    /// # Errors
    /// Returns [`SendError::NotJoined`] or [`SendError::Closed`] outside the room, [`SendError::Name`] if the channel's
    /// name is invalid, and [`SendError::TooLarge`] or [`SendError::Codec`] if the value doesn't fit or can't be
    /// encoded.
    /// Returns [`SendError::QueueFull`] if every member's queue is full.
    pub fn broadcast<T: Serialize + ?Sized>(&self, channel: &str, value: &T) -> Result<Sent, SendError> {
        self.driver.broadcast(Lane::RELIABLE, channel, &Payload::json(value)?)
    }

    /// Sends a value, as JSON, to one member.
    ///
    /// # Errors
    /// If the value is too large, the member isn't there, or too much waits for it already.
    pub fn send_to<T: Serialize + ?Sized>(&self, peer: PeerId, channel: &str, value: &T) -> Result<(), SendError> {
        self.driver.send_to(peer, Lane::RELIABLE, channel, &Payload::json(value)?)
    }

    /// Returns the number of the newest message that was accepted for a member on a reliable lane, from 1 since it was met:
    /// right after sending, that of the message sent. [`Event::Acknowledged`] says up to which number they have arrived.
    /// `None` if there is no such member or the lane is not reliable.
    pub fn accepted(&self, peer: PeerId, lane: Lane) -> Option<u64> {
        self.driver.accepted(peer, lane)
    }

    /// Returns the number up to which a member's messages are settled: acknowledged, or reported by
    /// [`Event::Undelivered`].
    pub fn settled(&self, peer: PeerId, lane: Lane) -> Option<u64> {
        self.driver.settled(peer, lane)
    }

    /// Waits until there is room for more: resolves once little enough waits for a member, or for every one. Who sends
    /// much awaits this before each message, instead of filling a queue until it is an error.
    ///
    /// ```no_run
    /// # async fn run(client: converge_p2p::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use converge_p2p::{Lane, To};
    ///
    /// let lines = client.channel_on::<String>("log", Lane::BULK);
    /// for number in 0..1_000_000 {
    ///     lines.ready(To::Everyone).await?;
    ///     lines.broadcast(&format!("line {number}"))?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// It doesn't keep the room: when the client is dropped it ends with [`SendError::Closed`].
    ///
    /// # Errors
    /// Resolves to [`SendError::Stalled`] if the queue of the member, or of every member, has not moved for
    /// [`Timings::stall`](crate::Timings::stall).
    /// Resolves to [`SendError::UnknownPeer`] if the member isn't there, [`SendError::NoLane`] if there is no such
    /// lane, and [`SendError::Closed`] if the room is closed.
    pub fn ready(&self, to: impl Into<To>, lane: Lane) -> Ready {
        Ready::new(&self.driver, to.into(), lane)
    }

    /// Asks one member, and waits for its reply. Question and reply travel as JSON on [`Lane::RELIABLE`], so both
    /// outlive a connection that is lost meanwhile.
    ///
    /// ```no_run
    /// # async fn run(client: converge_p2p::Client, peer: converge_p2p::PeerId) -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// let _serving = client.serve("sum", |_from, (a, b): (u32, u32)| async move {
    ///     a.checked_add(b).ok_or_else(|| "that is too much".to_owned())
    /// })?;
    /// let sum: u32 = client.request(peer, "sum", &(1, 2)).timeout(Duration::from_secs(3)).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// It is sent when the future is first polled. Dropping the future cancels it: the other side stops working on the
    /// reply. It doesn't keep the room: when the client is dropped, it ends with [`SendError::Closed`].
    ///
    /// # Errors
    /// See [`RequestError`](crate::RequestError).
    pub fn request<Q: Serialize + ?Sized, R: DeserializeOwned>(
        &self,
        peer: PeerId,
        channel: &str,
        value: &Q,
    ) -> Request<R> {
        Request::new(self, peer, channel, Payload::json(value), request::read_json)
    }

    /// Replies to what other members ask on a channel ([`Client::request`]), until what this returns is dropped; joining
    /// again included. Where there are several on one channel, the newest replies.
    ///
    /// The handler gets who asks and what, and returns the reply, or in words why there is none. A question that is no
    /// `Q` is refused without asking it. Where the asker does not wait any longer, the handler's future is dropped.
    ///
    /// A handler that calls the room keeps it, if it holds a [`Client`]: drop this to end both.
    ///
    /// # Errors
    /// If the channel's name is empty or too long.
    pub fn serve<Q, R, F, Fut>(&self, channel: &str, handler: F) -> Result<Serving, SendError>
    where
        Q: DeserializeOwned + 'static,
        R: Serialize + 'static,
        F: Fn(PeerId, Q) -> Fut + 'static,
        Fut: Future<Output = Result<R, String>> + 'static,
    {
        Serving::new(self, channel, request::read_json::<Q>, Payload::json::<R>, handler)
    }

    /// Offers a file to one member, or to everyone who is here: a transfer for each. How each is doing follows as
    /// [`Event::Transfer`]. The file is read while it is sent, and must stay as it is.
    ///
    /// # Errors
    /// If the room isn't joined, the member isn't there, or too many files are under way to one of them already. Then it
    /// was offered to nobody.
    pub fn send_file(&self, to: impl Into<To>, file: LocalFile) -> Result<Vec<TransferId>, SendError> {
        self.driver.send_file(to.into().peer(), file)
    }

    /// Takes a file that is offered to this peer. Where the browser has a private file system, it is kept there while it
    /// arrives, else in memory.
    pub fn accept(&self, transfer: TransferId) {
        self.driver.accept(transfer);
    }

    /// Doesn't take it.
    pub fn decline(&self, transfer: TransferId) {
        self.driver.decline(transfer);
    }

    /// Stops a transfer, whichever side sends.
    pub fn cancel(&self, transfer: TransferId) {
        self.driver.cancel(transfer);
    }

    /// Takes a transfer that is over off the list, and lets go of the file that was received with it.
    pub fn forget(&self, transfer: TransferId) {
        self.driver.forget(transfer);
    }

    /// Every transfer that was not forgotten, in the order in which they appeared.
    pub fn transfers(&self) -> Vec<Transfer> {
        self.driver.transfers()
    }

    /// Where a received file is, for a link with `download`: a `blob:` URL, until the transfer is forgotten, the room is
    /// joined again or the client dropped. What a browser could run as a document of this page has the type
    /// `application/octet-stream` there, whatever the sender says.
    pub fn saved(&self, transfer: TransferId) -> Option<String> {
        self.driver.saved(transfer)
    }

    /// Shares a camera, a microphone, a screen or a stream made by the page with up to
    /// [`MAX_VIEWERS`](crate::MAX_VIEWERS) members, later ones included. [`set_audience`](Self::set_audience) limits it
    /// to present and approved members. The browser asks the person where it has to.
    ///
    /// ```no_run
    /// # async fn run(client: converge_p2p::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use converge_p2p::Source;
    ///
    /// let camera = client.publish(Source::camera()).await?;
    /// client.pause(camera, true)?;
    /// client.unpublish(camera);
    /// # Ok(()) }
    /// ```
    ///
    /// What is shared follows over links that are mended, and ends when the room is left. How many bits a second a
    /// picture takes depends on how many see it.
    ///
    /// # Errors
    /// See [`MediaError`].
    pub fn publish(&self, source: Source) -> impl Future<Output = Result<StreamId, MediaError>> + 'static {
        self.driver.share(source)
    }

    /// Takes another device (by its [`Device::id`](crate::Device::id)) for a stream. Its viewers see the same stream go
    /// on; nothing is negotiated anew.
    ///
    /// # Errors
    /// See [`MediaError`]; the stream goes on as it was.
    pub fn replace_device(
        &self,
        stream: StreamId,
        device: impl Into<String>,
    ) -> impl Future<Output = Result<(), MediaError>> + 'static {
        self.driver.replace(stream, device.into())
    }

    /// Stops sharing a stream, and lets go of its device.
    pub fn unpublish(&self, stream: StreamId) {
        self.driver.unshare(stream);
    }

    /// Sends black and silence in place of a stream, until it is paused no more. The device stays open.
    ///
    /// # Errors
    /// [`MediaError::Unknown`] if this peer doesn't share it.
    pub fn pause(&self, stream: StreamId, paused: bool) -> Result<(), MediaError> {
        self.driver.pause(stream, paused)
    }

    /// Sets which members get this peer's streams: cameras, microphones and screens alike. The setting survives
    /// rejoining. Members that get the streams now keep them.
    ///
    /// Every member learns that a stream exists, with its kind and metadata. Only the audience gets its tracks; session
    /// descriptions for others have no section for them.
    ///
    /// ```no_run
    /// # async fn run(client: converge_p2p::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use converge_p2p::{Audience, Source, ViewerState};
    ///
    /// client.set_audience(Audience::Approved);
    /// let camera = client.publish(Source::camera()).await?;
    /// // At Event::ViewersChanged:
    /// for (peer, state) in client.viewers() {
    ///     if state == ViewerState::Waiting {
    ///         client.approve_viewer(peer);
    ///     }
    /// }
    /// # let _ = camera;
    /// # Ok(()) }
    /// ```
    pub fn set_audience(&self, audience: Audience) {
        self.driver.set_audience(audience);
    }

    /// Returns which members get this peer's streams.
    pub fn audience(&self) -> Audience {
        self.driver.audience()
    }

    /// Sends this peer's streams to a member, now and later. If [`MAX_VIEWERS`](crate::MAX_VIEWERS) others get them,
    /// the member takes the place of the newest one that isn't approved. If all are approved, it waits for a free
    /// place.
    ///
    /// A member keeps its approval across lost links and reloads, and loses it a minute after it left the room.
    pub fn approve_viewer(&self, peer: PeerId) {
        self.driver.approve_viewer(peer);
    }

    /// Withholds this peer's streams from a member until it is approved, whatever the [`Audience`]. The member isn't
    /// notified. The denial is forgotten a minute after the member left the room.
    pub fn deny_viewer(&self, peer: PeerId) {
        self.driver.deny_viewer(peer);
    }

    /// Returns all other members in join order, each with whether it gets this peer's streams; empty while nothing is
    /// shared. [`Event::ViewersChanged`] reports changes.
    pub fn viewers(&self) -> Vec<(PeerId, ViewerState)> {
        let peers = self.peers().into_iter();
        peers.filter_map(|(peer, _)| Some((peer, self.viewer(peer)?))).collect()
    }

    /// Returns whether a member gets this peer's streams; `None` while nothing is shared, or if the member isn't in the
    /// room.
    pub fn viewer(&self, peer: PeerId) -> Option<ViewerState> {
        self.driver.viewer(peer)
    }

    /// What a member shares, or this peer itself: first what was shared first. [`Event::StreamsChanged`] says when that
    /// has changed.
    pub fn streams(&self, peer: PeerId) -> Vec<Stream> {
        self.driver.streams(peer)
    }

    /// Plays a stream in an `<audio>` or `<video>` element; false if there is nothing of it yet. Call it again at each
    /// [`Event::StreamsChanged`] of its owner.
    #[cfg(target_family = "wasm")]
    pub fn play(&self, owner: PeerId, stream: StreamId, element: &web_sys::HtmlMediaElement) -> bool {
        self.driver.play(owner, stream, element)
    }

    /// Keeps a member's sound from being heard here, or no longer. Nobody is told.
    pub fn mute(&self, peer: PeerId, muted: bool) {
        self.driver.mute(peer, muted);
    }

    /// Whether that is so.
    pub fn is_muted(&self, peer: PeerId) -> bool {
        self.driver.is_muted(peer)
    }

    /// The cameras and microphones there are. Before the page has been allowed to use one, browsers tell little of them.
    ///
    /// # Errors
    /// If the page may not know.
    pub async fn devices() -> Result<Vec<Device>, MediaError> {
        crate::driver::devices().await
    }

    /// The state of the room and of every link in it.
    pub fn report(&self) -> RoomReport {
        self.driver.report().unwrap_or_else(|| RoomReport {
            id: None,
            status: self.status(),
            online: true,
            stun_servers: 0,
            turn_servers: 0,
            links: Vec::new(),
        })
    }

    /// The state of the link to one member.
    pub fn link(&self, peer: PeerId) -> Option<LinkReport> {
        self.report().links.into_iter().find(|link| link.peer == peer)
    }

    /// Measures every open link every two seconds, until what this returns is dropped: its round-trip time and which way
    /// packets take. [`Event::LinkChanged`] says when [`Client::link`] has news.
    pub fn watch_links(&self) -> LinkWatch {
        LinkWatch { _watching: self.driver.watch_links() }
    }

    /// How many bytes of messages and files are held in memory.
    #[doc(hidden)]
    pub fn held_bytes(&self) -> usize {
        self.driver.held_bytes()
    }

    /// Shows every member this value as this peer's presence, now and to those who come later. It may be set before
    /// the room is joined.
    ///
    /// # Errors
    /// If the value takes more than 16 KiB as JSON.
    pub fn update_presence<P: Serialize + ?Sized>(&self, value: &P) -> Result<(), SendError> {
        self.set_presence(PROFILE, Some(Payload::json(value)?))
    }

    /// The same for a slot of another name: each slot has a type and a version of its own.
    ///
    /// # Errors
    /// If the name or the value is too long, or there are too many slots.
    pub fn set_presence(&self, slot: &str, value: Option<Payload>) -> Result<(), SendError> {
        self.driver.set_presence(slot, value)
    }

    /// This peer's own presence; none if it was never set.
    ///
    /// # Errors
    /// If it was set to a value of another type.
    pub fn presence<P: Serialize + DeserializeOwned>(&self) -> Result<Option<P>, CodecError> {
        self.driver.presence(PROFILE).map(|payload| payload.decode::<P, Json>()).transpose()
    }

    /// A member's presence; none if it has gone or has shown nothing yet.
    ///
    /// # Errors
    /// If what it shows is no value of the type.
    pub fn get_presence<P: Serialize + DeserializeOwned>(&self, peer: PeerId) -> Result<Option<P>, CodecError> {
        self.presence_payload(peer, PROFILE).map(|payload| payload.decode::<P, Json>()).transpose()
    }

    /// A slot of a member's presence, as it came.
    pub fn presence_payload(&self, peer: PeerId, slot: &str) -> Option<Payload> {
        self.driver.presence_of(peer, slot)
    }

    /// The same, of this peer itself too.
    #[cfg(feature = "hooks")]
    pub(crate) fn slot_of(&self, peer: PeerId, slot: &str) -> Option<Payload> {
        if self.id() == Some(peer) { self.driver.presence(slot) } else { self.presence_payload(peer, slot) }
    }

    /// Leaves for good: the others are told, every link is closed. [`Client::rejoin`] comes back.
    pub fn leave(&self) {
        self.driver.leave();
    }

    /// Joins again, if the room is closed.
    pub fn rejoin(&self) {
        self.driver.rejoin();
    }
}

/// Links are measured for as long as this is held. See [`Client::watch_links`].
#[must_use = "links are measured until this is dropped"]
pub struct LinkWatch {
    _watching: Watching,
}
