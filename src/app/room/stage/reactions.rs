//! Small pictures that fly up from whoever sends them.

use converge_p2p::Lane;
use converge_p2p::hooks::{use_channel_on, use_presence, use_room};
use leptos::html::Div;
use leptos::prelude::*;
use leptos::web_sys::HtmlElement;

use super::Places;
use super::sky::{Flight, MAX_EACH, Sky};
use crate::parts::{Icon, list, spoken, tint};
use crate::platform;
use crate::room::{Profile, Shared};
use crate::words::room::{EACH_REACTION, REACTIONS as HEADING, reacted};

/// What can be sent, by the lines it is drawn with: in the sender's colour, and the same on every system. What travels is
/// its number here: new ones go to the end, and their names to `words::room::EACH_REACTION`.
const REACTIONS: [&str; EACH_REACTION.len()] = [
    "M7 11v9H4v-9zM7 11l4-8q3 .5 2.5 3.5L13 10h6a2 2 0 0 1 2 2.4l-1.3 6a2 2 0 0 1-2 1.6H7z",
    "M12 20Q3 13.5 3 8.5a4.5 4.5 0 0 1 9-1.5 4.5 4.5 0 0 1 9 1.5Q21 13.5 12 20z",
    "M12 21a9 9 0 1 1 0-18 9 9 0 1 1 0 18zM7.5 13.5h9q-1 4-4.5 4t-4.5-4zM8 10l1.3-1.5L10.6 10M13.4 10l1.3-1.5L16 10",
    "M12 21a9 9 0 1 1 0-18 9 9 0 1 1 0 18zM12 17.5a2 2.5 0 1 1 0-5 2 2.5 0 1 1 0 5zM9 9v.5M15 9v.5",
    "M12 3l2.7 6 6.3.7-4.7 4.3 1.3 6.5L12 17.2 6.4 20.5l1.3-6.5L3 9.7 9.3 9z",
    "M12 21a9 9 0 1 1 0-18 9 9 0 1 1 0 18zM9.3 9.5a2.7 2.7 0 1 1 4 2.4q-1.3.7-1.3 2.1M12 17v.01",
    "M12 21a9 9 0 1 1 0-18 9 9 0 1 1 0 18zM8 12.5l3 3 5-6",
];

/// The buttons; and what the others send.
#[component]
pub(super) fn Reactions(sky: Sky, places: Places) -> impl IntoView {
    let room = use_room();
    let profiles = use_presence::<Profile>();
    let Shared { ready, names, .. } = Shared::get();
    let asleep = Signal::derive(move || !ready.get());
    let channel = use_channel_on::<u8>("reaction", Lane::LOSSY);
    let said = RwSignal::new(String::new());
    channel.on_message(move |message| {
        let (number, from) = (usize::from(message.value), message.from);
        let Some(label) = EACH_REACTION.get(number) else { return };
        // Nobody would see it, and all would fly at once when the page is looked at again.
        if platform::page_is_hidden() || sky.count(from) >= MAX_EACH {
            return;
        }
        let name = names.peek(from, profiles.peek(from).as_ref());
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
        {spoken(said)}
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
                <bdi class="flight-name" translate="no">
                    {flight.name}
                </bdi>
            </div>
        </div>
    }
    .into_any()
}
