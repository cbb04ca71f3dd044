//! The room: who is here, and what they say.

mod announce;
mod bar;
mod call;
mod chat;
mod closed;
mod doctor;
mod few;
mod header;
mod mesh;
mod names;
mod people;
mod quality;
mod share;
mod shortcuts;
mod stage;

use converge_p2p::hooks::{provide_room_when, use_media, use_presence, use_room};
use converge_p2p::{Options, PeerId, without_hidden};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::location::RequestUrl;
use serde::{Deserialize, Serialize};

use self::announce::Announcements;
use self::bar::{Bar, Tab};
use self::call::{Newcomers, Waiting};
use self::chat::{Chat, Lines};
use self::closed::Closed;
use self::doctor::{ConnectionPanel, PanelState};
use self::header::{Banner, Header, unreached};
use self::names::Names;
use self::people::People;
use self::stage::Stage;
use crate::landing::decoded;
use crate::program::path_of;
use crate::{platform, words};

/// What everybody in the room shows of themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Profile {
    /// What this person wants to be called; empty for the name that comes from the key.
    name: String,
    /// Whether a message is being written.
    typing: bool,
}

/// Names are shown up to this many characters, so that nobody can fill the others' screens.
const MAX_NAME_CHARS: usize = 40;

impl Profile {
    /// Returns a member's name without hidden characters, or the name that comes from its key if nothing is left.
    /// [`Names`] distinguishes names that look the same.
    fn name(profile: Option<&Self>, peer: PeerId) -> String {
        // Cut first: a name has any length, and cleaning takes time in proportion.
        let beginning = |profile: &Self| profile.name.chars().take(4 * MAX_NAME_CHARS).collect::<String>();
        let name = profile.map(|profile| without_hidden(&beginning(profile))).unwrap_or_default();
        match name.trim() {
            "" => words::name_of(peer),
            name => name.chars().take(MAX_NAME_CHARS).collect::<String>().trim_end().to_owned(),
        }
    }
}

/// What to call a member: the last name it has shown, after it has gone too. Of this peer itself too.
fn name_of(peer: PeerId) -> Signal<String> {
    let (own, presence) = (use_room().id(), use_presence::<Profile>());
    let names = Shared::get().names;
    let profile = presence.of(peer);
    let last = StoredValue::new(None);
    Signal::derive(move || {
        if own.get() == Some(peer) {
            return presence.mine().with(|mine| names.get(peer, Some(mine)));
        }
        if let Some(profile) = profile.get() {
            last.set_value(Some(profile));
        }
        last.with_value(|last| names.get(peer, last.as_ref()))
    })
}

/// A member's name without its code, and whether it needs the code to be distinguished.
fn name_parts(peer: PeerId) -> Signal<(String, bool)> {
    let (own, presence) = (use_room().id(), use_presence::<Profile>());
    let names = Shared::get().names;
    let profile = presence.of(peer);
    Signal::derive(move || match own.get() == Some(peer) {
        true => presence.mine().with(|mine| names.parts(peer, Some(mine))),
        false => profile.with(|profile| names.parts(peer, profile.as_ref())),
    })
}

/// What became of copying a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Copying {
    #[default]
    NotYet,
    Copied,
    /// The browser doesn't let the page copy: the person has to.
    Shown(String),
}

/// What the parts of the room share besides the room itself.
#[derive(Clone, Copy)]
struct Shared {
    names: Names,
    lines: Lines,
    /// Whom the next message is for; none is everyone.
    to: RwSignal<Option<PeerId>>,
    /// What went wrong last, in words; empty if nothing did.
    problem: RwSignal<String>,
    /// Of the link to invite others.
    copying: RwSignal<Copying>,
    panel: PanelState,
    /// The part of the room that a phone shows.
    tab: RwSignal<Tab>,
    /// How many messages the others have sent since this person last saw what was said.
    unread: RwSignal<u32>,
    /// Whether this person wants to hear when somebody comes or writes.
    sounds: RwSignal<bool>,
    /// What somebody gave to be let in, on a server that asks for it.
    token: RwSignal<Option<String>>,
    /// The server has not been reached for so long that something must be in the way.
    unreached: RwSignal<bool>,
    /// The page has come to life: before that, buttons can't do anything.
    ready: RwSignal<bool>,
}

