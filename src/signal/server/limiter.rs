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
use crate::ids::{PeerId, TopicHash};
use crate::protocol::Limits;

/// The most keys a table remembers. One that has been quiet long enough to have its whole burst back is forgotten.
const MAX_KEYS: usize = 16_384;

/// The budget of a member that returns from the same source, which strangers can't use up: a burst, then one per
/// period. Clients that lose their sockets reconnect with a backoff of up to half a minute.
const RETURNS: u32 = 16;
const RETURN_EVERY: Duration = Duration::from_secs(2);

/// The joins that each source has of its own when the topic's are used up: a burst, then one per period. Newcomers can
/// still join while an attacker with a few addresses joins without end.
const OWN_JOINS: u32 = 8;
const OWN_JOIN_EVERY: Duration = Duration::from_secs(10);

/// What is counted of all connections together.
pub(super) struct Limiter {
    limits: Limits,
    pub(super) sockets: Arc<Places>,
    joins_by_source: Keyed<Source>,
    joins_by_topic: Keyed<TopicHash>,
    own_joins: Keyed<(TopicHash, Source)>,
    returns: Keyed<(Source, PeerId)>,
    empty_joins: Debts<Source>,
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

/// The limits of one socket. Reads the operating system's clock, which keeps no state: governor's default clock has
/// some fifty bytes, and each socket has two buckets.
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

/// Buckets that can be overdrawn: a refused charge counts too. Holds when each key's debt is paid.
///
/// Only a look-up shows that a room is empty, and refusing a guess would reveal as much as its welcome. A source is
/// therefore charged after the look-up. While it owes more than its burst, its joins get no look-up.
struct Debts<K> {
    /// The time that pays for one charge.
    each: Duration,
    burst: Duration,
    table: Mutex<DebtTable<K>>,
}

struct DebtTable<K> {
    paid_at: HashMap<K, Duration>,
    /// Shared by the keys that found no place in the full table.
    others_paid_at: Duration,
    /// When the table was last swept, which takes time in proportion to its size.
    swept: Duration,
}

impl<K: Hash + Eq + Copy> Debts<K> {
    fn new(per_minute: u32, burst: u32) -> Self {
        let each = Duration::from_secs(60) / per_minute.max(1);
        let table = DebtTable { paid_at: HashMap::new(), others_paid_at: Duration::ZERO, swept: Duration::ZERO };
        Self { each, burst: each.saturating_mul(burst.max(1)), table: Mutex::new(table) }
    }

