//! Reads events. Scripts and extensions dispatch events that are not what their names say (a `keydown` without a key). A
//! getter that finds nothing throws through the handler, so each event is checked before it is read.

use converge_p2p::{LocalFile, look_of};

use crate::landing::decoded;

pub(crate) use imp::{allow_drop, carries_files, checked, dropped, key, left_window, pasted, point, value};

/// A key that was pressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// As `KeyboardEvent.key` names it.
    pub(crate) name: String,
    pub(crate) shift: bool,
    /// With Ctrl, Alt or Meta, or repeated because it is held down.
    pub(crate) modified: bool,
    /// It belongs to an input method, which is composing a word.
    pub(crate) composing: bool,
}

/// Files and folders that were dropped or pasted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Brought {
    pub(crate) files: Vec<LocalFile>,
    /// The names of folders among it, which can't be sent.
    pub(crate) folders: Vec<String>,
}

/// Whether a paste is meant as text, judged by the clipboard's plain text and the names of its files.
///
/// Spreadsheets and word processors put a picture of the copied cells beside their text: the text is meant. File managers
/// put the names of copied files beside the files: the files are meant.
#[cfg_attr(not(any(test, target_family = "wasm")), expect(dead_code, reason = "only a browser pastes"))]
fn is_text(plain: &str, names: &[String]) -> bool {
    let mut lines = plain.lines().map(str::trim).filter(|line| !line.is_empty()).peekable();
    let is_name = |line: &str| {
        // Some write addresses, whose names are encoded, and spell letters with accents in another way.
        let line = line.strip_prefix("file://").and_then(decoded).unwrap_or_else(|| line.to_owned());
        let last = look_of(line.rsplit(['/', '\\']).next().unwrap_or_default());
        names.iter().any(|name| look_of(name) == last)
    };
    lines.peek().is_some() && !lines.all(is_name)
}

#[cfg(target_family = "wasm")]
mod imp {
    use converge_p2p::LocalFile;
    use js_sys::{Array, Reflect};
    use wasm_bindgen::{JsCast, JsValue};
    use web_sys::{Event, File, HtmlInputElement, HtmlSelectElement, KeyboardEvent, MouseEvent};

    use super::{Brought, Key, is_text};

    /// The number that stands for "the input method has this key": Safari sends it with the Enter that confirms a word,
    /// after it has said that the composition is over (UI Events, section 7.3.1).
    const PROCESS_KEY: u32 = 229;

    /// The key of a keyboard event; `None` for an event that only has such a name.
    pub(crate) fn key(event: &Event) -> Option<Key> {
        let event = event.dyn_ref::<KeyboardEvent>()?;
        Some(Key {
            name: event.key(),
            shift: event.shift_key(),
            modified: event.ctrl_key() || event.alt_key() || event.meta_key() || event.repeat(),
            composing: event.is_composing() || event.key_code() == PROCESS_KEY,
        })
    }

    /// Returns the value of the field that an event comes from; `None` if it comes from something else, such as an option
    /// within the field.
    pub(crate) fn value(event: &Event) -> Option<String> {
        let target = event.target()?;
        let input = target.dyn_ref::<HtmlInputElement>().map(HtmlInputElement::value);
        input.or_else(|| target.dyn_ref::<HtmlSelectElement>().map(HtmlSelectElement::value))
    }

    /// Whether the box that an event comes from is checked.
    pub(crate) fn checked(event: &Event) -> Option<bool> {
        event.target()?.dyn_ref::<HtmlInputElement>().map(HtmlInputElement::checked)
    }

    /// Returns the pointer's position in the window.
    pub(crate) fn point(event: &Event) -> Option<(i32, i32)> {
        event.dyn_ref::<MouseEvent>().map(|event| (event.client_x(), event.client_y()))
    }

    fn get(object: &JsValue, name: &str) -> Option<JsValue> {
        Reflect::get(object, &name.into()).ok().filter(|value| !value.is_undefined() && !value.is_null())
    }

    fn call(object: &JsValue, name: &str, argument: &str) -> Option<JsValue> {
        get(object, name)?.dyn_into::<js_sys::Function>().ok()?.call1(object, &argument.into()).ok()
    }

    fn list(object: &JsValue, name: &str) -> Array {
        get(object, name).map(|list| Array::from(&list)).unwrap_or_default()
    }

    fn text(object: &JsValue, name: &str) -> Option<String> {
        get(object, name)?.as_string()
    }

    /// Whether files are dragged, as far as the browser tells before they are dropped.
    pub(crate) fn carries_files(event: &Event) -> bool {
        let types = get(event, "dataTransfer").map(|data| list(&data, "types")).unwrap_or_default();
        types.iter().any(|kind| kind.as_string().as_deref() == Some("Files"))
    }

