//! Files as signals.

use leptos::prelude::*;

use super::room::{Room, use_room};
use crate::client::{Client, LocalFile, To};
use crate::error::SendError;
use crate::transfer::{Transfer, TransferId};

/// The files on their way to and from the other members. See [`use_transfers`].
#[derive(Clone, Copy)]
pub struct UseTransfers {
    room: Room,
}

/// Files: sent to members, offered by them, and how far each has come.
///
/// ```
/// use converge_p2p::TransferId;
/// use converge_p2p::hooks::{UseTransfers, use_transfers};
/// use leptos::prelude::*;
///
/// #[component]
/// fn Files() -> impl IntoView {
///     let transfers = use_transfers();
///     let ids = transfers.list();
///     view! {
///         <For each=move || ids.get() key=|id| *id let:id>
///             <File transfers id/>
///         </For>
///     }
/// }
///
/// #[component]
/// fn File(transfers: UseTransfers, id: TransferId) -> impl IntoView {
///     let transfer = transfers.get(id);
///     let name = move || transfer.get().map(|transfer| transfer.name);
///     let moved = move || transfer.get().map(|transfer| format!("{} of {} bytes", transfer.moved, transfer.size));
///     view! {
///         <p>{name} ": " {moved}</p>
///         <button on:click=move |_| transfers.accept(id)>"Accept"</button>
///         // The blob: URL is there once the file is.
///         <a href=move || transfer.get().and_then(|_| transfers.saved(id))>"Save"</a>
///     }
/// }
/// # let _ = Files;
/// ```
///
/// A received file is kept by the browser until it is [forgotten](UseTransfers::forget) or the room ends. While a link is
/// lost its transfers wait, and go on where they were. A change of room empties the list.
///
/// On the server there are no transfers, and sending returns [`SendError::NotJoined`].
///
/// # Errors
/// What becomes of a transfer is in its [`state`](Transfer::state), with the reason.
///
/// # Panics
/// As [`use_room`].
pub fn use_transfers() -> UseTransfers {
    UseTransfers { room: use_room() }
}

impl UseTransfers {
    /// The transfers, in the order in which they appeared. It changes when one appears or is forgotten; how one of them
    /// is doing is in a signal of its own ([`get`](Self::get)), so a row is run again and not the list.
    pub fn list(self) -> Signal<Vec<TransferId>> {
        self.room.transfers().into()
    }

    /// How a transfer is doing; none once it is forgotten.
    pub fn get(self, id: TransferId) -> Signal<Option<Transfer>> {
        let room = self.room;
        Memo::new(move |_| {
            // One that is forgotten has no signal that could say so.
            room.transfers().try_with(|_| ());
            Some(room.transfer(id)?.get())
        })
        .into()
    }

    /// The same right now, for handlers of events: nothing is subscribed to, and no owner is needed.
    pub fn peek(self, id: TransferId) -> Option<Transfer> {
        Some(self.room.transfer(id)?.get_untracked())
    }

    /// Offers a file to one member, or to everyone who is here: a transfer for each.
    ///
    /// # Errors
    /// As [`Client::send_file`].
    pub fn send(self, to: impl Into<To>, file: LocalFile) -> Result<Vec<TransferId>, SendError> {
        self.room.client().ok_or(SendError::NotJoined)?.send_file(to, file)
    }

    /// Takes a file that is offered to this peer.
    pub fn accept(self, id: TransferId) {
        self.with_client(|client| client.accept(id));
    }

    /// Doesn't take it.
    pub fn decline(self, id: TransferId) {
        self.with_client(|client| client.decline(id));
    }

    /// Stops a transfer, whichever side sends.
    pub fn cancel(self, id: TransferId) {
        self.with_client(|client| client.cancel(id));
    }

    /// Removes a transfer that is over from the list, and lets go of the file that was received with it.
    pub fn forget(self, id: TransferId) {
        if self.peek(id).is_some_and(|transfer| transfer.state.is_over()) {
            self.with_client(|client| client.forget(id));
            self.room.drop_transfer(id);
        }
    }

    /// Where a received file is, for a link with `download`: a `blob:` URL, until the transfer is forgotten or the room
    /// ends. It is there by the time [`get`](Self::get) says that the transfer is done.
    pub fn saved(self, id: TransferId) -> Option<String> {
        self.room.client()?.saved(id)
    }

    fn with_client(self, f: impl FnOnce(&Client)) {
        if let Some(client) = self.room.client() {
            f(&client);
        }
    }
}
