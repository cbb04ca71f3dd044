//! Members' names, distinguished where two look the same.

use std::collections::VecDeque;

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
    looks: Vec<(PeerId, Look)>,
    /// Past names, oldest first: of members that have left, or that sent something and then changed their name.
    past: VecDeque<(PeerId, String)>,
    /// The number of members that have or had a name of that look, sorted by look. (Hash maps would add 8 kB of
    /// program.)
    counts: Vec<(String, ArcRwSignal<u32>)>,
    /// Notifies readers of names that were not recorded yet.
    noted: ArcRwSignal<()>,
}

/// The look of a member's present name.
struct Look {
    look: String,
    /// The log shows the name as an author's.
    used: bool,
}

/// The most past names of all members together.
const MAX_PAST: usize = 256;

/// The most past names of one member.
const MAX_PAST_EACH: usize = 4;

/// Signals, each with the number to add to it once the state is no longer borrowed.
type Changes = Vec<(ArcRwSignal<u32>, i32)>;

impl State {
    /// Returns the place of a member's look, or the place it belongs to.
    fn place(&self, peer: PeerId) -> Result<usize, usize> {
        self.looks.binary_search_by(|(other, _)| other.cmp(&peer))
    }

    fn count_place(&self, look: &str) -> Result<usize, usize> {
        self.counts.binary_search_by(|(other, _)| other.as_str().cmp(look))
    }

    /// Replaces a member's look, or removes it if it has left. Returns the counts to change.
    fn replace(&mut self, peer: PeerId, look: Option<String>) -> Changes {
        let mut changes = Changes::new();
        let place = self.place(peer);
        if let (Ok(at), Some(look)) = (place, &look)
            && self.looks[at].1.look == *look
        {
            return changes;
        }
        let has_left = look.is_none();
        if let Some(look) = &look {
            let known = self.past.iter().position(|(other, past)| *other == peer && past == look);
            match known {
                Some(at) => drop(self.past.remove(at)),
                None => changes.push((self.raised(look), 1)),
            }
        }
        let new = look.map(|look| Look { look, used: false });
        let before = match (place, new) {
            (Ok(at), Some(new)) => Some(std::mem::replace(&mut self.looks[at].1, new)),
            (Ok(at), None) => Some(self.looks.remove(at).1),
            (Err(at), Some(new)) => {
                self.looks.insert(at, (peer, new));
                None
            }
            (Err(_), None) => None,
        };
        match before {
            Some(before) if before.used || has_left => {
                self.past.push_back((peer, before.look));
                let own = self.past.iter().filter(|(other, _)| *other == peer).count();
                let oldest = if own > MAX_PAST_EACH {
                    self.past.iter().position(|(other, _)| *other == peer)
                } else if self.past.len() > MAX_PAST {
                    Some(0)
                } else {
                    None
                };
                if let Some((_, look)) = oldest.and_then(|at| self.past.remove(at)) {
                    changes.extend(self.lowered(&look));
                }
            }
            Some(before) => changes.extend(self.lowered(&before.look)),
            None => {}
        }
        changes
    }

    fn raised(&mut self, look: &str) -> ArcRwSignal<u32> {
        let at = self.count_place(look).unwrap_or_else(|at| {
            self.counts.insert(at, (look.to_owned(), ArcRwSignal::new(0)));
            at
        });
        self.counts[at].1.clone()
    }

