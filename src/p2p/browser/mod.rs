//! The driver in the browser: it gives a [`RoomCore`] its socket, connections, timer and page events, and does what it
//! asks. The only place that touches web-sys.
//!
//! Every closure given to JavaScript is owned by the thing it serves and freed with it; what it holds of the driver is
//! a weak reference. When the last handle is dropped the room is left and everything closed.

mod ext;
mod link;
mod listen;
mod socket;
mod tab;

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::{Rc, Weak};
use std::time::Duration;

use converge_signal::PeerId;
use js_sys::{JsString, Reflect};
use send_wrapper::SendWrapper;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{PageTransitionEvent, Performance, Window};

use self::link::{Link, Prepared};
use self::listen::{Listener, Timeout};
use self::socket::Socket;
use self::tab::Claim;
use crate::codec::Payload;
use crate::error::{JoinError, SendError};
use crate::event::{CloseReason, Event, PeerState, Status};
use crate::identity::Identity;
use crate::link::LinkId;
use crate::options::Options;
use crate::presence::Own;
use crate::room::{Config, Input, LinkEvent, Output, RoomCore};
use crate::timer::Time;
use crate::topic::Topic;

/// Unicode normal form C, by the browser's own tables.
pub(crate) fn nfc(text: &str) -> String {
    JsString::from(text).normalize("NFC").into()
}

/// A joined room. Clones are handles to the same one.
#[derive(Clone)]
pub(crate) struct Driver(SendWrapper<Rc<RefCell<Inner>>>);

type Sink = Rc<dyn Fn(&Event)>;

struct Inner {
    this: Weak<RefCell<Inner>>,
    options: Options,
    topic: Topic,
    url: String,
    origin: String,
    performance: Performance,
    /// None until the tab's key is claimed.
    core: Option<RoomCore>,
    claim: Option<Rc<Claim>>,
    /// Counts the joins, so that a claim that took too long is not acted upon.
    join: u32,
    /// What the socket said before there was a core: it is opened while the key is being claimed.
    early: Vec<Input>,
    socket: Option<Socket>,
    links: HashMap<LinkId, Link>,
    /// A connection for the next link, while one is expected.
    prepared: Option<Prepared>,
    timer: Option<(Time, Timeout)>,
    page: Vec<Listener>,
    /// This peer's presence, for it may be set before there is a core and outlives a core.
    presence: Own,
    /// Why there is no core, where the room was closed before there was one.
    closed: Option<CloseReason>,
    /// Left because the page was put away; to be joined again if it is brought back.
    suspended: bool,
    marks: Marks,
    sinks: Vec<(u64, Sink)>,
    last_sink: u64,
    events: VecDeque<Event>,
    dispatching: bool,
    /// What went wrong while doing what the core asked, to be told when that is done.
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
        if let Some(inner) = self.driver.upgrade()
            && let Ok(mut inner) = inner.try_borrow_mut()
        {
            inner.sinks.retain(|(id, _)| *id != self.id);
        }
    }
}

impl Driver {
    pub(crate) fn join(options: Options) -> Result<Self, JoinError> {
        let window = web_sys::window().ok_or(JoinError::Unsupported { missing: "window" })?;
        let performance = window.performance().ok_or(JoinError::Unsupported { missing: "clock" })?;
        let _ = performance.mark("converge:join");
        for missing in ["WebSocket", "RTCPeerConnection"] {
            if !Reflect::has(&window, &missing.into()).unwrap_or(false) {
                return Err(JoinError::Unsupported { missing });
            }
        }
        let topic = Topic::new(&options.topic)?;
        let origin = window.location().origin().unwrap_or_default();
        let url = options.socket_url(&origin)?;
        let driver = Rc::new_cyclic(|this| {
            RefCell::new(Inner {
                this: this.clone(),
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
                page: Vec::new(),
                presence: Own::default(),
                closed: None,
                suspended: false,
                marks: Marks { welcome: true, link_open: true },
                sinks: Vec::new(),
                last_sink: 0,
                events: VecDeque::new(),
                dispatching: false,
                inbox: VecDeque::new(),
            })
        });
        listen_to_page(&driver, &window);
        start(&driver);
        Ok(Self(SendWrapper::new(driver)))
    }