    /// Charges a key if `charged`. Returns `false` if it owes too much, before or after. `now` is the time since a
    /// fixed moment.
    fn allow(&self, now: Duration, key: K, charged: bool) -> bool {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let DebtTable { paid_at, others_paid_at, swept } = &mut *table;
        if paid_at.len() >= MAX_KEYS && now.saturating_sub(*swept) >= Duration::from_secs(1) {
            *swept = now;
            paid_at.retain(|_, paid_at| *paid_at > now);
        }
        let full = paid_at.len() >= MAX_KEYS;
        let paid = paid_at.get(&key).copied().unwrap_or(if full { *others_paid_at } else { now }).max(now);
        let most = now.saturating_add(self.burst);
        if paid > most || !charged {
            return paid <= most;
        }
        let paid = paid.saturating_add(self.each);
        match paid_at.get_mut(&key) {
            Some(known) => *known = paid,
            None if full => *others_paid_at = paid,
            None => {
                paid_at.insert(key, paid);
            }
        }
        paid <= most
    }
}

pub(super) fn quota(per_second: u32, burst: u32) -> Quota {
    let at_least_one = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
    Quota::per_second(at_least_one(per_second)).allow_burst(at_least_one(burst))
}

/// Allows one in this time, or this many at once.
fn slow_quota(every: Duration, burst: u32) -> Quota {
    let once = Quota::with_period(every).unwrap_or(Quota::per_second(NonZeroU32::MIN));
    once.allow_burst(NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN))
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
            own_joins: Keyed::new(slow_quota(OWN_JOIN_EVERY, OWN_JOINS), DefaultClock::default()),
            returns: Keyed::new(slow_quota(RETURN_EVERY, RETURNS), DefaultClock::default()),
            empty_joins: Debts::new(limits.empty_joins_per_minute_per_ip, limits.empty_join_burst_per_ip),
        }
    }

    pub(super) fn allow_join_from(&self, source: &Source) -> bool {
        self.joins_by_source.allow(source)
    }

    /// Counts a join of this topic from a source.
    pub(super) fn allow_join_of(&self, topic: &TopicHash, source: Option<Source>) -> bool {
        self.joins_by_topic.allow(topic) || source.is_some_and(|source| self.own_joins.allow(&(*topic, source)))
    }

    /// Counts a join of a peer with a seat in the topic. The peer's id may be unproved: a claim from another source
    /// uses up another budget.
    pub(super) fn allow_return(&self, source: &Source, id: &PeerId) -> bool {
        self.returns.allow(&(*source, *id))
    }

    /// Counts a join of a peer without a seat in the topic. `empty`: the topic has no members. `now` as in
    /// [`Hub::handle`](crate::hub::Hub::handle).
    pub(super) fn allow_newcomer(&self, now: Duration, source: &Source, empty: bool) -> bool {
        self.empty_joins.allow(now, *source, empty)
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

    /// Whether a source may have more connections.
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

    /// Whether this many bytes, short of a whole frame, are allowed.
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

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn joins_of_empty_rooms_are_few_and_those_of_occupied_ones_as_many_as_before() {
        let guesses = Debts::new(6, 4);
        let (ada, ben) = (source(1), source(2));
        assert_eq!((0..4).filter(|_| guesses.allow(SECOND, ada, true)).count(), 4, "four at once");
        assert!((0..1000).all(|_| guesses.allow(SECOND, ada, false)), "its burst is used up, but it owes nothing");
        assert!(guesses.allow(SECOND, ben, true), "another source");
        // One more is refused. From then on all are, so that refusals don't distinguish the rooms.
        assert!(!guesses.allow(SECOND, ada, true));
        assert!(!guesses.allow(SECOND, ada, false));
        assert!(!guesses.allow(10 * SECOND, ada, false), "a second before it has paid");
        assert!(guesses.allow(11 * SECOND, ada, false));
    }

    #[test]
    fn guessing_without_end_reveals_one_room_in_ten_seconds() {
        for occupied in [0, 3, 50] {
            let guesses = Debts::new(6, 128);
            let mut learnt = 0;
            // Ten a second, the allowed rate; a few are joins of rooms with members.
            for guess in 0..36_000_u64 {
                let now = Duration::from_millis(guess * 100);
                let before = guesses.allow(now, source(1), false);
                learnt += u32::from(before);
                guesses.allow(now, source(1), guess % 100 >= occupied);
            }
            let most = (128 + 360 + 1) * 100 / (100 - occupied as u32);
            assert!(learnt <= most, "{learnt} of {most} in an hour, {occupied} % are occupied");
        }
    }

    #[test]
    fn guesses_at_once_are_paid_for_one_after_the_other() {
        let guesses = Debts::new(6, 1);
        assert!(guesses.allow(SECOND, source(1), true));
        assert!((0..100).all(|_| !guesses.allow(SECOND, source(1), true)));
        // A refusal without a look-up costs nothing.
        assert!(guesses.allow(11 * SECOND, source(1), false));
    }

    #[test]
    fn the_table_of_debts_is_bounded_and_forgets_paid_ones() {
        let guesses = Debts::new(60, 1);
        let allowed = (0..100_000).filter(|n| guesses.allow(SECOND, source(*n), true)).count();
        assert_eq!(allowed, MAX_KEYS + 1, "those in the table, and one of all the rest");
        assert!(guesses.allow(3 * SECOND, source(100_001), true));
        let table = guesses.table.lock().unwrap();
        assert_eq!(table.paid_at.len(), 1);
    }

    fn topic(n: u8) -> TopicHash {
        TopicHash::from_bytes([n; 32])
    }

    #[test]
    fn newcomers_and_members_join_while_others_use_up_the_topic() {
        let limiter =
            Limiter::new(Limits { joins_per_second_per_topic: 1, join_burst_per_topic: 10, ..Limits::default() });
        let flooders: Vec<Source> = (0..8).map(source).collect();
        for _ in 0..100 {
            for flooder in &flooders {
                limiter.allow_join_of(&topic(1), Some(*flooder));
            }
        }
        assert!(!limiter.allow_join_of(&topic(1), Some(flooders[0])));
        assert!((0..5).all(|_| limiter.allow_join_of(&topic(1), Some(source(99)))), "a class behind one address");
        let member = PeerId::from_bytes([1; 32]);
        let returns = |source, id| (0..1000).filter(|_| limiter.allow_return(&source, &id)).count();
        let flooded = returns(flooders[0], member);
        assert!((RETURNS as usize..1000).contains(&flooded), "{flooded}");
        assert!(returns(source(99), member) >= RETURNS as usize, "the member itself, from where it is");
        assert!(returns(flooders[0], PeerId::from_bytes([2; 32])) >= RETURNS as usize, "another member");
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
