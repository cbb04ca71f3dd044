//! What has been said.

use converge_p2p::hooks::use_peers;
use leptos::html::Div;
use leptos::prelude::*;

use super::Line;
use crate::parts::{Avatar, list};
use crate::platform;
use crate::room::Shared;

/// Whoever is within this many pixels of the end wants to stay there.
const AT_END_PX: i32 = 40;

#[component]
pub(super) fn Log() -> impl IntoView {
    let lines = Shared::get().lines;
    let log = NodeRef::<Div>::new();
    let at_end = StoredValue::new(true);
    let scrolled = move |_| {
        if let Some(log) = log.get_untracked() {
            at_end.set_value(log.scroll_height() - log.scroll_top() - log.client_height() <= AT_END_PX);
        }
    };
    let numbers = Signal::derive(move || lines.numbers());
    Effect::new(move |_| {
        let last = numbers.get().pop().and_then(|number| lines.line(number));
        if last.is_some_and(|line| line.mine) || at_end.get_value() {
            // After the rows have been laid out.
            request_animation_frame(move || {
                if let Some(log) = log.try_get_untracked().flatten() {
                    log.set_scroll_top(log.scroll_height());
                }
            });
        }
    });
    view! {
        <div class="log" role="log" aria-label="Messages" tabindex="0" node_ref=log on:scroll=scrolled>
            <Empty numbers/>
            {list(numbers, move |number| lines.line(number).map(|line| view! { <Row line/> }).into_any())}
        </div>
    }
    .into_any()
}

#[component]
fn Row(line: Line) -> impl IntoView {
    view! {
        <article class="message">
            <Avatar peer=Signal::stored(Some(line.from))/>
            <div class="message-body">
                <p class="message-head">
                    <span class="message-name">{line.name}</span>
                    <span class="message-direct">{line.direct}</span>
                    <time class="message-time">{line.time}</time>
                </p>
                <p class="message-text">{line.text}</p>
            </div>
        </article>
    }
}

/// What to do in a room where nothing has been said.
#[component]
fn Empty(numbers: Signal<Vec<u64>>) -> impl IntoView {
    let peers = use_peers();
    let link = RwSignal::new(String::new());
    Effect::new(move |_| link.set(platform::invite_link().unwrap_or_default()));
    let quiet = Signal::derive(move || numbers.with(Vec::is_empty));
    let alone = Signal::derive(move || quiet.get() && peers.with(Vec::is_empty));
    let not_alone = Signal::derive(move || !alone.get());
    let not_quiet = Signal::derive(move || !quiet.get() || alone.get());
    view! {
        <div class="empty" hidden=not_alone>
            <p class="empty-heading">"Nobody else is here yet"</p>
            <p>"Send them this link, or open it in a second tab:"</p>
            <p class="empty-link">{Signal::<String>::from(link)}</p>
        </div>
        <p class="empty" hidden=not_quiet>
            "Nothing has been said yet."
        </p>
    }
}
