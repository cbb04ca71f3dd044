//! What is remembered: on this device for the next visit, or in this tab until it is closed. Where a browser doesn't allow
//! that, as where it forbids cookies, things are as on a first visit.

use self::Area::{Device, Tab};

const NAME: &str = "converge:name";
const NEWCOMERS: &str = "converge:newcomers:";
const PICKED: &str = "converge:device:";
const SHORTCUTS: &str = "converge:shortcuts";
const SOUNDS: &str = "converge:sounds";
const THEME: &str = "converge:theme";
const TOKEN: &str = "converge:token:";

/// Where something is kept, and by that how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Area {
    Device,
    Tab,
}

/// The name this person used last.
pub(crate) fn remembered_name() -> Option<String> {
    read(Device, NAME)
}

pub(crate) fn remember_name(name: &str) {
    write(Device, NAME, name);
}

/// Whether single keys do something; they do until somebody turns that off.
pub(crate) fn remembered_shortcuts() -> bool {
    read(Device, SHORTCUTS).as_deref() != Some("off")
}

pub(crate) fn remember_shortcuts(on: bool) {
    write(Device, SHORTCUTS, if on { "on" } else { "off" });
}

/// Whether sounds are wanted.
pub(crate) fn remembered_sounds() -> bool {
    read(Device, SOUNDS).as_deref() == Some("on")
}

pub(crate) fn remember_sounds(on: bool) {
    write(Device, SOUNDS, if on { "on" } else { "off" });
}

/// The theme that this person has chosen. `early.js` reads it too.
pub(crate) fn remembered_theme() -> Option<String> {
    read(Device, THEME)
}

/// An empty one is the device's.
pub(crate) fn remember_theme(theme: &str) {
    write(Device, THEME, theme);
}

/// The camera or microphone that was picked on this device.
pub(crate) fn remembered_device(kind: &str) -> Option<String> {
    read(Device, &format!("{PICKED}{kind}")).filter(|id| !id.is_empty())
}

/// An empty one is forgotten.
pub(crate) fn remember_device(kind: &str, id: &str) {
    write(Device, &format!("{PICKED}{kind}"), id);
}

/// Whether newcomers to a room receive this person's media at once; `None` if this person has not chosen on this
/// device.
pub(crate) fn remembered_newcomers(topic: &str) -> Option<bool> {
    read(Device, &format!("{NEWCOMERS}{topic}")).map(|kept| kept == "always")
}

pub(crate) fn remember_newcomers(topic: &str, always: bool) {
    write(Device, &format!("{NEWCOMERS}{topic}"), if always { "always" } else { "ask" });
}

/// The token that was given for a room in this tab.
pub(crate) fn remembered_token(topic: &str) -> Option<String> {
    read(Tab, &format!("{TOKEN}{topic}"))
}

/// For when the page is loaded anew.
pub(crate) fn remember_token(topic: &str, token: &str) {
    write(Tab, &format!("{TOKEN}{topic}"), token);
}

#[cfg(target_family = "wasm")]
fn storage(area: Area) -> Option<web_sys::Storage> {
    let window = web_sys::window()?;
    match area {
        Device => window.local_storage(),
        Tab => window.session_storage(),
    }
    .ok()
    .flatten()
}

#[cfg(target_family = "wasm")]
fn read(area: Area, name: &str) -> Option<String> {
    storage(area)?.get_item(name).ok().flatten()
}

#[cfg(target_family = "wasm")]
fn write(area: Area, name: &str, value: &str) {
    if let Some(storage) = storage(area) {
        // Where that is not allowed, it lasts as long as the page.
        let _ = storage.set_item(name, value);
    }
}

#[cfg(not(target_family = "wasm"))]
fn read(_area: Area, _name: &str) -> Option<String> {
    None
}

#[cfg(not(target_family = "wasm"))]
fn write(_area: Area, _name: &str, _value: &str) {}
