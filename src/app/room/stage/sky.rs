//! The reactions that are in the air, of which there are never too many.

use std::time::Duration;

use converge_p2p::PeerId;
use leptos::prelude::*;

use super::Place;

/// How long one is in the air: a little longer than the animation in `style/components/reactions.css`. An animation
/// itself doesn't say that it has ended where it isn't shown.
const FLIGHT: Duration = Duration::from_millis(2000);

/// So many are shown at most; older ones make room.
const MAX_SHOWN: usize = 40;

/// And so many of one person are in the air at a time, which is ten in a second. The rest is not sent, and not shown if
/// somebody sends it.
pub(super) const MAX_EACH: usize = 20;

/// Where those take off whose sender doesn't point anywhere.
const GROUND: Place = Place { x: u16::MAX / 2, y: u16::MAX / 8 * 7 };

/// How far to the right the ones that follow each other take off.
const ASIDE: [u16; 5] = [0, 3000, 1000, 4000, 2000];

/// The reactions in the air. Small and `Copy`.
#[derive(Clone, Copy)]
pub(super) struct Sky {
    /// The numbers of those that are shown; none is used twice.
    pub(super) shown: RwSignal<Vec<u64>>,
    air: StoredValue<Air>,
}

#[derive(Default)]
struct Air {
    /// Those shown and those that are in the next frame, oldest first.
    flights: Vec<Flight>,
    /// The sender of each that has not come down, shown or not.
    senders: Vec<PeerId>,
    last: u64,
}

#[derive(Debug, Clone)]
pub(super) struct Flight {
    number: u64,
    pub(super) from: PeerId,
    pub(super) name: String,
    /// Its number among the reactions.
    pub(super) reaction: usize,
    pub(super) place: Place,
}

impl Sky {
    pub(super) fn new() -> Self {
        Self { shown: RwSignal::new(Vec::new()), air: StoredValue::new(Air::default()) }
    }

    /// How many of somebody's are in the air.
    pub(super) fn count(self, from: PeerId) -> usize {
        self.air.try_with_value(|air| air.count(from)).unwrap_or_default()
    }

    pub(super) fn flight(self, number: u64) -> Option<Flight> {
        self.air.with_value(|air| air.flights.iter().find(|flight| flight.number == number).cloned())
    }

    pub(super) fn launch(self, from: PeerId, name: String, reaction: usize, place: Option<Place>) {
        let launched = self.air.try_update_value(|air| air.launch(from, name, reaction, place)).flatten();
        let Some(number) = launched else { return };
        // However many come at once, the list is made once in a frame.
        request_animation_frame(move || self.show());
        set_timeout(
            move || {
                self.air.try_update_value(|air| air.land(number, from));
                self.show();
            },
            FLIGHT,
        );
    }

    fn show(self) {
        let numbers = self.air.try_with_value(|air| air.flights.iter().map(|flight| flight.number).collect::<Vec<_>>());
        if let Some(numbers) = numbers
            && self.shown.try_with_untracked(|shown| *shown != numbers) == Some(true)
        {
            self.shown.set(numbers);
        }
    }
}

impl Air {
    fn count(&self, from: PeerId) -> usize {
        self.senders.iter().filter(|&&sender| sender == from).count()
    }

    /// The number of the new one; none if this person has enough in the air.
    fn launch(&mut self, from: PeerId, name: String, reaction: usize, place: Option<Place>) -> Option<u64> {
        if self.count(from) >= MAX_EACH {
            return None;
        }
        self.last += 1;
        let number = self.last;
        let Place { x, y } = place.unwrap_or(GROUND);
        // Beside each other, not one on top of the other.
        let place = Place { x: x.saturating_add(ASIDE[number as usize % ASIDE.len()]), y };
        self.senders.push(from);
        self.flights.push(Flight { number, from, name, reaction, place });
        if self.flights.len() > MAX_SHOWN {
            self.flights.remove(0);
        }
        Some(number)
    }

    fn land(&mut self, number: u64, from: PeerId) {
        self.flights.retain(|flight| flight.number != number);
        if let Some(index) = self.senders.iter().position(|&sender| sender == from) {
            self.senders.swap_remove(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_bounded_for_each_and_for_all() {
        let mut air = Air::default();
        let peer = |byte| PeerId::from_bytes([byte; 32]);
        let launch = |air: &mut Air, from| air.launch(from, String::new(), 0, None);
        for _ in 0..1000 {
            launch(&mut air, peer(1));
        }
        assert_eq!((air.flights.len(), air.count(peer(1))), (MAX_EACH, MAX_EACH));
        for from in 2..10 {
            assert!(launch(&mut air, peer(from)).is_some(), "one's flood is not the others' silence");
            for _ in 0..1000 {
                launch(&mut air, peer(from));
            }
        }
        assert_eq!((air.flights.len(), air.senders.len()), (MAX_SHOWN, 9 * MAX_EACH));
        // The oldest have made room, and still count as long as they would have flown.
        assert!(air.flights[0].number > 1);
        air.land(1, peer(1));
        assert_eq!((air.flights.len(), air.count(peer(1))), (MAX_SHOWN, MAX_EACH - 1));
        let newest = air.last;
        air.land(newest, peer(9));
        assert_eq!((air.flights.len(), air.count(peer(9))), (MAX_SHOWN - 1, MAX_EACH - 1));
    }
}
