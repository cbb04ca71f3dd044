//! The room in context, and its members.

mod changes;

use std::any::Any;
use std::sync::Arc;

use converge_signal::PeerId;
use leptos::prelude::*;

use self::changes::Changes;
use super::error::RoomError;
use crate::client::Client;
use crate::codec::Payload;
use crate::driver::Subscription;
use crate::error::{JoinError, SendError};
use crate::event::{Activity, CloseReason, Event, PeerState, Status};
use crate::map::SortedMap;
use crate::options::Options;
use crate::transfer::{Transfer, TransferId};

/// A room, as [`provide_room`] made it. Small and `Copy`: pass it where you like.
#[derive(Clone, Copy)]
pub struct Room {
    topic: Memo<String>,
    id: RwSignal<Option<PeerId>>,
    status: RwSignal<Status>,
    links: RwSignal<usize>,
    error: RwSignal<Option<RoomError>>,
    peers: RwSignal<Vec<PeerId>>,
    transfers: RwSignal<Vec<TransferId>>,
    state: StoredValue<State>,
}

/// What isn't read by views. Plain data and handles that may cross threads, for the server makes it too.
#[derive(Default)]
struct State {
    client: Option<(Client, Subscription)>,
    peers: SortedMap<PeerId, Entry>,
    /// This peer's presence, for the next client.
    own: SortedMap<String, Payload>,
    /// The writable signal of each slot, and how many components use it.
    slots: SortedMap<&'static str, (Box<dyn Any + Send + Sync>, usize)>,
    transfers: SortedMap<TransferId, ArcRwSignal<Transfer>>,
    listeners: Vec<(u64, Listener)>,
    holders: Vec<(u64, Holder)>,
    /// Numbers the listeners and the holders.
    last: u64,
    /// The changes since the last animation frame.
    changes: Changes,
}

type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

/// Told of each client, and of none when it goes. See [`Room::hold`].
type Holder = Arc<dyn Fn(Option<&Client>) + Send + Sync>;

struct Entry {
    state: ArcRwSignal<PeerState>,
    activity: ArcRwSignal<Activity>,
    slots: SortedMap<String, ArcRwSignal<Option<Payload>>>,
}

/// Joins a room and provides it to this component and those below.
///
/// `options` may be [`Options`] or a signal of them: when they change, for instance because the topic is part of the
/// route, the one room is left and the other joined. The presence that components have set goes along.
///
/// ```
/// use converge_p2p::{Options, hooks::provide_room};
/// use leptos::prelude::*;
///
/// #[component]
/// fn RoomPage(topic: Signal<String>) -> impl IntoView {
///     let room = provide_room(Signal::derive(move || Options::new(topic.get())));
///     view! { <p>{move || room.status().get().as_str()}</p> }
/// }
/// # let _ = RoomPage;
/// ```
///
/// On the server nothing is joined; in the browser that happens in an effect. The room is left when the owner of this
/// call is cleaned up. [`provide_room_when`] joins later.
///
/// # Errors
/// See [`Room::status`] and [`Room::error`].
pub fn provide_room(options: impl Into<Signal<Options>>) -> Room {
    provide_room_when(options, Signal::stored(true))
}

/// The same, but joins only once `when` is true: after a question, or when the page is ready. Until then the room is one
/// that is being joined.
///
/// ```
/// use converge_p2p::{Options, hooks::provide_room_when};
/// use leptos::prelude::*;
///
/// #[component]
/// fn Doorstep() -> impl IntoView {
///     let asked = RwSignal::new(false);
///     let room = provide_room_when(Options::new("lobby"), asked);
///     view! { <button on:click=move |_| asked.set(true)>"Come in"</button> <p>{move || room.status().get().as_str()}</p> }
/// }
/// # let _ = Doorstep;
/// ```
///
/// # Errors
/// See [`Room::status`] and [`Room::error`].
pub fn provide_room_when(options: impl Into<Signal<Options>>, when: impl Into<Signal<bool>>) -> Room {
    let (options, when): (Signal<Options>, Signal<bool>) = (options.into(), when.into());
    let room = Room {
        topic: Memo::new(move |_| options.with(|options| options.topic.clone())),
        id: RwSignal::new(None),
        status: RwSignal::new(Status::Connecting),
        links: RwSignal::new(0),
        error: RwSignal::new(None),
        peers: RwSignal::new(Vec::new()),
        transfers: RwSignal::new(Vec::new()),
        state: StoredValue::new(State::default()),
    };
    // A signal may fire with the value it had: that is no reason to leave.
    let options = Memo::new(move |_| options.get());
    let begun = Memo::new(move |begun: Option<&bool>| begun == Some(&true) || when.get());
    Effect::new(move |_| {
        if begun.get() {
            room.join(options.get());
        }
    });
    on_cleanup(move || room.end());
    provide_context(room);
    room
}

