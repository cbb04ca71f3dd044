//! The viewers of this person's media: the setting for newcomers, the approval bar, and the list in `Devices`.

use converge_p2p::hooks::{UseMedia, use_peers, use_room};
use converge_p2p::{Audience, PeerId, ViewerState};
use leptos::ev::{KeyboardEvent, MouseEvent};
use leptos::prelude::*;

use crate::parts::{Icon, icon, list, live, live_span};
use crate::room::name_of;
use crate::{platform, words};

/// The setting for newcomers in this room.
#[derive(Clone, Copy)]
pub(crate) struct Newcomers {
    topic: Memo<String>,
    /// This person's choice since the page was loaded.
    chosen: RwSignal<Option<bool>>,
    /// Whether newcomers receive all media at once.
    always: Memo<bool>,
}

impl Newcomers {
    /// Applies this person's choice for this room, made now or on an earlier visit. Without one, newcomers receive
    /// everything if the server checks tokens (`invited`); otherwise this person approves each, since names can be
    /// guessed.
    pub(crate) fn provide(media: UseMedia, invited: Signal<bool>) {
        let topic = use_room().topic();
        let chosen = RwSignal::new(None);
        let always = Memo::new(move |_| {
            let chosen = chosen.get().or_else(|| platform::remembered_newcomers(&topic.get()));
            chosen.unwrap_or_else(|| invited.get())
        });
        Effect::new(move |_| media.set_audience(if always.get() { Audience::Everyone } else { Audience::Approved }));
        provide_context(Self { topic, chosen, always });
    }

    fn choose(self, always: bool) {
        platform::remember_newcomers(&self.topic.get_untracked(), always);
        self.chosen.set(Some(always));
    }
}

/// The number of waiting newcomers, and a button for the first. More buttons would take the videos' space; the list of
/// people has one for each newcomer.
#[component]
pub(crate) fn Waiting() -> impl IntoView {
    let media = expect_context::<UseMedia>();
    let viewers = media.viewers();
    let waiting = Signal::derive(move || {
        let waits = |(peer, state): &(PeerId, ViewerState)| (*state == ViewerState::Waiting).then_some(*peer);
        viewers.with(|all| all.iter().filter_map(waits).collect::<Vec<_>>())
    });
    let first = Signal::derive(move || waiting.get().into_iter().take(1).collect::<Vec<_>>());
    let text = Signal::derive(move || words::call::waiting(waiting.with(Vec::len)));
    let class =
        Signal::derive(move || if waiting.with(Vec::is_empty) { "waiting" } else { "waiting shown" }.to_owned());
    let row = move |peer: PeerId| {
        let name = name_of(peer);
        let allow = Signal::derive(move || words::call::allow(&name.get()));
        let dismiss = Signal::derive(move || words::call::not_now(&name.get()));
        let press = move |event: MouseEvent, approve: bool| {
            // The second click of a double click would approve the next newcomer, whose button is now here.
            if event.detail() > 1 {
                return;
            }
            // The pressed button is removed: move the focus first.
            match waiting.get_untracked().into_iter().find(|other| *other != peer) {
                Some(next) => request_animation_frame(move || platform::focus(&button_id(next))),
                // The last of these that is visible: phones may hide `Devices`.
                None => ["part-people", "devices"].into_iter().for_each(platform::focus),
            }
            if approve { media.approve_viewer(peer) } else { media.deny_viewer(peer) }
        };
        // So would a held Enter key.
        let held = move |event: KeyboardEvent| {
            if event.repeat() {
                event.prevent_default();
            }
        };
        view! {
            <li class="waiting-row" on:keydown=held>
                <button
                    id=button_id(peer)
                    class="button waiting-allow"
                    type="button"
                    on:click=move |event| press(event, true)
                >
                    {live_span("", allow)}
                </button>
                <button
                    class="button quiet icon-button"
                    type="button"
                    aria-label=dismiss
                    title=dismiss
                    on:click=move |event| press(event, false)
                >
                    <Icon path=icon::CLOSE/>
                </button>
            </li>
        }
        .into_any()
    };
    view! {
        <div class=class role="group" aria-label=words::call::NEWCOMERS>
            <p class="waiting-text" role="status" use:live=text></p>
            <ul class="waiting-list">{list(first, row)}</ul>
        </div>
    }
    .into_any()
}

fn button_id(peer: PeerId) -> String {
    format!("allow-{}", peer.short())
}

