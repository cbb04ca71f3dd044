//! The driver in the browser: it gives a [`RoomCore`] its socket, connections, timer and page events, and does what it
//! asks. The only place that touches web-sys.
//!
//! Every closure given to JavaScript is owned by the thing it serves and freed with it; what it holds of the driver is
//! a weak reference. When the last handle is dropped the room is left and everything closed.

mod api;
mod blob;
mod calls;
mod capture;
mod channel;
mod ext;
mod files;
mod link;
mod listen;
mod media;
mod meter;
mod page;
mod perform;
mod prepared;
mod slice;
mod socket;
mod stats;
mod store;
mod tab;
mod tracks;
mod watch;

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::{Rc, Weak};
use std::task::Waker;
use std::time::Duration;

use js_sys::JsString;
use send_wrapper::SendWrapper;
use wasm_bindgen_futures::spawn_local;
use web_sys::Performance;

pub(crate) use self::blob::Content;
use self::calls::Calls;
pub(crate) use self::calls::Responding;
use self::files::Files;
use self::link::Link;
use self::listen::Timeout;
pub use self::media::LocalMedia;
use self::media::Media;
pub(crate) use self::media::devices;
#[cfg(feature = "hooks")]
pub(crate) use self::media::on_devices;
use self::page::Page;
use self::prepared::Prepared;
use self::slice::{Slice, work};
use self::socket::Socket;
use self::tab::Claim;
use self::watch::Watch;
pub(crate) use self::watch::Watching;
use crate::error::{JoinError, SendError};
use crate::event::{Activity, CloseReason, Event, Status};
use crate::identity::Identity;
use crate::lane::Delivery;
use crate::link::LinkId;
use crate::options::Options;
use crate::presence::Own;
use crate::room::{Config, Input, RoomCore};
use crate::timer::Time;
use crate::topic::Topic;

/// A Unicode normalization form of a text, by the browser's own tables.
pub(crate) fn normalized(text: &str, form: &str) -> String {
    JsString::from(text).normalize(form).into()
}

/// A joined room. Clones are handles to the same one.
#[derive(Clone)]
pub(crate) struct Driver(SendWrapper<Rc<RefCell<Inner>>>);

/// A room for as long as something else keeps it.
#[derive(Clone)]
pub(crate) struct WeakDriver(SendWrapper<Weak<RefCell<Inner>>>);

type Sink = Rc<dyn Fn(&Event)>;

struct Inner {
    this: Weak<RefCell<Inner>>,
    options: Options,
    /// How each lane delivers, by its id.
    lanes: Vec<Delivery>,
    topic: Topic,
    url: String,
    origin: String,
    performance: Performance,
    /// None until the tab's key is claimed.
    core: Option<RoomCore>,
    claim: Option<Rc<Claim>>,
    /// Counts the joins, so that what took too long in one is not taken for news of the next.
    join: u32,
    /// What the socket said before there was a core: it is opened while the key is being claimed.
    early: Vec<Input>,
    socket: Option<Socket>,
    links: HashMap<LinkId, Link>,
    /// A connection for the next link, while one is expected.
    prepared: Option<Prepared>,
    /// When it fires; none if it has.
    timer: Option<(Option<Time>, Timeout)>,
    slice: Slice,
    page: Option<Page>,
    /// This peer's presence, for it may be set before there is a core and outlives a core.
    presence: Own,
    /// Requests, replies, and those who wait for room to send.
    calls: Calls,
    files: Files,
    media: Media,
    watch: Watch,
    /// Why there is no core, where the room was closed before there was one.
    closed: Option<CloseReason>,
    /// Left because the page was put away; to be joined again if it is brought back.
    suspended: bool,
    marks: Marks,
    /// Shared with who is telling them of an event at the moment.
    sinks: Rc<Vec<(u64, Sink)>>,
    last_sink: u64,
    events: VecDeque<Event>,
    dispatching: bool,
    /// What came of doing what the core asked, to be told when that is done.
    inbox: VecDeque<Input>,
}

