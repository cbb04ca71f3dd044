//! The room's header: where this is, how it is connected, and the way out.

use converge_p2p::Status;
use converge_p2p::hooks::use_room;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::parts::Mark;
use crate::platform;

#[component]
pub(super) fn Header(topic: Memo<String>) -> impl IntoView {
    view! {
        <header class="room-header">
            <a class="brand" href="/" aria-label="converge, to the start">
                <Mark/>
            </a>
            <h1 class="room-topic">{topic}</h1>
            <Connection/>
            <Invite topic/>
            <Leave/>
        </header>
    }
}

/// The state in words, with a dot.
#[component]
fn Connection() -> impl IntoView {
    let room = use_room();
    let text = move || match (room.status().get(), room.links().get()) {
        (Status::Connected, 0) => "Connected".to_owned(),
        (Status::Connected, 1) => "1 direct link".to_owned(),
        (Status::Connected, links) => format!("{links} direct links"),
        (Status::Connecting, _) => "Connecting…".to_owned(),
        (Status::Reconnecting, _) => "Reconnecting…".to_owned(),
        (Status::Offline, _) => "Offline".to_owned(),
        (Status::Closed(_), _) => "Not connected".to_owned(),
    };
    view! { <p class=move || format!("pill {}", room.status().get().as_str())>{text}</p> }
}

/// Copies the link, or shows it where that is not allowed.
#[component]
fn Invite(topic: Memo<String>) -> impl IntoView {
    let shown = RwSignal::new(None::<(bool, String)>);
    // A link that was shown belongs to the room it was shown in.
    Effect::new(move |_| {
        topic.with(|_| ());
        shown.set(None);
    });
    let copy = move |_| {
        let Some(link) = platform::invite_link() else { return };
        spawn_local(async move {
            let copied = platform::copy(link.clone()).await;
            shown.try_set(Some((copied, link)));
        });
    };
    view! {
        <div class="invite">
            <button class="button" type="button" on:click=copy>
                "Copy invite link"
            </button>
            <p class="invite-said" role="status">
                {move || match shown.get() {
                    None => ().into_any(),
                    Some((true, _)) => "Link copied".into_any(),
                    Some((false, link)) => {
                        view! {
                            "This browser doesn't let the page copy. The link: "
                            <a class="invite-link" href=link.clone()>
                                {link.clone()}
                            </a>
                        }
                            .into_any()
                    }
                }}
            </p>
        </div>
    }
}

#[component]
fn Leave() -> impl IntoView {
    let room = use_room();
    let closed = move || matches!(room.status().get(), Status::Closed(_));
    view! {
        <button class="button quiet" type="button" disabled=closed on:click=move |_| room.leave()>
            "Leave room"
        </button>
    }
}

/// What is wrong, what still works, and what to do; nothing when all is well.
#[component]
pub(super) fn Banner() -> impl IntoView {
    let room = use_room();
    let text = move || match room.status().get() {
        Status::Reconnecting => {
            Some("The meeting server is unreachable. You can go on talking; new people can't join until it is back.")
        }
        Status::Offline => {
            Some("This device has no network. You are connected again as soon as it has; until then, messages wait.")
        }
        _ => None,
    };
    view! {
        <p class="banner" role="status">
            {text}
        </p>
    }
}