impl Shared {
    /// Below the room that is provided.
    fn new(token: RwSignal<Option<String>>) -> Self {
        let unread = RwSignal::new(0);
        Self {
            names: Names::new(),
            lines: Lines::new(unread),
            to: RwSignal::new(None),
            problem: RwSignal::new(String::new()),
            copying: RwSignal::new(Copying::NotYet),
            panel: PanelState::new(),
            tab: RwSignal::new(Tab::Chat),
            unread,
            sounds: RwSignal::new(false),
            token,
            unreached: RwSignal::new(false),
            ready: RwSignal::new(false),
        }
    }

    /// What [`Room`] provided.
    fn get() -> Self {
        expect_context()
    }
}

/// The page at `/r/{topic}`.
#[component]
pub(crate) fn RoomPage() -> impl IntoView {
    // The router would decode it twice, and make another room of one whose name looks encoded.
    let url = use_context::<RequestUrl>();
    let name = url.as_ref().and_then(|url| path_of(url).strip_prefix("/r/"));
    let topic = name.and_then(decoded).unwrap_or_default();
    view! {
        <Title text=topic.clone()/>
        <Room topic/>
    }
}

/// The room itself, which comes to life in the browser.
#[island]
fn Room(topic: String) -> impl IntoView {
    let given = RwSignal::new(None);
    let name = topic.clone();
    // Asked for in the browser only: what was remembered is not on the server.
    let token = Signal::derive(move || given.get().or_else(|| platform::remembered_token(&name)));
    let options = Signal::derive(move || {
        let options = Options::new(topic.clone());
        token.get().into_iter().fold(options, |options, token| options.token(token))
    });
    let alive: Signal<bool> = platform::alive().into();
    let room = provide_room_when(options, alive);
    let shared = Shared::new(given);
    provide_context(shared);
    unreached(room, shared.unreached);
    let media = use_media();
    provide_context(media);
    Newcomers::provide(media, Signal::derive(move || token.with(Option::is_some)));
    Effect::new(move |_| shared.ready.set(alive.get()));
    // Held here for as long as the page is: without a user a slot is cleared.
    use_presence::<Profile>();
    mesh::tell_links();

    let id = Signal::derive(move || room.id().get().map(|id| id.to_string()));
    let status = Signal::derive(move || Some(room.status().get().as_str().to_owned()));
    let reason = Signal::derive(move || room.status().get().reason().map(|reason| reason.as_str().to_owned()));
    let links = Signal::derive(move || Some(room.links().get().to_string()));
    let closed = Signal::derive(move || reason.with(Option::is_some));
    let tab = Signal::derive(move || Some(shared.tab.get().as_str()));
    view! {
        <div class="page room-page">
            <Header/>
            <main class="room" data-self-id=id data-status=status data-reason=reason data-links=links>
                <noscript>
                    <p class="notice">
                        {words::room::NEEDS_JAVASCRIPT}
                    </p>
                </noscript>
                <Announcements/>
                <Banner/>
                <Closed/>
                // Kept while the room is closed: who joins again finds what was said and what they were writing.
                <div class="room-columns" data-tab=tab hidden=closed>
                    <div class="room-column people-column">
                        <People/>
                    </div>
                    <Waiting/>
                    <div class="room-column stage-column">
                        <Stage/>
                    </div>
                    <div class="room-column chat-column">
                        <Chat/>
                    </div>
                    <Bar/>
                </div>
                <ConnectionPanel state=shared.panel/>
            </main>
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_no_name_gets_one_from_the_key() {
        let peer = PeerId::from_bytes([3; 32]);
        let profile = |name: &str| Profile { name: name.to_owned(), typing: false };
        assert_eq!(Profile::name(Some(&profile(" Ada ")), peer), "Ada");
        for nothing in ["  ", "\u{200b}", "\u{202e} \u{2066}", &"\u{200b}".repeat(15_000)] {
            assert_eq!(Profile::name(Some(&profile(nothing)), peer), words::name_of(peer), "{nothing:?}");
        }
        assert_eq!(Profile::name(Some(&profile("\u{202e}Evil\n")), peer), "Evil");
        assert_eq!(Profile::name(None, peer), words::name_of(peer));
        assert_eq!(Profile::name(Some(&profile(&"é".repeat(1000))), peer).chars().count(), MAX_NAME_CHARS);
    }

    #[test]
    fn a_profile_from_another_version_is_still_one() {
        let newer: Profile = serde_json::from_str(r#"{"name":"Ada","mood":"fine"}"#).unwrap_or_default();
        assert_eq!(newer.name, "Ada");
    }
}
