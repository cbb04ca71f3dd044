//! The page: its title, its focus, where things are in it, and whether somebody looks.

use leptos::prelude::{ArcRwSignal, Set};

pub(crate) use imp::{
    fit_height, focus, go_to, is_typing, page_is_hidden, place_in, set_title_count, show_theme, when_idle,
};

thread_local! {
    static ALIVE: ArcRwSignal<bool> = ArcRwSignal::new(false);
}

/// Whether every island of this page has been hydrated. Nothing that others can see is done before: markup that something
/// else changed may keep an island from coming to life.
pub(crate) fn alive() -> ArcRwSignal<bool> {
    ALIVE.with(Clone::clone)
}

/// Every island has been hydrated.
pub fn begin() {
    alive().set(true);
}

#[cfg(target_family = "wasm")]
mod imp {
    use wasm_bindgen::JsCast;
    use web_sys::{Element, window};

    /// Calls `f` when the browser has nothing better to do; soon, in Safari, which doesn't say when that is.
    pub(crate) fn when_idle(f: impl Fn() + 'static) {
        let has_idle = window().is_some_and(|window| {
            js_sys::Reflect::get(&window, &"requestIdleCallback".into()).is_ok_and(|found| found.is_function())
        });
        if has_idle {
            leptos::prelude::request_idle_callback(f);
        } else {
            leptos::prelude::set_timeout(f, std::time::Duration::from_millis(200));
        }
    }

    /// Makes a text field as high as its text, in browsers that don't do so by themselves (`field-sizing`).
    pub(crate) fn fit_height(field: &web_sys::HtmlTextAreaElement) {
        thread_local! {
            static BY_ITSELF: bool =
                web_sys::css::supports_with_value("field-sizing", "content").unwrap_or_default();
        }
        if BY_ITSELF.with(|by_itself| *by_itself) {
            return;
        }
        let style = web_sys::HtmlElement::style(field);
        // Refused only for what is no length.
        let _ = style.set_property("height", "auto");
        let borders = field.offset_height() - field.client_height();
        let _ = style.set_property("height", &format!("{}px", field.scroll_height() + borders));
    }

    /// Loads another page of this site.
    pub(crate) fn go_to(path: &str) {
        if let Some(window) = window() {
            // Refused only for what is no address.
            let _ = window.location().set_href(path);
        }
    }

    /// Puts a number before the document's title, or takes it away.
    pub(crate) fn set_title_count(count: u32) {
        let Some(document) = window().and_then(|window| window.document()) else { return };
        let title = document.title();
        let bare = match title.strip_prefix('(').and_then(|rest| rest.split_once(") ")) {
            Some((digits, bare)) if digits.bytes().all(|byte| byte.is_ascii_digit()) => bare,
            _ => &title,
        };
        let new = if count > 0 { format!("({count}) {bare}") } else { bare.to_owned() };
        if new != title {
            document.set_title(&new);
        }
    }

    /// Moves the focus to the element of this id, if there is one and it is shown.
    pub(crate) fn focus(id: &str) {
        let element = window().and_then(|window| window.document()).and_then(|document| document.get_element_by_id(id));
        if let Some(element) = element.and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok()) {
            let _ = element.focus();
        }
    }

    /// Whether a key is meant for what has the focus: a field, or something in an open dialog. The focus leaves a dialog a
    /// moment after it is closed.
    pub(crate) fn is_typing(event: &web_sys::Event) -> bool {
        let element = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        let taken = |element: web_sys::Element| {
            element.closest("input, textarea, select, dialog[open], [contenteditable]").ok().flatten().is_some()
        };
        element.is_some_and(taken)
    }

    /// Whether nobody can see the page: it is behind another, or the screen is off.
    pub(crate) fn page_is_hidden() -> bool {
        window().and_then(|window| window.document()).is_some_and(|document| document.hidden())
    }

    /// Where a point of the window is in an element: shares of its width and height, from 0 to 65535. What is outside is
    /// at the edge.
    pub(crate) fn place_in(element: &Element, x: i32, y: i32) -> (u16, u16) {
        let area = element.get_bounding_client_rect();
        let share = |at: i32, from: f64, length: f64| ((f64::from(at) - from) / length * f64::from(u16::MAX)) as u16;
        (share(x, area.left(), area.width()), share(y, area.top(), area.height()))
    }

    /// Shows the page in a theme; an empty one is the device's.
    pub(crate) fn show_theme(theme: &str) {
        let document = window().and_then(|window| window.document());
        if let Some(root) = document.and_then(|document| document.document_element()) {
            // Refused only for what is no name.
            let _ = root.set_attribute("data-theme", theme);
        }
    }
}

#[cfg(not(target_family = "wasm"))]
mod imp {
    use leptos::web_sys::{Element, HtmlTextAreaElement};

    pub(crate) fn when_idle(_f: impl Fn() + 'static) {}

    pub(crate) fn fit_height(_field: &HtmlTextAreaElement) {}

    pub(crate) fn go_to(_path: &str) {}

    pub(crate) fn set_title_count(_count: u32) {}

    pub(crate) fn focus(_id: &str) {}

    pub(crate) fn is_typing(_event: &leptos::web_sys::Event) -> bool {
        false
    }

    pub(crate) fn page_is_hidden() -> bool {
        false
    }

    pub(crate) fn place_in(_element: &Element, _x: i32, _y: i32) -> (u16, u16) {
        (0, 0)
    }

    pub(crate) fn show_theme(_theme: &str) {}
}
