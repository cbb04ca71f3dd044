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
