//! Texts that change on a page that something else may change too.

use leptos::prelude::*;
use leptos::web_sys::Element;

/// A directive, `use:live=text`: keeps an element's text up to date. A translator puts elements of its own in place of the
/// text; then the new text takes their place, and is translated again.
///
/// The element holds nothing else. What it shows first is rendered as its content.
pub(crate) fn live(element: Element, text: Signal<String>) {
    Effect::new(move |_| {
        let text = text.get();
        // A status that is set again would be read out again.
        if element.text_content().as_deref() != Some(&text) {
            element.set_text_content(Some(&text));
        }
    });
}

/// A `span` whose text changes, as [`live`] does. One function for all of them: the compiler makes one element of it.
pub(crate) fn live_span(class: &'static str, text: Signal<String>) -> AnyView {
    view! {
        <span class=class use:live=text>
            {text.get_untracked()}
        </span>
    }
    .into_any()
}

/// A text for those who don't see the page: it is read out whenever it changes.
pub(crate) fn spoken(text: impl Into<Signal<String>>) -> AnyView {
    fn spoken(text: Signal<String>) -> AnyView {
        view! { <p class="visually-hidden" role="status" use:live=text></p> }.into_any()
    }
    spoken(text.into())
}