    fn lowered(&mut self, look: &str) -> Option<(ArcRwSignal<u32>, i32)> {
        let at = self.count_place(look).ok()?;
        // Not by the count: this call's other changes to it are still to come.
        let is_used =
            self.looks.iter().any(|(_, other)| other.look == look) || self.past.iter().any(|(_, past)| past == look);
        let count = if is_used { self.counts[at].1.clone() } else { self.counts.remove(at).1 };
        Some((count, -1))
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

    /// Records a member's name; `None` once it has left.
    fn called(self, peer: PeerId, name: Option<&str>) {
        let look = name.map(look_of);
        let changes = self.0.try_update_value(|state| (state.replace(peer, look), state.noted.clone()));
        let Some((changes, noted)) = changes.filter(|(changes, _)| !changes.is_empty()) else { return };
        for (count, by) in changes {
            count.update(|count| *count = count.saturating_add_signed(by));
        }
        noted.set(());
    }

    /// Whether a name needs a code: another member or the page itself uses it, or a member has used it.
    fn is_taken(self, name: &str, count: impl Fn(&ArcRwSignal<u32>) -> u32) -> bool {
        let look = look_of(name);
        let counted = self.0.try_with_value(|state| match state.count_place(&look) {
            Ok(at) => Some(state.counts[at].1.clone()),
            Err(_) => {
                state.noted.track();
                None
            }
        });
        counted.flatten().is_some_and(|counted| count(&counted) > 1)
            || RESERVED.iter().any(|reserved| look_of(reserved) == look)
            || has_code(&look)
    }

    /// Returns a name as this person sees it: with the member's code if it is taken.
    fn told_apart(self, peer: PeerId, name: String, count: impl Fn(&ArcRwSignal<u32>) -> u32) -> String {
        words::isolated(if self.is_taken(&name, count) { words::told_apart(&name, peer) } else { name })
    }

    /// Returns a member's name now, untracked, for handlers of events.
    pub(super) fn peek(self, peer: PeerId, profile: Option<&Profile>) -> String {
        let name = Profile::name(profile, peer);
        // A name changed a moment ago may not be recorded yet.
        if self.0.try_with_value(|state| state.place(peer).is_ok()) == Some(true) {
            self.called(peer, Some(&name));
        }
        self.told_apart(peer, name, GetUntracked::get_untracked)
    }

    /// Returns a member's name now, as the author of a message or file: the code marks any member that takes it later.
    pub(super) fn author(self, peer: PeerId, profile: Option<&Profile>) -> String {
        let name = self.peek(peer, profile);
        self.0.try_update_value(|state| {
            if let Ok(at) = state.place(peer) {
                state.looks[at].1.used = true;
            }
        });
        name
    }

    /// Returns a member's name, tracked.
    pub(super) fn get(self, peer: PeerId, profile: Option<&Profile>) -> String {
        self.told_apart(peer, Profile::name(profile, peer), Get::get)
    }

    /// Returns the name without its code, and whether it needs one; tracked. For places that show the code separately.
    pub(super) fn parts(self, peer: PeerId, profile: Option<&Profile>) -> (String, bool) {
        let name = Profile::name(profile, peer);
        let is_taken = self.is_taken(&name, Get::get);
        (name, is_taken)
    }
}

/// Names that the page itself uses.
const RESERVED: [&str; 2] = [words::chat::EVERYONE, words::room::YOU];

/// Whether a name's look ends like a code: it could copy another member's.
fn has_code(look: &str) -> bool {
    let code = look.strip_suffix([')', ']', '}']).and_then(|name| name.rsplit_once(['(', '[', '{']));
    code.is_some_and(|(_, code)| code.chars().filter(|c| c.is_alphanumeric()).count() == 8)
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
                assert!(told == format!("{name} ({})", words::code_of(peer)), "{told}");
            }
            names.called(peers[1], Some("Ben"));
            assert_eq!(shown(peers[0], "Ada"), "Ada");
            names.called(peers[2], Some("BEN"));
            names.called(peers[1], None);
            assert_ne!(shown(peers[2], "BEN"), "BEN", "another had this name");
            assert_ne!(shown(peers[2], "everyone"), "everyone", "the page calls all of them so");
            for copied in ["Ada (k4f9-2qtm)", "Ada （k4f9–2qtm）", "Ada [k4f92qtm]"] {
                assert_ne!(shown(peers[2], copied), copied, "a name can copy another's code");
            }
            assert_eq!(shown(peers[2], "Ada (she/her)"), "Ada (she/her)");
        });
    }

    #[test]
    fn the_name_of_an_author_in_the_log_is_marked_for_others() {
        let owner = Owner::new();
        owner.with(|| {
            let names = Names(StoredValue::new(State::default()));
            let [ada, ben, cleo] = [1, 2, 3].map(|byte| PeerId::from_bytes([byte; 32]));
            let profile = |name: &str| Some(Profile { name: name.to_owned(), typing: false });
            let called = |peer, name| names.called(peer, Some(name));
            for (peer, name) in [(ada, "Ada"), (ben, "Ben"), (cleo, "Cleo")] {
                called(peer, name);
            }
            assert_eq!(names.author(ada, profile("Ada").as_ref()), "Ada");
            called(ada, "Adele");
            called(ben, "Ada");
            assert_eq!(names.peek(ben, profile("Ada").as_ref()), words::told_apart("Ada", ben));
            // An unused name is free, and so is one's own.
            called(cleo, "Adele");
            called(ada, "Ada");
            assert_eq!(names.peek(cleo, profile("Adele").as_ref()), "Adele");
            called(cleo, "Cleo");
            called(ben, "Ben");
            assert_eq!(names.peek(ada, profile("Ada").as_ref()), "Ada");
            // The name of a member that has left is taken.
            names.called(ada, None);
            assert_eq!(names.peek(ben, profile("Ada").as_ref()), words::told_apart("Ada", ben));
            // A change that is not recorded yet counts too.
            assert_eq!(names.peek(cleo, profile("Ada").as_ref()), words::told_apart("Ada", cleo));
        });
    }

    #[test]
    fn past_names_are_bounded() {
        let mut state = State::default();
        let apply = |changes: Changes| {
            for (count, by) in changes {
                count.update(|count| *count = count.saturating_add_signed(by));
            }
        };
        let peer = |number: u16| {
            let [low, high] = number.to_le_bytes();
            PeerId::from_bytes(std::array::from_fn(|at| if at == 0 { low } else { high }))
        };
        for number in 0..1000 {
            apply(state.replace(peer(0), Some(number.to_string())));
            if let Ok(at) = state.place(peer(0)) {
                state.looks[at].1.used = true;
            }
        }
        assert_eq!((state.past.len(), state.counts.len()), (MAX_PAST_EACH, MAX_PAST_EACH + 1));
        for number in 1..1000 {
            apply(state.replace(peer(number), Some(format!("name {number}"))));
            apply(state.replace(peer(number), None));
        }
        assert_eq!((state.past.len(), state.counts.len(), state.looks.len()), (MAX_PAST, MAX_PAST + 1, 1));
        assert!(state.counts.iter().all(|(_, count)| count.get_untracked() == 1));
    }
}
