//! Windows over the page that want an answer, or to be closed.

use leptos::ev::{Event, MouseEvent, PointerEvent};
use leptos::html;
use leptos::prelude::*;
use leptos::web_sys::EventTarget;

use super::icon::{self, Icon};
use crate::words;

/// A modal dialog, open while the signal says so. The button `Close`, Escape and a click beside it close it; the browser
/// keeps the focus inside meanwhile, and gives it back to where it was.
///
/// What is inside is made when it is opened and dropped when it is closed, so it costs nothing before, and may ask the
/// browser at once. It must not stand below something that is hidden, for then it doesn't show.
#[component]
pub(crate) fn Dialog(
    /// Whether it is open: set it to open the dialog; it is unset when the person closes it.
    open: RwSignal<bool>,
    /// The heading, which is the accessible name too.
    title: &'static str,
    children: ChildrenFn,
) -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    Effect::new(move |_| {
        let open = open.get();
        let Some(dialog) = dialog.get() else { return };
        if open && !dialog.open() {
            // Refused only for one that is not in the page.
            let _ = dialog.show_modal();
        } else if !open && dialog.open() {
            dialog.close();
        }
    });
    // Who selects a text and lets go beside the dialog has not asked for it to be closed: a click begins there too.
    let pressed = StoredValue::new(false);
    let beside = move |target: Option<EventTarget>| {
        let dialog = dialog.get_untracked().map(EventTarget::from);
        dialog.is_some() && target == dialog
    };
    let press = move |event: PointerEvent| pressed.set_value(beside(event.target()));
    let click = move |event: MouseEvent| {
        if pressed.get_value() && beside(event.target()) {
            open.set(false);
        }
    };
    let closed = move |_: Event| open.set(false);
    view! {
        <dialog
            class="dialog"
            aria-label=title
            node_ref=dialog
            on:close=closed
            on:pointerdown=press
            on:click=click
        >
            // Fills the dialog, so that a click on the dialog itself is one beside it.
            <div class="dialog-body">
                <div class="dialog-head">
                    <h2>{title}</h2>
                    <button
                        class="button quiet icon-button"
                        type="button"
                        aria-label=words::page::CLOSE
                        title=words::page::CLOSE
                        on:click=move |_| open.set(false)
                    >
                        <Icon path=icon::CLOSE/>
                    </button>
                </div>
                {move || open.get().then(|| children())}
            </div>
        </dialog>
    }
    .into_any()
}
