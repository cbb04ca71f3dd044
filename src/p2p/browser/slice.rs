//! Limits how long handling received frames keeps the page busy before the browser gets its turn.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::time::Duration;

use wasm_bindgen::prelude::*;
use web_sys::MessageChannel;

use super::listen::Listener;
use super::{Inner, act};
use crate::room::{Input, RoomCore};
use crate::timer::Time;

/// A task handles received frames for at most this long: half a frame at 60 Hz, so the page still draws and responds.
const SLICE: Duration = Duration::from_millis(8);

/// The current time slice, and the task that begins the next.
#[derive(Default)]
pub(super) struct Slice {
    /// When the current slice ends.
    until: Time,
    next: Option<Next>,
}

/// A separate task, and not a timer: browsers delay timers by 4 ms, and by a second in hidden tabs.
struct Next {
    channel: MessageChannel,
    /// The message that begins the task is in flight.
    awaited: bool,
    _listener: Listener,
}

impl Inner {
    /// Returns whether there is time for another step. If not, a later task continues.
    fn has_time(&mut self, now: Time) -> bool {
        if now < self.slice.until {
            return true;
        }
        // The page was idle for a whole slice, so the browser had its turn.
        if now.since(self.slice.until) > SLICE && !self.slice.next.as_ref().is_some_and(|next| next.awaited) {
            self.slice.until = now + SLICE;
            return true;
        }
        !self.begin_later()
    }

    /// Schedules the task that begins the next slice. Returns `false` if the browser can't.
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

/// Handles received frames, step by step, while there is time. The driver performs each step's outputs before the next.
pub(super) fn work(driver: &Rc<RefCell<Inner>>) {
    loop {
        let worked = act(driver, |inner, now| {
            let waits = inner.core.as_ref().is_some_and(RoomCore::has_work);
            if !waits || !inner.has_time(now) {
                return None;
            }
            inner.core.as_mut().map(|core| core.handle(now, Input::Work))
        });
        if worked.is_none() {
            return;
        }
    }
}