/// The room that [`provide_room`] provided above.
///
/// # Panics
/// If there is none: a programming error, named in the text. [`try_use_room`] returns it instead.
pub fn use_room() -> Room {
    match try_use_room() {
        Some(room) => room,
        None => {
            panic!("no room in context: call `provide_room(Options::new(topic))` in this component or one above it")
        }
    }
}

/// The room that [`provide_room`] provided above, if one did.
pub fn try_use_room() -> Option<Room> {
    use_context()
}

/// How the room is doing; on the server [`Status::Connecting`].
///
/// ```
/// use converge_p2p::{Status, hooks::use_room_status};
/// use leptos::prelude::*;
///
/// #[component]
/// fn Banner() -> impl IntoView {
///     let status = use_room_status();
///     view! { <Show when=move || status.get() == Status::Reconnecting>"The server is out of reach."</Show> }
/// }
/// # let _ = Banner;
/// ```
///
/// # Panics
/// As [`use_room`].
pub fn use_room_status() -> Signal<Status> {
    use_room().status()
}

/// The other members, in the order in which they came; on the server nobody.
///
/// The list changes when somebody comes or goes. What changes about one member is in signals of its own
/// ([`Peer::state`], [`UsePresence::of`](super::UsePresence::of)), so one row is run again and not the list.
///
/// ```
/// use converge_p2p::hooks::use_peers;
/// use leptos::prelude::*;
///
/// #[component]
/// fn Count() -> impl IntoView {
///     let peers = use_peers();
///     view! { <p>{move || peers.get().len()} " others"</p> }
/// }
/// # let _ = Count;
/// ```
///
/// # Panics
/// As [`use_room`].
pub fn use_peers() -> Signal<Vec<Peer>> {
    let room = use_room();
    Signal::derive(move || room.peers.try_get().unwrap_or_default().into_iter().map(|id| Peer { id, room }).collect())
}

/// Another member of the room. Reading one that has gone never panics.
#[derive(Clone, Copy)]
pub struct Peer {
    id: PeerId,
    room: Room,
}

impl PartialEq for Peer {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Peer {}

impl Peer {
    /// Its id.
    pub fn id(self) -> PeerId {
        self.id
    }

    /// How it can be reached; [`PeerState::Unreachable`] once it has gone.
    pub fn state(self) -> Signal<PeerState> {
        let Peer { id, room } = self;
        Memo::new(move |_| {
            // Who comes back has a new signal.
            room.track_peers();
            let state = room.read(|state| state.peers.get(&id).map(|entry| entry.state.clone())).flatten();
            state.map_or(PeerState::Unreachable, |state| state.get())
        })
        .into()
    }

    /// What it does: whether somebody is at its page, and whether anything is heard of it; [`Activity::Stale`] once it
    /// has gone.
    ///
    /// ```
    /// use converge_p2p::hooks::use_peers;
    /// use leptos::prelude::*;
    ///
    /// #[component]
    /// fn Activities() -> impl IntoView {
    ///     let peers = use_peers();
    ///     view! {
    ///         <For each=move || peers.get() key=|peer| peer.id() let:peer>
    ///             <p>{peer.id().short()} " is " {move || peer.activity().get().as_str()}</p>
    ///         </For>
    ///     }
    /// }
    /// # let _ = Activities;
    /// ```
    pub fn activity(self) -> Signal<Activity> {
        let Peer { id, room } = self;
        Memo::new(move |_| {
            // Who comes back has a new signal.
            room.track_peers();
            let activity = room.read(|state| state.peers.get(&id).map(|entry| entry.activity.clone())).flatten();
            activity.map_or(Activity::Stale, |activity| activity.get())
        })
        .into()
    }
}

impl Room {
    /// The topic's name, as given in the options.
    pub fn topic(self) -> Memo<String> {
        self.topic
    }

