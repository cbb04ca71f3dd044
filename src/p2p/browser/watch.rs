//! Links that somebody looks at: measured from time to time.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use converge_signal::PeerId;
use send_wrapper::SendWrapper;
use wasm_bindgen_futures::spawn_local;

use super::listen::Timeout;
use super::{Driver, Inner, dispatch, run, stats, when_free};
use crate::event::Event;
use crate::link::LinkId;

/// How often.
const EVERY_MS: i32 = 2000;

#[derive(Default)]
pub(super) struct Watch {
    /// How many look.
    watchers: usize,
    next: Option<Timeout>,
}

/// Links are measured until this is dropped.
pub(crate) struct Watching(SendWrapper<Weak<RefCell<Inner>>>);

impl Drop for Watching {
    fn drop(&mut self) {
        when_free(&self.0, |driver| {
            let watch = &mut driver.borrow_mut().watch;
            watch.watchers -= 1;
            if watch.watchers == 0 {
                watch.next = None;
            }
        });
    }
}

impl Driver {
    pub(crate) fn watch_links(&self) -> Watching {
        let first = {
            let watch = &mut self.0.borrow_mut().watch;
            watch.watchers += 1;
            watch.watchers == 1
        };
        let watching = Watching(SendWrapper::new(Rc::downgrade(&self.0)));
        if first {
            measure(&self.0);
        }
        watching
    }
}

/// Measures every open link, and again in a while.
fn measure(driver: &Rc<RefCell<Inner>>) {
    let weak = Rc::downgrade(driver);
    driver.borrow_mut().watch.next = Timeout::new(EVERY_MS, move || {
        if let Some(driver) = weak.upgrade() {
            measure(&driver);
        }
    });
    let links = run(driver, |core, now| {
        core.probe(now);
        core.open_links_by_peer()
    });
    for (peer, link) in links.unwrap_or_default() {
        measure_one(driver, peer, link);
    }
}

fn measure_one(driver: &Rc<RefCell<Inner>>, peer: PeerId, link: LinkId) {
    let connection = {
        let mut inner = driver.borrow_mut();
        let Some(made) = inner.links.get_mut(&link) else { return };
        if std::mem::replace(&mut made.measuring, true) {
            return;
        }
        made.connection()
    };
    let (weak, join) = (Rc::downgrade(driver), driver.borrow().join);
    spawn_local(async move {
        let path = stats::path(&connection).await;
        let Some(driver) = weak.upgrade() else { return };
        {
            let mut inner = driver.borrow_mut();
            if inner.join != join {
                return;
            }
            let Some(made) = inner.links.get_mut(&link) else { return };
            made.measuring = false;
            made.path = path;
            inner.events.push_back(Event::LinkChanged { peer });
        }
        dispatch(&driver);
    });
}
