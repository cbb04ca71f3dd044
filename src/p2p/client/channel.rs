//! Named, typed streams of messages.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use converge_signal::PeerId;
use futures_core::Stream;

use super::Client;
use super::events::Events;
use super::ready::{Ready, To};
use super::request::{Request, Serving};
use crate::codec::{Codec, CodecError, Json, Payload};
use crate::error::SendError;
use crate::event::Event;
use crate::lane::Lane;
use crate::room::Sent;

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
    lane: Lane,
    types: PhantomData<fn() -> (T, C)>,
}

impl<T, C> Clone for Channel<T, C> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), name: self.name.clone(), lane: self.lane, types: PhantomData }
    }
}

impl<T, C: Codec<T>> Channel<T, C> {
    pub(super) fn new(client: Client, name: String) -> Self {
        Self { client, name, lane: Lane::RELIABLE, types: PhantomData }
    }

    /// The same on another lane. What arrives is the same on all: a channel is its name.
    pub fn on(self, lane: Lane) -> Self {
        Self { lane, ..self }
    }

    /// Sends a value to every member. On a reliable lane those whose link isn't open yet get it when it is.
    ///
    /// # Errors
    /// As [`Client::broadcast`], and if there is no such lane.
    pub fn broadcast(&self, value: &T) -> Result<Sent, SendError> {
        self.client.driver.broadcast(self.lane, &self.name, &Payload::encode::<T, C>(value)?)
    }

    /// Sends a value to one member.
    ///
    /// # Errors
    /// As [`Client::send_to`], and if there is no such lane.
    pub fn send_to(&self, peer: PeerId, value: &T) -> Result<(), SendError> {
        self.client.driver.send_to(peer, self.lane, &self.name, &Payload::encode::<T, C>(value)?)
    }

    /// Waits until there is room for more on this channel's lane, as [`Client::ready`] does.
    pub fn ready(&self, to: impl Into<To>) -> Ready {
        self.client.ready(to, self.lane)
    }

    /// Asks one member, and waits for its reply, as [`Client::request`] does. Both travel in this channel's codec.
    pub fn request<R>(&self, peer: PeerId, value: &T) -> Request<R>
    where
        C: Codec<R>,
    {
        Request::new(&self.client, peer, &self.name, Payload::encode::<T, C>(value), Payload::decode::<R, C>)
    }

    /// Replies to what other members ask on this channel, as [`Client::serve`] does, in this channel's codec.
    ///
    /// # Errors
    /// If the channel's name is empty or too long.
    pub fn serve<R, F, Fut>(&self, handler: F) -> Result<Serving, SendError>
    where
        T: 'static,
        R: 'static,
        C: Codec<R> + 'static,
        F: Fn(PeerId, T) -> Fut + 'static,
        Fut: Future<Output = Result<R, String>> + 'static,
    {
        Serving::new(&self.client, &self.name, Payload::decode::<T, C>, Payload::encode::<R, C>, handler)
    }

    /// The messages that arrive on this channel from now on; what is no value of its type comes as an error.
    pub fn messages(&self) -> Messages<T, C> {
        let name = self.name.clone();
        // What comes on other channels is not kept for this one's reader.
        let events =
            self.client.events_that(move |event| matches!(event, Event::Message { channel, .. } if *channel == name));
        Messages { events, name: self.name.clone(), number: 0, types: PhantomData }
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
