//! Decides which members get this peer's streams.

use std::collections::VecDeque;
use std::time::Duration;

use converge_signal::PeerId;

use super::{Audience, MAX_VIEWERS, ViewerState};
use crate::map::SortedMap;
use crate::timer::Time;

/// A member that leaves and returns within this time keeps its approval: reloading a page on a slow line takes that
/// long. Its id is a key that only its tab has, so nobody else can return in its place.
const RETURN_WITHIN: Duration = Duration::from_secs(60);

/// Decisions about at most this many absent members are kept, so that joining and leaving costs no memory.
const MAX_AWAY: usize = 64;

/// Why a member gets this peer's streams, or doesn't.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// The member joined after sharing began, and the application decided nothing.
    New,
    /// The member was in the room when sharing began.
    Present,
    /// The application approved the member.
    Approved,
    /// The application denied the member.
    Denied,
}

#[derive(Debug)]
struct Member {
    standing: Standing,
    /// Its place in the order of arrival; unset while it is away.
    arrival: Option<u64>,
    /// A link to it has opened since it arrived.
    met: bool,
}

/// The members, and which of them have one of the [`MAX_VIEWERS`] places.
///
/// A member is one key, thus one tab: a page can't distinguish a person with nine tabs from nine people. The order of
/// places therefore rests on criteria that more tabs don't influence: approval first, then current places, then
/// arrival. A new member never takes another's place; only an approval does, and never an approved member's.
#[derive(Debug, Default)]
pub(crate) struct Viewers {
    audience: Audience,
    members: SortedMap<PeerId, Member>,
    arrivals: u64,
    /// The members that have a place, in the order in which they got it. A member keeps its place until it leaves or
    /// loses approval, also while its link is down.
    places: Vec<PeerId>,
    /// When the absent members with kept decisions left.
    away: VecDeque<(Time, PeerId)>,
}

impl Viewers {
    pub(crate) fn audience(&self) -> Audience {
        self.audience
    }

    /// Sets the audience. Members that get the streams now keep them.
    pub(crate) fn set_audience(&mut self, audience: Audience, sharing: bool) {
        if self.audience == Audience::Everyone && audience == Audience::Approved && sharing {
            self.begin();
        }
        self.audience = audience;
        self.fill();
    }

    /// Begins sharing: the members in the room now count as present.
    pub(crate) fn begin(&mut self) {
        for (_, member) in self.members.iter_mut() {
            if member.standing == Standing::New && member.arrival.is_some() {
                member.standing = Standing::Present;
            }
        }
        self.fill();
    }

    pub(crate) fn approve(&mut self, peer: PeerId) {
        if let Some(member) = self.members.get_mut(&peer) {
            member.standing = Standing::Approved;
            self.place(peer);
        }
    }

    pub(crate) fn deny(&mut self, peer: PeerId) {
        if let Some(member) = self.members.get_mut(&peer) {
            member.standing = Standing::Denied;
            self.leave_place(peer);
        }
    }

    /// Adds a member that joined the room.
    pub(crate) fn joined(&mut self, now: Time, peer: PeerId) {
        self.expire(now);
        self.arrivals += 1;
        let arrival = Some(self.arrivals);
        match self.members.get_mut(&peer) {
            Some(member) => member.arrival = arrival,
            None => {
                self.members.insert(peer, Member { standing: Standing::New, arrival, met: false });
            }
        }
    }

    /// Records that a link to a member opened. A member that can't be reached takes no place.
    pub(crate) fn connected(&mut self, peer: PeerId) {
        if let Some(member) = self.members.get_mut(&peer) {
            member.met = true;
            self.place(peer);
        }
    }

    /// Records that a member left the room.
    pub(crate) fn left(&mut self, now: Time, peer: PeerId) {
        self.expire(now);
        let Some(member) = self.members.get_mut(&peer) else { return };
        (member.arrival, member.met) = (None, false);
        if member.standing == Standing::New {
            self.members.remove(&peer);
        } else {
            // Once for each member, or one that leaves again and again would push out the others.
            self.away.retain(|(_, other)| *other != peer);
            self.away.push_back((now, peer));
            if self.away.len() > MAX_AWAY {
                self.forget_oldest();
            }
        }
        self.leave_place(peer);
    }

    /// Forgets all members and decisions, because the room is left.
    pub(crate) fn reset(&mut self) {
        *self = Self { audience: self.audience, ..Self::default() };
    }

    /// Returns the members that have a place.
    pub(crate) fn places(&self) -> &[PeerId] {
        &self.places
    }

