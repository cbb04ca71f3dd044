//! Presence as signals.

use std::marker::PhantomData;

use converge_signal::PeerId;
use leptos::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::room::{Room, use_room};
use crate::client::PROFILE;
use crate::codec::{Json, Payload};

/// Presence of one type: this peer's, to write, and the others', to read. See [`use_presence`].
pub struct UsePresence<P: Send + Sync + 'static> {
    room: Room,
    slot: &'static str,
    mine: RwSignal<P>,
    types: PhantomData<fn() -> P>,
}

impl<P: Send + Sync + 'static> Clone for UsePresence<P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P: Send + Sync + 'static> Copy for UsePresence<P> {}

/// What everybody in the room shows of themselves: names, colours, whether they are typing.
///
/// Write [`mine`](UsePresence::mine) and every member gets to know it, those who come later too; read the others' with
/// [`of`](UsePresence::of). It starts as `P::default()`. Values travel as JSON, up to 16 KiB.
///
/// ```
/// use converge_p2p::hooks::{use_peers, use_presence};
/// use leptos::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
/// struct Profile {
///     name: String,
/// }
///
/// #[component]
/// fn Names() -> impl IntoView {
///     let (profile, peers) = (use_presence::<Profile>(), use_peers());
///     let rename = move |_| profile.mine().update(|mine| mine.name = "Ada".to_owned());
///     view! {
///         <button on:click=rename>"I am Ada"</button>
///         <For each=move || peers.get() key=|peer| peer.id() let:peer>
///             <p>{move || profile.of(peer.id()).get().map(|theirs| theirs.name)}</p>
///         </For>
///     }
/// }
/// # let _ = Names;
/// ```
///
/// On the server `mine` is a signal like any other and nobody else is there. When the last component that uses the
/// slot is cleaned up, the others see it cleared.
///
/// # Errors
/// A value that is too large is not shown; [`Room::error`] says so.
///
/// # Panics
/// As [`use_room`], and if the slot is in use with another type.
pub fn use_presence<P>() -> UsePresence<P>
where
    P: Serialize + DeserializeOwned + Clone + Default + PartialEq + Send + Sync + 'static,
{
    use_presence_slot(PROFILE)
}

/// Presence in a slot of its own, with its own type: a cursor that moves at 60 Hz need not carry the name along.
///
/// ```
/// use converge_p2p::hooks::use_presence_slot;
/// use leptos::prelude::*;
///
/// #[component]
/// fn Pad() -> impl IntoView {
///     let cursor = use_presence_slot::<Option<(i32, i32)>>("cursor");
///     view! { <div on:pointermove=move |ev| cursor.mine().set(Some((ev.client_x(), ev.client_y())))/> }
/// }
/// # let _ = Pad;
/// ```
///
/// There is no need to slow it down: however often a slot is written, each member is sent its newest value at most once
/// in 16 ms, on the lossy lane, where what is lost is not sent again; a moment after the last change the value follows on
/// the reliable lane, so that all end up with the same.
///
/// Everything else is as with [`use_presence`], whose slot is `profile`.
///
/// # Panics
/// As [`use_presence`].
pub fn use_presence_slot<P>(slot: &'static str) -> UsePresence<P>
where
    P: Serialize + DeserializeOwned + Clone + Default + PartialEq + Send + Sync + 'static,
{
    let room = use_room();
    let Some(signal) = room.own_slot::<P>(slot) else {
        panic!("presence slot `{slot}` is in use with another type: give each type a slot of its own")
    };
    on_cleanup(move || room.release_slot(slot));
    let mine = RwSignal::from(signal);
    Effect::new(move |_| {
        let shown = Payload::encode::<P, Json>(&mine.get()).map_err(Into::into);
        if let Err(error) = shown.and_then(|value| room.show(slot, Some(value))) {
            room.report(&error);
        }
    });
    UsePresence { room, slot, mine, types: PhantomData }
}

impl<P> UsePresence<P>
where
    P: Serialize + DeserializeOwned + Clone + Default + PartialEq + Send + Sync + 'static,
{
    /// This peer's own presence, to read and to write. All users of a slot share it; nothing that comes from outside
    /// writes to it.
    pub fn mine(self) -> RwSignal<P> {
        self.mine
    }

    /// A member's presence: none until it is known, where it is no `P`, and once the member has gone. It changes
    /// only when this member's value in this slot does.
    pub fn of(self, peer: PeerId) -> Signal<Option<P>> {
        Memo::new(move |_| {
            // Who comes back has a new signal.
            self.room.track_peers();
            self.room.slot_of(peer, self.slot)?.get()?.decode::<P, Json>().ok()
        })
        .into()
    }

    /// The same right now, for handlers of events: nothing is subscribed to, and no owner is needed.
    pub fn peek(self, peer: PeerId) -> Option<P> {
        self.room.slot_of(peer, self.slot)?.get_untracked()?.decode::<P, Json>().ok()
    }
}
