//! Animation frames.

#[cfg(target_family = "wasm")]
use std::{cell::Cell, rc::Rc, time::Duration};

/// If no frame comes, as in a page that gets hidden meanwhile, the call comes after this time.
#[cfg(target_family = "wasm")]
const WITHOUT_FRAMES: Duration = Duration::from_millis(100);

/// Calls `f` once: with the next animation frame, or a tenth of a second later if none comes. Batches the drawing of
/// changes.
///
/// Calls `f` at once outside a browser and in a hidden page: no frames come there, browsers stop its timers, and
/// nothing is laid out.
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
    // No browser refuses the timer; without it, only frames call `f`.
    let timeout = set_timeout_with_handle(move || call(&late), WITHOUT_FRAMES).ok();
    request_animation_frame(move || {
        if let Some(timeout) = timeout {
            timeout.clear();
        }
        call(&once);
    });
}

/// Calls `f` once: with the next animation frame, or a tenth of a second later if none comes. Batches the drawing of
/// changes.
///
/// Calls `f` at once outside a browser and in a hidden page: no frames come there, browsers stop its timers, and
/// nothing is laid out.
#[cfg(not(target_family = "wasm"))]
pub fn with_next_frame(f: impl FnOnce() + 'static) {
    f();
}
