//! What the others' links are like. Each knows its own: it is asked, while somebody looks.

use std::time::Duration;

use converge_p2p::hooks::{Peer, use_channel_on, use_peers, use_room, with_next_frame};
use converge_p2p::{Lane, LinkReport, PeerId, PeerState};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::MOST_DRAWN;
use crate::platform;
use crate::room::few::few;
use crate::room::quality::bars;

const CHANNEL: &str = "mesh";

/// How often they are asked.
const AGAIN: Duration = Duration::from_secs(3);

/// A list of more links than this is refused: no room has as many members.
const MOST_TOLD: usize = 1024;

/// The least milliseconds between two answers to a member: a report of all links costs more than a request.
const ANSWER_MS: u64 = 1000;

/// The time of the last answer to each member, in milliseconds since 1970.
#[derive(Default)]
struct Answered(Vec<(PeerId, u64)>);

impl Answered {
    /// Whether to answer a member now; if so, records the answer.
    fn may(&mut self, peer: PeerId, now: u64) -> bool {
        self.0.retain(|(_, at)| (*at..at.saturating_add(ANSWER_MS)).contains(&now));
        let may = self.0.iter().all(|(other, _)| *other != peer);
        if may {
            self.0.push((peer, now));
        }
        may
    }
}

/// What one end says of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    /// The other end.
    peer: PeerId,
    open: bool,
    /// From 0, not measured, to 3.
    bars: u32,
    relayed: bool,
}

impl Told {
    fn of(link: &LinkReport) -> Self {
        Self { peer: link.peer, open: link.state == PeerState::Connected, bars: bars(link), relayed: link.is_relayed() }
    }
}

/// What each of the others says of its links.
pub(super) type AllTold = Vec<(PeerId, Vec<Told>)>;

/// What travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Ask,
    Links(#[serde(deserialize_with = "few::<_, _, MOST_TOLD>")] Vec<Told>),
}

/// Tells whoever asks.
pub(in crate::room) fn tell_links() {
    let (room, channel) = (use_room(), use_channel_on::<Word>(CHANNEL, Lane::LOSSY));
    let answered = StoredValue::new(Answered::default());
    channel.on_message(move |word| {
        let may = |answered: &mut Answered| answered.may(word.from, platform::millis());
        if word.value != Word::Ask || answered.try_update_value(may) != Some(true) {
            return;
        }
        let links = room.client().map(|client| client.report().links).unwrap_or_default();
        // More are drawn by nobody.
        if links.len() <= MOST_DRAWN {
            // What doesn't arrive is asked for again.
            let _ = channel.send_to(word.from, &Word::Links(links.iter().map(Told::of).collect()));
        }
    });
}

/// Asks everybody, again and again until the owner of this call is cleaned up.
pub(super) fn use_told() -> RwSignal<AllTold> {
    let (channel, peers) = (use_channel_on::<Word>(CHANNEL, Lane::LOSSY), use_peers());
    let all = RwSignal::new(AllTold::new());
    let fires = StoredValue::new(false);
    channel.on_message(move |word| {
        let Word::Links(told) = word.value else { return };
        if let Some(mut all) = all.try_write_untracked() {
            keep(&mut all, word.from, told);
        }
        // Drawn once a frame, however many reports arrive.
        if fires.try_update_value(|fires| !std::mem::replace(fires, true)) == Some(true) {
            with_next_frame(move || {
                fires.try_set_value(false);
                if !all.is_disposed() {
                    all.notify();
                }
            });
        }
    });
    let ask = move |here: &[Peer]| {
        for peer in here.iter().filter(|peer| peer.state().get_untracked() == PeerState::Connected) {
            // As above.
            let _ = channel.send_to(peer.id(), &Word::Ask);
        }
    };
    Effect::new(move |_| {
        let here = peers.get();
        all.update(|all| all.retain(|(teller, _)| here.iter().any(|peer| peer.id() == *teller)));
        ask(&here);
    });
    Effect::new(move |_| {
        // Refused by no browser; without it they are asked when somebody comes or goes.
        if let Ok(asking) = set_interval_with_handle(move || ask(&peers.get_untracked()), AGAIN) {
            on_cleanup(move || asking.clear());
        }
    });
    all
}

