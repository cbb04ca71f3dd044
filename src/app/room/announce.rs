//! Who comes and goes, said to those who don't look at the list, and a sound for those who want one.

use std::time::Duration;

use converge_p2p::hooks::{use_presence, use_room};
use converge_p2p::{Event, PeerId};
use leptos::prelude::*;

use super::{Profile, Shared};
use crate::parts::{Icon, icon, spoken};
use crate::{platform, words};

/// Who comes or goes within this time is said together; by then newcomers have told their names.
const TOGETHER: Duration = Duration::from_secs(1);

/// What has not been said yet.
#[derive(Default)]
struct News {
    /// The last name of each member: one that has gone shows none any more.
    names: Vec<(PeerId, String)>,
    came: Vec<PeerId>,
    left: Vec<String>,
    /// Members that joined and left before either was announced.
    visited: Vec<String>,
    /// Those who were here before are being met.
    joining: bool,
    waiting: bool,
}

impl News {
    fn name(&self, peer: PeerId) -> String {
        let known = self.names.iter().find(|(other, _)| *other == peer);
        known.map_or_else(|| Profile::name(None, peer), |(_, name)| name.clone())
    }

    /// In words, once.
    fn take(&mut self) -> String {
        let came: Vec<String> = std::mem::take(&mut self.came).into_iter().map(|peer| self.name(peer)).collect();
        let (left, visited) = (std::mem::take(&mut self.left), std::mem::take(&mut self.visited));
        self.waiting = false;
        let said = [words::room::came(&came), words::room::left(&left), words::room::visited(&visited)];
        said.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// A region that says it politely.
#[component]
pub(super) fn Announcements() -> impl IntoView {
    let profiles = use_presence::<Profile>();
    let Shared { sounds, names, .. } = Shared::get();
    let text = RwSignal::new(String::new());
    let news = StoredValue::new(News::default());
    let say = move || {
        if let Some(said) = news.try_update_value(News::take).filter(|said| !said.is_empty()) {
            if sounds.get_untracked() {
                platform::beep(523.0);
            }
            text.try_set(said);
        }
    };
    let soon = move || {
        if news.try_update_value(|news| !std::mem::replace(&mut news.waiting, true)) == Some(true) {
            set_timeout(say, TOGETHER);
        }
    };
    use_room().on_event(move |event| match event {
        Event::Connected { .. } => {
            news.update_value(|news| news.joining = true);
            // They are all told of in this turn.
            set_timeout(
                move || {
                    news.try_update_value(|news| news.joining = false);
                },
                Duration::ZERO,
            );
        }
        Event::PeerJoined { peer } if !news.with_value(|news| news.joining) => {
            news.update_value(|news| news.came.push(*peer));
            soon();
        }
        Event::PresenceChanged { peer, .. } => {
            let name = names.peek(*peer, profiles.peek(*peer).as_ref());
            news.update_value(|news| match news.names.iter_mut().find(|(other, _)| other == peer) {
                Some((_, known)) if *known == name => {}
                Some((_, known)) => *known = name,
                None => news.names.push((*peer, name)),
            });
        }
        Event::PeerLeft { peer, .. } => {
            news.update_value(|news| {
                let name = news.name(*peer);
                news.names.retain(|(other, _)| other != peer);
                // One sentence for a short visit, not two.
                if news.came.contains(peer) {
                    news.came.retain(|other| other != peer);
                    news.visited.push(name);
                } else {
                    news.left.push(name);
                }
            });
            soon();
        }
        _ => {}
    });
    view! {
        {spoken(text)}
    }
    .into_any()
}

/// Turns sounds on, or off again: they are off until somebody wants them.
#[component]
pub(super) fn Sounds() -> impl IntoView {
    let Shared { sounds, ready, .. } = Shared::get();
    Effect::new(move |_| sounds.set(platform::remembered_sounds()));
    let asleep = Signal::derive(move || !ready.get());
    let pressed = Signal::derive(move || Some(sounds.get().to_string()));
    let toggle = move |_| {
        let on = !sounds.get_untracked();
        sounds.set(on);
        platform::remember_sounds(on);
        if on {
            platform::beep(523.0);
        }
    };
    view! {
        <button
            class="button quiet icon-button toggle"
            type="button"
            aria-label=words::room::SOUNDS
            aria-pressed=pressed
            title=words::room::SOUNDS_WHEN
            disabled=asleep
            on:click=toggle
        >
            <Icon path=icon::BELL/>
        </button>
    }
    .into_any()
}
