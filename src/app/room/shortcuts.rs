//! What single keys do, and the list of them.

use converge_p2p::StreamKind;
use converge_p2p::hooks::UseMedia;
use leptos::ev::keydown;
use leptos::prelude::*;

use super::Shared;
use super::bar::Tab;
use super::call::source;
use crate::parts::{Dialog, Icon, icon};
use crate::platform;
use crate::words::room as words;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    List,
    Write,
    Toggle(StreamKind),
}

const SHORTCUTS: [(&str, &str, Action); 5] = [
    ("?", words::SHORTCUT_LIST, Action::List),
    ("/", words::SHORTCUT_WRITE, Action::Write),
    ("v", words::SHORTCUT_CAMERA, Action::Toggle(StreamKind::Camera)),
    ("m", words::SHORTCUT_MICROPHONE, Action::Toggle(StreamKind::Microphone)),
    ("s", words::SHORTCUT_SCREEN, Action::Toggle(StreamKind::Screen)),
];

/// The button, the list it opens, and what the keys do. They can be turned off: who speaks to their computer would press
/// them by talking (WCAG 2.1.4).
#[component]
pub(super) fn Shortcuts() -> impl IntoView {
    let Shared { tab, ready, .. } = Shared::get();
    let media = expect_context::<UseMedia>();
    let open = RwSignal::new(false);
    let on = RwSignal::new(true);
    let act = move |action: Action, shift: bool| match action {
        Action::List => open.set(true),
        Action::Write => {
            tab.set(Tab::Chat);
            // On a phone the field is not there before.
            request_animation_frame(|| platform::focus("message"));
        }
        // Letters that were meant for a message must not show anybody this person's room.
        Action::Toggle(kind) if shift => media.toggle(source(kind)),
        Action::Toggle(kind) => media.unpublish(kind),
    };
    Effect::new(move |_| {
        on.set(platform::remembered_shortcuts());
        let listener = window_event_listener(keydown, move |event| {
            let Some(key) = platform::key(&event) else { return };
            if key.modified || key.composing || !on.get_untracked() || platform::is_typing(&event) {
                return;
            }
            let name = key.name.to_lowercase();
            if let Some((_, _, action)) = SHORTCUTS.iter().find(|(shortcut, _, _)| *shortcut == name) {
                event.prevent_default();
                act(*action, key.shift);
            }
        });
        on_cleanup(move || listener.remove());
    });
    let asleep = Signal::derive(move || !ready.get());
    view! {
        <button
            class="button quiet icon-button"
            type="button"
            aria-label=words::SHORTCUTS
            title=words::SHORTCUTS
            aria-haspopup="dialog"
            disabled=asleep
            on:click=move |_| open.set(true)
        >
            <Icon path=icon::KEYBOARD/>
        </button>
        <Dialog open title=words::SHORTCUTS>
            <List on/>
        </Dialog>
    }
    .into_any()
}

#[component]
fn List(on: RwSignal<bool>) -> impl IntoView {
    let row = |(key, does, action): (&'static str, &'static str, Action)| {
        let shift = matches!(action, Action::Toggle(_)).then(|| view! { <kbd>{words::SHIFT}</kbd> " + " });
        view! {
            <div class="shortcut">
                <dt>
                    {shift} <kbd>{key.to_uppercase()}</kbd>
                </dt>
                <dd>{does}</dd>
            </div>
        }
        .into_any()
    };
    let rows: Vec<_> = SHORTCUTS.into_iter().map(row).collect();
    let change = move |checked: bool| {
        on.set(checked);
        platform::remember_shortcuts(checked);
    };
    view! {
        <dl class="shortcuts">{rows}</dl>
        <label class="shortcut-switch">
            <input
                type="checkbox"
                prop:checked=on
                on:change=move |event| platform::checked(&event).into_iter().for_each(change)
            />
            {words::SHORTCUTS_ON}
        </label>
    }
    .into_any()
}
