//! Event handlers and timers that end with their owner.

use js_sys::Function;
use wasm_bindgen::prelude::*;
use web_sys::{AddEventListenerOptions, Event, EventTarget};

/// An event handler, removed and freed when dropped.
pub(super) struct Listener {
    target: EventTarget,
    name: &'static str,
    handler: Closure<dyn FnMut(Event)>,
    capture: bool,
}

impl Listener {
    pub(super) fn new(target: &EventTarget, name: &'static str, handler: impl FnMut(Event) + 'static) -> Self {
        Self::add(target, name, false, handler)
    }

    /// One that hears of the event before the page can stop it, and never holds up scrolling.
    pub(super) fn watching(target: &EventTarget, name: &'static str, handler: impl FnMut(Event) + 'static) -> Self {
        Self::add(target, name, true, handler)
    }

    fn add(target: &EventTarget, name: &'static str, capture: bool, handler: impl FnMut(Event) + 'static) -> Self {
        let handler = Closure::<dyn FnMut(Event)>::new(handler);
        let options = AddEventListenerOptions::new();
        options.set_capture(capture);
        options.set_passive(true);
        // Refused only for a callback that is no function.
        let _ = target.add_event_listener_with_callback_and_add_event_listener_options(
            name,
            handler.as_ref().unchecked_ref(),
            &options,
        );
        Self { target: target.clone(), name, handler, capture }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let handler: &Function = self.handler.as_ref().unchecked_ref();
        let _ = self.target.remove_event_listener_with_callback_and_bool(self.name, handler, self.capture);
    }
}

/// A `setTimeout`, cleared and freed when dropped.
pub(super) struct Timeout {
    id: i32,
    _handler: Closure<dyn FnMut()>,
}

impl Timeout {
    pub(super) fn new(millis: i32, handler: impl FnMut() + 'static) -> Option<Self> {
        let handler = Closure::<dyn FnMut()>::new(handler);
        let window = web_sys::window()?;
        let id = window
            .set_timeout_with_callback_and_timeout_and_arguments_0(handler.as_ref().unchecked_ref(), millis)
            .ok()?;
        Some(Self { id, _handler: handler })
    }
}

impl Drop for Timeout {
    fn drop(&mut self) {
        if let Some(window) = web_sys::window() {
            window.clear_timeout_with_handle(self.id);
        }
    }
}
