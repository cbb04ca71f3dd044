//! What the pages need of the browser besides the room. On the server each of these does nothing, or the least that
//! makes sense.

mod device;
mod events;
mod memory;
mod page;
mod picture;
mod sharing;

pub(crate) use device::{beep, has_devices, millis, now, random_bytes, take_files};
pub(crate) use events::{Brought, allow_drop, carries_files, checked, dropped, key, left_window, pasted, point, value};
pub(crate) use memory::{
    remember_device, remember_name, remember_newcomers, remember_shortcuts, remember_sounds, remember_theme,
    remember_token, remembered_device, remembered_name, remembered_newcomers, remembered_shortcuts, remembered_sounds,
    remembered_theme, remembered_token,
};
pub use page::begin;
pub(crate) use page::{
    alive, fit_height, focus, go_to, is_typing, page_is_hidden, place_in, set_title_count, show_theme, when_idle,
};
pub(crate) use picture::{Preview, draw};
pub(crate) use sharing::{can_share, copy, invite_link, share};

/// Returns random bits for room names; `None` if the system's generator fails. Called on the server, which renders the
/// pages.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn random() -> Option<u128> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(u128::from_le_bytes(bytes))
}

/// The browser renders no page.
#[cfg(target_family = "wasm")]
pub(crate) fn random() -> Option<u128> {
    None
}

/// A time, in the ways in which pages show it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Hours and minutes.
    pub(crate) clock: String,
    /// For programs.
    pub(crate) iso: String,
    /// As people here write it, whole.
    pub(crate) exact: String,
    /// Since 1970.
    pub(crate) millis: u64,
}
