//! Who is here, and what they do now.

use converge_p2p::hooks::{UseMedia, use_peers, use_presence, use_room};
use converge_p2p::{Activity, PeerId, PeerState};
use leptos::html::{Button, Input};
use leptos::prelude::*;

use super::announce::Sounds;
use super::bar::Tab;
use super::call::{Allow, Sees};
use super::quality::Quality;
use super::shortcuts::Shortcuts;
use super::{MAX_NAME_CHARS, Profile, Shared, name_of, name_parts};
use crate::parts::{Avatar, Bounded, Icon, icon, leave_alone, list, live, live_span};
use crate::{platform, words};

/// The others that are listed at first.
const SHOWN_PEOPLE: usize = 100;

#[component]
pub(super) fn People() -> impl IntoView {
    let peers = use_peers();
    let count = Signal::derive(move || (peers.with(Vec::len) + 1).to_string());
    let ids = Signal::derive(move || peers.get().into_iter().map(|peer| peer.id()).collect());
    let shown = Bounded::first(ids, SHOWN_PEOPLE);
    view! {
        <section class="people" aria-labelledby="people-heading">
            <h2 id="people-heading" class="section-heading">
                {words::room::PEOPLE_HEADING}
                <span class="count" translate="no" use:live=count>
                    {count.get_untracked()}
                </span>
            </h2>
            <Name/>
            // On phones the list is one line that scrolls sideways; `tabindex` lets keys scroll it.
            <ul class="people-list" aria-label=words::room::PEOPLE tabindex="0">
                <Myself/>
                {list(shown.shown, |id| view! { <Person id/> }.into_any())}
            </ul>
            {shown.button(words::room::show_people)}
            <div class="people-tools">
                <Sounds/>
                <Shortcuts/>
            </div>
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
        platform::when_idle(move || {
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
            <label for="name">{words::room::YOUR_NAME}</label>
            <input
                id="name"
                class="field"
                autocomplete="nickname"
                maxlength=MAX_NAME_CHARS.to_string()
                placeholder=otherwise
                dir="auto"
                {..leave_alone()}
                node_ref=field
                on:input=move |event| platform::value(&event).into_iter().for_each(rename)
            />
        </div>
    }
}

#[component]
fn Myself() -> impl IntoView {
    let id = use_room().id();
    let mine = use_presence::<Profile>().mine();
    let names = Shared::get().names;
    let name = Signal::derive(move || match id.get() {
        Some(id) => mine.with(|profile| names.parts(id, Some(profile))),
        None => (words::room::YOU.to_owned(), false),
    });
    let text = Signal::derive(move || id.get().map(|id| id.to_string()));
    // Whose key is not loaded yet doesn't speak.
    let media = expect_context::<UseMedia>();
    let speaking = Memo::new(move |_| id.get().map(|id| media.is_speaking(id)));
    let speaking = Signal::derive(move || speaking.get().is_some_and(|speaking| speaking.get()));
    let state = Signal::derive(move || {
        if speaking.get() { words::room::YOU_SPEAKING } else { words::room::THIS_IS_YOU }.to_owned()
    });
    let class = Signal::derive(move || if speaking.get() { "person speaking" } else { "person" }.to_owned());
    view! { <Row id text name state class activity=Signal::stored(None) more=().into_any()/> }
}

#[component]
fn Person(id: PeerId) -> impl IntoView {
    let profile = use_presence::<Profile>().of(id);
    let peer = use_room().peer(id);
    let (state, activity) = (peer.state(), peer.activity());
    let speaking = expect_context::<UseMedia>().is_speaking(id);
    let (name, parts) = (name_of(id), name_parts(id));
    let doing = Signal::derive(move || {
        let typing = profile.with(|profile| profile.as_ref().is_some_and(|it| it.typing));
        doing(state.get(), activity.get(), typing, speaking.get()).to_owned()
    });
    let class = Signal::derive(move || {
        let here = state.get() == PeerState::Connected && activity.get() != Activity::Stale;
        let class = match (here, speaking.get()) {
            (false, _) => "person away",
            (true, false) => "person",
            (true, true) => "person speaking",
        };
        class.to_owned()
    });
    let activity = Signal::derive(move || Some(activity.get().as_str().to_owned()));
    let write = NodeRef::<Button>::new();
    let leave = move || {
        if let Some(write) = write.get_untracked() {
            // If it is hidden, this does nothing: the focus stays on the pressed button until its removal.
            let _ = write.focus();
        }
    };
    let more = view! {
        <span class="person-signs">
            <Sees peer=id/>
            <Quality peer=id/>
        </span>
        <WriteTo id name write/>
        <Allow peer=id name leave/>
    };
    let more = more.into_any();
    let (id, text) = (Signal::stored(Some(id)), Signal::stored(Some(id.to_string())));
    view! { <Row id text name=parts state=doing class activity more/> }
}

/// What somebody does, in words; nothing where they are simply here.
fn doing(state: PeerState, activity: Activity, typing: bool, speaking: bool) -> &'static str {
    match (state, activity) {
        (PeerState::Connected | PeerState::Connecting, Activity::Stale) => words::connection::activity(Activity::Stale),
        (PeerState::Connected, _) if speaking => words::room::SPEAKING,
        (PeerState::Connected, _) if typing => words::room::TYPING,
        (PeerState::Connected, activity) => words::connection::activity(activity),
        (state, _) => words::room::away(state),
    }
}

/// Makes the next message one for this person alone.
#[component]
fn WriteTo(id: PeerId, name: Signal<String>, write: NodeRef<Button>) -> impl IntoView {
    let Shared { to, tab, .. } = Shared::get();
    let label = Signal::derive(move || words::room::write_to(&name.get()));
    let press = move |_| {
        to.set(Some(id));
        tab.set(Tab::Chat);
        // On a phone the field is not there before.
        request_animation_frame(|| platform::focus("message"));
    };
    view! {
        <button
            class="button quiet icon-button person-write"
            type="button"
            aria-label=label
            title=label
            node_ref=write
            on:click=press
        >
            <Icon path=icon::CHAT/>
        </button>
    }
    .into_any()
}

#[component]
fn Row(
    id: Signal<Option<PeerId>>,
    text: Signal<Option<String>>,
    /// The name without its code, and whether the code is shown: another member has the same name.
    name: Signal<(String, bool)>,
    state: Signal<String>,
    class: Signal<String>,
    activity: Signal<Option<String>>,
    /// Beside who it is.
    more: AnyView,
) -> impl IntoView {
    let code = move || id.get().map(words::code_of);
    let title = Signal::derive(move || code().map(|code| words::room::code(&code)));
    let taken_code =
        Signal::derive(move || code().filter(|_| name.with(|(_, is_taken)| *is_taken)).unwrap_or_default());
    let name = Signal::derive(move || name.with(|(name, _)| name.clone()));
    view! {
        <li class=class data-peer-id=text data-activity=activity>
            <Avatar peer=id/>
            <div class="person-text" title=title>
                <bdi class="person-name" translate="no">
                    {name}
                </bdi>
                <span class="person-code" translate="no" use:live=taken_code></span>
                {live_span("person-state", state)}
            </div>
            {more}
        </li>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_wins_over_idleness_but_not_over_a_lost_link() {
        use Activity::*;
        let connected = |activity, typing| doing(PeerState::Connected, activity, typing, false);
        assert_eq!(connected(Active, false), "");
        assert_eq!(connected(Idle, false), "idle");
        assert_eq!(connected(Hidden, false), "page hidden");
        assert_eq!(connected(Idle, true), "typing…");
        assert_eq!(connected(Stale, true), "reconnecting…");
        assert_eq!(doing(PeerState::Connecting, Stale, false, false), "reconnecting…");
        assert_eq!(doing(PeerState::Connecting, Active, false, false), "connecting…");
        assert_eq!(doing(PeerState::Unreachable, Stale, false, false), "unreachable; trying again");
    }
}
