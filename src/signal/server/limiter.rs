//! How much one source, one topic and everybody together may do.

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use governor::clock::MonotonicClock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
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

/// One socket's bucket. With the operating system's clock, which is nothing to keep, where governor's default is a
/// calibrated one of half a hundred bytes, and there are two of these for each socket.
type Bucket = RateLimiter<NotKeyed, InMemoryState, MonotonicClock, NoOpMiddleware<Instant>>;

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

/// What one socket may send.
pub(super) struct Rates {
    frames: Bucket,
    bytes: Bucket,
}

/// A bucket per key. New keys share one when the table is full, which somebody with many addresses can bring about.
struct Keyed<K: Hash + Eq + Clone> {
    buckets: DefaultKeyedRateLimiter<K>,
    others: DefaultDirectRateLimiter,
    started: Instant,
    /// The second in which the table was last swept: that takes time in proportion to its size.
    swept: AtomicU64,
}

fn quota(per_second: u32, burst: u32) -> Quota {
    let at_least_one = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
    Quota::per_second(at_least_one(per_second)).allow_burst(at_least_one(burst))
}

impl<K: Hash + Eq + Clone> Keyed<K> {
    fn new(quota: Quota) -> Self {
        let (buckets, others) = (RateLimiter::keyed(quota), RateLimiter::direct(quota));
        Self { buckets, others, started: Instant::now(), swept: AtomicU64::new(0) }
    }

    fn allow(&self, key: &K) -> bool {
        if self.buckets.len() < MAX_KEYS {
            return self.buckets.check_key(key).is_ok();
        }
        let second = self.started.elapsed().as_secs() + 1;
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
            joins_by_source: Keyed::new(quota(limits.joins_per_second_per_ip, limits.join_burst_per_ip)),
            joins_by_topic: Keyed::new(quota(limits.joins_per_second_per_topic, limits.join_burst_per_topic)),
        }
    }

    pub(super) fn allow_join_from(&self, source: &Source) -> bool {
        self.joins_by_source.allow(source)
    }

    pub(super) fn allow_join_of(&self, topic: &TopicHash) -> bool {
        self.joins_by_topic.allow(topic)
    }

    pub(super) fn rates(&self) -> Rates {
        let direct = |quota| RateLimiter::direct_with_clock(quota, MonotonicClock);
        Rates {
            frames: direct(quota(self.limits.frames_per_second, self.limits.frame_burst)),
            bytes: direct(quota(self.limits.bytes_per_second, self.limits.byte_burst)),
        }
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

impl Rates {
    /// Whether one more frame of so many bytes may come.
    pub(super) fn allow(&self, bytes: usize) -> bool {
        let bytes = u32::try_from(bytes).ok().and_then(NonZeroU32::new);
        self.frames.check().is_ok() && bytes.is_none_or(|bytes| matches!(self.bytes.check_n(bytes), Ok(Ok(()))))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::{IpAddr, Ipv4Addr};

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
    fn a_table_is_bounded_however_many_sources_there_are() {
        let limits = Limits { joins_per_second_per_ip: 1, join_burst_per_ip: 1, ..Limits::default() };
        let limiter = Limiter::new(limits);
        let known = source(0);
        assert!(limiter.allow_join_from(&known));
        assert!(!limiter.allow_join_from(&known));
        let allowed = (1..100_000).filter(|n| limiter.allow_join_from(&source(*n))).count();
        assert!(allowed < 100_000 - 1, "those that don't fit share one bucket");
        assert!(limiter.joins_by_source.buckets.len() <= MAX_KEYS);
    }

    #[test]
    fn a_socket_may_send_bursts_but_not_for_ever() {
        let limits = Limits { frame_burst: 10, byte_burst: 1000, ..Limits::default() };
        let rates = Limiter::new(limits).rates();
        assert!((0..10).all(|_| rates.allow(10)));
        assert!(!rates.allow(10), "the eleventh frame");
        let rates = Limiter::new(limits).rates();
        assert!(rates.allow(900));
        assert!(!rates.allow(900), "the thousand-and-first byte");
        assert!(!Limiter::new(limits).rates().allow(1001), "more than would ever be allowed");
    }
}