    /// Has the browser offer to drop here, as a copy.
    pub(crate) fn allow_drop(event: &Event) {
        event.prevent_default();
        if let Some(data) = get(event, "dataTransfer") {
            // Refused only for what is no such object.
            let _ = Reflect::set(&data, &"dropEffect".into(), &"copy".into());
        }
    }

    /// Whether a drag leaves the window, and not one element for another.
    pub(crate) fn left_window(event: &Event) -> bool {
        get(event, "relatedTarget").is_none()
    }

    /// The files and folders that are dropped.
    pub(crate) fn dropped(event: &Event) -> Brought {
        get(event, "dataTransfer").map(|data| brought(&data)).unwrap_or_default()
    }

    /// The files that are pasted; nothing where the text beside them is meant.
    pub(crate) fn pasted(event: &Event) -> Brought {
        let Some(data) = get(event, "clipboardData") else { return Brought::default() };
        let brought = brought(&data);
        let plain = call(&data, "getData", "text/plain").and_then(|text| text.as_string()).unwrap_or_default();
        let names: Vec<String> = brought.files.iter().map(|file| file.name().to_owned()).collect();
        if is_text(&plain, &names) { Brought::default() } else { brought }
    }

    fn brought(data: &JsValue) -> Brought {
        let mut brought = Brought::default();
        // A folder looks like a small file in the list of files; only its entry tells.
        for item in list(data, "items").iter().filter(|item| text(item, "kind").as_deref() == Some("file")) {
            let entry = call(&item, "webkitGetAsEntry", "").filter(JsValue::is_object);
            let folder = entry.filter(|entry| get(entry, "isDirectory").is_some_and(|is| is.is_truthy()));
            match folder {
                Some(folder) => brought.folders.extend(text(&folder, "name")),
                None => brought.files.extend(call(&item, "getAsFile", "").and_then(file)),
            }
        }
        if brought.files.is_empty() && brought.folders.is_empty() {
            brought.files = list(data, "files").iter().filter_map(file).collect();
        }
        brought
    }

    fn file(value: JsValue) -> Option<LocalFile> {
        value.dyn_into::<File>().ok().map(LocalFile::from)
    }
}

#[cfg(not(target_family = "wasm"))]
mod imp {
    use leptos::web_sys::Event;

    use super::{Brought, Key};

    pub(crate) fn key(_event: &Event) -> Option<Key> {
        None
    }

    pub(crate) fn value(_event: &Event) -> Option<String> {
        None
    }

    pub(crate) fn checked(_event: &Event) -> Option<bool> {
        None
    }

    pub(crate) fn point(_event: &Event) -> Option<(i32, i32)> {
        None
    }

    pub(crate) fn carries_files(_event: &Event) -> bool {
        false
    }

    pub(crate) fn allow_drop(_event: &Event) {}

    pub(crate) fn left_window(_event: &Event) -> bool {
        true
    }

    pub(crate) fn dropped(_event: &Event) -> Brought {
        Brought::default()
    }

    pub(crate) fn pasted(_event: &Event) -> Brought {
        Brought::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_wins_unless_it_only_names_the_files() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert!(is_text("a\tb\n1\t2", &names(&["image.png"])), "cells of a spreadsheet");
        assert!(!is_text("", &names(&["image.png"])), "a picture alone");
        assert!(!is_text(" \n", &names(&["image.png"])));
        assert!(!is_text("a.txt\n/home/ada/b.txt", &names(&["a.txt", "b.txt"])), "files of a file manager");
        assert!(!is_text("file:///home/a/my%20pic.png\r\ncafe\u{301}.png", &names(&["my pic.png", "caf\u{e9}.png"])));
        assert!(is_text("a.txt and more", &names(&["a.txt"])));
        assert!(is_text("hello", &[]));
    }

    /// Getters of events, which throw where the event is not what its name says.
    const GETTERS: [&str; 9] = [
        ".key()",
        ".key_code()",
        ".shift_key()",
        ".is_composing()",
        ".client_x()",
        ".client_y()",
        ".clipboard_data()",
        ".data_transfer()",
        ".pointer_id()",
    ];

    #[test]
    fn events_are_read_here_and_nowhere_else() -> std::io::Result<()> {
        let mut folders = vec![std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR"))];
        let mut read = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("platform/events.rs")
                {
                    let source = std::fs::read_to_string(&path)?;
                    read += 1;
                    for getter in GETTERS {
                        assert!(!source.contains(&format!("event{getter}")), "{}: event{getter}", path.display());
                    }
                    // Leptos takes it for an element of that kind, whatever it is.
                    assert!(!source.contains(":target=move"), "{}: on:…:target", path.display());
                }
            }
        }
        assert!(read > 40);
        Ok(())
    }
}
