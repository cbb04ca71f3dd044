//! Whether what somebody has said has arrived.
//!
//! A page that shows a message says so to its sender, on a channel of its own. Links say that a message has arrived at the
//! other page's door; this says that it is there to be read.

use std::time::Duration;

use converge_p2p::hooks::{UseChannel, use_channel, use_room};
use converge_p2p::{Event, PeerId};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::words;

/// So many of one's own messages are waited for; of older ones it is not said any more.
const MAX_WAITING: usize = 200;

/// Messages that come within this time are acknowledged together.
const TOGETHER: Duration = Duration::from_millis(50);

/// These messages, by the numbers that the receiver of this gave them, have arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    ids: Vec<u32>,
}

/// Who has what of this person's messages. Small and `Copy`.
#[derive(Clone, Copy)]
pub(super) struct Deliveries {
    state: StoredValue<State>,
    seen: UseChannel<Seen>,
}

#[derive(Default)]
struct State {
    last: u32,
    waiting: Vec<Waiting>,
    /// What is to be acknowledged, and to whom.
    owed: Vec<(PeerId, Vec<u32>)>,
}

struct Waiting {
    id: u32,
    said: RwSignal<String>,
    progress: Progress,
}

/// How far a message has come.
#[derive(Debug, Default, PartialEq, Eq)]
struct Progress {
    /// Those it was sent to who have not acknowledged it, with their names.
    missing: Vec<(PeerId, String)>,
    arrived: usize,
    /// The names of those who went before they had.
    lost: Vec<String>,
}

impl Progress {
    fn words(&self) -> String {
        words::chat::delivery(self.missing.len(), self.arrived, &self.lost)
    }

    /// Somebody has it; false if it was not sent to them, or they had it already.
    fn arrived(&mut self, peer: PeerId) -> bool {
        let before = self.missing.len();
        self.missing.retain(|(id, _)| *id != peer);
        let arrived = self.missing.len() < before;
        self.arrived += usize::from(arrived);
        arrived
    }

    /// Somebody has gone.
    fn gone(&mut self, peer: PeerId) {
        self.lost.extend(self.missing.extract_if(.., |(id, _)| *id == peer).map(|(_, name)| name));
    }
}

impl Deliveries {
    pub(super) fn new() -> Self {
        let deliveries = Self { state: StoredValue::new(State::default()), seen: use_channel::<Seen>("chat-seen") };
        deliveries.seen.on_message(move |seen| {
            for id in seen.value.ids.into_iter().take(MAX_WAITING) {
                deliveries.update(|waiting| waiting.id == id && waiting.progress.arrived(seen.from));
            }
        });
        use_room().on_event(move |event| {
            if let Event::PeerLeft { peer, .. } = event {
                deliveries.update(|waiting| {
                    waiting.progress.gone(*peer);
                    true
                });
            }
        });
        deliveries
    }

    /// A number for the next message.
    pub(super) fn next(self) -> u32 {
        self.state
            .try_update_value(|state| {
                // 0 is that of a page that doesn't count its messages.
                state.last = state.last.wrapping_add(1).max(1);
                state.last
            })
            .unwrap_or_default()
    }

    /// A message was sent to these. What is to be said of it from now on.
    pub(super) fn sent(self, id: u32, to: Vec<(PeerId, String)>) -> RwSignal<String> {
        let progress = Progress { missing: to, ..Progress::default() };
        let said = RwSignal::new(progress.words());
        self.state.try_update_value(|state| {
            if state.waiting.len() >= MAX_WAITING {
                state.waiting.remove(0);
            }
            state.waiting.push(Waiting { id, said, progress });
        });
        said
    }

    /// A message of somebody's is shown here.
    pub(super) fn shown(self, from: PeerId, id: u32) {
        if id == 0 {
            return;
        }
        let first = self.state.try_update_value(|state| {
            let first = state.owed.is_empty();
            match state.owed.iter_mut().find(|(peer, _)| *peer == from) {
                Some((_, ids)) => ids.push(id),
                None => state.owed.push((from, vec![id])),
            }
            first
        });
        if first == Some(true) {
            set_timeout(move || self.acknowledge(), TOGETHER);
        }
    }

    fn acknowledge(self) {
        let owed = self.state.try_update_value(|state| std::mem::take(&mut state.owed)).unwrap_or_default();
        for (peer, ids) in owed {
            for ids in ids.chunks(MAX_WAITING) {
                // Who has gone meanwhile doesn't want to know.
                let _ = self.seen.send_to(peer, &Seen { ids: ids.to_vec() });
            }
        }
    }

    /// Changes what is waited for, and says so where that is true.
    fn update(self, mut change: impl FnMut(&mut Waiting) -> bool) {
        let changed = self.state.try_update_value(|state| {
            let mut changed = Vec::new();
            for waiting in &mut state.waiting {
                if change(waiting) {
                    changed.push((waiting.said, waiting.progress.words()));
                }
            }
            state.waiting.retain(|waiting| !waiting.progress.missing.is_empty());
            changed
        });
        for (said, words) in changed.unwrap_or_default() {
            if said.try_with_untracked(|said| *said != words) == Some(true) {
                said.set(words);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_who_has_a_message_and_who_will_not_get_it() {
        let peer = |number: u8| PeerId::from_bytes([number; 32]);
        let to = |names: &[&str]| Progress {
            missing: (1..).zip(names).map(|(number, name)| (peer(number), (*name).to_owned())).collect(),
            ..Progress::default()
        };
        assert_eq!(to(&[]).words(), "Nobody else was here");

        let mut one = to(&["Ada"]);
        assert_eq!(one.words(), "Sending…");
        assert!(one.arrived(peer(1)) && !one.arrived(peer(1)) && !one.arrived(peer(9)));
        assert_eq!(one.words(), "Delivered");

        let mut three = to(&["Ada", "Ben", "Cleo"]);
        three.arrived(peer(2));
        assert_eq!(three.words(), "Delivered to 1 of 3");
        three.gone(peer(3));
        assert_eq!(three.words(), "Delivered to 1 of 3");
        three.arrived(peer(1));
        assert_eq!(three.words(), "Not delivered to Cleo");
        three.gone(peer(1));
        assert_eq!(three.words(), "Not delivered to Cleo", "who has it may go");

        let mut all = to(&["Ada", "Ben"]);
        all.arrived(peer(1));
        all.arrived(peer(2));
        assert_eq!(all.words(), "Delivered to everyone");
    }
}
