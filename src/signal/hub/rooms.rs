//! Who is in which topic, and who has been told of whom.
//!
//! A member is told of at most `max_sample` others, chosen at random, and those of it: they are *acquainted*. Comings
//! and goings are told to a member's acquaintances only, so what a join or a leave costs does not depend on the size
//! of the topic. Acquaintance is mutual and ends with either side, so each member has `2 * max_sample` on average, and
//! nothing is kept of who is gone. In a topic of up to `max_sample + 1` members everybody is everybody's acquaintance.

use std::collections::HashMap;
use std::time::Duration;

use slab::Slab;

use super::ConnId;
use crate::ids::{Incarnation, PeerId, Seq, TopicHash};
use crate::protocol::{LeftReason, Member};

/// Names a seat, from when it is taken until it is given up.
pub(super) type SeatKey = u32;

/// A member's place in a topic.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) topic: TopicHash,
    pub(super) member: Member,
    /// None while the member is away and may come back.
    pub(super) conn: Option<ConnId>,
    /// Which absence this is: the end of an earlier one's time means nothing.
    pub(super) absence: u64,
    /// While it was away, somebody tried to reach it and was told that it isn't there.
    pub(super) missed: bool,
    /// What is said of each signal it sends; made with the first.
    pub(super) stamp: Option<Box<str>>,
    /// When its member last arrived.
    since: Duration,
    acquaintances: Vec<SeatKey>,
    /// Its list in the topic; unset before its member first arrives.
    list: Option<List>,
    /// Its index in that list.
    place: u32,
}

/// The lists of a topic's seats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    /// The member is present.
    Present,
    /// The member is away, after the whole grace period or more in the topic.
    Settled,
    /// The member is away, after less time in the topic.
    Fleeting,
}

/// What there is to tell of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    Joined(Member),
    Left(Member, LeftReason),
    /// The member joined and left before the others were notified.
    Visited(Member, LeftReason),
}

