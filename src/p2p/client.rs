//! A room without Leptos: calls and a stream of events.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use converge_signal::PeerId;
use futures_core::Stream;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{Codec, CodecError, Json, Payload};
use crate::driver::{Driver, Subscription};
use crate::error::{JoinError, SendError};
use crate::event::{Event, PeerState, Status};
use crate::options::Options;

/// The presence slot that [`Client::update_presence`] writes.
pub const PROFILE: &str = "profile";

/// A stream keeps at most this many events that nobody has read yet; older ones are dropped, and counted in
/// [`Event::Lagged`].
pub const MAX_WAITING_EVENTS: usize = 4096;

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
        let queue = Arc::new(Mutex::new(Queue::default()));
        let source = Source(Arc::downgrade(&queue));
        let subscription = self.subscribe(move |event| source.change(|queue| queue.push(event.clone())));
        Events { queue, _subscription: subscription }
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

    /// A named stream of messages of one type, as JSON.
    pub fn channel<T: Serialize + DeserializeOwned>(&self, name: impl Into<String>) -> Channel<T> {
        self.channel_with(name)
    }

    /// A named stream of messages of one type, in a codec of your choice.
    pub fn channel_with<T, C: Codec<T>>(&self, name: impl Into<String>) -> Channel<T, C> {
        Channel { client: self.clone(), name: name.into(), types: PhantomData }
    }

    /// Sends a value, as JSON, to every member; those whose link isn't open yet get it when it is.
    ///
    /// # Errors
    /// If the value is too large, the room isn't joined, or too much waits for some members already: those won't
    /// get it, the others will.
    pub fn broadcast<T: Serialize + ?Sized>(&self, channel: &str, value: &T) -> Result<(), SendError> {
        self.broadcast_payload(channel, &Payload::json(value)?)
    }

    /// Sends a value, as JSON, to one member.
    ///
    /// # Errors
    /// If the value is too large, the member isn't there, or too much waits for it already.
    pub fn send_to<T: Serialize + ?Sized>(&self, peer: PeerId, channel: &str, value: &T) -> Result<(), SendError> {
        self.send_payload(peer, channel, &Payload::json(value)?)
    }

    pub(crate) fn broadcast_payload(&self, channel: &str, payload: &Payload) -> Result<(), SendError> {
        self.driver.broadcast(channel, payload)
    }

    pub(crate) fn send_payload(&self, peer: PeerId, channel: &str, payload: &Payload) -> Result<(), SendError> {
        self.driver.send_to(peer, channel, payload)
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

    /// Leaves for good: the others are told, every link is closed. [`Client::rejoin`] comes back.
    pub fn leave(&self) {
        self.driver.leave();
    }

    /// Joins again, if the room is closed.
    pub fn rejoin(&self) {
        self.driver.rejoin();
    }
}

/// What happens in a room. See [`Client::events`].
pub struct Events {
    queue: Arc<Mutex<Queue>>,
    _subscription: Subscription,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<Event>,
    dropped: u64,
    /// Nothing more will come.
    ended: bool,
    waker: Option<Waker>,
}

/// The room's end of a queue. When it is dropped the room has gone, and the stream ends.
struct Source(Weak<Mutex<Queue>>);

impl Source {
    fn change(&self, f: impl FnOnce(&mut Queue)) {
        if let Some(queue) = self.0.upgrade() {
            let waker = {
                let mut queue = lock(&queue);
                f(&mut queue);
                queue.waker.take()
            };
            // Unlocked: a waker may poll at once.
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.change(|queue| queue.ended = true);
    }
}

impl Queue {
    fn push(&mut self, event: Event) {
        if self.events.len() >= MAX_WAITING_EVENTS {
            self.events.pop_front();
            self.dropped += 1;
        }
        self.events.push_back(event);
    }

