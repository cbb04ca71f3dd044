//! What has been said.

use std::sync::Arc;
use std::time::Duration;

use converge_p2p::hooks::{use_peers, use_transfers};
use leptos::ev::{resize, visibilitychange};
use leptos::html::{Div, P};
use leptos::prelude::*;

use super::Line;
use super::delivery::Delivery;
use super::links::{Piece, limited, pieces};
use crate::parts::{Avatar, Bounded, list, live};
use crate::platform::{self, Moment};
use crate::room::Shared;
use crate::words;

/// Whoever is within this many pixels of the end wants to stay there.
const AT_END_PX: i32 = 40;

/// A longer text is shown up to this many characters at first: laying out megabytes takes a browser a while.
const SHOWN_CHARS: usize = 4000;

/// And up to this many line breaks: one text must not take all of the log.
const SHOWN_BREAKS: usize = 40;

/// And up to this many changes of script and combining marks. Browsers shape each run by itself: 4,000 characters of two
/// scripts in turn take 50 ms, and again with each new layout.
const SHOWN_RUNS: usize = 100;

/// So many addresses of a text are links, for each link is an element. The rest can be copied.
pub(super) const MAX_LINKS: usize = 50;

/// So many of the newest lines are in the page; the rest on request.
const SHOWN_LINES: usize = 200;

/// How often times are said anew.
const TICK: Duration = Duration::from_secs(30);

#[component]
pub(super) fn Log() -> impl IntoView {
    let Shared { lines, unread, tab, .. } = Shared::get();
    let log = NodeRef::<Div>::new();
    let at_end = StoredValue::new(true);
    // Whether the newest line can be seen: it is not while another part of the room, or another page, stands before it.
    let look = move || {
        if let Some(log) = log.try_get_untracked().flatten() {
            lines.set_seen(at_end.get_value() && log.client_height() > 0 && !platform::page_is_hidden());
        }
    };
    let numbers = Signal::derive(move || lines.numbers());
    let shown = Bounded::last(numbers, SHOWN_LINES);
    // The log goes to its end with the next frame. Until then, a scroll says nothing about where this person wants to be: it
    // may be that of the last time, and new rows stand below already.
    let going = StoredValue::new(false);
    let scrolled = move |_| {
        if going.get_value() {
            return;
        }
        if let Some(log) = log.get_untracked()
            && log.client_height() > 0
        {
            at_end.set_value(log.scroll_height() - log.scroll_top() - log.client_height() <= AT_END_PX);
            // Older lines that were asked for have been read.
            if at_end.get_value() && shown.all.get_untracked() {
                shown.all.set(false);
            }
            look();
        }
    };
    let to_end = move || {
        going.set_value(true);
        // After the rows have been laid out.
        request_animation_frame(move || {
            going.try_set_value(false);
            if let Some(log) = log.try_get_untracked().flatten() {
                log.set_scroll_top(log.scroll_height());
                at_end.try_set_value(true);
                look();
            }
        });
    };
    let transfers = use_transfers().list();
    Effect::new(move |_| {
        // These take some of the log's place, or give it one.
        transfers.track();
        tab.track();
        let last = numbers.get().pop().and_then(|number| lines.line(number));
        if last.is_some_and(|line| line.mine) || at_end.get_value() {
            to_end();
        } else {
            request_animation_frame(look);
        }
    });
    let now = RwSignal::new(0);
    Effect::new(move |_| {
        let seen = window_event_listener(visibilitychange, move |_| {
            look();
            platform::set_title_count(if platform::page_is_hidden() { unread.get_untracked() } else { 0 });
        });
        let resized = window_event_listener(resize, move |_| look());
        on_cleanup(move || {
            seen.remove();
            resized.remove();
        });
        // Refused by no browser; without it times stay what they were.
        if let Ok(ticking) = set_interval_with_handle(move || now.set(platform::now().millis), TICK) {
            on_cleanup(move || ticking.clear());
        }
    });
    Effect::new(move |_| {
        let unread = unread.get();
        platform::set_title_count(if platform::page_is_hidden() { unread } else { 0 });
    });
    let none_unread = Signal::derive(move || unread.get() == 0);
    let jump = Signal::derive(move || words::chat::new_messages(unread.get()));
    view! {
        <div class="log-frame">
            <div class="log" role="log" aria-label=words::chat::MESSAGES tabindex="0" node_ref=log on:scroll=scrolled>
                <Empty numbers/>
                {shown.button(words::chat::show_older)}
                {list(shown.shown, move |number| {
                    lines.line(number).map(|line| view! { <Row line number now/> }).into_any()
                })}
            </div>
            <button class="button log-jump" type="button" hidden=none_unread on:click=move |_| to_end() use:live=jump></button>
        </div>
    }
    .into_any()
}

