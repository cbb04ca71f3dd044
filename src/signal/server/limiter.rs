//! How much one source, one topic and everybody together may do.

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock, MonotonicClock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::Notify;

use super::address::Source;
use crate::ids::TopicHash;
use crate::protocol::Limits;

/// The most keys a table remembers. One that has been quiet long enough to have its whole burst back is forgotten.
const MAX_KEYS: usize = 16_384;

/// What is counted of all connections together.
pub(super) struct Limiter {
    limits: Limits,
    pub(super) sockets: Arc<Places>,
    joins_by_source: Keyed<Source>,
    joins_by_topic: Keyed<TopicHash>,
}

/// A single bucket.
type Bucket<C> = RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// A bucket per key.
type Buckets<K, C> = RateLimiter<K, DefaultKeyedStateStore<K>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// So many connections, and so many of them from one source.
pub(super) struct Places {
    most: u32,
    most_per_source: u32,
    taken: AtomicUsize,
    by_source: Mutex<HashMap<Source, u32>>,
    fewer: Notify,
}

/// One connection's place; given up when dropped.
pub(super) struct Place {
    places: Arc<Places>,
    source: Option<Source>,
}

/// The limits of one socket. Reads the operating system's clock, which keeps no state: governor's default is a calibrated
/// clock of some fifty bytes, and each socket has two buckets.
pub(super) struct Rates<C: Clock = MonotonicClock> {
    frames: Bucket<C>,
    bytes: Bucket<C>,
}

/// A bucket per key. New keys share one when the table is full, which somebody with many addresses can bring about.
pub(super) struct Keyed<K: Hash + Eq + Clone, C: Clock = DefaultClock> {
    buckets: Buckets<K, C>,
    others: Bucket<C>,
    started: C::Instant,
    /// The second in which the table was last swept: that takes time in proportion to its size.
    swept: AtomicU64,
}

pub(super) fn quota(per_second: u32, burst: u32) -> Quota {
    let at_least_one = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
    Quota::per_second(at_least_one(per_second)).allow_burst(at_least_one(burst))
}

impl<K: Hash + Eq + Clone, C: Clock + Clone> Keyed<K, C> {
    pub(super) fn new(quota: Quota, clock: C) -> Self {
        let started = clock.now();
        let buckets = RateLimiter::new(quota, DefaultKeyedStateStore::default(), clock.clone());
        Self { buckets, others: RateLimiter::direct_with_clock(quota, clock), started, swept: AtomicU64::new(0) }
    }

    pub(super) fn allow(&self, key: &K) -> bool {
        if self.buckets.len() < MAX_KEYS {
            return self.buckets.check_key(key).is_ok();
        }
        let elapsed = Duration::from(Reference::duration_since(&self.buckets.clock().now(), self.started));
        let second = elapsed.as_secs() + 1;
        if self.swept.swap(second, Ordering::Relaxed) != second {
            self.buckets.retain_recent();
            self.buckets.shrink_to_fit();
        }
        if self.buckets.len() < MAX_KEYS { self.buckets.check_key(key).is_ok() } else { self.others.check().is_ok() }
    }
}

impl Limiter {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            sockets: Places::new(limits.max_connections, limits.max_connections_per_ip),
            joins_by_source: Keyed::new(
                quota(limits.joins_per_second_per_ip, limits.join_burst_per_ip),
                DefaultClock::default(),
            ),
            joins_by_topic: Keyed::new(
                quota(limits.joins_per_second_per_topic, limits.join_burst_per_topic),
                DefaultClock::default(),
            ),
        }
    }

    pub(super) fn allow_join_from(&self, source: &Source) -> bool {
        self.joins_by_source.allow(source)
    }

    pub(super) fn allow_join_of(&self, topic: &TopicHash) -> bool {
        self.joins_by_topic.allow(topic)
    }

    pub(super) fn rates(&self) -> Rates {
        Rates::new(&self.limits, MonotonicClock)
    }
}

impl Places {
    pub(super) fn new(most: u32, most_per_source: u32) -> Arc<Self> {
        let (taken, by_source) = (AtomicUsize::new(0), Mutex::default());
        Arc::new(Self { most, most_per_source, taken, by_source, fewer: Notify::new() })
    }

    /// A place for one more connection, if there is one. A source that is not known is not counted.
    pub(super) fn take(self: &Arc<Self>, source: Option<Source>) -> Option<Place> {
        let before = self.taken.fetch_add(1, Ordering::Relaxed);
        // Counted from here on: dropped, it gives back what it has taken.
        let mut place = Place { places: self.clone(), source: None };
        if before >= self.most as usize {
            return None;
        }
        if let Some(source) = source {
            let mut by_source = self.by_source();
            let count = by_source.entry(source).or_default();
            if *count >= self.most_per_source {
                return None;
            }
            *count += 1;
            place.source = Some(source);
        }
        Some(place)
    }

    /// Whether a source has fewer connections than it may have.
    pub(super) fn allows(&self, source: Option<Source>) -> bool {
        source.is_none_or(|source| self.by_source().get(&source).is_none_or(|count| *count < self.most_per_source))
    }

