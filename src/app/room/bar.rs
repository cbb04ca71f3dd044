//! On a phone there is room for one part of the room at a time: which, and the bar that changes it.

use leptos::prelude::*;

use super::Shared;
use crate::parts::{Icon, icon, live};
use crate::words;

/// The part that a phone shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    People,
    Stage,
    Chat,
}

impl Tab {
    /// What the styles call it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::People => "people",
            Self::Stage => "stage",
            Self::Chat => "chat",
        }
    }
}

/// Three buttons at the bottom of a phone's screen. Where there is room for all parts, it isn't shown.
#[component]
pub(super) fn Bar() -> impl IntoView {
    let unread = Shared::get().unread;
    let count = Signal::derive(move || match unread.get() {
        0 => String::new(),
        count @ 1..100 => count.to_string(),
        _ => "99+".to_owned(),
    });
    let described = Signal::derive(move || words::room::unread(unread.get()));
    view! {
        <nav class="room-bar" aria-label=words::room::PARTS>
            {button(Tab::People, words::room::PEOPLE, icon::PEOPLE)} {button(Tab::Stage, words::room::STAGE, icon::POINTER)}
            <div class="room-bar-chat">
                {button(Tab::Chat, words::room::CHAT, icon::CHAT)}
                <span class="room-bar-count" aria-hidden="true" translate="no" use:live=count></span>
                <span id="unread-chat" hidden use:live=described></span>
            </div>
        </nav>
    }
    .into_any()
}

fn button(which: Tab, label: &'static str, path: &'static str) -> AnyView {
    let Shared { tab, ready, .. } = Shared::get();
    let asleep = Signal::derive(move || !ready.get());
    let pressed = Signal::derive(move || Some((tab.get() == which).to_string()));
    let described = (which == Tab::Chat).then_some("unread-chat");
    view! {
        <button
            id=format!("part-{}", which.as_str())
            class="room-bar-button"
            type="button"
            aria-pressed=pressed
            aria-describedby=described
            disabled=asleep
            on:click=move |_| tab.set(which)
        >
            <Icon path/>
            {label}
        </button>
    }
    .into_any()
}
