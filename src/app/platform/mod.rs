//! What the pages need of the browser besides the room. On the server each of these does nothing, or the least that
//! makes sense.

mod device;
mod events;
mod memory;
mod page;
mod sharing;

pub(crate) use device::{beep, has_devices, now, random_bytes, take_files};
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
pub(crate) use sharing::{can_share, copy, invite_link, share};

/// 64 bits, unpredictable enough for names. Called where pages are rendered, on the server.
pub(crate) fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    // Keyed from the system's source of randomness, anew each time.
    RandomState::new().hash_one(0)
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
