//! Whether a message has arrived, and whether it was shown.
//!
//! The link acknowledges messages that have arrived at the other page. A page that shows a message reports that to its
//! sender, on a channel of its own, which other pages need not speak.

use std::time::Duration;

use converge_p2p::hooks::{Room, UseChannel, use_channel, use_room};
use converge_p2p::{Event, Lane, PeerId};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::room::few::few;
use crate::words;

/// So many of one's own messages are waited for; of older ones it is not said any more.
const MAX_WAITING: usize = 200;

/// Messages that come within this time are acknowledged together.
const TOGETHER: Duration = Duration::from_millis(50);

/// These messages, by the numbers that the receiver of this gave them, have arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    #[serde(deserialize_with = "few::<_, _, MAX_WAITING>")]
    ids: Vec<u32>,
}

/// How far this person's messages have come. Small and `Copy`.
#[derive(Clone, Copy)]
pub(super) struct Deliveries {
    state: StoredValue<State>,
    seen: UseChannel<Seen>,
    room: Room,
}

#[derive(Default)]
struct State {
    last: u32,
    waiting: Vec<Waiting>,
    /// What is to be acknowledged, and to whom.
    owed: Vec<(PeerId, Vec<u32>)>,
}

/// The texts about the delivery of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Delivery {
    /// How many have it.
    pub(super) arrived: RwSignal<String>,
    /// How many have been shown it.
    pub(super) shown: RwSignal<String>,
}

struct Waiting {
    id: u32,
    said: Delivery,
    progress: Progress,
}

/// A receiver of a message.
#[derive(Debug, PartialEq, Eq)]
struct Receiver {
    peer: PeerId,
    name: String,
    /// The message's number among those that the link to this receiver carries.
    number: u64,
    /// It has arrived there.
    arrived: bool,
}

/// How far a message has come.
#[derive(Debug, Default, PartialEq, Eq)]
struct Progress {
    /// Receivers that have not reported showing it, in the order of ids.
    waiting: Vec<Receiver>,
    shown: usize,
    /// Receivers that left after it had arrived and before they reported showing it.
    left: usize,
    /// The names of receivers that left before it had arrived.
    lost: Vec<String>,
}

impl Progress {
    /// How many have it.
    fn arrived(&self) -> usize {
        self.shown + self.left + self.waiting.iter().filter(|receiver| receiver.arrived).count()
    }

    fn missing(&self) -> usize {
        self.waiting.iter().filter(|receiver| !receiver.arrived).count()
    }

    fn words(&self) -> String {
        words::chat::delivery(self.missing(), self.arrived(), &self.lost)
    }

    fn shown_words(&self) -> String {
        words::chat::shown(self.shown, self.missing() + self.arrived() + self.lost.len())
    }

    fn receiver(&self, peer: PeerId) -> Option<usize> {
        self.waiting.binary_search_by(|receiver| receiver.peer.cmp(&peer)).ok()
    }

    /// A receiver shows the message. Returns `false` if it was not sent there, or the receiver has already reported it.
    fn shown(&mut self, peer: PeerId) -> bool {
        let Some(at) = self.receiver(peer) else { return false };
        self.waiting.remove(at);
        self.shown += 1;
        true
    }

    /// The link to a receiver has acknowledged every message up to a number. Returns `Some(false)` if it had acknowledged
    /// this one before, and `None` if that says nothing about this one.
    fn acknowledged(&mut self, peer: PeerId, up_to: u64) -> Option<bool> {
        let at = self.receiver(peer)?;
        let receiver = self.waiting.get_mut(at).filter(|receiver| receiver.number <= up_to)?;
        Some(!std::mem::replace(&mut receiver.arrived, true))
    }

    /// A receiver's messages up to a number are settled: those that have not arrived are lost.
    fn gone(&mut self, peer: PeerId, up_to: u64) -> bool {
        let before = self.waiting.len();
        for receiver in self.waiting.extract_if(.., |receiver| receiver.peer == peer && receiver.number <= up_to) {
            if receiver.arrived {
                self.left += 1;
            } else {
                self.lost.push(receiver.name);
            }
        }
        self.waiting.len() < before
    }
}

