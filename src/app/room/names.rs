//! Members' names, distinguished where two look the same.

use std::collections::HashMap;

use converge_p2p::hooks::{use_presence, use_room};
use converge_p2p::{Event, PROFILE, PeerId, is_hidden};
use leptos::prelude::*;

use super::Profile;
use crate::words;

/// The names of all members of the room. Small and `Copy`.
#[derive(Clone, Copy)]
pub(super) struct Names(StoredValue<State>);

#[derive(Default)]
struct State {
    /// The look of each member's name.
    looks: HashMap<PeerId, String>,
    /// How many members have a name of that look.
    counts: HashMap<String, ArcRwSignal<u32>>,
}

impl Names {
    pub(super) fn new() -> Self {
        let names = Self(StoredValue::new(State::default()));
        let room = use_room();
        let profiles = use_presence::<Profile>();
        room.on_event(move |event| match event {
            Event::PeerJoined { peer } => names.called(*peer, Some(&Profile::name(None, *peer))),
            Event::PresenceChanged { peer, slot, .. } if slot == PROFILE => {
                names.called(*peer, Some(&Profile::name(profiles.peek(*peer).as_ref(), *peer)));
            }
            Event::PeerLeft { peer, .. } => names.called(*peer, None),
            _ => {}
        });
        // A member that takes this person's name is a double too.
        Effect::new(move |_| {
            if let Some(id) = room.id().get() {
                names.called(id, Some(&profiles.mine().with(|mine| Profile::name(Some(mine), id))));
            }
        });
        names
    }

    /// Takes note of a member's name, or that it has gone.
    fn called(self, peer: PeerId, name: Option<&str>) {
        let look = name.map(look);
        let (before, after) = self
            .0
            .try_update_value(|state| {
                let before = match &look {
                    Some(look) => state.looks.insert(peer, look.clone()),
                    None => state.looks.remove(&peer),
                };
                if before == look {
                    return (None, None);
                }
                let left = before.and_then(|look| {
                    let count = state.counts.get(&look).cloned();
                    if count.as_ref().is_some_and(|count| count.get_untracked() <= 1) {
                        state.counts.remove(&look);
                    }
                    count
                });
                let joined = look.map(|look| state.counts.entry(look).or_default().clone());
                (left, joined)
            })
            .unwrap_or_default();
        for (count, by) in [(before, -1), (after, 1)] {
            if let Some(count) = count {
                count.update(|count| *count = count.saturating_add_signed(by));
            }
        }
    }

    /// Returns a name as this person sees it: with letters of the id if another member or the page itself uses that name.
    fn told_apart(self, peer: PeerId, name: String, count: impl Fn(&ArcRwSignal<u32>) -> u32) -> String {
        let look = look(&name);
        let is_own = RESERVED.iter().any(|reserved| self::look(reserved) == look);
        let counted = self.0.try_update_value(|state| state.counts.get(&look).cloned()).flatten();
        let doubled = counted.is_some_and(|counted| count(&counted) > 1);
        words::isolated(if doubled || is_own { words::told_apart(&name, peer) } else { name })
    }

    /// Returns a member's name now, untracked, for handlers of events.
    pub(super) fn peek(self, peer: PeerId, profile: Option<&Profile>) -> String {
        self.told_apart(peer, Profile::name(profile, peer), GetUntracked::get_untracked)
    }

    /// Returns a member's name, tracked.
    pub(super) fn get(self, peer: PeerId, profile: Option<&Profile>) -> String {
        self.told_apart(peer, Profile::name(profile, peer), Get::get)
    }
}

/// Names that the page itself uses.
const RESERVED: [&str; 2] = [words::chat::EVERYONE, words::room::YOU];

/// Reduces a name to its look: two names of one look can't be distinguished at a glance.
fn look(name: &str) -> String {
    name.chars().filter(|c| !is_hidden(*c) && !c.is_whitespace()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_the_same_are_told_apart_as_long_as_they_do() {
        let owner = Owner::new();
        owner.with(|| {
            let names = Names(StoredValue::new(State::default()));
            let peers = [1, 2, 3].map(|byte| PeerId::from_bytes([byte; 32]));
            let shown =
                |peer: PeerId, name: &str| names.told_apart(peer, name.to_owned(), |count| count.get_untracked());
            names.called(peers[0], Some("Ada"));
            assert_eq!(shown(peers[0], "Ada"), "Ada");
            names.called(peers[1], Some("a da"));
            for (peer, name) in [(peers[0], "Ada"), (peers[1], "a da")] {
                let told = shown(peer, name);
                assert!(
                    told.starts_with(name) && told.len() > name.len() && told.contains(&peer.to_string()[..4]),
                    "{told}"
                );
            }
            names.called(peers[1], Some("Ben"));
            assert_eq!(shown(peers[0], "Ada"), "Ada");
            names.called(peers[2], Some("BEN"));
            names.called(peers[1], None);
            assert_eq!(shown(peers[2], "BEN"), "BEN");
            assert_ne!(shown(peers[2], "everyone"), "everyone", "the page calls all of them so");
            assert_eq!(names.0.with_value(|state| (state.looks.len(), state.counts.len())), (2, 2));
        });
    }
}