impl News {
    fn id(&self) -> PeerId {
        match self {
            News::Joined(member) | News::Left(member, _) | News::Visited(member, _) => member.id,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Topic {
    seats: HashMap<PeerId, SeatKey>,
    /// Unordered, to draw from.
    present: Vec<SeatKey>,
    settled: Vec<SeatKey>,
    fleeting: Vec<SeatKey>,
    /// Until then, who leaves waits to be told of.
    pub(super) quiet_until: Duration,
    /// There is a time at which those who came are told of.
    pub(super) introducing: bool,
    /// There is a time at which those who left are told of.
    pub(super) ticking: bool,
    /// News that members still wait for, each at most once and sorted by id. Kept here and not by seat, because most of the time
    /// there is nothing.
    waiting: HashMap<SeatKey, Vec<News>>,
}

impl Topic {
    pub(super) fn present(&self) -> usize {
        self.present.len()
    }

    /// Members with those that are away.
    pub(super) fn seats(&self) -> usize {
        self.seats.len()
    }

    pub(super) fn seat(&self, id: &PeerId) -> Option<SeatKey> {
        self.seats.get(id).copied()
    }

    pub(super) fn someone_waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn list(&mut self, list: List) -> &mut Vec<SeatKey> {
        match list {
            List::Present => &mut self.present,
            List::Settled => &mut self.settled,
            List::Fleeting => &mut self.fleeting,
        }
    }
}

#[derive(Debug)]
pub(super) struct Rooms {
    pub(super) topics: HashMap<TopicHash, Topic>,
    seats: Slab<Seat>,
    present: usize,
    random: fastrand::Rng,
}

impl Rooms {
    pub(super) fn new(seed: u64) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        Self { topics: HashMap::new(), seats: Slab::new(), present: 0, random }
    }

    /// How many members are there, of all topics.
    pub(super) fn present(&self) -> usize {
        self.present
    }

    #[cfg(test)]
    pub(super) fn seats(&self) -> usize {
        self.seats.len()
    }

    pub(super) fn seat(&self, key: SeatKey) -> Option<&Seat> {
        self.seats.get(key as usize)
    }

    pub(super) fn seat_mut(&mut self, key: SeatKey) -> Option<&mut Seat> {
        self.seats.get_mut(key as usize)
    }

    /// Gives a newcomer a seat in a topic, which is made if there is none. It is away until [`Rooms::arrive`].
    pub(super) fn add(&mut self, topic: TopicHash, id: PeerId) -> SeatKey {
        let member = Member { id, incarnation: 0, seq: 0 };
        let key = self.seats.insert(Seat {
            topic,
            member,
            conn: None,
            absence: 0,
            missed: false,
            stamp: None,
            since: Duration::ZERO,
            acquaintances: Vec::new(),
            list: None,
            place: 0,
        });
        // There is not memory for four billion.
        let key = key as SeatKey;
        self.topics.entry(topic).or_default().seats.insert(id, key);
        key
    }

    /// A member is there from now on.
    pub(super) fn arrive(&mut self, now: Duration, key: SeatKey, conn: ConnId, incarnation: Incarnation, seq: Seq) {
        let Some(seat) = self.seats.get_mut(key as usize) else { return };
        let was_away = seat.conn.replace(conn).is_none();
        seat.member = Member { incarnation, seq, ..seat.member };
        seat.missed = false;
        seat.stamp = None;
        seat.since = now;
        if let Some(topic) = self.topics.get_mut(&seat.topic) {
            // Its welcome names the current members.
            topic.waiting.remove(&key);
        }
        if was_away {
            self.present += 1;
            self.move_to(key, Some(List::Present));
        }
    }

    /// Marks a member as away; its seat stays. Members that were present for less than `grace` lose theirs first when
    /// the topic is full.
    pub(super) fn depart(&mut self, now: Duration, key: SeatKey, grace: Duration) {
        let Some(seat) = self.seats.get_mut(key as usize) else { return };
        if seat.conn.take().is_none() {
            return;
        }
        let list = if now.saturating_sub(seat.since) < grace { List::Fleeting } else { List::Settled };
        if let Some(topic) = self.topics.get_mut(&seat.topic) {
            topic.waiting.remove(&key);
        }
        self.present -= 1;
        self.move_to(key, Some(list));
    }

    /// Moves a seat to another list, or off all lists.
    fn move_to(&mut self, key: SeatKey, list: Option<List>) {
        let Some(seat) = self.seats.get_mut(key as usize) else { return };
        let Some(topic) = self.topics.get_mut(&seat.topic) else { return };
        let (left, place) = (std::mem::replace(&mut seat.list, list), seat.place);
        if let Some(list) = list {
            let list = topic.list(list);
            seat.place = list.len() as u32;
            list.push(key);
        }
        if let Some(left) = left {
            let left = topic.list(left);
            left.swap_remove(place as usize);
            if let Some(moved) = left.get(place as usize).and_then(|moved| self.seats.get_mut(*moved as usize)) {
                moved.place = place;
            }
        }
    }

    /// Picks the seat of an absent member for a newcomer to a full topic: a fleeting one, or a settled one if more than
    /// `kept` of those are away. Drawn at random, so that an attacker that fills a topic with absent members mostly
    /// loses its own seats.
    pub(super) fn free_seat(&mut self, topic: &TopicHash, kept: usize) -> Option<SeatKey> {
        let topic = self.topics.get(topic)?;
        let settled = if topic.settled.len() > kept { topic.settled.as_slice() } else { &[] };
        let away = if topic.fleeting.is_empty() { settled } else { &topic.fleeting };
        if away.is_empty() { None } else { Some(away[self.random.usize(..away.len())]) }
    }

    /// Gives up a seat, and the topic with the last one. Returns the acquaintances, who are none any more.
    pub(super) fn remove(&mut self, key: SeatKey) -> Vec<SeatKey> {
        if self.seats.get(key as usize).is_some_and(|seat| seat.conn.is_some()) {
            self.present -= 1;
        }
        self.move_to(key, None);
        let Some(seat) = self.seats.try_remove(key as usize) else { return Vec::new() };
        for other in &seat.acquaintances {
            if let Some(other) = self.seats.get_mut(*other as usize) {
                other.acquaintances.retain(|acquaintance| *acquaintance != key);
            }
        }
        if let Some(topic) = self.topics.get_mut(&seat.topic) {
            topic.waiting.remove(&key);
            topic.seats.remove(&seat.member.id);
            if topic.seats.is_empty() {
                self.topics.remove(&seat.topic);
            }
        }
        seat.acquaintances
    }

    /// Acquaints a member with others until it knows `most` that are there, or all. Returns whom to name to it, at most
    /// `most`, and those of them that are new.
    pub(super) fn acquaint(&mut self, key: SeatKey, most: usize) -> (Vec<SeatKey>, Vec<SeatKey>) {
        let Some(seat) = self.seats.get(key as usize) else { return Default::default() };
        let is_there = |other: &SeatKey| self.seats.get(*other as usize).is_some_and(|seat| seat.conn.is_some());
        let mut named: Vec<SeatKey> = seat.acquaintances.iter().copied().filter(is_there).collect();
        if named.len() > most {
            self.random.shuffle(&mut named);
            named.truncate(most);
        }
        let Some(topic) = self.topics.get(&seat.topic) else { return (named, Vec::new()) };
        // Some of those drawn may be itself or known already.
        let drawn = if named.len() < most { most + seat.acquaintances.len() + 1 } else { 0 };
        let mut new = draw(&topic.present, drawn, &mut self.random);
        new.retain(|other| *other != key && !seat.acquaintances.contains(other));
        new.truncate(most - named.len());
        for other in &new {
            if let Some(other) = self.seats.get_mut(*other as usize) {
                other.acquaintances.push(key);
            }
        }
        if let Some(seat) = self.seats.get_mut(key as usize) {
            seat.acquaintances.extend(&new);
        }
        named.extend(&new);
        (named, new)
    }

    /// Those acquaintances of a member that are there.
    pub(super) fn acquaintances(&self, key: SeatKey) -> impl Iterator<Item = SeatKey> {
        self.seats.get(key as usize).map(|seat| seat.acquaintances.iter().copied()).into_iter().flatten()
    }

    /// Queues news for a present member. Later news of a member replaces earlier news. But a `Left` keeps the `Joined`
    /// before it, or no member would see a short visit.
    pub(super) fn put_by(&mut self, key: SeatKey, news: News) {
        let Some(seat) = self.seats.get(key as usize).filter(|seat| seat.conn.is_some()) else { return };
        let Some(topic) = self.topics.get_mut(&seat.topic) else { return };
        let waiting = topic.waiting.entry(key).or_default();
        match waiting.binary_search_by_key(&news.id(), News::id) {
            Ok(at) => {
                waiting[at] = match (waiting[at], news) {
                    (News::Joined(_) | News::Visited(..), News::Left(member, reason)) => News::Visited(member, reason),
                    _ => news,
                }
            }
            Err(at) => waiting.insert(at, news),
        }
    }

    /// A member learns of another by something that it is sent: there is no need to tell it any more.
    pub(super) fn introduce(&mut self, key: SeatKey, newcomer: &PeerId) {
        let topic = self.seats.get(key as usize).and_then(|seat| self.topics.get_mut(&seat.topic));
        if let Some(topic) = topic
            && let Some(waiting) = topic.waiting.get_mut(&key)
        {
            if let Ok(at) = waiting.binary_search_by_key(newcomer, News::id) {
                waiting.remove(at);
            }
            if waiting.is_empty() {
                topic.waiting.remove(&key);
            }
        }
    }

    /// Takes what a topic's members have not been told yet.
    pub(super) fn take_news(&mut self, topic: &TopicHash) -> Vec<(ConnId, Vec<News>)> {
        let Some(topic) = self.topics.get_mut(topic) else { return Vec::new() };
        let mut waiting: Vec<_> = std::mem::take(&mut topic.waiting).into_iter().collect();
        // In an order that is the same each time, so that a simulated run can be repeated.
        waiting.sort_unstable_by_key(|(key, _)| *key);
        waiting.into_iter().filter_map(|(key, news)| Some((self.seats.get(key as usize)?.conn?, news))).collect()
    }
}

/// Draws that many different ones, or all if there are no more; takes time in proportion to `count`, not to how many
/// there are.
fn draw(from: &[SeatKey], count: usize, random: &mut fastrand::Rng) -> Vec<SeatKey> {
    if from.len() <= count * 2 {
        let mut all = from.to_vec();
        let count = count.min(all.len());
        for place in 0..count {
            let other = random.usize(place..all.len());
            all.swap(place, other);
        }
        all.truncate(count);
        return all;
    }
    // Less than half are drawn, so most draws are new ones.
    let mut drawn = Vec::with_capacity(count);
    while drawn.len() < count {
        let one = from[random.usize(..from.len())];
        if !drawn.contains(&one) {
            drawn.push(one);
        }
    }
    drawn
}
