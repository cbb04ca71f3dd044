//! Applies the client's events to the room's signals. Batches what others can change often: once per animation frame.

use converge_signal::PeerId;
use leptos::prelude::*;

use super::super::error::RoomError;
use super::super::frame::with_next_frame;
use super::{Entry, Room};
use crate::event::{Activity, Event, PeerState};
use crate::map::SortedMap;
use crate::transfer::{Transfer, TransferId};

/// The changes since the last animation frame, each once.
pub(super) type Changes = SortedMap<Change, ()>;

/// A value that has changed already and fires with the next frame: once, however often it changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    /// The list of members.
    Peers,
    /// The number of open links.
    Links,
    /// The list of transfers.
    Transfers,
    /// A member's connection state.
    State(PeerId),
    Activity(PeerId),
    Link(PeerId),
    Streams(PeerId),
    Slot(PeerId, String),
    Transfer(TransferId),
}

impl Change {
    /// The member that the change concerns.
    fn peer(&self) -> Option<PeerId> {
        match self {
            Self::State(peer) | Self::Activity(peer) | Self::Link(peer) | Self::Streams(peer) | Self::Slot(peer, _) => {
                Some(*peer)
            }
            Self::Peers | Self::Links | Self::Transfers | Self::Transfer(_) => None,
        }
    }
}

impl Room {
    /// Updates the signals for an event, and passes it on to the handlers: at once, or with the next frame.
    pub(super) fn take(self, event: &Event) {
        match event {
            Event::Connected { id } => {
                self.id.try_set(Some(*id));
            }
            Event::Status(status) => {
                self.prune_transfers();
                self.status.try_set(*status);
            }
            Event::PeerJoined { peer } => {
                let activity = self.client().map(|client| client.activity(*peer)).unwrap_or_default();
                let entry = Entry {
                    state: ArcRwSignal::new(PeerState::Connecting),
                    activity: ArcRwSignal::new(activity),
                    slots: SortedMap::default(),
                };
                self.write(|state| state.peers.insert(*peer, entry));
                self.change(self.peers, Change::Peers, |peers| peers.push(*peer));
            }
            Event::PeerConnected { peer } => {
                self.set_peer(*peer, PeerState::Connected);
                self.change(self.links, Change::Links, |links| *links += 1);
            }
            Event::PeerDisconnected { peer, .. } => {
                let was_open = self.set_peer(*peer, PeerState::Connecting) == Some(PeerState::Connected);
                if was_open {
                    self.change(self.links, Change::Links, |links| *links = links.saturating_sub(1));
                }
            }
            Event::PeerUnreachable { peer } => {
                self.set_peer(*peer, PeerState::Unreachable);
            }
            Event::PeerLeft { peer, .. } => {
                self.write(|state| {
                    state.changes.retain(|change| change.peer() != Some(*peer));
                    state.peers.remove(peer)
                });
                self.change(self.peers, Change::Peers, |peers| peers.retain(|id| id != peer));
            }
            Event::PresenceChanged { peer, slot, value } => {
                if let Some(signal) = self.slot_of(*peer, slot) {
                    self.change(signal, Change::Slot(*peer, slot.clone()), |now| now.clone_from(value));
                }
                return;
            }
            Event::ActivityChanged { peer, activity } => {
                if let Some(signal) = self.activity_of(*peer) {
                    self.change(signal, Change::Activity(*peer), |now| *now = *activity);
                }
                return;
            }
            Event::LinkChanged { peer } => return self.note(Change::Link(*peer)),
            Event::StreamsChanged { peer } => return self.note(Change::Streams(*peer)),
            Event::Transfer(transfer) => return self.take_transfer(transfer),
            Event::TransferForgotten { transfer } => return self.drop_transfer(*transfer),
            Event::ServerError { code, message } => {
                self.error.try_set(Some(RoomError::server(*code, message)));
            }
            _ => {}
        }
        self.tell(event);
    }

    fn tell(self, event: &Event) {
        let listeners = self.read(|state| state.listeners.iter().map(|(_, f)| f.clone()).collect::<Vec<_>>());
        for listener in listeners.unwrap_or_default() {
            listener(event);
        }
    }

