//! Channels as signals.

use std::collections::VecDeque;
use std::marker::PhantomData;

use converge_signal::PeerId;
use leptos::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::frame::with_next_frame;
use super::room::{Room, use_room};
use crate::client::{BadMessage, Channel, Received, To, receive};
use crate::codec::{Codec, Json};
use crate::error::{RequestError, SendError};
use crate::lane::Lane;
use crate::room::Sent;

/// How many messages [`UseChannel::messages`] keeps.
const KEPT: usize = 200;

/// How many bytes these may have had on the wire, all together; the newest is kept whatever its size.
const KEPT_BYTES: usize = 32 * 1024 * 1024;

/// A channel of one type. See [`use_channel`].
pub struct UseChannel<T: Send + Sync + 'static, C = Json> {
    room: Room,
    name: &'static str,
    lane: Lane,
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
/// until its owner is cleaned up; a change of room empties the list. They travel on [`Lane::RELIABLE`]:
/// [`use_channel_on`] takes another.
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

/// The same on another lane: [`Lane::LOSSY`] for values of which only the newest counts, [`Lane::BULK`] for large ones, or
/// one of the application's own ([`Options::lane`](crate::Options::lane)). What is received may have come on any lane.
///
/// ```
/// use converge_p2p::Lane;
/// use converge_p2p::hooks::use_channel_on;
/// use leptos::prelude::*;
///
/// #[component]
/// fn Paddle() -> impl IntoView {
///     let positions = use_channel_on::<u16>("paddle", Lane::LOSSY);
///     let moved = move |event: leptos::ev::PointerEvent| {
///         // A position that can't be sent is one of many.
///         let _ = positions.broadcast(&event.client_y().unsigned_abs().try_into().unwrap_or(u16::MAX));
///     };
///     view! { <div on:pointermove=moved/> }
/// }
/// # let _ = Paddle;
/// ```
///
/// # Panics
/// As [`use_room`].
pub fn use_channel_on<T>(name: &'static str, lane: Lane) -> UseChannel<T>
where
    T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
{
    UseChannel { lane, ..use_channel_with::<T, Json>(name) }
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
    let channel = UseChannel {
        room,
        name,
        lane: Lane::RELIABLE,
        messages: RwSignal::new(Vec::new()),
        error: RwSignal::new(None),
        types: PhantomData,
    };
    let number = StoredValue::new(0);
    let sizes = StoredValue::new(Sizes::default());
    let fires = StoredValue::new(false);
    room.on_event(move |event| match receive::<T, C>(event, name, number.try_get_value().unwrap_or_default()) {
        Some(Ok(message)) => {
            number.try_update_value(|number| *number += 1);
            let surplus = sizes.try_update_value(|sizes| sizes.push(event.payload_bytes())).unwrap_or_default();
            if let Some(mut messages) = channel.messages.try_write_untracked() {
                let surplus = surplus.min(messages.len());
                messages.drain(..surplus);
                messages.push(message);
            }
            // Notifies once a frame, however many messages arrive.
            if fires.try_update_value(|fires| !std::mem::replace(fires, true)) == Some(true) {
                with_next_frame(move || {
                    fires.try_set_value(false);
                    if !channel.messages.is_disposed() {
                        channel.messages.notify();
                    }
                });
            }
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
            sizes.try_set_value(Sizes::default());
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
    pub fn broadcast(self, value: &T) -> Result<Sent, SendError> {
        self.plain().ok_or(SendError::NotJoined)?.broadcast(value)
    }

    /// Sends a value to one member.
    ///
    /// # Errors
    /// As [`Client::send_to`](crate::Client::send_to).
    pub fn send_to(self, peer: PeerId, value: &T) -> Result<(), SendError> {
        self.plain().ok_or(SendError::NotJoined)?.send_to(peer, value)
    }

    /// Waits until there is room for more: resolves once little enough waits for this member, or for everyone. Who
    /// sends much awaits this between messages, instead of filling a queue until it is an error.
    ///
    /// ```
    /// use converge_p2p::hooks::{UseChannel, use_channel};
    /// use converge_p2p::{SendError, To};
    ///
    /// async fn send_all(lines: UseChannel<String>, all: Vec<String>) -> Result<(), SendError> {
    ///     for line in all {
    ///         lines.ready(To::Everyone).await?;
    ///         lines.broadcast(&line)?;
    ///     }
    ///     Ok(())
    /// }
    /// # let _ = (send_all, use_channel::<String>);
    /// ```
    ///
    /// # Errors
    /// As [`Client::ready`](crate::Client::ready).
    pub fn ready(self, to: impl Into<To>) -> impl Future<Output = Result<(), SendError>> + 'static {
        let (client, to, lane) = (self.room.client(), to.into(), self.lane);
        async move { client.ok_or(SendError::NotJoined)?.ready(to, lane).await }
    }

    /// Asks one member, and waits for its reply: that of its [`use_responder`](super::use_responder) or
    /// [`Client::serve`](crate::Client::serve) on this channel. It is sent when the future is first polled; dropping the
    /// future cancels it.
    ///
    /// ```
    /// use converge_p2p::PeerId;
    /// use converge_p2p::hooks::use_channel;
    /// use leptos::prelude::*;
    /// use leptos::task::spawn_local;
    ///
    /// #[component]
    /// fn AskTime(peer: PeerId) -> impl IntoView {
    ///     let clock = use_channel::<String>("clock");
    ///     let said = RwSignal::new(String::new());
    ///     let ask = move |_| {
    ///         spawn_local(async move {
    ///             let reply = clock.request::<String>(peer, &"UTC".to_owned()).await;
    ///             said.try_set(reply.unwrap_or_else(|error| error.to_string()));
    ///         });
    ///     };
    ///     view! { <button on:click=ask>"What time is it?"</button> <p>{said}</p> }
    /// }
    /// # let _ = AskTime;
    /// ```
    ///
    /// # Errors
    /// As [`Client::request`](crate::Client::request), which also lets one wait longer or shorter than 10 s.
    pub fn request<R>(
        self,
        peer: PeerId,
        value: &T,
    ) -> impl Future<Output = Result<R, RequestError>> + 'static + use<R, T, C>
    where
        R: 'static,
        C: Codec<R>,
    {
        let request = self.plain().map(|channel| channel.request::<R>(peer, value));
        async move {
            match request {
                Some(request) => request.await,
                None => Err(SendError::NotJoined.into()),
            }
        }
    }

    /// The plain client's channel; none on the server, and where joining failed.
    fn plain(self) -> Option<Channel<T, C>> {
        Some(self.room.client()?.channel_with::<T, C>(self.name).on(self.lane))
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

    /// Returns the last 200 messages received, oldest first, without one's own. Fewer if they are large: at most 32 MiB
    /// are kept beside the newest. The value is always current; the signal fires once per animation frame.
    pub fn messages(self) -> Signal<Vec<Received<T>>> {
        self.messages.into()
    }

    /// The last message that was no `T`.
    pub fn error(self) -> Signal<Option<BadMessage>> {
        self.error.into()
    }
}

/// The sizes of the messages that are kept.
#[derive(Default)]
struct Sizes {
    each: VecDeque<usize>,
    sum: usize,
}

impl Sizes {
    /// Counts one more; returns how many of the oldest have to go for it.
    fn push(&mut self, size: usize) -> usize {
        let mut surplus = 0;
        while self.each.len() >= KEPT || self.sum + size > KEPT_BYTES {
            let Some(oldest) = self.each.pop_front() else { break };
            self.sum -= oldest;
            surplus += 1;
        }
        self.each.push_back(size);
        self.sum += size;
        surplus
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded_in_number_and_in_bytes() {
        let mut sizes = Sizes::default();
        let mut kept = 0;
        for _ in 0..3 * KEPT {
            kept = kept + 1 - sizes.push(1);
        }
        assert_eq!(kept, KEPT);
        assert_eq!(sizes.push(KEPT_BYTES - 2), KEPT - 2, "two small ones fit beside it");
        assert_eq!(sizes.push(2 * KEPT_BYTES), 3, "the newest is kept whatever its size");
        assert_eq!(sizes.push(1), 1);
        assert_eq!((sizes.each.len(), sizes.sum), (1, 1));
    }
}
