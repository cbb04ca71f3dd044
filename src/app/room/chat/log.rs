//! What has been said.

use converge_p2p::hooks::{use_peers, use_room};
use leptos::html::Div;
use leptos::prelude::*;

use super::{Direct, Line};
use crate::parts::Avatar;
use crate::platform;

/// Whoever is within this many pixels of the end wants to stay there.
const AT_END_PX: i32 = 40;

#[component]
pub(super) fn Log(lines: RwSignal<Vec<Line>>) -> impl IntoView {
    let log = NodeRef::<Div>::new();
    let at_end = StoredValue::new(true);
    let scrolled = move |_| {
        if let Some(log) = log.get_untracked() {
            at_end.set_value(log.scroll_height() - log.scroll_top() - log.client_height() <= AT_END_PX);
        }
    };
    Effect::new(move |_| {
        let mine = lines.with(|lines| lines.last().is_some_and(|line| line.mine));
        if mine || at_end.get_value() {
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
            <Show when=move || lines.with(Vec::is_empty)>
                <Empty/>
            </Show>
            <For each=move || lines.get() key=|line| line.number let:line>
                <Row line/>
            </For>
        </div>
    }
}

#[component]
fn Row(line: Line) -> impl IntoView {
    let direct = match &line.direct {
        Direct::No => None,
        Direct::ToMe => Some("direct, to you".to_owned()),
        Direct::To(name) => Some(format!("direct, to {name}")),
    };
    let is_direct = direct.is_some();
    view! {
        <article class="message" class:mine=line.mine class:direct=is_direct>
            <Avatar peer=Some(line.from)/>
            <div class="message-body">
                <p class="message-head">
                    <span class="message-name">{line.name}</span>
                    {direct.map(|direct| view! { <span class="message-direct">{direct}</span> })}
                    <time class="message-time">{line.time}</time>
                </p>
                <p class="message-text">{line.text}</p>
            </div>
        </article>
    }
}

/// What to do in a room where nothing has been said.
#[component]
fn Empty() -> impl IntoView {
    let (room, peers) = (use_room(), use_peers());
    let link = RwSignal::new(None);
    let topic = room.topic();
    Effect::new(move |_| {
        topic.with(|_| ());
        link.set(platform::invite_link());
    });
    view! {
        <div class="empty">
            <Show
                when=move || peers.with(Vec::is_empty)
                fallback=|| view! { <p>"Nothing has been said yet."</p> }
            >
                <p class="empty-heading">"Nobody else is here yet"</p>
                <p>"Send them this link, or open it in a second tab:"</p>
                <p class="empty-link">{link}</p>
            </Show>
        </div>
    }
}