/// Whether a member sees and hears this person, shown in the list of people while this person shares something.
#[component]
pub(crate) fn Sees(peer: PeerId) -> impl IntoView {
    let state = expect_context::<UseMedia>().viewer(peer);
    let label = Signal::derive(move || state.get().map(words::call::sees).unwrap_or_default());
    let path = Signal::derive(move || if is_viewing(state.get()) { icon::EYE } else { icon::EYE_CLOSED });
    let class = Signal::derive(move || if is_viewing(state.get()) { "icon sees" } else { "icon" });
    let none = Signal::derive(move || state.get().is_none());
    view! {
        <span class="sees-frame" title=label hidden=none>
            <svg class=class viewBox="0 0 24 24" width="16" height="16" role="img" aria-label=label>
                <path d=path/>
            </svg>
        </span>
    }
    .into_any()
}

/// The button below a newcomer in the list of people that approves them as a viewer.
#[component]
pub(crate) fn Allow(
    peer: PeerId,
    name: Signal<String>,
    /// Moves the focus before the pressed button is removed.
    leave: impl Fn() + 'static,
) -> impl IntoView {
    let media = expect_context::<UseMedia>();
    let state = media.viewer(peer);
    let hidden = Signal::derive(move || state.get() != Some(ViewerState::Waiting));
    let label = Signal::derive(move || words::call::allow(&name.get()));
    let press = move |_| {
        leave();
        media.approve_viewer(peer);
    };
    view! {
        <button class="button person-allow" type="button" hidden=hidden on:click=press>
            {live_span("", label)}
        </button>
    }
    .into_any()
}

fn is_viewing(state: Option<ViewerState>) -> bool {
    state == Some(ViewerState::Viewing)
}

/// The part of `Devices` with the setting for newcomers, and each member's state as a viewer.
#[component]
pub(super) fn Viewers() -> impl IntoView {
    let newcomers = expect_context::<Newcomers>();
    let viewers = expect_context::<UseMedia>().viewers();
    let peers = use_peers();
    let ids = Signal::derive(move || viewers.with(|all| all.iter().map(|(peer, _)| *peer).collect::<Vec<_>>()));
    let hint = Signal::derive(move || {
        let crowded = viewers.with(|all| all.iter().any(|(_, state)| *state == ViewerState::Crowded));
        match (peers.with(Vec::is_empty), ids.with(Vec::is_empty)) {
            (true, _) => words::call::NOBODY_THERE.to_owned(),
            (false, true) => words::call::NOTHING_ON.to_owned(),
            (false, false) if crowded => words::call::crowded(),
            (false, false) => String::new(),
        }
    });
    let option = |value: &'static str, text: &'static str, selected: bool| {
        view! {
            <option value=value selected=selected>
                {text}
            </option>
        }
    };
    let always = newcomers.always.get_untracked();
    let change = move |value: String| newcomers.choose(value == "always");
    view! {
        <label class="device" for="newcomers">
            {words::call::NEWCOMERS_SEE}
        </label>
        <select id="newcomers" class="field" aria-describedby="newcomers-hint" on:change=move |event| platform::value(&event).into_iter().for_each(change)>
            {option("ask", words::call::NEWCOMERS_ASK, !always)} {option("always", words::call::NEWCOMERS_ALWAYS, always)}
        </select>
        <p id="newcomers-hint" class="devices-hint">
            {words::call::NEWCOMERS_HINT}
        </p>
        <h3 class="device" id="viewers-heading">
            {words::call::VIEWERS}
        </h3>
        <p class="devices-hint" use:live=hint>
            {hint.get_untracked()}
        </p>
        <ul class="viewers" aria-labelledby="viewers-heading">
            {list(ids, |peer| view! { <Viewer peer/> }.into_any())}
        </ul>
    }
    .into_any()
}

#[component]
fn Viewer(peer: PeerId) -> impl IntoView {
    let media = expect_context::<UseMedia>();
    let (state, name) = (media.viewer(peer), name_of(peer));
    let said = Signal::derive(move || state.get().map(words::call::sees).unwrap_or_default().to_owned());
    let text = Signal::derive(move || words::call::decide(is_viewing(state.get())).to_owned());
    let label = Signal::derive(move || words::call::decide_for(&name.get(), is_viewing(state.get())));
    let press = move |_| {
        if is_viewing(state.get_untracked()) { media.deny_viewer(peer) } else { media.approve_viewer(peer) }
    };
    view! {
        <li class="viewer">
            <div class="person-text">
                <bdi class="person-name" translate="no">
                    {name}
                </bdi>
                {live_span("person-state", said)}
            </div>
            <button class="button" type="button" aria-label=label title=label on:click=press>
                {live_span("", text)}
            </button>
        </li>
    }
    .into_any()
}
