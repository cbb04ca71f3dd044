//! What waits for an answer: this side's requests, the others' requests while they are replied to, and those who want
//! to send when there is room.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Poll, Waker};

use converge_signal::PeerId;
use send_wrapper::SendWrapper;
use wasm_bindgen_futures::spawn_local;

use super::{Driver, Inner, run, when_free};
use crate::client::{Answer, Waiting};
use crate::codec::Payload;
use crate::error::{RequestError, SendError};
use crate::event::{Event, RequestId};
use crate::lane::Lane;
use crate::map::SortedMap;
use crate::wire::MAX_NAME_BYTES;

/// What the asker hears if the responder ends while it thinks.
const STOPPED: &str = "the peer has stopped replying on this channel";

type Handler = Rc<dyn Fn(PeerId, &Payload) -> Answer>;

#[derive(Default)]
pub(super) struct Calls {
    over: Over,
    responders: Vec<Responder>,
    last: u64,
}

/// What ends with the room. Who waits is told so when this is dropped.
#[derive(Default)]
pub(super) struct Over {
    asked: SortedMap<RequestId, Arc<Waiting>>,
    answering: Vec<Answering>,
    senders: Vec<Sender>,
}

impl Drop for Over {
    fn drop(&mut self) {
        for (_, waiting) in self.asked.take() {
            waiting.fulfil(Err(RequestError::Send(SendError::Closed)));
        }
        for sender in self.senders.drain(..) {
            sender.waker.wake();
        }
    }
}

/// One that replies on a channel.
struct Responder {
    id: u64,
    channel: String,
    handler: Handler,
}

/// A reply that is being thought of.
struct Answering {
    id: u64,
    responder: u64,
    from: PeerId,
    request: u32,
    stop: Rc<Stop>,
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.stop.stopped.set(true);
        if let Some(waker) = self.stop.waker.take() {
            waker.wake();
        }
    }
}

/// Ends a task.
#[derive(Default)]
struct Stop {
    stopped: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

/// One that waits for room to send.
struct Sender {
    id: u64,
    to: Option<PeerId>,
    lane: Lane,
    waker: Waker,
}

impl Calls {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    pub(super) fn take_over(&mut self) -> Over {
        std::mem::take(&mut self.over)
    }

    pub(super) fn served(&self) -> Vec<String> {
        self.responders.iter().map(|responder| responder.channel.clone()).collect()
    }

    pub(super) fn asked(&mut self, request: RequestId, waiting: Arc<Waiting>) {
        self.over.asked.insert(request, waiting);
    }

    pub(super) fn not_asked(&mut self, request: RequestId) {
        self.over.asked.remove(&request);
    }

    /// The wakers of those who need not wait any longer.
    pub(super) fn ready(&mut self, room_for: impl Fn(Option<PeerId>, Lane) -> Result<bool, SendError>) -> Vec<Waker> {
        self.over
            .senders
            .extract_if(.., |sender| room_for(sender.to, sender.lane) != Ok(false))
            .map(|sender| sender.waker)
            .collect()
    }

    /// Wakes this task when there is room, or there won't be any; `id` is what this returned for it before.
    pub(super) fn wait_for_room(&mut self, id: Option<u64>, to: Option<PeerId>, lane: Lane, waker: &Waker) -> u64 {
        let id = id.unwrap_or_else(|| self.next());
        self.not_waiting(id);
        self.over.senders.push(Sender { id, to, lane, waker: waker.clone() });
        id
    }

