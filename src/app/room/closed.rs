//! What is shown in place of the room when it is closed.

use converge_p2p::CloseReason;
use converge_p2p::hooks::use_room;
use leptos::prelude::*;

/// Why, what it means, and what can be done; hidden while the room is open.
#[component]
pub(super) fn Closed() -> impl IntoView {
    let room = use_room();
    let reason = Signal::derive(move || room.status().get().reason());
    let heading = Signal::derive(move || {
        let text = match reason.get() {
            None => "",
            Some(CloseReason::Left) => "You have left",
            Some(CloseReason::RoomFull) => "This room is full",
            Some(CloseReason::Replaced) => "You are in this room elsewhere",
            Some(CloseReason::Unsupported) => "This browser can't take part",
            Some(CloseReason::Version) => "This page is out of date",
            Some(_) => "The room could not be opened",
        };
        text.to_owned()
    });
    let text = Signal::derive(move || {
        let text = match reason.get() {
            None => "",
            Some(CloseReason::Left) => "The others have been told.",
            Some(CloseReason::RoomFull) => {
                "It has as many people as it may. Try again when somebody has left, or open another room."
            }
            Some(CloseReason::Replaced) => {
                "The same tab joined again, and that one is connected now. Join here to take its place."
            }
            Some(CloseReason::Version) => "It doesn't speak the server's version of the protocol. Load the page again.",
            Some(_) => {
                return room.error().get().unwrap_or_else(|| "The server refused, without saying why.".to_owned());
            }
        };
        text.to_owned()
    });
    let open = Signal::derive(move || reason.get().is_none());
    let hopeless = Signal::derive(move || reason.get() == Some(CloseReason::Unsupported));
    view! {
        <section class="notice" role="alert" hidden=open>
            <h2>{heading}</h2>
            <p>{text}</p>
            <p class="notice-actions">
                <button class="button primary" type="button" hidden=hopeless on:click=move |_| room.rejoin()>
                    "Join again"
                </button>
                <a class="button" href="/">
                    "Open another room"
                </a>
            </p>
        </section>
    }
}
