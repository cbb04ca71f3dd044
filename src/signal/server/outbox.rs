//! What waits to be written to one socket, bounded in bytes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// What waits to be written to one socket. Filled by whoever has something for it, emptied by the socket's own task.
pub(super) struct Outbox {
    state: Mutex<Waiting>,
    limit: usize,
}

#[derive(Default)]
struct Waiting {
    frames: VecDeque<Arc<str>>,
    bytes: usize,
    close: Option<Close>,
    overflown: bool,
    waker: Option<Waker>,
}

/// The close frame to end with.
pub(super) type Close = (u16, &'static str);

/// What to write next.
pub(super) enum Batch {
    Frames(VecDeque<Arc<str>>),
    Close(VecDeque<Arc<str>>, Close),
    /// The other side does not read: there is no use in writing more.
    Drop,
}

impl Outbox {
    pub(super) fn new(limit: usize) -> Self {
        Self { state: Mutex::default(), limit }
    }

    /// False if that is too much: the connection is beyond help.
    pub(super) fn push(&self, frame: Arc<str>) -> bool {
        let mut waiting = self.lock();
        if waiting.bytes + frame.len() > self.limit {
            waiting.overflown = true;
        } else {
            waiting.bytes += frame.len();
            waiting.frames.push_back(frame);
        }
        let fits = !waiting.overflown;
        Self::wake(waiting);
        fits
    }

    /// Ends the connection, once what waits has been written.
    pub(super) fn close(&self, close: Close) {
        let mut waiting = self.lock();
        waiting.close = Some(close);
        Self::wake(waiting);
    }

    /// What to write next, when there is something.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<Batch> {
        let mut waiting = self.lock();
        if waiting.overflown {
            return Poll::Ready(Batch::Drop);
        }
        if waiting.frames.is_empty() && waiting.close.is_none() {
            Self::wait(&mut waiting, cx);
            return Poll::Pending;
        }
        let frames = std::mem::take(&mut waiting.frames);
        // What was taken no longer counts: it is written at once, and that has a time limit of its own.
        waiting.bytes = 0;
        Poll::Ready(match waiting.close {
            Some(close) => Batch::Close(frames, close),
            None => Batch::Frames(frames),
        })
    }

    /// Ready when the outbox has overflown.
    pub(super) fn poll_overflow(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut waiting = self.lock();
        if waiting.overflown {
            return Poll::Ready(());
        }
        Self::wait(&mut waiting, cx);
        Poll::Pending
    }

    fn wait(waiting: &mut Waiting, cx: &Context<'_>) {
        if !waiting.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            waiting.waker = Some(cx.waker().clone());
        }
    }

    fn wake(mut waiting: MutexGuard<'_, Waiting>) {
        let waker = waiting.waker.take();
        drop(waiting);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
