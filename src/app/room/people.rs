//! Who is here, and what they do now.

use converge_p2p::PeerState;
use converge_p2p::hooks::{Peer, use_peers, use_presence, use_room};
use leptos::prelude::*;

use super::{MAX_NAME_CHARS, Profile};
use crate::parts::Avatar;
use crate::{platform, words};

#[component]
pub(super) fn People() -> impl IntoView {
    let peers = use_peers();
    view! {
        <section class="people" aria-labelledby="people-heading">
            <h2 id="people-heading" class="section-heading">
                "People " <span class="count">{move || peers.get().len() + 1}</span>
            </h2>
            <Name/>
            <ul class="people-list" aria-label="People">
                <Myself/>
                <For each=move || peers.get() key=|peer| peer.id() let:peer>
                    <Person peer/>
                </For>
            </ul>
        </section>
    }
}

/// The field for one's own name.
#[component]
fn Name() -> impl IntoView {
    let room = use_room();
    let mine = use_presence::<Profile>().mine();
    Effect::new(move |_| {
        if let Some(name) = platform::remembered_name()
            && mine.with_untracked(|profile| profile.name.is_empty())
        {
            mine.update(|profile| profile.name = name);
        }
    });
    let rename = move |name: String| {
        platform::remember_name(&name);
        mine.update(|profile| profile.name = name);
    };
    view! {
        <div class="name">
            <label for="name">"Your name"</label>
            <input
                id="name"
                class="field"
                autocomplete="nickname"
                maxlength=MAX_NAME_CHARS.to_string()
                placeholder=move || room.id().get().map(words::name_of)
                prop:value=move || mine.with(|profile| profile.name.clone())
                on:input:target=move |event| rename(event.target().value())
            />
        </div>
    }
}

#[component]
fn Myself() -> impl IntoView {
    let room = use_room();
    let id = room.id();
    let mine = use_presence::<Profile>().mine();
    let name = move || match id.get() {
        Some(id) => mine.with(|profile| Profile::name(Some(profile), id)),
        None => "You".to_owned(),
    };
    view! {
        <li class="person" data-peer-id=move || id.get().map(|id| id.to_string())>
            <Avatar peer=id/>
            <div class="person-text">
                <span class="person-name">{name}</span>
                <span class="person-state">"you"</span>
            </div>
        </li>
    }
}

#[component]
fn Person(peer: Peer) -> impl IntoView {
    let id = peer.id();
    let profile = use_presence::<Profile>().of(id);
    let state = peer.state();
    let name = move || Profile::name(profile.get().as_ref(), id);
    let doing = move || match state.get() {
        PeerState::Connected if profile.get().is_some_and(|profile| profile.typing) => "typing…",
        PeerState::Connected => "",
        PeerState::Connecting => "connecting…",
        _ => "unreachable; trying again",
    };
    view! {
        <li class="person" class:away=move || state.get() != PeerState::Connected data-peer-id=id.to_string()>
            <Avatar peer=Some(id)/>
            <div class="person-text">
                <span class="person-name">{name}</span>
                <span class="person-state">{doing}</span>
            </div>
        </li>
    }
}