impl Deliveries {
    pub(super) fn new() -> Self {
        let room = use_room();
        let deliveries =
            Self { state: StoredValue::new(State::default()), seen: use_channel::<Seen>("chat-seen"), room };
        deliveries.seen.on_message(move |seen| {
            let ids = seen.value.ids;
            deliveries.update(|waiting, changed| {
                for id in ids {
                    if let Ok(at) = waiting.binary_search_by(|message| message.id.cmp(&id))
                        && waiting[at].progress.shown(seen.from)
                    {
                        changed.push(at);
                    }
                }
            });
        });
        room.on_event(move |event| match event {
            Event::Acknowledged { peer, lane: Lane::RELIABLE, up_to } => {
                deliveries.update(|waiting, changed| {
                    for (at, message) in waiting.iter_mut().enumerate().rev() {
                        match message.progress.acknowledged(*peer, *up_to) {
                            Some(true) => changed.push(at),
                            // So were all that are older.
                            Some(false) => break,
                            None => {}
                        }
                    }
                });
            }
            Event::Undelivered { peer, .. } => {
                // Messages sent since then are not affected.
                let settled =
                    room.client().and_then(|client| client.settled(*peer, Lane::RELIABLE)).unwrap_or(u64::MAX);
                deliveries.gone(*peer, settled);
            }
            Event::PeerLeft { peer, .. } => deliveries.gone(*peer, u64::MAX),
            _ => {}
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

    /// Records a message just sent to `to`, except for the `missed` receivers, whose queues are full. Returns the texts
    /// about its delivery.
    pub(super) fn sent(self, id: u32, to: Vec<(PeerId, String)>, missed: &[PeerId]) -> Delivery {
        let client = self.room.client();
        let receiver = |(peer, name)| {
            let number = client.as_ref().and_then(|client| client.accepted(peer, Lane::RELIABLE)).unwrap_or_default();
            Receiver { peer, name, number, arrived: false }
        };
        let (lost, to): (Vec<_>, Vec<_>) = to.into_iter().partition(|(peer, _)| missed.contains(peer));
        let mut waiting: Vec<Receiver> = to.into_iter().map(receiver).collect();
        waiting.sort_by_key(|receiver| receiver.peer);
        let lost = lost.into_iter().map(|(_, name)| name).collect();
        let progress = Progress { waiting, lost, ..Progress::default() };
        let said = Delivery { arrived: RwSignal::new(progress.words()), shown: RwSignal::new(progress.shown_words()) };
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
                // One that has gone meanwhile doesn't want to know.
                let _ = self.seen.send_to(peer, &Seen { ids: ids.to_vec() });
            }
        }
    }

    /// A receiver has left, or its messages up to a number are given up.
    fn gone(self, peer: PeerId, up_to: u64) {
        self.update(|waiting, changed| {
            for (at, message) in waiting.iter_mut().enumerate() {
                if message.progress.gone(peer, up_to) {
                    changed.push(at);
                }
            }
        });
    }

    /// Changes messages, which are in the order of ids, and updates the texts of those whose places are noted.
    fn update(self, change: impl FnOnce(&mut [Waiting], &mut Vec<usize>)) {
        let changed = self.state.try_update_value(|state| {
            let mut changed = Vec::new();
            change(&mut state.waiting, &mut changed);
            if changed.is_empty() {
                return Vec::new();
            }
            let texts = changed.into_iter().flat_map(|at| {
                let Waiting { said: Delivery { arrived, shown }, progress, .. } = &state.waiting[at];
                [(*arrived, progress.words()), (*shown, progress.shown_words())]
            });
            let texts: Vec<_> = texts.collect();
            state.waiting.retain(|waiting| !waiting.progress.waiting.is_empty());
            texts
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

    fn peer(number: u8) -> PeerId {
        PeerId::from_bytes([number; 32])
    }

    /// Sent to these, as the link's message of number 5.
    fn to(names: &[&str]) -> Progress {
        let receiver = |(number, name): (u8, &&str)| Receiver {
            peer: peer(number),
            name: (*name).to_owned(),
            number: 5,
            arrived: false,
        };
        Progress { waiting: (1..).zip(names).map(receiver).collect(), ..Progress::default() }
    }

    #[test]
    fn it_is_said_who_has_a_message_and_who_will_not_get_it() {
        assert_eq!(to(&[]).words(), "Nobody else was here");

        let mut one = to(&["Ada"]);
        assert_eq!(one.words(), "Sending…");
        assert_eq!((one.acknowledged(peer(1), 4), one.acknowledged(peer(9), 5)), (None, None));
        assert_eq!((one.acknowledged(peer(1), 5), one.acknowledged(peer(1), 6)), (Some(true), Some(false)));
        assert_eq!(one.words(), "Delivered");

        let mut three = to(&["Ada", "Ben", "Cleo"]);
        three.acknowledged(peer(2), 7);
        assert_eq!(three.words(), "Delivered to 1 of 3");
        three.gone(peer(3), u64::MAX);
        assert_eq!(three.words(), "Delivered to 1 of 3");
        three.acknowledged(peer(1), 5);
        assert_eq!(three.words(), "Not delivered to “Cleo”");
        three.gone(peer(1), u64::MAX);
        assert_eq!(three.words(), "Not delivered to “Cleo”", "one that has it may go");

        let mut all = to(&["Ada", "Ben"]);
        all.shown(peer(1));
        all.shown(peer(2));
        assert_eq!(all.words(), "Delivered to everyone", "what is shown has arrived");
    }

    #[test]
    fn what_was_sent_after_a_loss_is_not_lost() {
        let mut progress = to(&["Ada"]);
        assert!(!progress.gone(peer(1), 4));
        assert_eq!(progress.words(), "Sending…");
        assert!(progress.gone(peer(1), 5));
        assert_eq!(progress.words(), "Not delivered to “Ada”");
    }

    #[test]
    fn what_is_shown_is_said_beside_what_has_arrived() {
        let mut two = to(&["Ada", "Ben"]);
        two.acknowledged(peer(1), 5);
        two.acknowledged(peer(2), 5);
        assert_eq!((two.words().as_str(), two.shown_words().as_str()), ("Delivered to everyone", ""));
        assert!(two.shown(peer(1)) && !two.shown(peer(1)) && !two.shown(peer(9)));
        assert_eq!(two.shown_words(), "Shown to 1 of 2");
        two.shown(peer(2));
        assert_eq!(two.shown_words(), "Shown to everyone");
        let mut one = to(&["Ada"]);
        one.shown(peer(1));
        assert_eq!(one.shown_words(), "Shown");
    }
}
