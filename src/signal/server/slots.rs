//! A listener's connections: their places, the bytes read from them, and which are idle.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

use super::address::Source;
use super::limiter::{Place, Places};

/// The connections of one listener. A connection without a request in progress is idle. If all places are taken, the
/// longest idle one is evicted, so that idle connections don't keep others out.
pub(super) struct Slots {
    places: Arc<Places>,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    /// In the order in which they became idle.
    slots: BTreeMap<u64, Weak<Slot>>,
    next: u64,
}

/// One connection.
pub(super) struct Slot {
    slots: Arc<Slots>,
    state: Mutex<State>,
    read: AtomicU64,
    evicted: Notify,
}

struct State {
    /// `None` once evicted.
    place: Option<Place>,
    /// Requests in progress; a WebSocket counts as one until it ends.
    requests: u32,
    /// The key in [`Idle::slots`].
    idle: Option<u64>,
}

/// A request in progress on a connection. A WebSocket keeps it too, and so outlives the request that it began with.
pub(super) struct Held(Arc<Slot>);

impl Slots {
    pub(super) fn new(most: u32, most_per_source: u32) -> Arc<Self> {
        Arc::new(Self { places: Places::new(most, most_per_source), idle: Mutex::default() })
    }

    /// Takes a place for a connection, evicting an idle one if necessary. A source that is `None` is not counted.
    pub(super) fn take(self: &Arc<Self>, source: Option<Source>) -> Option<Arc<Slot>> {
        let mut place = self.places.take(source);
        // A source at its own limit must not cost others their places.
        if place.is_none() && self.places.allows(source) && self.evict() {
            place = self.places.take(source);
        }
        let state = Mutex::new(State { place: Some(place?), requests: 0, idle: None });
        let slot = Arc::new(Slot { slots: self.clone(), state, read: AtomicU64::new(0), evicted: Notify::new() });
        slot.become_idle(&mut slot.lock());
        Some(slot)
    }

    /// Evicts the longest idle connection. Returns whether there was one.
    pub(super) fn evict(&self) -> bool {
        loop {
            let Some((key, slot)) = self.lock().slots.pop_first() else { return false };
            let Some(slot) = slot.upgrade() else { continue };
            let mut state = slot.lock();
            // A request may have begun meanwhile.
            if state.idle == Some(key) {
                (state.idle, state.place) = (None, None);
                slot.evicted.notify_one();
                return true;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Counts a request as in progress until the returned value and its clones are dropped.
    pub(super) fn hold(self: &Arc<Self>) -> Held {
        let mut state = self.lock();
        state.requests += 1;
        if let Some(key) = state.idle.take() {
            self.slots.lock().slots.remove(&key);
        }
        Held(self.clone())
    }

    pub(super) fn count_read(&self, bytes: usize) {
        self.read.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Resolves once the connection has been evicted.
    pub(super) async fn evicted(&self) {
        self.evicted.notified().await;
    }

    fn become_idle(self: &Arc<Self>, state: &mut State) {
        // An evicted connection is about to end, and frees no second place.
        if state.place.is_none() {
            return;
        }
        let mut idle = self.slots.lock();
        let key = idle.next;
        idle.next += 1;
        idle.slots.insert(key, Arc::downgrade(self));
        state.idle = Some(key);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = state.idle.take() {
            self.slots.lock().slots.remove(&key);
        }
    }
}

impl Held {
    /// All bytes read from the connection so far.
    pub(super) fn read(&self) -> u64 {
        self.0.read.load(Ordering::Relaxed)
    }
}

impl Clone for Held {
    fn clone(&self) -> Self {
        self.0.hold()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.requests -= 1;
        if state.requests == 0 {
            self.0.become_idle(&mut state);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::IpAddr;

    use super::*;

    #[tokio::test]
    async fn the_longest_idle_connection_is_evicted_and_one_in_use_is_not() {
        let slots = Slots::new(2, 2);
        let [ada, ben]: [Option<Source>; 2] = [1, 2].map(|n| Some(IpAddr::from([192, 0, 2, n]).into()));
        let busy = slots.take(ada).unwrap();
        let request = busy.hold();
        let idle = slots.take(ada).unwrap();
        let newcomer = slots.take(ben).unwrap();
        idle.evicted().await;
        let socket = request.clone();
        drop(request);
        let _request = newcomer.hold();
        assert!(slots.take(ben).is_none(), "both are in use");
        drop(socket);
        assert!(slots.take(ben).is_some());
        busy.evicted().await;
        drop(busy.hold());
        assert!(busy.lock().idle.is_none(), "it has no place to give any more");
        drop((idle, busy));
        assert!(slots.lock().slots.is_empty(), "nothing is kept of what has ended");
    }

    #[test]
    fn a_source_at_its_own_limit_evicts_nobody() {
        let slots = Slots::new(1, 1);
        let ada = Some(IpAddr::from([192, 0, 2, 1]).into());
        let first = slots.take(ada).unwrap();
        assert!(slots.take(ada).is_none());
        assert!(first.lock().place.is_some());
    }
}
