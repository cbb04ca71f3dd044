//! What has been said.

use std::sync::Arc;

use converge_p2p::hooks::{use_peers, use_transfers};
use leptos::html::{Div, P};
use leptos::prelude::*;

use super::Line;
use crate::parts::{Avatar, list};
use crate::room::Shared;
use crate::{platform, words};

/// Whoever is within this many pixels of the end wants to stay there.
const AT_END_PX: i32 = 40;

/// A longer text is shown up to this many characters at first: laying out megabytes takes a browser a while.
const SHOWN_CHARS: usize = 4000;

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
    let transfers = use_transfers().list();
    Effect::new(move |_| {
        // These take some of the log's place.
        transfers.track();
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
                <Text text=line.text/>
            </div>
        </article>
    }
}

/// The text, or so much of it as can be shown at once and a button for the rest.
#[component]
fn Text(text: Arc<str>) -> impl IntoView {
    let Some(beginning) = shortened(&text).map(str::to_owned) else {
        return view! { <p class="message-text">{text.to_string()}</p> }.into_any();
    };
    let label = format!("Show all ({})", words::size(text.len() as u64));
    let shown = RwSignal::new(beginning);
    let all = RwSignal::new(false);
    let field = NodeRef::<P>::new();
    let show_all = move |_| {
        // The button goes away: the focus must not.
        if let Some(field) = field.get_untracked() {
            let _ = field.focus();
        }
        shown.set(text.to_string());
        all.set(true);
    };
    let class = Signal::derive(move || if all.get() { "message-text" } else { "message-text cut" }.to_owned());
    view! {
        <p class=class tabindex="-1" node_ref=field>
            {Signal::<String>::from(shown)}
        </p>
        <button class="button" type="button" hidden=all on:click=show_all>
            {label}
        </button>
    }
    .into_any()
}

/// The beginning of a text that is too long to be shown at once.
fn shortened(text: &str) -> Option<&str> {
    text.char_indices().nth(SHOWN_CHARS).map(|(end, _)| &text[..end])
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(shortened(&"é".repeat(SHOWN_CHARS)), None);
        let cut = "é".repeat(SHOWN_CHARS);
        assert_eq!(shortened(&format!("{cut}é")), Some(cut.as_str()));
    }
}
