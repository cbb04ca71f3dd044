//! Channels as signals.

use std::marker::PhantomData;

use converge_signal::PeerId;
use leptos::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::room::{Room, use_room};
use crate::client::{BadMessage, Received, receive};
use crate::codec::{Codec, Json, Payload};
use crate::error::SendError;

/// How many messages [`UseChannel::messages`] keeps.
const KEPT: usize = 200;

/// A channel of one type. See [`use_channel`].
pub struct UseChannel<T: Send + Sync + 'static, C = Json> {
    room: Room,
    name: &'static str,
    messages: RwSignal<Vec<Received<T>>>,
    error: RwSignal<Option<BadMessage>>,
    types: PhantomData<fn() -> C>,
}

impl<T: Send + Sync + 'static, C> Clone for UseChannel<T, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Send + Sync + 'static, C> Copy for UseChannel<T, C> {}

/// A named stream of messages of one type, as JSON.
///
/// ```
/// use converge_p2p::hooks::use_channel;
/// use leptos::prelude::*;
///
/// #[component]
/// fn Dice() -> impl IntoView {
///     let rolls = use_channel::<u8>("rolls");
///     let error = RwSignal::new(None);
///     let roll = move |_| error.set(rolls.broadcast(&4).err().map(|error| error.to_string()));
///     rolls.on_message(|roll| leptos::logging::log!("{} rolled {}", roll.from.short(), roll.value));
///     view! { <button on:click=roll>"Roll"</button> <p>{error}</p> }
/// }
/// # let _ = Dice;
/// ```
///
/// On the server nothing arrives and sending returns [`SendError::NotJoined`]. Messages are received from this call on
/// until its owner is cleaned up; a change of room empties the list.
///
/// # Errors
/// Sending returns its errors. A message that is no `T` shows in [`UseChannel::error`].
///
/// # Panics
/// As [`use_room`].
pub fn use_channel<T>(name: &'static str) -> UseChannel<T>
where
    T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
{
    use_channel_with::<T, Json>(name)
}

/// The same in a codec of your choice: [`Postcard`](crate::Postcard) between Rust ends, [`Raw`](crate::Raw) for bytes.
///
/// # Panics
/// As [`use_room`].
pub fn use_channel_with<T, C>(name: &'static str) -> UseChannel<T, C>
where
    T: Clone + Send + Sync + 'static,
    C: Codec<T> + 'static,
{
    let room = use_room();
    let channel =
        UseChannel { room, name, messages: RwSignal::new(Vec::new()), error: RwSignal::new(None), types: PhantomData };
    let number = StoredValue::new(0);
    room.on_event(move |event| match receive::<T, C>(event, name, number.try_get_value().unwrap_or_default()) {
        Some(Ok(message)) => {
            number.try_update_value(|number| *number += 1);
            channel.messages.try_update(|messages| {
                if messages.len() >= KEPT {
                    messages.remove(0);
                }
                messages.push(message);
            });
        }
        Some(Err(bad)) => {
            channel.error.try_set(Some(bad));
        }
        None => {}
    });
    let topic = room.topic();
    Effect::new(move |before: Option<()>| {
        // Read, and not only tracked: a memo that nobody has read knows no sources, and never fires.
        topic.with(|_| ());
        if before.is_some() {
            channel.messages.try_update(Vec::clear);
        }
    });
    channel
}

impl<T, C> UseChannel<T, C>
where
    T: Clone + Send + Sync + 'static,
    C: Codec<T> + 'static,
{
    /// Sends a value to every member; those whose link isn't open yet get it when it is.
    ///
    /// # Errors
    /// As [`Client::broadcast`](crate::Client::broadcast).
    pub fn broadcast(self, value: &T) -> Result<(), SendError> {
        let payload = Payload::encode::<T, C>(value)?;
        self.room.client().ok_or(SendError::NotJoined)?.broadcast_payload(self.name, &payload)
    }

    /// Sends a value to one member.
    ///
    /// # Errors
    /// As [`Client::send_to`](crate::Client::send_to).
    pub fn send_to(self, peer: PeerId, value: &T) -> Result<(), SendError> {
        let payload = Payload::encode::<T, C>(value)?;
        self.room.client().ok_or(SendError::NotJoined)?.send_payload(peer, self.name, &payload)
    }

    /// Calls `f` with every message, until the owner of this call is cleaned up.
    pub fn on_message(self, f: impl Fn(Received<T>) + Send + Sync + 'static) {
        let (name, number) = (self.name, StoredValue::new(0));
        self.room.on_event(move |event| {
            if let Some(Ok(message)) = receive::<T, C>(event, name, number.try_get_value().unwrap_or_default()) {
                number.try_update_value(|number| *number += 1);
                f(message);
            }
        });
    }

    /// The last 200 messages received, oldest first. One's own are not among them.
    pub fn messages(self) -> Signal<Vec<Received<T>>> {
        self.messages.into()
    }

    /// The last message that was no `T`.
    pub fn error(self) -> Signal<Option<BadMessage>> {
        self.error.into()
    }
}