/// Which of the User Timing marks are still to be set.
#[derive(Default)]
struct Marks {
    welcome: bool,
    link_open: bool,
}

/// Ends when dropped.
pub(crate) struct Subscription {
    driver: SendWrapper<Weak<RefCell<Inner>>>,
    id: u64,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let id = self.id;
        when_free(&self.driver, move |driver| {
            let mut inner = driver.borrow_mut();
            let at = inner.sinks.iter().position(|(other, _)| *other == id);
            let ended = at.map(|at| Rc::make_mut(&mut inner.sinks).remove(at));
            // What it holds may call the room when it is dropped.
            drop(inner);
            drop(ended);
        });
    }
}

impl Driver {
    pub(crate) fn join(options: Options) -> Result<Self, JoinError> {
        let window = web_sys::window().ok_or(JoinError::Unsupported { missing: "window" })?;
        let performance = window.performance().ok_or(JoinError::Unsupported { missing: "clock" })?;
        let _ = performance.mark("converge:join");
        for missing in ["WebSocket", "RTCPeerConnection"] {
            // Extensions that forbid one of them put null or undefined in its place.
            if !ext::get(&window, missing).is_some_and(|found| found.is_function()) {
                return Err(JoinError::Unsupported { missing });
            }
        }
        let topic = Topic::new(&options.topic)?;
        let origin = window.location().origin().unwrap_or_default();
        let url = options.socket_url(&origin)?;
        let driver = Rc::new_cyclic(|this| {
            RefCell::new(Inner {
                this: this.clone(),
                lanes: Delivery::lanes(&options.lanes),
                options,
                topic,
                url,
                origin,
                performance,
                core: None,
                claim: None,
                join: 0,
                early: Vec::new(),
                socket: None,
                links: HashMap::new(),
                prepared: None,
                timer: None,
                slice: Slice::default(),
                page: None,
                presence: Own::default(),
                calls: Calls::default(),
                files: Files::default(),
                media: Media::default(),
                watch: Watch::default(),
                closed: None,
                suspended: false,
                marks: Marks { welcome: true, link_open: true },
                sinks: Rc::default(),
                last_sink: 0,
                events: VecDeque::new(),
                dispatching: false,
                inbox: VecDeque::new(),
            })
        });
        Page::watch(&driver, &window);
        start(&driver);
        // Nobody has subscribed yet: this is the word of it.
        if driver.borrow().closed == Some(CloseReason::Unsupported) {
            return Err(JoinError::Unsupported { missing: "RTCPeerConnection" });
        }
        Ok(Self(SendWrapper::new(driver)))
    }
}

/// Claims the key and makes the core; meanwhile the socket is being opened.
fn start(driver: &Rc<RefCell<Inner>>) {
    let (join, options_identity, over, supported) = {
        let mut inner = driver.borrow_mut();
        inner.join += 1;
        inner.core = None;
        // The next core gives requests and transfers the same numbers again.
        let over = (inner.calls.take_over(), std::mem::take(&mut inner.files));
        let of_calls = |event: &Event| {
            matches!(event, Event::Request { .. } | Event::RequestCancelled { .. } | Event::Reply { .. })
        };
        inner.events.retain(|event| !of_calls(event));
        inner.closed = None;
        inner.suspended = false;
        inner.early.clear();
        let (weak, join) = (inner.this.clone(), inner.join);
        let refused = move || {
            if let Some(driver) = weak.upgrade().filter(|driver| driver.borrow().join == join) {
                refuse(&driver);
            }
        };
        inner.prepared = Prepared::new(&inner.lanes).and_then(|prepared| prepared.warm_up(refused)).ok();
        let supported = inner.prepared.is_some();
        // Nobody is to hear of a member that can't be linked to.
        if supported {
            inner.open_socket();
        }
        (inner.join, inner.options.identity.clone(), over, supported)
    };
    // Tasks that waited for what doesn't come any more are told: they may call the room at once.
    drop(over);
    if !supported {
        return refuse(driver);
    }
    if let Some(identity) = options_identity {
        // A life of its own for each join, as the tab's identity has.
        let identity = identity.reborn(u64::from(join) - 1);
        return begin(driver, identity);
    }
    let weak = Rc::downgrade(driver);
    spawn_local(async move {
        let claim = tab::claim().await;
        let Some(driver) = weak.upgrade() else { return };
        if driver.borrow().join != join || driver.borrow().core.is_some() {
            return;
        }
        match claim {
            Ok(claim) => {
                let identity = claim.next_life();
                driver.borrow_mut().claim = Some(claim);
                begin(&driver, identity);
            }
            // No source of randomness: no key, and none that should be made up.
            Err(_) => refuse(&driver),
        }
    });
}