    /// Returns whether a member gets the streams; `None` if it isn't in the room.
    pub(crate) fn state(&self, peer: PeerId) -> Option<ViewerState> {
        let member = self.members.get(&peer).filter(|member| member.arrival.is_some())?;
        Some(match member.standing {
            _ if self.places.contains(&peer) => ViewerState::Viewing,
            Standing::Denied => ViewerState::Denied,
            _ if !self.admits(member) => ViewerState::Waiting,
            // Its link is about to open.
            _ if !member.met && self.places.len() < MAX_VIEWERS => ViewerState::Viewing,
            _ => ViewerState::Crowded,
        })
    }

    fn admits(&self, member: &Member) -> bool {
        match member.standing {
            Standing::New => self.audience == Audience::Everyone,
            Standing::Present | Standing::Approved => true,
            Standing::Denied => false,
        }
    }

    fn is_approved(&self, peer: PeerId) -> bool {
        self.members.get(&peer).is_some_and(|member| member.standing == Standing::Approved)
    }

    /// Gives a member a place if it may have one. If all are taken, an approved member takes the newest unapproved
    /// one's.
    fn place(&mut self, peer: PeerId) {
        let may = self.members.get(&peer).is_some_and(|member| member.met && self.admits(member));
        if !may || self.places.contains(&peer) {
            return;
        }
        if self.places.len() >= MAX_VIEWERS {
            let weakest = self.places.iter().rposition(|other| !self.is_approved(*other));
            let Some(weakest) = weakest.filter(|_| self.is_approved(peer)) else { return };
            self.places.remove(weakest);
        }
        self.places.push(peer);
    }

    fn leave_place(&mut self, peer: PeerId) {
        let before = self.places.len();
        self.places.retain(|other| *other != peer);
        if self.places.len() < before {
            self.fill();
        }
    }

    /// Gives free places to approved members first, then in the order of arrival.
    fn fill(&mut self) {
        if self.places.len() >= MAX_VIEWERS {
            return;
        }
        let waiting = self.members.iter().filter(|(peer, member)| member.met && !self.places.contains(peer));
        let mut waiting: Vec<_> =
            waiting.map(|(peer, member)| (member.standing != Standing::Approved, member.arrival, *peer)).collect();
        waiting.sort_unstable();
        for (_, _, peer) in waiting {
            self.place(peer);
        }
    }

