//! The frames of the screen.

#[cfg(target_family = "wasm")]
use std::{cell::Cell, rc::Rc, time::Duration};

/// Where no frame comes, as in a page that goes out of view meanwhile, this is waited for instead.
#[cfg(target_family = "wasm")]
const WITHOUT_FRAMES: Duration = Duration::from_millis(100);

/// Calls `f` once: with the next frame of the screen, or a tenth of a second later if none comes. For a page that draws
/// together what came since the last frame.
///
/// It calls `f` at once outside a browser, and in a page that is out of view: no frames come there, browsers stop its timers,
/// and nothing is laid out.
#[cfg(target_family = "wasm")]
pub fn with_next_frame(f: impl FnOnce() + 'static) {
    use leptos::prelude::{document, request_animation_frame, set_timeout_with_handle};

    if document().hidden() {
        return f();
    }
    fn call(once: &Cell<Option<impl FnOnce()>>) {
        if let Some(f) = once.take() {
            f();
        }
    }
    let once = Rc::new(Cell::new(Some(f)));
    let late = once.clone();
    // Refused by no browser; without it only frames count.
    let timeout = set_timeout_with_handle(move || call(&late), WITHOUT_FRAMES).ok();
    request_animation_frame(move || {
        if let Some(timeout) = timeout {
            timeout.clear();
        }
        call(&once);
    });
}

/// Calls `f` once: with the next frame of the screen, or a tenth of a second later if none comes. For a page that draws
/// together what came since the last frame.
///
/// It calls `f` at once outside a browser, and in a page that is out of view: no frames come there, browsers stop its timers,
/// and nothing is laid out.
#[cfg(not(target_family = "wasm"))]
pub fn with_next_frame(f: impl FnOnce() + 'static) {
    f();
}
