//! Members' names, distinguished where two look the same.

use converge_p2p::hooks::{use_presence, use_room};
use converge_p2p::{Event, PROFILE, PeerId, look_of};
use leptos::prelude::*;

use super::Profile;
use crate::words;

/// The names of all members of the room. Small and `Copy`.
#[derive(Clone, Copy)]
pub(super) struct Names(StoredValue<State>);

#[derive(Default)]
struct State {
    /// The look of each member's name, in the order of ids.
    looks: Vec<(PeerId, String)>,
    /// How many members have a name of that look, in the order of looks. (Hash maps would be 8 kB of program.)
    counts: Vec<(String, ArcRwSignal<u32>)>,
}

impl State {
    /// Returns the place of a member's look, or the place it belongs to.
    fn place(&self, peer: PeerId) -> Result<usize, usize> {
        self.looks.binary_search_by(|(other, _)| other.cmp(&peer))
    }

    fn count_place(&self, look: &str) -> Result<usize, usize> {
        self.counts.binary_search_by(|(other, _)| other.as_str().cmp(look))
    }

    /// Replaces a member's look. Returns the counts to lower and to raise.
    fn replace(&mut self, peer: PeerId, look: Option<String>) -> [Option<ArcRwSignal<u32>>; 2] {
        let before = match (self.place(peer), &look) {
            (Ok(at), Some(look)) => Some(std::mem::replace(&mut self.looks[at].1, look.clone())),
            (Ok(at), None) => Some(self.looks.remove(at).1),
            (Err(at), Some(look)) => {
                self.looks.insert(at, (peer, look.clone()));
                None
            }
            (Err(_), None) => None,
        };
        if before == look {
            return [None, None];
        }
        let lowered = before.and_then(|look| {
            let at = self.count_place(&look).ok()?;
            let count = self.counts[at].1.clone();
            if count.get_untracked() <= 1 {
                self.counts.remove(at);
            }
            Some(count)
        });
        let raised = look.map(|look| {
            let at = self.count_place(&look).unwrap_or_else(|at| {
                self.counts.insert(at, (look, ArcRwSignal::new(0)));
                at
            });
            self.counts[at].1.clone()
        });
        [lowered, raised]
    }
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
        let look = name.map(look_of);
        let [lowered, raised] = self.0.try_update_value(|state| state.replace(peer, look)).unwrap_or_default();
        for (count, by) in [(lowered, -1), (raised, 1)] {
            if let Some(count) = count {
                count.update(|count| *count = count.saturating_add_signed(by));
            }
        }
    }

    /// Returns a name as this person sees it: with letters of the id if another member or the page itself uses that name.
    fn told_apart(self, peer: PeerId, name: String, count: impl Fn(&ArcRwSignal<u32>) -> u32) -> String {
        let look = look_of(&name);
        let is_own = is_told_apart(&name) || RESERVED.iter().any(|reserved| look_of(reserved) == look);
        let counted =
            self.0.try_with_value(|state| Some(state.counts[state.count_place(&look).ok()?].1.clone())).flatten();
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

/// Whether a name ends as one that was told apart: another's could be copied.
fn is_told_apart(name: &str) -> bool {
    let letters = name.strip_suffix(')').and_then(|name| name.rsplit_once(" (")).map(|(_, letters)| letters);
    letters.is_some_and(|letters| letters.len() == 4 && letters.bytes().all(|byte| byte.is_ascii_alphanumeric()))
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
            assert_ne!(shown(peers[2], "Ada (fsaz)"), "Ada (fsaz)", "what tells another apart can be copied");
            assert_eq!(names.0.with_value(|state| (state.looks.len(), state.counts.len())), (2, 2));
        });
    }
}