fn keep(all: &mut AllTold, peer: PeerId, mut told: Vec<Told>) {
    // Nobody has more to tell: what is more comes from a page that means no good.
    told.truncate(MOST_DRAWN);
    match all.iter_mut().find(|(teller, _)| *teller == peer) {
        Some((_, before)) => *before = told,
        None => all.push((peer, told)),
    }
}

/// A link between two of the others, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) ends: (usize, usize),
    pub(super) open: bool,
    pub(super) bars: u32,
    pub(super) relayed: bool,
}

impl Edge {
    fn meet(&mut self, other: Self) {
        self.open &= other.open;
        self.bars = self.bars.min(other.bars);
        self.relayed |= other.relayed;
    }
}

/// Each link once, as the end sees it that fares worse; none of those who are not `here`, whatever is told.
pub(super) fn edges(here: &[PeerId], all: &AllTold) -> Vec<Edge> {
    let number = |peer: PeerId| here.iter().position(|other| *other == peer);
    let mut edges = Vec::<Edge>::new();
    for (teller, told) in all {
        let Some(from) = number(*teller) else { continue };
        for &Told { peer, open, bars, relayed } in told {
            let Some(to) = number(peer).filter(|to| *to != from) else { continue };
            let new = Edge { ends: (from.min(to), from.max(to)), open, bars: bars.min(3), relayed };
            match edges.iter_mut().find(|edge| edge.ends == new.ends) {
                Some(edge) => edge.meet(new),
                None => edges.push(new),
            }
        }
    }
    edges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_asks_without_end_is_answered_once_a_second() {
        let [ada, ben] = [1, 2].map(|byte| PeerId::from_bytes([byte; 32]));
        let mut answered = Answered::default();
        let answers = (0..30_000).filter(|at| answered.may(ada, 5000 + at / 10)).count();
        assert_eq!(answers, 3);
        assert!(answered.may(ben, 8000) && !answered.may(ben, 8000));
        // A clock set back delays no answer.
        assert!(answered.may(ben, 10));
        assert_eq!(answered.0.len(), 1);
    }

    #[test]
    fn no_more_is_kept_of_one_than_can_be_drawn_and_the_newest() {
        let peer = |byte| PeerId::from_bytes([byte; 32]);
        let told = |byte| Told { peer: peer(byte), open: true, bars: 3, relayed: false };
        let mut all = AllTold::new();
        keep(&mut all, peer(1), vec![told(2); 1000]);
        assert_eq!((all.len(), all[0].1.len()), (1, MOST_DRAWN));
        keep(&mut all, peer(1), vec![told(3)]);
        assert_eq!(all, [(peer(1), vec![told(3)])]);
    }

    #[test]
    fn a_link_is_one_line_however_many_tell_of_it() {
        let peer = |byte| PeerId::from_bytes([byte; 32]);
        let told = |byte, bars, relayed| Told { peer: peer(byte), open: bars > 0, bars, relayed };
        let here = [peer(1), peer(2), peer(3)];
        let all = vec![
            // 9 is the one who asks: its own links it knows itself.
            (peer(1), vec![told(2, 3, false), told(9, 3, false), told(1, 3, false)]),
            (peer(2), vec![told(1, 2, false), told(3, 7, true)]),
            (peer(8), vec![told(1, 3, false)]),
        ];
        let expected = [
            Edge { ends: (0, 1), open: true, bars: 2, relayed: false },
            Edge { ends: (1, 2), open: true, bars: 3, relayed: true },
        ];
        assert_eq!(edges(&here, &all), expected);
    }
}
