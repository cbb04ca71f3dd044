//! The room's header: where this is, how it is connected, and the way out.

use std::time::Duration;

use converge_p2p::Status;
use converge_p2p::hooks::use_room;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::share::Share;
use super::{Copying, Shared};
use crate::parts::{Icon, Mark, ThemeButton, icon};
use crate::platform;

/// How long it is said that the link was copied.
const SAID: Duration = Duration::from_secs(5);

#[component]
pub(super) fn Header() -> impl IntoView {
    view! {
        <header class="room-header">
            <a class="brand" href="/" aria-label="converge, to the start">
                <Mark/>
            </a>
            <h1 class="room-topic">{Signal::<String>::from(use_room().topic())}</h1>
            <Connection/>
            <Invite/>
            <Share/>
            <ThemeButton/>
            <Leave/>
        </header>
    }
    .into_any()
}

/// The state in words, with a dot, and the way to more.
#[component]
fn Connection() -> impl IntoView {
    let room = use_room();
    let text = Signal::derive(move || match (room.status().get(), room.links().get()) {
        (Status::Connected, 0) => "Connected".to_owned(),
        (Status::Connected, 1) => "1 direct link".to_owned(),
        (Status::Connected, links) => format!("{links} direct links"),
        (Status::Connecting, _) => "Connecting…".to_owned(),
        (Status::Reconnecting, _) => "Reconnecting…".to_owned(),
        (Status::Offline, _) => "Offline".to_owned(),
        (Status::Closed(_), _) => "Not connected".to_owned(),
    });
    let class = Signal::derive(move || format!("pill {}", room.status().get().as_str()));
    let Shared { ready, panel, .. } = Shared::get();
    let asleep = Signal::derive(move || !ready.get());
    let expanded = Signal::derive(move || Some(panel.open.get().to_string()));
    let toggle = move |_| if panel.open.get_untracked() { panel.close() } else { panel.open.set(true) };
    view! {
        <p class=class>{text}</p>
        <button
            class="button quiet"
            type="button"
            title="Connection"
            aria-expanded=expanded
            disabled=asleep
            node_ref=panel.button
            on:click=toggle
        >
            <Icon path=icon::PULSE/>
            <span class="button-text">"Connection"</span>
        </button>
    }
    .into_any()
}

/// Copies the link, or shows it where that is not allowed.
#[component]
fn Invite() -> impl IntoView {
    let Shared { copying, ready, .. } = Shared::get();
    let asleep = Signal::derive(move || !ready.get());
    let copy = move |_| {
        let Some(link) = platform::invite_link() else { return };
        spawn_local(async move {
            let copied = platform::copy(link.clone()).await;
            copying.try_set(if copied { Copying::Copied } else { Copying::Shown(link) });
            // What stands over the room goes away again, unless there is something to do with it.
            let take_back = move || {
                if copying.try_get_untracked() == Some(Copying::Copied) {
                    copying.set(Copying::NotYet);
                }
            };
            set_timeout(take_back, SAID);
        });
    };
    let said = Signal::derive(move || match copying.get() {
        Copying::NotYet => String::new(),
        Copying::Copied => "Link copied".to_owned(),
        Copying::Shown(link) => format!("This browser doesn't let the page copy. The link: {link}"),
    });
    let class = Signal::derive(move || shown("invite-said", copying.get() != Copying::NotYet));
    view! {
        <div class="invite">
            <button class="button quiet" type="button" title="Copy invite link" disabled=asleep on:click=copy>
                <Icon path=icon::LINK/>
                <span class="button-text">"Copy invite link"</span>
            </button>
            <p class=class role="status">
                {said}
            </p>
        </div>
    }
}

#[component]
fn Leave() -> impl IntoView {
    let room = use_room();
    let ready = Shared::get().ready;
    let closed = Signal::derive(move || !ready.get() || matches!(room.status().get(), Status::Closed(_)));
    view! {
        <button
            class="button quiet"
            type="button"
            title="Leave room"
            disabled=closed
            on:click=move |_| room.leave()
        >
            <Icon path=icon::LEAVE/>
            <span class="button-text">"Leave room"</span>
        </button>
    }
}

/// What is wrong, what still works, and what to do; nothing when all is well.
#[component]
pub(super) fn Banner() -> impl IntoView {
    let room = use_room();
    let text = Signal::derive(move || {
        let text = match room.status().get() {
            Status::Reconnecting => {
                "The meeting server is unreachable. You can go on talking; new people can't join until it is back."
            }
            Status::Offline => {
                "This device has no network. You are connected again as soon as it has; until then, messages wait."
            }
            _ => "",
        };
        text.to_owned()
    });
    let class = Signal::derive(move || shown("banner", !text.get().is_empty()));
    view! {
        <p class=class role="status">
            {text}
        </p>
    }
}

/// A class, and with it `shown` or not. A live region has to be in the page before there is something in it.
fn shown(class: &str, shown: bool) -> String {
    if shown { format!("{class} shown") } else { class.to_owned() }
}