fn begin(driver: &Rc<RefCell<Inner>>, identity: Identity) {
    let mut seed = [0; 8];
    if tab::random_bytes(&mut seed).is_err() {
        return refuse(driver);
    }
    let early = {
        let mut inner = driver.borrow_mut();
        let config = Config {
            topic: inner.topic.blind(),
            identity,
            origin: inner.origin.clone(),
            seed: u64::from_ne_bytes(seed),
            timings: inner.options.timings,
            lanes: inner.options.lanes.clone(),
            token: inner.options.token.clone(),
        };
        let now = inner.now();
        inner.core = Some(RoomCore::new(now, config));
        inner.inbox.clear();
        std::mem::take(&mut inner.early)
    };
    // The core's first wish is a socket, and there is one.
    run(driver, |_, _| ());
    let (presence, served, activity) = {
        let inner = driver.borrow();
        let activity = inner.page.as_ref().map_or(Activity::Active, |page| page.activity);
        (inner.presence.values(), inner.calls.served(), activity)
    };
    for (slot, value) in presence {
        // These limits held when the value was set.
        let _ = run(driver, |core, now| core.set_presence(now, &slot, Some(value)));
    }
    for channel in served {
        run(driver, |core, _| core.serve(&channel, true));
    }
    if activity != Activity::Active {
        pass(driver, Input::Activity(activity));
    }
    for input in early {
        pass(driver, input);
    }
}

/// Gives up: this browser makes no keys or no connections for this page.
fn refuse(driver: &Rc<RefCell<Inner>>) {
    if run(driver, |core, _| core.give_up()).is_none() {
        close_early(driver, CloseReason::Unsupported);
    }
}

/// Closes a room that has no core yet.
fn close_early(driver: &Rc<RefCell<Inner>>, reason: CloseReason) {
    let mut inner = driver.borrow_mut();
    inner.join += 1;
    inner.socket = None;
    inner.prepared = None;
    inner.closed = Some(reason);
    inner.events.push_back(Event::Status(Status::Closed(reason)));
    let ready = inner.ready();
    drop(inner);
    wake(ready);
    dispatch(driver);
}

fn leave(driver: &Rc<RefCell<Inner>>) {
    if run(driver, |core, _| core.leave()).is_none() {
        close_early(driver, CloseReason::Left);
    }
}

/// Has the core take in something.
fn pass(driver: &Rc<RefCell<Inner>>, input: Input) {
    run(driver, |core, now| core.handle(now, input));
    work(driver);
}

/// Calls the core, does what it asks, and tells the subscribers. Nothing, if there is no core.
fn run<R>(driver: &Rc<RefCell<Inner>>, f: impl FnOnce(&mut RoomCore, Time) -> R) -> Option<R> {
    act(driver, |inner, now| inner.core.as_mut().map(|core| f(core, now)))
}

/// The same for what needs more than the core. It makes at most one call that changes the core.
fn act<R>(driver: &Rc<RefCell<Inner>>, f: impl FnOnce(&mut Inner, Time) -> Option<R>) -> Option<R> {
    let (result, ready) = {
        let mut inner = driver.borrow_mut();
        let now = inner.now();
        let result = f(&mut inner, now)?;
        inner.drain();
        while let Some(input) = inner.inbox.pop_front() {
            let now = inner.now();
            if let Some(core) = inner.core.as_mut() {
                core.handle(now, input);
            }
            inner.drain();
        }
        inner.prepare();
        inner.set_timer();
        (result, inner.ready())
    };
    wake(ready);
    dispatch(driver);
    Some(result)
}