    /// A handle to a member; to anybody else too, who is [`PeerState::Unreachable`] then.
    pub fn peer(self, id: PeerId) -> Peer {
        Peer { id, room: self }
    }

    /// This peer's own id; none on the server, and until the tab's key is loaded.
    pub fn id(self) -> Signal<Option<PeerId>> {
        self.id.into()
    }

    /// How the room is doing.
    pub fn status(self) -> Signal<Status> {
        self.status.into()
    }

    /// How many links are open.
    pub fn links(self) -> Signal<usize> {
        self.links.into()
    }

    /// Returns the last error: a failed join, or a refusal by the server.
    pub fn error(self) -> Signal<Option<RoomError>> {
        self.error.into()
    }

    /// Leaves: the others are told, every link is closed, the status is closed with reason `left`.
    pub fn leave(self) {
        if let Some(client) = self.client() {
            client.leave();
        }
    }

    /// Joins again, if the room is closed.
    pub fn rejoin(self) {
        if let Some(client) = self.client() {
            client.rejoin();
        }
    }

    /// Calls `f` with every event of the room, until the owner of this call is cleaned up. The signals above are
    /// up to date by then.
    ///
    /// Changes of presence, activities, links, streams and transfers come once per animation frame: only the last for
    /// each slot, member or transfer. [`Client::events`] has each of them.
    pub fn on_event(self, f: impl Fn(&Event) + Send + Sync + 'static) {
        let id = self.write(|state| {
            state.last += 1;
            state.listeners.push((state.last, Arc::new(f)));
            state.last
        });
        on_cleanup(move || {
            self.write(|state| state.listeners.retain(|(other, _)| Some(*other) != id));
        });
    }

    /// The plain client behind the room; none on the server, and where joining failed.
    pub fn client(self) -> Option<Client> {
        self.read(|state| state.client.as_ref().map(|(client, _)| client.clone())).flatten()
    }

    /// Holds what `make` makes of the plain client until the owner of this call is cleaned up: now, if there is a
    /// client, and anew whenever another room is joined. With the room that is left, what was held is let go.
    pub(super) fn hold<T: Send + Sync + 'static>(self, make: impl Fn(&Client) -> Option<T> + Send + Sync + 'static) {
        let held = StoredValue::new(None);
        let holder: Holder = Arc::new(move |client| {
            let new = client.and_then(&make);
            // Let go of outside of the store, for that runs code of its own.
            let _old = held.try_update_value(|held| std::mem::replace(held, new));
        });
        let id = self.write(|state| {
            state.last += 1;
            state.holders.push((state.last, holder.clone()));
            state.last
        });
        holder(self.client().as_ref());
        on_cleanup(move || {
            self.write(|state| state.holders.retain(|(other, _)| Some(*other) != id));
            holder(None);
        });
    }

    fn tell_holders(self, client: Option<&Client>) {
        let holders = self.read(|state| state.holders.iter().map(|(_, holder)| holder.clone()).collect::<Vec<_>>());
        for holder in holders.unwrap_or_default() {
            holder(client);
        }
    }

    fn join(self, options: Options) {
        self.end();
        self.reset(Status::Connecting);
        let client = match Client::join(options) {
            Ok(client) => client,
            Err(error) => {
                let reason = match error {
                    JoinError::Unsupported { .. } => CloseReason::Unsupported,
                    _ => CloseReason::Refused,
                };
                self.error.try_set(Some(error.into()));
                self.status.try_set(Status::Closed(reason));
                return;
            }
        };
        let own = self.read(|state| state.own.clone()).unwrap_or_default();
        for (slot, value) in own.iter() {
            if let Err(error) = client.set_presence(slot, Some(value.clone())) {
                self.error.try_set(Some(error.into()));
            }
        }
        let subscription = client.subscribe(move |event| self.take(event));
        self.write(|state| state.client = Some((client.clone(), subscription)));
        self.tell_holders(Some(&client));
    }

