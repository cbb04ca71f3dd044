//! Who is here, and what they do now.

use converge_p2p::hooks::{use_peers, use_presence, use_room};
use converge_p2p::{PeerId, PeerState};
use leptos::html::Input;
use leptos::prelude::*;

use super::{MAX_NAME_CHARS, Profile};
use crate::parts::{Avatar, list};
use crate::{platform, words};

#[component]
pub(super) fn People() -> impl IntoView {
    let peers = use_peers();
    let count = Signal::derive(move || (peers.with(Vec::len) + 1).to_string());
    let ids = Signal::derive(move || peers.get().into_iter().map(|peer| peer.id()).collect());
    view! {
        <section class="people" aria-labelledby="people-heading">
            <h2 id="people-heading" class="section-heading">
                "People " <span class="count">{count}</span>
            </h2>
            <Name/>
            <ul class="people-list" aria-label="People">
                <Myself/>
                {list(ids, |id| view! { <Person id/> }.into_any())}
            </ul>
        </section>
    }
    .into_any()
}

/// The field for one's own name.
#[component]
fn Name() -> impl IntoView {
    let room = use_room();
    let mine = use_presence::<Profile>().mine();
    let field = NodeRef::<Input>::new();
    let rename = move |name: String| {
        platform::remember_name(&name);
        mine.update(|profile| profile.name = name);
    };
    Effect::new(move |_| {
        // Somebody may have been faster than the page.
        if let Some(typed) = field.get_untracked().map(|field| field.value()).filter(|typed| !typed.is_empty()) {
            return rename(typed);
        }
        // Storage holds the page up when it is first asked; connecting comes first.
        request_idle_callback(move || {
            let named = mine.try_with_untracked(|profile| !profile.name.is_empty()) != Some(false);
            if let (false, Some(name), Some(field)) =
                (named, platform::remembered_name(), field.try_get_untracked().flatten())
            {
                field.set_value(&name);
                mine.update(|profile| profile.name = name);
            }
        });
    });
    let otherwise = Signal::derive(move || room.id().get().map(words::name_of).unwrap_or_default());
    view! {
        <div class="name">
            <label for="name">"Your name"</label>
            <input
                id="name"
                class="field"
                autocomplete="nickname"
                maxlength=MAX_NAME_CHARS.to_string()
                placeholder=otherwise
                node_ref=field
                on:input:target=move |event| rename(event.target().value())
            />
        </div>
    }
}

#[component]
fn Myself() -> impl IntoView {
    let id = use_room().id();
    let mine = use_presence::<Profile>().mine();
    let name = Signal::derive(move || match id.get() {
        Some(id) => mine.with(|profile| Profile::name(Some(profile), id)),
        None => "You".to_owned(),
    });
    let text = Signal::derive(move || id.get().map(|id| id.to_string()));
    view! { <Row id text name state=Signal::stored("you".to_owned()) class=Signal::stored("person".to_owned())/> }
}

#[component]
fn Person(id: PeerId) -> impl IntoView {
    let profile = use_presence::<Profile>().of(id);
    let state = use_room().peer(id).state();
    let name = Signal::derive(move || Profile::name(profile.get().as_ref(), id));
    let doing = Signal::derive(move || {
        let doing = match state.get() {
            PeerState::Connected if profile.with(|profile| profile.as_ref().is_some_and(|it| it.typing)) => "typing…",
            PeerState::Connected => "",
            PeerState::Connecting => "connecting…",
            _ => "unreachable; trying again",
        };
        doing.to_owned()
    });
    let class = Signal::derive(move || {
        let class = if state.get() == PeerState::Connected { "person" } else { "person away" };
        class.to_owned()
    });
    view! { <Row id=Signal::stored(Some(id)) text=Signal::stored(Some(id.to_string())) name state=doing class/> }
}

#[component]
fn Row(
    id: Signal<Option<PeerId>>,
    text: Signal<Option<String>>,
    name: Signal<String>,
    state: Signal<String>,
    class: Signal<String>,
) -> impl IntoView {
    view! {
        <li class=class data-peer-id=text>
            <Avatar peer=id/>
            <div class="person-text">
                <span class="person-name">{name}</span>
                <span class="person-state">{state}</span>
            </div>
        </li>
    }
    .into_any()
}
