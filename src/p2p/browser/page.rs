//! The page's life and what the person at it does: shown, put away, brought back, touched.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use wasm_bindgen::prelude::*;
use web_sys::{Document, PageTransitionEvent, Window};

use super::ext::{NetworkInformation, get};
use super::listen::{Listener, Timeout};
use super::{Inner, leave, pass, start};
use crate::event::{Activity, Status};
use crate::room::Input;
use crate::timer::Time;

/// A page that nobody has touched for this long is idle.
const IDLE: Duration = Duration::from_secs(60);

/// What counts as touching it.
const TOUCHES: [&str; 5] = ["pointerdown", "pointermove", "wheel", "touchstart", "keydown"];

pub(super) struct Page {
    _listeners: Vec<Listener>,
    pub(super) activity: Activity,
    touched: Time,
    /// While the page is active: when it may have become idle.
    idle: Option<Timeout>,
    /// Which kind of network the browser is on, where it says so.
    network: Option<String>,
}

impl Page {
    /// Listens to it until dropped.
    pub(super) fn watch(driver: &Rc<RefCell<Inner>>, window: &Window) {
        let on = |target: &web_sys::EventTarget, name, f: fn(&Rc<RefCell<Inner>>, &web_sys::Event)| {
            let weak = Rc::downgrade(driver);
            Listener::new(target, name, move |event| {
                if let Some(driver) = weak.upgrade() {
                    f(&driver, &event);
                }
            })
        };
        let mut listeners = vec![
            on(window, "online", |driver, _| pass(driver, Input::Online(true))),
            on(window, "offline", |driver, _| pass(driver, Input::Online(false))),
            // A script may dispatch an event of that name while the page stays.
            on(window, "pagehide", |driver, event| {
                if event.dyn_ref::<PageTransitionEvent>().is_some() {
                    put_away(driver);
                }
            }),
            on(window, "pageshow", |driver, event| {
                let persisted = event.dyn_ref::<PageTransitionEvent>().is_some_and(PageTransitionEvent::persisted);
                if persisted {
                    bring_back(driver);
                }
            }),
        ];
        if let Some(document) = window.document() {
            listeners.push(on(&document, "visibilitychange", |driver, _| {
                let shown = is_shown();
                seen(driver, shown);
                if shown {
                    pass(driver, Input::Awake);
                }
            }));
            // Chrome freezes hidden pages to save power; what it believes of the network is old when they go on.
            listeners.push(on(&document, "resume", |driver, _| pass(driver, Input::Awake)));
        }
        if let Some(network) = network() {
            listeners.push(on(&network, "change", |driver, _| network_changed(driver)));
        }
        for name in TOUCHES {
            let weak = Rc::downgrade(driver);
            listeners.push(Listener::watching(window, name, move |_| {
                if let Some(driver) = weak.upgrade() {
                    touched(&driver);
                }
            }));
        }
        let page = Self {
            _listeners: listeners,
            activity: Activity::Active,
            touched: driver.borrow().now(),
            idle: None,
            network: network().and_then(|network| kind(&network)),
        };
        driver.borrow_mut().page = Some(page);
        seen(driver, is_shown());
    }
}

fn is_shown() -> bool {
    web_sys::window().and_then(|window| window.document()).as_ref().is_none_or(|document| !Document::hidden(document))
}

/// The page may be gone for good, and then the others should know at once.
fn put_away(driver: &Rc<RefCell<Inner>>) {
    let open = driver.borrow().core.as_ref().is_some_and(|core| !matches!(core.status(), Status::Closed(_)));
    if open {
        leave(driver);
        driver.borrow_mut().suspended = true;
    }
}

fn bring_back(driver: &Rc<RefCell<Inner>>) {
    if driver.borrow().suspended {
        start(driver);
    } else {
        pass(driver, Input::Awake);
    }
}

/// The page came into view or went out of it.
fn seen(driver: &Rc<RefCell<Inner>>, shown: bool) {
    if shown {
        touched(driver);
        watch_idle(driver);
    } else {
        if let Some(page) = &mut driver.borrow_mut().page {
            page.idle = None;
        }
        tell(driver, Activity::Hidden);
    }
}

/// Called for every movement of the pointer: it does next to nothing where nothing changes.
fn touched(driver: &Rc<RefCell<Inner>>) {
    let idle = {
        let Ok(mut inner) = driver.try_borrow_mut() else { return };
        let now = inner.now();
        let Some(page) = &mut inner.page else { return };
        page.touched = now;
        page.activity != Activity::Active
    };
    // A page that is out of view may still be told of the pointer.
    if idle && is_shown() {
        tell(driver, Activity::Active);
        watch_idle(driver);
    }
}

/// Sees to it that an idle page is noticed: one timer, set again only when it fires.
fn watch_idle(driver: &Rc<RefCell<Inner>>) {
    let mut inner = driver.borrow_mut();
    let now = inner.now();
    let weak = inner.this.clone();
    let Some(page) = &mut inner.page else { return };
    let rest = IDLE.saturating_sub(now.since(page.touched));
    let millis = i32::try_from(rest.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
    page.idle = Timeout::new(millis, move || {
        let Some(driver) = weak.upgrade() else { return };
        let idle = {
            let inner = driver.borrow();
            inner.page.as_ref().is_some_and(|page| inner.now().since(page.touched) >= IDLE)
        };
        if idle {
            tell(&driver, Activity::Idle);
        } else {
            watch_idle(&driver);
        }
    });
}

fn tell(driver: &Rc<RefCell<Inner>>, activity: Activity) {
    let news = match &mut driver.borrow_mut().page {
        Some(page) => std::mem::replace(&mut page.activity, activity) != activity,
        None => false,
    };
    if news {
        pass(driver, Input::Activity(activity));
    }
}

fn network() -> Option<NetworkInformation> {
    Some(get(&web_sys::window()?.navigator(), "connection")?.unchecked_into())
}

/// `wifi`, `cellular` and so on; where the browser keeps that to itself, how good the network seems (`4g`). Its event
/// also comes whenever the estimate of the speed changes a little, which is no other network.
fn kind(network: &NetworkInformation) -> Option<String> {
    get(network, "type").or_else(|| get(network, "effectiveType"))?.as_string()
}

fn network_changed(driver: &Rc<RefCell<Inner>>) {
    let kind = network().and_then(|network| kind(&network));
    let news = match &mut driver.borrow_mut().page {
        Some(page) => std::mem::replace(&mut page.network, kind.clone()) != kind,
        None => false,
    };
    if news {
        pass(driver, Input::NetworkChanged);
    }
}
