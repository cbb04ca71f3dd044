//! The stream of a room's events.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use crate::driver::Subscription;
use crate::event::Event;

/// A stream keeps at most this many events that nobody has read yet; older ones are dropped, and counted in
/// [`Event::Lagged`].
pub const MAX_WAITING_EVENTS: usize = 4096;

/// And at most this many bytes of payloads, beside the newest: four of the largest messages.
pub const MAX_WAITING_BYTES: usize = 64 * 1024 * 1024;

/// What happens in a room. See [`Client::events`](crate::Client::events).
pub struct Events {
    queue: Arc<Mutex<Queue>>,
    _subscription: Subscription,
}

impl Events {
    /// A stream, and where its events go in.
    pub(super) fn new(subscribe: impl FnOnce(Source) -> Subscription) -> Self {
        let queue = Arc::new(Mutex::new(Queue::default()));
        let subscription = subscribe(Source(Arc::downgrade(&queue)));
        Self { queue, _subscription: subscription }
    }
}

#[derive(Default)]
struct Queue {
    events: VecDeque<Event>,
    /// What the payloads of these have.
    bytes: usize,
    dropped: u64,
    /// Nothing more will come.
    ended: bool,
    waker: Option<Waker>,
}

/// The room's end of a queue. When it is dropped the room has gone, and the stream ends.
pub(super) struct Source(Weak<Mutex<Queue>>);

impl Source {
    pub(super) fn push(&self, event: &Event) {
        self.change(|queue| queue.push(event.clone()));
    }

    fn change(&self, f: impl FnOnce(&mut Queue)) {
        if let Some(queue) = self.0.upgrade() {
            let waker = {
                let mut queue = lock(&queue);
                f(&mut queue);
                queue.waker.take()
            };
            // Unlocked: a waker may poll at once.
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.change(|queue| queue.ended = true);
    }
}

impl Queue {
    fn push(&mut self, event: Event) {
        let bytes = event.payload_bytes();
        while self.events.len() >= MAX_WAITING_EVENTS || self.bytes + bytes > MAX_WAITING_BYTES {
            if self.pop_oldest().is_none() {
                break;
            }
            self.dropped += 1;
        }
        self.bytes += bytes;
        self.events.push_back(event);
    }

    fn pop_oldest(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        self.bytes -= event.payload_bytes();
        Some(event)
    }

    fn pop(&mut self) -> Option<Event> {
        match std::mem::take(&mut self.dropped) {
            0 => self.pop_oldest(),
            events => Some(Event::Lagged { events }),
        }
    }
}

fn lock(queue: &Mutex<Queue>) -> std::sync::MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut queue = lock(&self.queue);
        match queue.pop() {
            Some(event) => Poll::Ready(Some(event)),
            None if queue.ended => Poll::Ready(None),
            None => {
                queue.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use converge_signal::PeerId;

    use super::*;
    use crate::codec::Payload;

    #[test]
    fn a_slow_reader_is_told_how_much_it_missed() {
        let mut queue = Queue::default();
        for n in 0..MAX_WAITING_EVENTS + 3 {
            queue.push(Event::Lagged { events: n as u64 });
        }
        assert_eq!(queue.pop(), Some(Event::Lagged { events: 3 }));
        assert_eq!(queue.pop(), Some(Event::Lagged { events: 3 }), "the oldest one kept");
        assert_eq!(queue.events.len(), MAX_WAITING_EVENTS - 1);
    }

    #[test]
    fn a_slow_reader_holds_few_large_messages() {
        let message = |bytes| Event::Message {
            from: PeerId::from_bytes([1; 32]),
            channel: "c".into(),
            direct: false,
            payload: Payload { codec: 0, bytes: vec![0; bytes] },
        };
        let mut queue = Queue::default();
        for _ in 0..6 {
            queue.push(message(MAX_WAITING_BYTES / 4));
        }
        assert_eq!((queue.events.len(), queue.dropped), (4, 2));
        queue.push(message(MAX_WAITING_BYTES + 1));
        assert_eq!((queue.events.len(), queue.dropped), (1, 6), "the newest is kept whatever its size");
        while queue.pop().is_some() {}
        assert_eq!(queue.bytes, 0);
    }
}
