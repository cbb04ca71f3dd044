//! Small pictures that fly up from whoever sends them.

use std::time::Duration;

use converge_p2p::hooks::{use_channel_on, use_presence, use_room};
use converge_p2p::{Lane, PeerId};
use leptos::html::Div;
use leptos::prelude::*;
use leptos::web_sys::HtmlElement;

use super::{Place, Places};
use crate::parts::{Icon, list, tint};
use crate::platform;
use crate::room::{Profile, Shared};
use crate::words::room::{EACH_REACTION, REACTIONS as HEADING, reacted};

/// What can be sent, by the lines it is drawn with: in the sender's colour, and the same on every system. What travels is
/// its number here: new ones go to the end, and their names to `words::room::EACH_REACTION`.
const REACTIONS: [&str; 7] = [
    "M7 11v9H4v-9zM7 11l4-8q3 .5 2.5 3.5L13 10h6a2 2 0 0 1 2 2.4l-1.3 6a2 2 0 0 1-2 1.6H7z",
    "M12 20Q3 13.5 3 8.5a4.5 4.5 0 0 1 9-1.5 4.5 4.5 0 0 1 9 1.5Q21 13.5 12 20z",
    "M12 21a9 9 0 1 1 0-18 9 9 0 1 1 0 18zM7.5 13.5h9q-1 4-4.5 4t-4.5-4zM8 10l1.3-1.5L10.6 10M13.4 10l1.3-1.5L16 10",
    "M12 21a9 9 0 1 1 0-18 9 9 0 1 1 0 18zM12 17.5a2 2.5 0 1 1 0-5 2 2.5 0 1 1 0 5zM9 9v.5M15 9v.5",
    "M12 3l2.7 6 6.3.7-4.7 4.3 1.3 6.5L12 17.2 6.4 20.5l1.3-6.5L3 9.7 9.3 9z",
    "M12 21a9 9 0 1 1 0-18 9 9 0 1 1 0 18zM9.3 9.5a2.7 2.7 0 1 1 4 2.4q-1.3.7-1.3 2.1M12 17v.01",
    "M12 21a9 9 0 1 1 0-18 9 9 0 1 1 0 18zM8 12.5l3 3 5-6",
];

/// How long one is in the air: a little longer than the animation in `style/components/reactions.css`. An animation
/// itself doesn't say that it has ended where it isn't shown.
const FLIGHT: Duration = Duration::from_millis(2000);

/// So many are shown at most; older ones make room.
const MAX_SHOWN: usize = 40;

/// And so many of one person are in the air at a time, which is ten in a second. The rest is not sent, and not shown if
/// somebody sends it.
const MAX_EACH: usize = 20;

/// Where those take off whose sender doesn't point anywhere.
const GROUND: Place = Place { x: u16::MAX / 2, y: u16::MAX / 8 * 7 };

/// How far to the right the ones that follow each other take off.
const ASIDE: [u16; 5] = [0, 3000, 1000, 4000, 2000];

/// The buttons; and what the others send.
#[component]
pub(super) fn Reactions(sky: Sky, places: Places) -> impl IntoView {
    let room = use_room();
    let profiles = use_presence::<Profile>();
    let ready = Shared::get().ready;
    let asleep = Signal::derive(move || !ready.get());
    let channel = use_channel_on::<u8>("reaction", Lane::LOSSY);
    let said = RwSignal::new(String::new());
    channel.on_message(move |message| {
        let (number, from) = (usize::from(message.value), message.from);
        let Some(label) = EACH_REACTION.get(number) else { return };
        // Nobody would see it, and all would fly at once when the page is looked at again.
        if platform::page_is_hidden() {
            return;
        }
        let name = Profile::name(profiles.peek(from).as_ref(), from);
        let place = places.peek(from).flatten();
        // One word for all that somebody sends in one go.
        if sky.count(from) == 0 {
            said.set(reacted(&name, label));
        }
        sky.launch(from, name, number, place);
    });
    // What is the same as before would not be read out again.
    Effect::new(move |_| {
        if sky.shown.with(Vec::is_empty) {
            said.set(String::new());
        }
    });
    let send = move |number: usize| {
        let Some(me) = room.id().get_untracked() else { return };
        let Ok(value) = u8::try_from(number) else { return };
        // One that can't be sent is one of many.
        if sky.count(me) < MAX_EACH && channel.broadcast(&value).is_ok() {
            let name = profiles.mine().with_untracked(|mine| Profile::name(Some(mine), me));
            sky.launch(me, name, number, places.mine().get_untracked());
        }
    };
    let buttons: Vec<AnyView> = REACTIONS
        .into_iter()
        .zip(EACH_REACTION)
        .enumerate()
        .map(|(number, (path, label))| {
            view! {
                <li>
                    <button
                        class="reaction"
                        type="button"
                        aria-label=label
                        title=label
                        disabled=asleep
                        on:click=move |_| send(number)
                    >
                        <Icon path/>
                    </button>
                </li>
            }
            .into_any()
        })
        .collect();
    view! {
        <ul class="reactions" aria-label=HEADING>
            {buttons}
        </ul>
        <p class="visually-hidden" role="status">
            {Signal::<String>::from(said)}
        </p>
    }
    .into_any()
}

/// What is in the air.
#[component]
pub(super) fn Flights(sky: Sky) -> impl IntoView {
    let row = move |number| sky.flight(number).map(|flight| view! { <InFlight flight/> }).into_any();
    list(sky.shown.into(), row)
}

#[component]
fn InFlight(flight: Flight) -> impl IntoView {
    let element = NodeRef::<Div>::new();
    let transform = flight.place.transform();
    Effect::new(move |_| {
        if let Some(element) = element.get().map(HtmlElement::from) {
            // Refused only for what is no transform.
            let _ = HtmlElement::style(&element).set_property("transform", &transform);
        }
    });
    let path = REACTIONS[flight.reaction];
    view! {
        <div class=format!("flight {}", tint(flight.from)) node_ref=element>
            <div class="flight-body">
                <Icon path/>
                <span class="flight-name">{flight.name}</span>
            </div>
        </div>
    }
    .into_any()
}

/// The reactions in the air. Small and `Copy`.
#[derive(Clone, Copy)]
pub(super) struct Sky {
    /// The numbers of those that are shown; none is used twice.
    shown: RwSignal<Vec<u64>>,
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
struct Flight {
    number: u64,
    from: PeerId,
    name: String,
    /// An index into [`REACTIONS`].
    reaction: usize,
    place: Place,
}

impl Sky {
    pub(super) fn new() -> Self {
        Self { shown: RwSignal::new(Vec::new()), air: StoredValue::new(Air::default()) }
    }

    /// How many of somebody's are in the air.
    fn count(self, from: PeerId) -> usize {
        self.air.try_with_value(|air| air.count(from)).unwrap_or_default()
    }

    fn flight(self, number: u64) -> Option<Flight> {
        self.air.with_value(|air| air.flights.iter().find(|flight| flight.number == number).cloned())
    }

    fn launch(self, from: PeerId, name: String, reaction: usize, place: Option<Place>) {
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