    fn pop(&mut self) -> Option<Event> {
        match std::mem::take(&mut self.dropped) {
            0 => self.events.pop_front(),
            events => Some(Event::Lagged { events }),
        }
    }
}

fn lock(queue: &Mutex<Queue>) -> std::sync::MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut queue = lock(&self.queue);
        match queue.pop() {
            Some(event) => Poll::Ready(Some(event)),
            None if queue.ended => Poll::Ready(None),
            None => {
                queue.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// A message of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received<T> {
    /// From whom.
    pub from: PeerId,
    /// Whether it was sent to this peer alone.
    pub direct: bool,
    /// What it says.
    pub value: T,
    /// Counts what this handle has received, from 0: a key for lists.
    pub number: u64,
}

/// What a channel's stream yields for a message that is no value of its type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a message from {} on `{channel}`: {error}", .from.short())]
pub struct BadMessage {
    /// From whom.
    pub from: PeerId,
    /// On which channel.
    pub channel: String,
    /// What it said.
    pub payload: Payload,
    /// Why that is no value.
    pub error: CodecError,
}

/// A named stream of messages of one type, inside a room.
pub struct Channel<T, C = Json> {
    client: Client,
    name: String,
    types: PhantomData<fn() -> (T, C)>,
}

impl<T, C> Clone for Channel<T, C> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), name: self.name.clone(), types: PhantomData }
    }
}

impl<T, C: Codec<T>> Channel<T, C> {
    /// Sends a value to every member; those whose link isn't open yet get it when it is.
    ///
    /// # Errors
    /// As [`Client::broadcast`].
    pub fn broadcast(&self, value: &T) -> Result<(), SendError> {
        self.client.broadcast_payload(&self.name, &Payload::encode::<T, C>(value)?)
    }

    /// Sends a value to one member.
    ///
    /// # Errors
    /// As [`Client::send_to`].
    pub fn send_to(&self, peer: PeerId, value: &T) -> Result<(), SendError> {
        self.client.send_payload(peer, &self.name, &Payload::encode::<T, C>(value)?)
    }

    /// The messages that arrive on this channel from now on; what is no value of its type comes as an error.
    pub fn messages(&self) -> Messages<T, C> {
        Messages { events: self.client.events(), name: self.name.clone(), number: 0, types: PhantomData }
    }
}

/// The messages of a channel. See [`Channel::messages`].
pub struct Messages<T, C = Json> {
    events: Events,
    name: String,
    number: u64,
    types: PhantomData<fn() -> (T, C)>,
}

impl<T, C: Codec<T>> Stream for Messages<T, C> {
    type Item = Result<Received<T>, BadMessage>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match Pin::new(&mut self.events).poll_next(cx) {
                Poll::Ready(Some(event)) => {
                    if let Some(message) = receive::<T, C>(&event, &self.name, self.number) {
                        self.number += u64::from(message.is_ok());
                        return Poll::Ready(Some(message));
                    }
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// The event as a message of the channel, if it is one.
pub(crate) fn receive<T, C: Codec<T>>(
    event: &Event,
    name: &str,
    number: u64,
) -> Option<Result<Received<T>, BadMessage>> {
    let Event::Message { from, channel, direct, payload } = event else { return None };
    (channel == name).then(|| match payload.decode::<T, C>() {
        Ok(value) => Ok(Received { from: *from, direct: *direct, value, number }),
        Err(error) => Err(BadMessage { from: *from, channel: channel.clone(), payload: payload.clone(), error }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_reader_is_told_how_much_it_missed() {
        let mut queue = Queue::default();
        for n in 0..MAX_WAITING_EVENTS + 3 {
            queue.push(Event::Lagged { events: n as u64 });
        }
        assert_eq!(queue.pop(), Some(Event::Lagged { events: 3 }));
        assert_eq!(queue.pop(), Some(Event::Lagged { events: 3 }), "the oldest one kept");
        assert_eq!(queue.events.len(), MAX_WAITING_EVENTS - 1);
    }

    #[test]
    fn a_message_of_another_type_is_an_error_that_carries_it() {
        let from = PeerId::from_bytes([1; 32]);
        let payload = Payload { codec: 1, bytes: b"\"text\"".to_vec() };
        let event = Event::Message { from, channel: "n".into(), direct: false, payload: payload.clone() };
        assert!(receive::<u32, Json>(&event, "other", 0).is_none());
        let Some(Err(bad)) = receive::<u32, Json>(&event, "n", 0) else { panic!("a text is no number") };
        assert_eq!((bad.from, bad.payload), (from, payload));
        assert!(matches!(receive::<String, Json>(&event, "n", 7), Some(Ok(Received { number: 7, .. }))));
    }
}