/// Does something with the driver: now, or in a moment if it is busy. For what happens when a handle is dropped, which
/// can be at any time.
fn when_free(driver: &Weak<RefCell<Inner>>, f: impl FnOnce(&Rc<RefCell<Inner>>) + 'static) {
    let Some(strong) = driver.upgrade() else { return };
    if strong.try_borrow_mut().is_ok() {
        return f(&strong);
    }
    let weak = driver.clone();
    spawn_local(async move {
        if let Some(driver) = weak.upgrade() {
            f(&driver);
        }
    });
}

/// Wakes tasks, which may run at once: the driver is not to be borrowed meanwhile.
fn wake(tasks: Vec<Waker>) {
    for task in tasks {
        task.wake();
    }
}

/// Tells the subscribers what has happened, in order. They may call the room: what comes of it is told after.
fn dispatch(driver: &Rc<RefCell<Inner>>) {
    if std::mem::replace(&mut driver.borrow_mut().dispatching, true) {
        return;
    }
    loop {
        let mut inner = driver.borrow_mut();
        let Some(event) = inner.events.pop_front() else {
            inner.dispatching = false;
            return;
        };
        let sinks = inner.sinks.clone();
        drop(inner);
        calls::take_in(driver, &event);
        for (_, sink) in sinks.iter() {
            sink(&event);
        }
    }
}

impl Inner {
    fn now(&self) -> Time {
        // Milliseconds with a fraction; positive, and exact far beyond any page's life.
        Time::from_micros((self.performance.now() * 1000.0) as u64)
    }

    fn mark(&mut self, event: &Event) {
        let name = match event {
            Event::Connected { .. } if std::mem::take(&mut self.marks.welcome) => "converge:welcome",
            Event::PeerConnected { .. } if std::mem::take(&mut self.marks.link_open) => "converge:link-open",
            _ => return,
        };
        let _ = self.performance.mark(name);
    }

    /// Wakes those who wait for room to send and have it, or will not get it any more.
    fn ready(&mut self) -> Vec<Waker> {
        let status = self.status();
        match &self.core {
            Some(core) => self.calls.ready(|to, lane| core.room_for(to, lane)),
            None if matches!(status, Status::Closed(_)) => self.calls.ready(|_, _| Err(SendError::Closed)),
            None => Vec::new(),
        }
    }

    fn status(&self) -> Status {
        match (&self.core, self.closed) {
            (Some(core), _) => core.status(),
            (None, Some(reason)) => Status::Closed(reason),
            (None, None) => Status::Connecting,
        }
    }

    /// Keeps the one timer. One that is set to fire too early is left alone: it will be set anew when it does. So is one
    /// that is late: whoever sets it anew with each message that comes before it keeps it from ever firing.
    fn set_timer(&mut self) {
        let Some(wake) = self.core.as_mut().and_then(RoomCore::next_wakeup) else {
            self.timer = None;
            return;
        };
        if self.timer.as_ref().is_some_and(|(at, _)| at.is_some_and(|at| at <= wake)) {
            return;
        }
        let now = self.now();
        let wait = wake.since(now).as_micros().div_ceil(1000);
        let wait = i32::try_from(wait).unwrap_or(i32::MAX);
        let at = now + Duration::from_millis(u64::from(wait.unsigned_abs()));
        let weak = self.this.clone();
        self.timer = Timeout::new(wait, move || {
            let Some(driver) = weak.upgrade() else { return };
            let mut inner = driver.borrow_mut();
            // The handler that is running lives until the next one is set.
            if let Some((at, _)) = &mut inner.timer {
                *at = None;
            }
            let now = inner.now();
            if inner.core.as_mut().and_then(RoomCore::next_wakeup).is_some_and(|wake| wake > now) {
                return inner.set_timer();
            }
            drop(inner);
            pass(&driver, Input::Timeout);
        })
        .map(|timeout| (Some(at), timeout));
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(core) = self.core.as_mut() {
            core.leave();
            self.drain();
        }
    }
}