    /// Forgets the decisions about members that were away for too long.
    fn expire(&mut self, now: Time) {
        while self.away.front().is_some_and(|(since, _)| now.since(*since) > RETURN_WITHIN) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((_, peer)) = self.away.pop_front() else { return };
        if self.members.get(&peer).is_some_and(|member| member.arrival.is_none()) {
            self.members.remove(&peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ViewerState::*;
    use super::*;

    fn peer(number: u8) -> PeerId {
        PeerId::from_bytes([number; 32])
    }

    fn at(seconds: u64) -> Time {
        Time::from_micros(seconds * 1_000_000)
    }

    fn meet(viewers: &mut Viewers, peers: impl IntoIterator<Item = u8>) {
        for number in peers {
            viewers.joined(at(0), peer(number));
            viewers.connected(peer(number));
        }
    }

    fn approved(present: impl IntoIterator<Item = u8>) -> Viewers {
        let mut viewers = Viewers::default();
        viewers.set_audience(Audience::Approved, false);
        meet(&mut viewers, present);
        viewers.begin();
        viewers
    }

    fn places(viewers: &Viewers) -> Vec<u8> {
        viewers.places().iter().map(|peer| peer.as_bytes()[0]).collect()
    }

    fn states(viewers: &Viewers, peers: impl IntoIterator<Item = u8>) -> Vec<Option<ViewerState>> {
        peers.into_iter().map(|number| viewers.state(peer(number))).collect()
    }

    #[test]
    fn everyone_gets_it_unless_the_audience_is_limited() {
        let mut viewers = Viewers::default();
        meet(&mut viewers, [1]);
        viewers.begin();
        meet(&mut viewers, [2]);
        assert_eq!(places(&viewers), [1, 2]);
        assert_eq!(viewers.state(peer(3)), None, "it isn't in the room");
    }

    #[test]
    fn a_newcomer_waits_until_it_is_approved() {
        let mut viewers = approved([1]);
        meet(&mut viewers, [2]);
        assert_eq!(states(&viewers, 1..=2), [Some(Viewing), Some(Waiting)]);
        assert_eq!(places(&viewers), [1]);
        viewers.approve(peer(2));
        assert_eq!(places(&viewers), [1, 2]);
        viewers.deny(peer(2));
        assert_eq!((places(&viewers), viewers.state(peer(2))), (vec![1], Some(Denied)));
        viewers.approve(peer(9));
        assert_eq!(viewers.state(peer(9)), None);
    }

    #[test]
    fn a_member_that_was_there_when_sharing_began_is_no_newcomer_unless_it_was_denied() {
        let mut viewers = approved([]);
        viewers.joined(at(0), peer(1));
        meet(&mut viewers, [2, 3]);
        viewers.deny(peer(3));
        viewers.begin();
        assert_eq!(states(&viewers, 1..=3), [Some(Viewing), Some(Viewing), Some(Denied)]);
        assert_eq!(places(&viewers), [2], "a member without a link takes no place");
        viewers.connected(peer(1));
        assert_eq!(places(&viewers), [2, 1]);
    }

    #[test]
    fn changing_the_audience_cuts_nobody_off() {
        let mut viewers = Viewers::default();
        viewers.begin();
        meet(&mut viewers, [1]);
        viewers.set_audience(Audience::Approved, true);
        meet(&mut viewers, [2]);
        assert_eq!(states(&viewers, 1..=2), [Some(Viewing), Some(Waiting)]);
        viewers.set_audience(Audience::Everyone, true);
        assert_eq!(places(&viewers), [1, 2]);
        viewers.set_audience(Audience::Approved, true);
        assert_eq!(places(&viewers), [1, 2]);
    }

    #[test]
    fn an_approval_outlives_a_lost_link_and_a_reload_but_not_a_departure() {
        let mut viewers = approved([1]);
        meet(&mut viewers, [2]);
        viewers.approve(peer(2));
        // A reconnect.
        viewers.connected(peer(2));
        assert_eq!(places(&viewers), [1, 2]);
        for reloaded in [1, 2] {
            viewers.left(at(10), peer(reloaded));
            assert_eq!(viewers.state(peer(reloaded)), None);
            viewers.joined(at(11), peer(reloaded));
            viewers.connected(peer(reloaded));
            assert_eq!(viewers.state(peer(reloaded)), Some(Viewing));
        }
        viewers.left(at(20), peer(2));
        viewers.joined(at(81), peer(2));
        viewers.connected(peer(2));
        assert_eq!(viewers.state(peer(2)), Some(Waiting));
        // It left twice: the first absence's end must not forget the second.
        viewers.left(at(90), peer(1));
        viewers.joined(at(100), peer(1));
        viewers.left(at(140), peer(1));
        viewers.joined(at(160), peer(1));
        viewers.connected(peer(1));
        assert_eq!(viewers.state(peer(1)), Some(Viewing));
        viewers.reset();
        assert_eq!(viewers.audience(), Audience::Approved);
        meet(&mut viewers, [1]);
        assert_eq!(viewers.state(peer(1)), Some(Waiting), "another visit, other decisions");
    }

    #[test]
    fn members_that_come_and_go_leave_nothing_behind() {
        let mut viewers = approved([]);
        for number in 0..=255 {
            meet(&mut viewers, [number]);
            if number % 2 == 0 {
                viewers.approve(peer(number));
            }
            viewers.left(at(0), peer(number));
        }
        assert_eq!((viewers.members.len(), viewers.away.len()), (MAX_AWAY, MAX_AWAY));
        viewers.joined(at(100), peer(0));
        assert_eq!((viewers.members.len(), viewers.away.len()), (1, 0));
    }

    #[test]
    fn nine_tabs_of_one_member_take_no_place_from_those_who_have_one() {
        let mut viewers = approved([1, 2]);
        meet(&mut viewers, 10..19);
        assert_eq!(places(&viewers), [1, 2]);
        viewers.set_audience(Audience::Everyone, true);
        assert_eq!(places(&viewers), [1, 2, 10, 11, 12, 13, 14, 15]);
        assert_eq!(viewers.state(peer(16)), Some(Crowded));
        // A reconnect takes none either.
        viewers.connected(peer(1));
        assert_eq!(places(&viewers)[..2], [1, 2]);
    }

    #[test]
    fn an_approved_member_gets_a_place_where_nine_tabs_came_first() {
        let mut viewers = Viewers::default();
        meet(&mut viewers, 10..19);
        meet(&mut viewers, [1, 2]);
        viewers.begin();
        assert_eq!(states(&viewers, 1..=2), [Some(Crowded), Some(Crowded)]);
        viewers.approve(peer(1));
        viewers.approve(peer(2));
        assert_eq!(places(&viewers), [10, 11, 12, 13, 14, 15, 1, 2]);
        // No other member takes them back.
        for number in 10..19 {
            viewers.approve(peer(number));
        }
        assert_eq!(places(&viewers), [10, 11, 12, 13, 14, 15, 1, 2]);
        // A freed place goes to an approved member first.
        meet(&mut viewers, [3]);
        let (first, next) = (peer(10), peer(16));
        assert_eq!(viewers.state(next), Some(Crowded));
        viewers.left(at(1), first);
        assert_eq!(viewers.state(next), Some(Viewing));
        assert_eq!(viewers.state(peer(3)), Some(Crowded));
    }
}