    /// Sets a peer's state; returns the one before.
    fn set_peer(self, peer: PeerId, new: PeerState) -> Option<PeerState> {
        let signal = self.read(|state| state.peers.get(&peer).map(|entry| entry.state.clone())).flatten()?;
        let old = signal.get_untracked();
        if old != new {
            self.change(signal, Change::State(peer), |state| *state = new);
        }
        Some(old)
    }

    fn activity_of(self, peer: PeerId) -> Option<ArcRwSignal<Activity>> {
        self.read(|state| state.peers.get(&peer).map(|entry| entry.activity.clone())).flatten()
    }

    /// Sets a signal's value at once, and fires the signal with the next frame.
    fn change<T>(self, signal: impl Write<Value = T>, change: Change, update: impl FnOnce(&mut T)) {
        if let Some(mut value) = signal.try_write_untracked() {
            update(&mut value);
        }
        self.note(change);
    }

    fn note(self, change: Change) {
        let is_first = self.write(|state| {
            let is_first = state.changes.len() == 0;
            state.changes.insert(change, ());
            is_first
        });
        if is_first == Some(true) {
            with_next_frame(move || self.fire());
        }
    }

    /// Fires everything that changed since the last frame.
    fn fire(self) {
        let changes = self.write(|state| state.changes.take()).unwrap_or_default();
        // All signals before any handler, because handlers read them.
        for (change, ()) in &changes {
            match change {
                Change::Peers => self.peers.notify(),
                Change::Links => self.links.notify(),
                Change::Transfers => self.transfers.notify(),
                Change::State(peer) => {
                    let state = self.read(|state| state.peers.get(peer).map(|entry| entry.state.clone())).flatten();
                    state.iter().for_each(Notify::notify);
                }
                Change::Activity(peer) => self.activity_of(*peer).iter().for_each(Notify::notify),
                Change::Slot(peer, slot) => self.slot_of(*peer, slot).iter().for_each(Notify::notify),
                Change::Transfer(id) => self.transfer(*id).iter().for_each(Notify::notify),
                Change::Link(_) | Change::Streams(_) => {}
            }
        }
        for (change, ()) in changes {
            let event = match change {
                Change::Peers | Change::Links | Change::Transfers | Change::State(_) => None,
                Change::Activity(peer) => self
                    .activity_of(peer)
                    .map(|activity| Event::ActivityChanged { peer, activity: activity.get_untracked() }),
                Change::Link(peer) => Some(Event::LinkChanged { peer }),
                Change::Streams(peer) => Some(Event::StreamsChanged { peer }),
                Change::Slot(peer, slot) => self.slot_of(peer, &slot).map(|value| Event::PresenceChanged {
                    peer,
                    slot,
                    value: value.get_untracked(),
                }),
                Change::Transfer(id) => self.transfer(id).map(|transfer| Event::Transfer(transfer.get_untracked())),
            };
            if let Some(event) = event {
                self.tell(&event);
            }
        }
    }

    fn take_transfer(self, transfer: &Transfer) {
        let id = transfer.id;
        if let Some(signal) = self.transfer(id) {
            return self.change(signal, Change::Transfer(id), |now| now.clone_from(transfer));
        }
        self.write(|state| state.transfers.insert(id, ArcRwSignal::new(transfer.clone())));
        self.change(self.transfers, Change::Transfers, |ids| ids.push(id));
        self.note(Change::Transfer(id));
    }

    /// Drops the transfers that the client doesn't know: a room that is joined again begins without any.
    fn prune_transfers(self) {
        if self.transfers.try_with_untracked(Vec::is_empty) != Some(false) {
            return;
        }
        let known: Vec<_> = self.client().map(|client| client.transfers()).unwrap_or_default();
        let ids = self.transfers.try_get_untracked().unwrap_or_default();
        for id in ids.into_iter().filter(|id| known.iter().all(|transfer| transfer.id != *id)) {
            self.drop_transfer(id);
        }
    }

    /// Takes a transfer off the list.
    pub(in crate::hooks) fn drop_transfer(self, id: TransferId) {
        self.write(|state| state.transfers.remove(&id));
        self.change(self.transfers, Change::Transfers, |ids| {
            // Ids are in order of appearance, so the list is sorted.
            if let Ok(at) = ids.binary_search(&id) {
                ids.remove(at);
            }
        });
    }
}
