//! A room as Leptos signals.
//!
//! [`provide_room`] joins a room and puts it into context; the other hooks read it from there, in the same component
//! or below:
//!
//! ```
//! use converge_p2p::Options;
//! use converge_p2p::hooks::{provide_room, use_channel, use_peers, use_presence};
//! use leptos::prelude::*;
//!
//! #[component]
//! fn Lobby() -> impl IntoView {
//!     provide_room(Options::new("lobby"));
//!     view! { <People/> <Greet/> }
//! }
//!
//! #[component]
//! fn People() -> impl IntoView {
//!     let peers = use_peers();
//!     let name = use_presence::<String>();
//!     view! {
//!         <input prop:value=name.mine() on:input:target=move |ev| name.mine().set(ev.target().value())/>
//!         <For each=move || peers.get() key=|peer| peer.id() let:peer>
//!             <p>{name.of(peer.id())}</p>
//!         </For>
//!     }
//! }
//!
//! #[component]
//! fn Greet() -> impl IntoView {
//!     let chat = use_channel::<String>("chat");
//!     let greet = move |_| {
//!         if let Err(error) = chat.broadcast(&"hello".to_owned()) {
//!             leptos::logging::warn!("{error}");
//!         }
//!     };
//!     view! {
//!         <button on:click=greet>"Greet"</button>
//!         <For each=move || chat.messages().get() key=|message| message.number let:message>
//!             <p>{message.value}</p>
//!         </For>
//!     }
//! }
//! # let _ = Lobby;
//! ```
//!
//! # Server-side rendering
//! On the server every hook returns the state of a room that is being joined and has nobody in it. Joining starts in
//! an effect, after the page is hydrated, so the first render in the browser is the same.
//!
//! # Once a frame
//! Signals of members, presence, streams, links and transfers are always current when read, but fire once per animation
//! frame: a page renders once for all changes of a frame. Handlers of events ([`Room::on_event`]) get only the newest
//! such change.
//!
//! # Errors
//! A failed join shows as [`Status::Closed`](crate::Status::Closed) with its reason, and as a [`RoomError`] in
//! [`Room::error`]. Sending returns its errors.
//!
//! # Ending
//! A room is left when the owner of `provide_room` is cleaned up; a presence slot is cleared when the last component
//! that used it is; a responder stops replying, and links are watched no longer, with the component that asked for it.

mod channel;
mod error;
mod frame;
mod link;
mod media;
mod presence;
mod request;
mod room;
mod transfers;

pub use channel::{UseChannel, use_channel, use_channel_on, use_channel_with};
pub use error::RoomError;
pub use frame::with_next_frame;
pub use link::{use_link, use_report};
pub use media::{UseMedia, use_all_streams, use_devices, use_media, use_player, use_streams};
pub use presence::{UsePresence, use_presence, use_presence_slot};
pub use request::use_responder;
pub use room::{Peer, Room, provide_room, provide_room_when, try_use_room, use_peers, use_room, use_room_status};
pub use transfers::{UseTransfers, use_transfers};
