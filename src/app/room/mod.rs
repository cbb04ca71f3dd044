//! The room: who is here, and what they say.

mod chat;
mod closed;
mod header;
mod people;

use converge_p2p::hooks::{provide_room, use_presence};
use converge_p2p::{Options, PeerId};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use serde::{Deserialize, Serialize};

use self::chat::Chat;
use self::closed::Closed;
use self::header::{Banner, Header};
use self::people::People;
use crate::words;

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
    /// What to call whoever shows this.
    fn name(profile: Option<&Self>, peer: PeerId) -> String {
        let name = profile.map(|profile| profile.name.trim()).filter(|name| !name.is_empty());
        name.map_or_else(|| words::name_of(peer), |name| name.chars().take(MAX_NAME_CHARS).collect())
    }
}

/// The room at `/r/{topic}`. Another topic in the address is another room: the one is left, the other joined.
#[component]
pub(crate) fn RoomPage() -> impl IntoView {
    let params = use_params_map();
    let topic = Memo::new(move |_| params.with(|params| params.get("topic").unwrap_or_default()));
    let room = provide_room(Signal::derive(move || Options::new(topic.get())));
    // Held here for as long as the page is: without a user a slot is cleared.
    use_presence::<Profile>();

    let status = room.status();
    let reason = move || status.get().reason();
    view! {
        <Title text=move || topic.get()/>
        <div class="page room-page">
            <Header topic/>
            <main
                class="room"
                data-self-id=move || room.id().get().map(|id| id.to_string())
                data-status=move || status.get().as_str()
                data-reason=move || reason().map(|reason| reason.as_str())
                data-links=move || room.links().get().to_string()
            >
                <noscript>
                    <p class="notice">
                        "This room needs JavaScript: your browser connects to the others' by itself, and the program \
                         that does it comes with this page. Allow JavaScript for this site, then load the page again."
                    </p>
                </noscript>
                <Banner/>
                <Show when=move || reason().is_some()>
                    <Closed/>
                </Show>
                // Kept while the room is closed: who joins again finds what was said and what they were writing.
                <div class="room-columns" hidden=move || reason().is_some()>
                    <People/>
                    <Chat/>
                </div>
            </main>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_no_name_gets_one_from_the_key() {
        let peer = PeerId::from_bytes([3; 32]);
        let profile = |name: &str| Profile { name: name.to_owned(), typing: false };
        assert_eq!(Profile::name(Some(&profile(" Ada ")), peer), "Ada");
        assert_eq!(Profile::name(Some(&profile("  ")), peer), words::name_of(peer));
        assert_eq!(Profile::name(None, peer), words::name_of(peer));
        assert_eq!(Profile::name(Some(&profile(&"é".repeat(1000))), peer).chars().count(), MAX_NAME_CHARS);
    }

    #[test]
    fn a_profile_from_another_version_is_still_one() {
        let newer: Profile = serde_json::from_str(r#"{"name":"Ada","mood":"fine"}"#).unwrap_or_default();
        assert_eq!(newer.name, "Ada");
    }
}
