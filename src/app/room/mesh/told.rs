//! What the others' links are like. Each knows its own: it is asked, while somebody looks.

use std::time::Duration;

use converge_p2p::hooks::{Peer, use_channel, use_peers, use_responder, use_room};
use converge_p2p::{LinkReport, PeerId, PeerState};
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde::{Deserialize, Serialize};

use crate::room::quality::bars;

const CHANNEL: &str = "mesh";

/// How often they are asked.
const AGAIN: Duration = Duration::from_secs(3);

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
        Self { peer: link.peer, open: link.state == PeerState::Connected, bars: bars(link), relayed: is_relayed(link) }
    }
}

pub(super) fn is_relayed(link: &LinkReport) -> bool {
    link.state == PeerState::Connected && link.path.as_ref().is_some_and(|path| path.is_relayed())
}

/// What each of the others says of its links.
pub(super) type AllTold = Vec<(PeerId, Vec<Told>)>;

/// Tells whoever asks.
pub(in crate::room) fn tell_links() {
    let room = use_room();
    use_responder(CHANNEL, move |_, ()| {
        let links = room.client().map(|client| client.report().links).unwrap_or_default();
        let told: Vec<Told> = links.iter().map(Told::of).collect();
        async move { Ok(told) }
    });
}

/// Asks everybody, again and again until the owner of this call is cleaned up.
pub(super) fn use_told() -> RwSignal<AllTold> {
    let (channel, peers) = (use_channel::<()>(CHANNEL), use_peers());
    let all = RwSignal::new(AllTold::new());
    // Who is silent is asked once at a time.
    let asked = StoredValue::new(Vec::<PeerId>::new());
    let ask = move |here: Vec<PeerId>| {
        if all.with_untracked(|all| all.iter().any(|(peer, _)| !here.contains(peer))) {
            all.update(|all| all.retain(|(peer, _)| here.contains(peer)));
        }
        for peer in here {
            if asked.with_value(|asked| asked.contains(&peer)) {
                continue;
            }
            asked.update_value(|asked| asked.push(peer));
            let reply = channel.request::<Vec<Told>>(peer, &());
            spawn_local(async move {
                let reply = reply.await;
                asked.try_update_value(|asked| asked.retain(|other| *other != peer));
                // Whose page is another, or nothing gets through to, says nothing: their links are left out.
                if let Ok(told) = reply {
                    all.try_update(|all| keep(all, peer, told));
                }
            });
        }
    };
    let ids = |peers: Vec<Peer>| peers.into_iter().map(Peer::id).collect();
    Effect::new(move |_| ask(ids(peers.get())));
    Effect::new(move |_| {
        // Refused by no browser; without it they are asked when somebody comes or goes.
        if let Ok(asking) = set_interval_with_handle(move || ask(ids(peers.get_untracked())), AGAIN) {
            on_cleanup(move || asking.clear());
        }
    });
    all
}

fn keep(all: &mut AllTold, peer: PeerId, told: Vec<Told>) {
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