#[component]
fn Row(line: Line, number: u64, now: RwSignal<u64>) -> impl IntoView {
    let new_from = Shared::get().lines.new_from;
    let mark = move || {
        let is_first = new_from.get() == Some(number);
        is_first.then(|| view! { <p class="message-new">{words::chat::NEW_MESSAGES}</p> })
    };
    let Moment { clock, iso, exact, millis } = line.at;
    let time = Signal::derive(move || words::when(now.get().saturating_sub(millis), &clock));
    view! {
        {mark}
        <article class="message">
            <Avatar peer=Signal::stored(Some(line.from))/>
            <div class="message-body">
                <p class="message-head">
                    <bdi class="message-name" translate="no" title=words::room::code(&words::code_of(line.from))>
                        {line.name}
                    </bdi>
                    <span class="message-direct">{line.direct}</span>
                    <time class="message-time" datetime=iso title=exact use:live=time></time>
                </p>
                <Text text=line.text/>
                {line.delivery.map(|Delivery { arrived, shown }| view! { <p class="message-delivery" title=shown use:live=Signal::from(arrived)></p> })}
            </div>
        </article>
    }
}

/// A text with what are addresses in it as links, which open beside the room and tell nobody of it.
fn linked(text: &str) -> AnyView {
    let pieces = limited(pieces(text), MAX_LINKS).into_iter().map(|piece| match piece {
        Piece::Text(text) => text.to_owned().into_any(),
        Piece::Link(address) => link(address, address.to_owned()),
        Piece::Rest { scheme, rest } => link(rest, format!("{scheme}{rest}")),
    });
    pieces.collect::<Vec<_>>().into_any()
}

fn link(shown: &str, target: String) -> AnyView {
    let shown = shown.to_owned();
    view! {
        <a href=target target="_blank" rel="noopener noreferrer nofollow">
            {shown}
        </a>
    }
    .into_any()
}

/// The text, or so much of it as can be shown at once and a button for the rest.
#[component]
fn Text(text: Arc<str>) -> impl IntoView {
    let Some(beginning) = shortened(&text).map(str::to_owned) else {
        return view! {
            <p class="message-text" dir="auto">
                {linked(&text)}
            </p>
        }
        .into_any();
    };
    let label = words::chat::show_all(text.len());
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
        <p class=class dir="auto" tabindex="-1" node_ref=field>
            {move || linked(&shown.get())}
        </p>
        <button class="button" type="button" hidden=all on:click=show_all>
            {label}
        </button>
    }
    .into_any()
}

/// The beginning of a text that is too long to be shown at once.
fn shortened(text: &str) -> Option<&str> {
    let (mut breaks, mut runs, mut last) = (0, 0, Script::Latin);
    for (number, (at, c)) in text.char_indices().enumerate() {
        breaks += usize::from(matches!(c, '\n' | '\u{2028}' | '\u{2029}'));
        if let Some(script) = Script::of(c) {
            runs += usize::from(script != last || script == Script::Mark);
            last = script;
        }
        if number == SHOWN_CHARS || breaks > SHOWN_BREAKS || runs > SHOWN_RUNS {
            return Some(&text[..at]);
        }
    }
    None
}

/// Groups of scripts that browsers shape apart, by ranges of Unicode: as coarse as bounding the runs of a text allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    Latin,
    /// Combining marks.
    Mark,
    /// Greek, Cyrillic, Armenian.
    European,
    /// From right to left.
    Semitic,
    /// Of India and its neighbours.
    Indic,
    /// All others, those of East Asia among them.
    Other,
}

impl Script {
    /// Returns the script of a character; `None` for those of every script: spaces and punctuation. Digits have a
    /// direction of their own.
    fn of(c: char) -> Option<Self> {
        Some(match c {
            '0'..='9' | 'A'..='Z' | 'a'..='z' => Self::Latin,
            '\0'..='\u{bf}' | '\u{2000}'..='\u{206f}' | '\u{3000}'..='\u{303f}' => return None,
            '\u{c0}'..='\u{2ff}' | '\u{1e00}'..='\u{1eff}' => Self::Latin,
            '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' => {
                Self::Mark
            }
            '\u{370}'..='\u{58f}' => Self::European,
            '\u{590}'..='\u{8ff}' => Self::Semitic,
            '\u{900}'..='\u{10ff}' => Self::Indic,
            _ => Self::Other,
        })
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
            <p class="empty-heading">{words::chat::NOBODY}</p>
            <p>{words::chat::SEND_LINK}</p>
            <p class="empty-link">{Signal::<String>::from(link)}</p>
        </div>
        <p class="empty" hidden=not_quiet>
            {words::chat::NOTHING_SAID}
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
        let lines = "\n".repeat(SHOWN_BREAKS);
        assert_eq!(shortened(&lines), None);
        assert_eq!(shortened(&format!("{lines}\nx")), Some(lines.as_str()));
    }

    #[test]
    fn a_text_of_many_runs_is_cut() {
        for pair in ["aא", "1א", "aक", "中a", "a\u{301}"] {
            let text = pair.repeat(2000);
            assert!(
                shortened(&text).is_some_and(|cut| cut.chars().count() <= SHOWN_RUNS + SHOWN_RUNS / 2 * 3),
                "{pair}"
            );
        }
        for plain in ["Привет, world! ", "שלום לכולם, ", "今日は、元気です。", "crème brûlée 👍🏽 "]
        {
            let text = plain.repeat(50);
            assert_eq!(shortened(&text), None, "{plain}");
        }
    }
}