    pub(super) fn not_waiting(&mut self, id: u64) {
        self.over.senders.retain(|sender| sender.id != id);
    }
}

/// Replies on a channel until dropped.
pub(crate) struct Responding {
    driver: SendWrapper<Weak<RefCell<Inner>>>,
    id: u64,
}

impl Driver {
    pub(crate) fn serve(
        &self,
        channel: &str,
        handler: impl Fn(PeerId, &Payload) -> Answer + 'static,
    ) -> Result<Responding, SendError> {
        if channel.is_empty() || channel.len() > MAX_NAME_BYTES {
            return Err(SendError::Name { name: channel.to_owned() });
        }
        let id = {
            let calls = &mut self.0.borrow_mut().calls;
            let id = calls.next();
            calls.responders.push(Responder { id, channel: channel.to_owned(), handler: Rc::new(handler) });
            id
        };
        run(&self.0, |core, _| core.serve(channel, true));
        Ok(Responding { driver: SendWrapper::new(Rc::downgrade(&self.0)), id })
    }
}

impl Drop for Responding {
    fn drop(&mut self) {
        let id = self.id;
        when_free(&self.driver, move |driver| {
            let mut inner = driver.borrow_mut();
            let responders = &mut inner.calls.responders;
            let Some(at) = responders.iter().position(|responder| responder.id == id) else { return };
            let ended = responders.remove(at);
            let served = responders.iter().any(|responder| responder.channel == ended.channel);
            let under_way: Vec<_> =
                inner.calls.over.answering.extract_if(.., |answering| answering.responder == id).collect();
            // What the handler and the replies hold may call the room when it is dropped.
            drop(inner);
            if !served {
                run(driver, |core, _| core.serve(&ended.channel, false));
            }
            for answering in under_way {
                reply(driver, answering.from, answering.request, Err(STOPPED.to_owned()));
            }
        });
    }
}

/// Acts on an event that is part of a request.
pub(super) fn take_in(driver: &Rc<RefCell<Inner>>, event: &Event) {
    match event {
        Event::Reply { request, result } => {
            let waiting = driver.borrow_mut().calls.over.asked.remove(request);
            if let Some(waiting) = waiting {
                waiting.fulfil(result.clone());
            }
        }
        Event::Request { from, channel, request, payload } => respond(driver, *from, channel, *request, payload),
        Event::RequestCancelled { from, request } => {
            stop(driver, |answering| answering.from == *from && answering.request == *request);
        }
        // Nobody would hear the replies.
        Event::PeerLeft { peer, .. } => stop(driver, |answering| answering.from == *peer),
        _ => {}
    }
}

fn stop(driver: &Rc<RefCell<Inner>>, which: impl Fn(&Answering) -> bool) {
    let stopped: Vec<_> =
        driver.borrow_mut().calls.over.answering.extract_if(.., |answering| which(answering)).collect();
    drop(stopped);
}

/// Has the channel's responder reply, the newest where there are several.
fn respond(driver: &Rc<RefCell<Inner>>, from: PeerId, channel: &str, request: u32, payload: &Payload) {
    let found = {
        let inner = driver.borrow();
        let newest = inner.calls.responders.iter().rev().find(|responder| responder.channel == channel);
        newest.map(|responder| (responder.id, responder.handler.clone()))
    };
    // It has ended since the core was asked: the asker is told as if it had ended a moment later.
    let Some((responder, handler)) = found else { return reply(driver, from, request, Err(STOPPED.to_owned())) };
    let mut answer = handler(from, payload);
    let stop = Rc::new(Stop::default());
    let id = {
        let calls = &mut driver.borrow_mut().calls;
        let id = calls.next();
        calls.over.answering.push(Answering { id, responder, from, request, stop: stop.clone() });
        id
    };
    let weak = Rc::downgrade(driver);
    spawn_local(async move {
        let result = poll_fn(move |context| {
            if stop.stopped.get() {
                return Poll::Ready(None);
            }
            stop.waker.set(Some(context.waker().clone()));
            answer.as_mut().poll(context).map(Some)
        });
        let Some(result) = result.await else { return };
        let Some(driver) = weak.upgrade() else { return };
        self::stop(&driver, |answering| answering.id == id);
        reply(&driver, from, request, result);
    });
}

fn reply(driver: &Rc<RefCell<Inner>>, to: PeerId, request: u32, result: Result<Payload, String>) {
    let sent = run(driver, |core, now| core.reply(now, to, request, result.as_ref().map_err(String::as_str)));
    // One that is too large was told as a refusal. One that found too much waiting for the peer is not told at all: the
    // asker's time-out is.
    let _ = sent;
}
