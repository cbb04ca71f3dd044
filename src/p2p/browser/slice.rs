//! How long the page may be kept busy with what peers have sent, before the browser gets its turn.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::time::Duration;

use wasm_bindgen::prelude::*;
use web_sys::MessageChannel;

use super::listen::Listener;
use super::{Inner, act};
use crate::room::{Input, RoomCore};
use crate::timer::Time;

/// A task handles what peers have sent for at most this long: half a frame at 60 Hz, so that the page is drawn and answers
/// meanwhile.
const SLICE: Duration = Duration::from_millis(8);

/// The present slice of time, and the task that begins the next.
#[derive(Default)]
pub(super) struct Slice {
    /// When the present one is used up.
    until: Time,
    next: Option<Next>,
}

/// A task of its own. Timers won't do: browsers make them wait for 4 ms, and for a second in tabs that nobody sees.
struct Next {
    channel: MessageChannel,
    /// The message that begins the task is under way.
    awaited: bool,
    _listener: Listener,
}

impl Inner {
    /// Whether there is time for another step; if not, a task goes on later.
    fn has_time(&mut self) -> bool {
        let now = self.now();
        if now < self.slice.until {
            return true;
        }
        // Nothing has been done for as long: the browser had its turn.
        if now.since(self.slice.until) > SLICE && !self.slice.next.as_ref().is_some_and(|next| next.awaited) {
            self.slice.until = now + SLICE;
            return true;
        }
        !self.begin_later()
    }

    /// Has a task begin the next slice. `false` if the browser can't.
    fn begin_later(&mut self) -> bool {
        if self.slice.next.is_none() {
            self.slice.next = Next::new(self.this.clone());
        }
        let Some(next) = &mut self.slice.next else { return false };
        next.awaited = next.awaited || next.channel.port2().post_message(&JsValue::NULL).is_ok();
        next.awaited
    }
}

impl Next {
    fn new(weak: Weak<RefCell<Inner>>) -> Option<Self> {
        let channel = MessageChannel::new().ok()?;
        let listener = Listener::new(&channel.port1(), "message", move |_| {
            let Some(driver) = weak.upgrade() else { return };
            {
                let mut inner = driver.borrow_mut();
                if let Some(next) = &mut inner.slice.next {
                    next.awaited = false;
                }
                let now = inner.now();
                inner.slice.until = now + SLICE;
            }
            work(&driver);
        });
        channel.port1().start();
        Some(Self { channel, awaited: false, _listener: listener })
    }
}

impl Drop for Next {
    fn drop(&mut self) {
        self.channel.port1().close();
    }
}

/// Handles what peers have sent, step by step, as long as there is time. What comes of each step is told before the next.
pub(super) fn work(driver: &Rc<RefCell<Inner>>) {
    loop {
        let worked = act(driver, |inner, now| {
            let waits = inner.core.as_ref().is_some_and(RoomCore::has_work);
            if !waits || !inner.has_time() {
                return None;
            }
            inner.core.as_mut().map(|core| core.handle(now, Input::Work))
        });
        if worked.is_none() {
            return;
        }
    }
}
