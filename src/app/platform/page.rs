//! The page: its title, its focus, where things are in it, and whether somebody looks.

pub(crate) use imp::{focus, go_to, is_typing, page_is_hidden, place_in, set_title_count, show_theme};

#[cfg(target_family = "wasm")]
mod imp {
    use wasm_bindgen::JsCast;
    use web_sys::{Element, window};

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

    /// Whether a key is meant for what has the focus: a field, or something in a dialog.
    pub(crate) fn is_typing(event: &web_sys::Event) -> bool {
        let element = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        let taken = |element: web_sys::Element| {
            element.closest("input, textarea, select, dialog, [contenteditable]").ok().flatten().is_some()
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
    use leptos::web_sys::Element;

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