    /// Leaves and lets go of the client.
    fn end(self) {
        // Dropped outside of `write`: leaving runs code of its own.
        let client = self.write(|state| state.client.take()).flatten();
        if let Some((client, subscription)) = client {
            // What leaving brings about is nobody's business any more.
            {
                let _ended = subscription;
            }
            self.tell_holders(None);
            client.leave();
        }
    }

    fn reset(self, status: Status) {
        self.write(|state| (state.peers.take(), state.transfers.take(), state.changes.take()));
        self.peers.try_update(Vec::clear);
        self.transfers.try_update(Vec::clear);
        self.links.try_set(0);
        self.error.try_set(None);
        self.id.try_set(None);
        self.status.try_set(status);
    }

    /// The ids of the transfers, in the order in which they appeared.
    pub(super) fn transfers(self) -> RwSignal<Vec<TransferId>> {
        self.transfers
    }

    /// A transfer's signal; none if there is no such transfer.
    pub(super) fn transfer(self, id: TransferId) -> Option<ArcRwSignal<Transfer>> {
        self.read(|state| state.transfers.get(&id).cloned()).flatten()
    }

    pub(super) fn track_peers(self) {
        self.peers.try_with(|_| ());
    }

    /// The signal of a slot of a member's presence; none if there is no such member.
    pub(super) fn slot_of(self, peer: PeerId, slot: &str) -> Option<ArcRwSignal<Option<Payload>>> {
        self.write(|state| {
            let entry = state.peers.get_mut(&peer)?;
            if let Some(signal) = entry.slots.get(slot) {
                return Some(signal.clone());
            }
            let signal = ArcRwSignal::new(None);
            entry.slots.insert(slot.to_owned(), signal.clone());
            Some(signal)
        })
        .flatten()
    }

    /// The writable signal of a slot of this peer's presence, shared by all who use it; none if it is in use with
    /// another type.
    pub(super) fn own_slot<P>(self, slot: &'static str) -> Option<ArcRwSignal<P>>
    where
        P: Default + Send + Sync + 'static,
    {
        self.write(|state| {
            if state.slots.get(slot).is_none() {
                state.slots.insert(slot, (Box::new(ArcRwSignal::new(P::default())), 0));
            }
            let (signal, users) = state.slots.get_mut(slot)?;
            let signal = signal.downcast_ref::<ArcRwSignal<P>>()?.clone();
            *users += 1;
            Some(signal)
        })
        .flatten()
    }

    /// One user of a slot has gone; with the last one the slot is cleared.
    pub(super) fn release_slot(self, slot: &'static str) {
        let last = self
            .write(|state| {
                let Some((_, users)) = state.slots.get_mut(slot) else { return false };
                *users -= 1;
                let last = *users == 0;
                if last {
                    state.slots.remove(slot);
                }
                last
            })
            .unwrap_or(false);
        if last {
            // The room may be closed already, and clearing breaks no limit.
            let _ = self.show(slot, None);
        }
    }

    /// Shows the others a slot's value.
    pub(super) fn show(self, slot: &'static str, value: Option<Payload>) -> Result<(), SendError> {
        let client = self.client();
        if let Some(client) = client {
            client.set_presence(slot, value.clone())?;
        }
        self.write(|state| match value {
            Some(value) => state.own.insert(slot.to_owned(), value),
            None => state.own.remove(slot),
        });
        Ok(())
    }

    pub(super) fn report(self, error: &SendError) {
        self.error.try_set(Some(error.clone().into()));
    }

    fn read<R>(self, f: impl FnOnce(&State) -> R) -> Option<R> {
        self.state.try_with_value(f)
    }

    fn write<R>(self, f: impl FnOnce(&mut State) -> R) -> Option<R> {
        self.state.try_update_value(f)
    }
}