    /// Tells `sink` of every event from now on.
    pub(crate) fn subscribe(&self, sink: impl Fn(&Event) + 'static) -> Subscription {
        let mut inner = self.0.borrow_mut();
        inner.last_sink += 1;
        let id = inner.last_sink;
        inner.sinks.push((id, Rc::new(sink)));
        Subscription { driver: SendWrapper::new(inner.this.clone()), id }
    }

    pub(crate) fn id(&self) -> Option<PeerId> {
        self.read(None, |core| Some(core.id()))
    }

    pub(crate) fn status(&self) -> Status {
        let inner = self.0.borrow();
        match (&inner.core, inner.closed) {
            (Some(core), _) => core.status(),
            (None, Some(reason)) => Status::Closed(reason),
            (None, None) => Status::Connecting,
        }
    }

    pub(crate) fn peers(&self) -> Vec<(PeerId, PeerState)> {
        self.read(Vec::new(), RoomCore::peers)
    }

    pub(crate) fn broadcast(&self, channel: &str, payload: &Payload) -> Result<(), SendError> {
        run(&self.0, |core, _| core.broadcast(channel, payload)).unwrap_or(Err(SendError::NotJoined))
    }

    pub(crate) fn send_to(&self, to: PeerId, channel: &str, payload: &Payload) -> Result<(), SendError> {
        run(&self.0, |core, _| core.send_to(to, channel, payload)).unwrap_or(Err(SendError::NotJoined))
    }

    pub(crate) fn set_presence(&self, slot: &str, value: Option<Payload>) -> Result<(), SendError> {
        self.0.borrow_mut().presence.set(slot, value.clone())?;
        run(&self.0, |core, _| core.set_presence(slot, value)).unwrap_or(Ok(()))
    }

    pub(crate) fn presence(&self, slot: &str) -> Option<Payload> {
        self.0.borrow().presence.get(slot).cloned()
    }

    pub(crate) fn presence_of(&self, peer: PeerId, slot: &str) -> Option<Payload> {
        self.read(None, |core| core.presence_of(peer, slot).cloned())
    }

    pub(crate) fn leave(&self) {
        self.0.borrow_mut().suspended = false;
        leave(&self.0);
    }

    /// Joins again, in a new life, if the room is closed.
    pub(crate) fn rejoin(&self) {
        if matches!(self.status(), Status::Closed(_)) {
            {
                let mut inner = self.0.borrow_mut();
                let _ = inner.performance.mark("converge:join");
                inner.marks = Marks { welcome: true, link_open: true };
            }
            start(&self.0);
        }
    }

    fn read<R>(&self, none: R, f: impl FnOnce(&RoomCore) -> R) -> R {
        self.0.borrow().core.as_ref().map_or(none, f)
    }
}

/// Claims the key and makes the core; meanwhile the socket is being opened.
fn start(driver: &Rc<RefCell<Inner>>) {
    let (join, options_identity) = {
        let mut inner = driver.borrow_mut();
        inner.join += 1;
        inner.core = None;
        inner.closed = None;
        inner.suspended = false;
        inner.early.clear();
        inner.open_socket();
        inner.prepared = Prepared::new().map(Prepared::warm_up).ok();
        (inner.join, inner.options.identity.clone())
    };
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
        };
        let now = inner.now();
        inner.core = Some(RoomCore::new(now, config));
        inner.inbox.clear();
        std::mem::take(&mut inner.early)
    };
    // The core's first wish is a socket, and there is one.
    run(driver, |_, _| ());
    let presence = driver.borrow().presence.values();
    for (slot, value) in presence {
        // These limits held when the value was set.
        let _ = run(driver, |core, _| core.set_presence(&slot, Some(value)));
    }
    for input in early {
        pass(driver, input);
    }
}