    /// Waits until no place is taken.
    pub(super) async fn empty(&self) {
        loop {
            let mut fewer = std::pin::pin!(self.fewer.notified());
            // From here on none is missed.
            fewer.as_mut().enable();
            if self.taken.load(Ordering::Relaxed) == 0 {
                return;
            }
            fewer.await;
        }
    }

    fn by_source(&self) -> MutexGuard<'_, HashMap<Source, u32>> {
        self.by_source.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(source) = self.source {
            let mut by_source = self.places.by_source();
            if let Some(count) = by_source.get_mut(&source) {
                *count -= 1;
                if *count == 0 {
                    by_source.remove(&source);
                }
            }
        }
        self.places.taken.fetch_sub(1, Ordering::Relaxed);
        self.places.fewer.notify_waiters();
    }
}

impl<C: Clock + Clone> Rates<C> {
    fn new(limits: &Limits, clock: C) -> Self {
        let frames = RateLimiter::direct_with_clock(quota(limits.frames_per_second, limits.frame_burst), clock.clone());
        let bytes = RateLimiter::direct_with_clock(quota(limits.bytes_per_second, limits.byte_burst), clock);
        Self { frames, bytes }
    }

    /// Whether one more frame of so many bytes may come.
    pub(super) fn allow(&self, bytes: usize) -> bool {
        self.frames.check().is_ok() && self.allow_bytes(bytes)
    }

    /// Whether so many bytes may come that are no whole frame.
    pub(super) fn allow_bytes(&self, bytes: usize) -> bool {
        let bytes = NonZeroU32::new(u32::try_from(bytes).unwrap_or(u32::MAX));
        bytes.is_none_or(|bytes| matches!(self.bytes.check_n(bytes), Ok(Ok(()))))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::{IpAddr, Ipv4Addr};

    use governor::clock::FakeRelativeClock;

    use super::*;

    fn source(n: u32) -> Source {
        IpAddr::V4(Ipv4Addr::from(n)).into()
    }

    #[test]
    fn sockets_are_counted_by_source_and_in_all_and_given_back() {
        let places = Places::new(3, 2);
        let first = places.take(Some(source(1))).unwrap();
        let _second = places.take(Some(source(1))).unwrap();
        assert!(places.take(Some(source(1))).is_none(), "two from one source");
        let _third = places.take(Some(source(2))).unwrap();
        assert!(places.take(None).is_none(), "three in all");
        drop(first);
        assert!(places.take(Some(source(1))).is_some());
        drop(places.take(Some(source(9))));
        assert_eq!(places.by_source().len(), 2, "nothing is kept of who has gone");
    }

    #[test]
    fn joins_come_back_one_by_one_and_each_source_has_its_own() {
        let clock = FakeRelativeClock::default();
        let joins = Keyed::new(quota(10, 2), clock.clone());
        let (ada, ben) = (source(1), source(2));
        assert_eq!((0..3).filter(|_| joins.allow(&ada)).count(), 2, "three at once");
        assert!(joins.allow(&ben), "another source");
        clock.advance(Duration::from_millis(99));
        assert!(!joins.allow(&ada), "before a tenth of a second has passed");
        clock.advance(Duration::from_millis(1));
        assert!(joins.allow(&ada), "the one that has come back");
        assert!(!joins.allow(&ada), "a second one");
    }

    #[test]
    fn a_table_is_bounded_however_many_sources_there_are() {
        let clock = FakeRelativeClock::default();
        let joins = Keyed::new(quota(1, 1), clock.clone());
        let known = source(0);
        assert!(joins.allow(&known));
        assert!(!joins.allow(&known));
        let allowed = (1..100_000).filter(|n| joins.allow(&source(*n))).count();
        // The other places of the table, and the one join that the bucket allows which all the rest share.
        assert_eq!(allowed, MAX_KEYS);
        assert_eq!(joins.buckets.len(), MAX_KEYS);
        // Keys that have their whole burst back are evicted, which makes room for others.
        clock.advance(Duration::from_secs(2));
        assert!(joins.allow(&source(100_000)));
        assert_eq!(joins.buckets.len(), 1);
    }

    #[test]
    fn a_socket_may_send_bursts_but_not_for_ever() {
        let limits = Limits {
            frames_per_second: 100,
            frame_burst: 10,
            bytes_per_second: 1000,
            byte_burst: 1000,
            ..Limits::default()
        };
        let clock = FakeRelativeClock::default();
        let rates = Rates::new(&limits, clock.clone());
        assert!((0..10).all(|_| rates.allow(10)));
        assert!(!rates.allow(10), "the eleventh frame");
        clock.advance(Duration::from_millis(10));
        assert!(rates.allow(10), "a hundredth of a second later");
        assert!(!rates.allow(10), "and no more than one");
        let rates = Rates::new(&limits, clock.clone());
        assert!(rates.allow(900));
        assert!(!rates.allow(900), "the thousand-and-first byte");
        clock.advance(Duration::from_millis(800));
        assert!(rates.allow(900), "when eight hundred bytes have come back");
        assert!(!Rates::new(&limits, clock).allow(1001), "more than would ever be allowed");
    }
}
