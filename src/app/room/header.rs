//! The room's header: where this is, how it is connected, and the way out.

use std::time::Duration;

use converge_p2p::Status;
use converge_p2p::hooks::{Room, use_room};
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::share::Share;
use super::{Copying, Shared};
use crate::parts::{Icon, Mark, ThemeButton, icon, live};
use crate::{platform, words};

/// How long it is said that the link was copied.
const SAID: Duration = Duration::from_secs(5);

#[component]
pub(super) fn Header() -> impl IntoView {
    view! {
        <header class="room-header">
            <a class="brand" href="/" aria-label=words::page::TO_START>
                <Mark/>
            </a>
            <h1 class="room-topic">
                <bdi translate="no">{Signal::<String>::from(use_room().topic())}</bdi>
            </h1>
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
    let text = Signal::derive(move || words::connection::status(room.status().get(), room.links().get()));
    let class = Signal::derive(move || format!("pill {}", room.status().get().as_str()));
    let Shared { ready, panel, .. } = Shared::get();
    let asleep = Signal::derive(move || !ready.get());
    let expanded = Signal::derive(move || Some(panel.open.get().to_string()));
    let toggle = move |_| if panel.open.get_untracked() { panel.close() } else { panel.open.set(true) };
    view! {
        <p class=class use:live=text>
            {text.get_untracked()}
        </p>
        <button
            class="button quiet"
            type="button"
            title=words::connection::CONNECTION
            aria-expanded=expanded
            disabled=asleep
            node_ref=panel.button
            on:click=toggle
        >
            <Icon path=icon::PULSE/>
            <span class="button-text">{words::connection::CONNECTION}</span>
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
        Copying::Copied => words::room::LINK_COPIED.to_owned(),
        Copying::Shown(link) => words::room::cannot_copy(&link),
    });
    let class = Signal::derive(move || shown("invite-said", copying.get() != Copying::NotYet));
    view! {
        <div class="invite">
            <button class="button quiet" type="button" title=words::room::COPY_INVITE disabled=asleep on:click=copy>
                <Icon path=icon::LINK/>
                <span class="button-text">{words::room::COPY_INVITE}</span>
            </button>
            <p class=class role="status" use:live=said></p>
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
            title=words::room::LEAVE
            disabled=closed
            on:click=move |_| room.leave()
        >
            <Icon path=icon::LEAVE/>
            <span class="button-text">{words::room::LEAVE}</span>
        </button>
    }
}

/// What is wrong, what still works, and what to do; nothing when all is well.
#[component]
pub(super) fn Banner() -> impl IntoView {
    let room = use_room();
    let unreached = Shared::get().unreached;
    let text = Signal::derive(move || words::connection::banner(room.status().get(), unreached.get()).to_owned());
    let class = Signal::derive(move || shown("banner", !text.get().is_empty()));
    view! {
        <p class=class role="status" use:live=text></p>
    }
}

/// How long joining takes at most where nothing is in the way.
const REACHED_WITHIN: Duration = Duration::from_secs(5);

/// Sets the signal while the server has not been reached for so long that something must be in the way.
pub(super) fn unreached(room: Room, unreached: RwSignal<bool>) {
    let connecting = Memo::new(move |_| room.status().get() == Status::Connecting);
    Effect::new(move |_| {
        unreached.set(false);
        let late = move || {
            unreached.try_set(true);
        };
        if connecting.get()
            && let Ok(late) = set_timeout_with_handle(late, REACHED_WITHIN)
        {
            on_cleanup(move || late.clear());
        }
    });
}

/// A class, and with it `shown` or not. A live region has to be in the page before there is something in it.
fn shown(class: &str, shown: bool) -> String {
    if shown { format!("{class} shown") } else { class.to_owned() }
}