/// Gives up: this browser can't make keys.
fn refuse(driver: &Rc<RefCell<Inner>>) {
    close_early(driver, CloseReason::Unsupported);
}

/// Closes a room that has no core yet.
fn close_early(driver: &Rc<RefCell<Inner>>, reason: CloseReason) {
    let mut inner = driver.borrow_mut();
    inner.join += 1;
    inner.socket = None;
    inner.prepared = None;
    inner.closed = Some(reason);
    inner.events.push_back(Event::Status(Status::Closed(reason)));
    drop(inner);
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
}

/// Calls the core, does what it asks, and tells the subscribers. Nothing, if there is no core.
fn run<R>(driver: &Rc<RefCell<Inner>>, f: impl FnOnce(&mut RoomCore, Time) -> R) -> Option<R> {
    let result = {
        let mut inner = driver.borrow_mut();
        let now = inner.now();
        let core = inner.core.as_mut()?;
        let result = f(core, now);
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
        result
    };
    dispatch(driver);
    Some(result)
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
        let sinks: Vec<Sink> = inner.sinks.iter().map(|(_, sink)| sink.clone()).collect();
        drop(inner);
        for sink in sinks {
            sink(&event);
        }
    }
}

/// The browser's word on the network, and the page's life: shown, put away, brought back.
fn listen_to_page(driver: &Rc<RefCell<Inner>>, window: &Window) {
    let on = |target: &web_sys::EventTarget, name, f: fn(&Rc<RefCell<Inner>>, &web_sys::Event)| {
        let weak = Rc::downgrade(driver);
        Listener::new(target, name, move |event| {
            if let Some(driver) = weak.upgrade() {
                f(&driver, &event);
            }
        })
    };
    let mut page = vec![
        on(window, "online", |driver, _| pass(driver, Input::Online(true))),
        on(window, "offline", |driver, _| pass(driver, Input::Online(false))),
        // The page may be gone for good, and then the others should know at once.
        on(window, "pagehide", |driver, _| {
            let open = driver.borrow().core.as_ref().is_some_and(|core| !matches!(core.status(), Status::Closed(_)));
            if open {
                leave(driver);
                driver.borrow_mut().suspended = true;
            }
        }),
        on(window, "pageshow", |driver, event| {
            let persisted = event.dyn_ref::<PageTransitionEvent>().is_some_and(PageTransitionEvent::persisted);
            if persisted && driver.borrow().suspended {
                start(driver);
            }
        }),
    ];
    if let Some(document) = window.document() {
        page.push(on(&document.clone(), "visibilitychange", |driver, _| {
            let shown = web_sys::window().and_then(|window| window.document()).is_some_and(|doc| !doc.hidden());
            if shown {
                pass(driver, Input::Awake);
            }
        }));
    }
    driver.borrow_mut().page = page;
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

    fn open_socket(&mut self) {
        let weak = self.this.clone();
        let on_input = move |input| {
            let Some(driver) = weak.upgrade() else { return };
            let mut inner = driver.borrow_mut();
            match (&inner.core, &input) {
                (None, Input::SocketClosed) => {
                    // The core will ask for another.
                    inner.early.clear();
                    inner.socket = None;
                }
                (None, _) => inner.early.push(input),
                (Some(_), _) => {
                    if matches!(input, Input::SocketClosed) {
                        inner.socket = None;
                    }
                    drop(inner);
                    pass(&driver, input);
                }
            }
        };
        self.socket = None;
        match Socket::open(&self.url, on_input) {
            Ok(socket) => self.socket = Some(socket),
            // Refused by the browser: mixed content, or an address it can't read. Trying again does no harm.
            Err(_) => self.inbox.push_back(Input::SocketClosed),
        }
    }

    /// Has a connection ready where one is about to be needed, and lets go of it where none is.
    fn prepare(&mut self) {
        let expected = self.core.as_ref().is_some_and(RoomCore::expects_link);
        if !expected {
            self.prepared = None;
        } else if self.prepared.is_none() {
            self.prepared = Prepared::new().ok();
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.core.as_mut().and_then(RoomCore::poll) {
            self.perform(output);
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::OpenSocket if self.socket.is_some() => {}
            Output::OpenSocket => self.open_socket(),
            Output::SendSocket(text) => {
                // A socket that takes no more is about to say that it is closed.
                let _ = self.socket.as_ref().is_some_and(|socket| socket.send(&text));
            }
            Output::CloseSocket { goodbye } => {
                if let Some(socket) = self.socket.take() {
                    socket.close(goodbye);
                }
            }
            Output::OpenLink { link, role, ice_servers } => {
                let prepared = self.prepared.take().map_or_else(Prepared::new, Ok);
                match prepared.and_then(|made| Link::open(made, role, &ice_servers, self.link_events(link))) {
                    Ok(made) => {
                        self.links.insert(link, made);
                    }
                    Err(_) => self.inbox.push_back(Input::Link { link, event: LinkEvent::Closed }),
                }
            }
            Output::SetRemote { link, sdp } => {
                if let Some(made) = self.links.get(&link) {
                    made.set_remote(&sdp, self.link_events(link));
                }
            }
            Output::AddCandidate { link, candidate } => {
                if let Some(made) = self.links.get(&link) {
                    made.add_candidate(&candidate);
                }
            }
            Output::SendFrame { link, frame } => {
                let event = match self.links.get_mut(&link).map(|made| made.send(&frame)) {
                    Some(Ok(true)) => LinkEvent::Congested,
                    Some(Err(_)) => LinkEvent::Closed,
                    Some(Ok(false)) | None => return,
                };
                self.inbox.push_back(Input::Link { link, event });
            }
            Output::CloseLink { link } => {
                if let Some(made) = self.links.remove(&link) {
                    made.close();
                }
            }
            Output::Event(event) => {
                self.mark(&event);
                self.events.push_back(event);
            }
        }
    }

    fn link_events(&self, link: LinkId) -> impl Fn(LinkEvent) + Clone + 'static {
        let weak = self.this.clone();
        move |event| {
            let Some(driver) = weak.upgrade() else { return };
            if matches!(event, LinkEvent::Writable)
                && let Some(made) = driver.borrow_mut().links.get_mut(&link)
            {
                made.writable();
            }
            pass(&driver, Input::Link { link, event });
        }
    }

    /// Keeps the one timer. One that is set to fire too early is left alone: it will be set anew when it does.
    fn set_timer(&mut self) {
        let Some(wake) = self.core.as_mut().and_then(RoomCore::next_wakeup) else {
            self.timer = None;
            return;
        };
        if self.timer.as_ref().is_some_and(|(at, _)| *at <= wake && *at > self.now()) {
            return;
        }
        let wait = wake.since(self.now()).as_micros().div_ceil(1000);
        let wait = i32::try_from(wait).unwrap_or(i32::MAX);
        let at = self.now() + Duration::from_millis(u64::from(wait.unsigned_abs()));
        let weak = self.this.clone();
        self.timer = Timeout::new(wait, move || {
            let Some(driver) = weak.upgrade() else { return };
            let mut inner = driver.borrow_mut();
            // The handler that is running lives until the next one is set.
            let now = inner.now();
            if inner.core.as_mut().and_then(RoomCore::next_wakeup).is_some_and(|wake| wake > now) {
                return inner.set_timer();
            }
            drop(inner);
            pass(&driver, Input::Timeout);
        })
        .map(|timeout| (at, timeout));
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
