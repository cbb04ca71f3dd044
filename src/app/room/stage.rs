//! What everybody sees together: where the others point, and how they feel about it.

mod alone;
mod cursors;
mod reactions;
mod sky;

use converge_p2p::Status;
use converge_p2p::hooks::{UsePresence, use_peers, use_presence_slot, use_room};
use leptos::ev::{PointerEvent, visibilitychange};
use leptos::html;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use self::alone::Alone;
use self::cursors::Cursors;
use self::reactions::{Flights, Reactions};
use self::sky::Sky;
use super::call::{Controls, Videos};
use crate::{platform, words};

/// A place on the stage, as shares of its width and height: screens differ. In whole numbers, so that nothing from
/// outside is beside the stage or no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    x: u16,
    y: u16,
}

impl Place {
    /// Moves what stands in the corner of the stage here.
    fn transform(self) -> String {
        // Hundredths of a per cent of the container's width and height: no layout has to be asked.
        let share = |part: u16| {
            let share = u32::from(part) * 10_000 / u32::from(u16::MAX);
            format!("{}.{:02}", share / 100, share % 100)
        };
        format!("translate({}cqw, {}cqh)", share(self.x), share(self.y))
    }
}

/// Where everybody points; none for those whose pointer is elsewhere.
type Places = UsePresence<Option<Place>>;

#[component]
pub(super) fn Stage() -> impl IntoView {
    let places = use_presence_slot::<Option<Place>>("cursor");
    let sky = Sky::new();
    let stage = NodeRef::<html::Section>::new();
    let show = move |place: Option<Place>| {
        if places.mine().with_untracked(|mine| *mine != place) {
            places.mine().set(place);
        }
    };
    // A finger that isn't down moves nothing, and leaves as it is lifted.
    let point = move |event: PointerEvent| {
        if let (Some(stage), Some((x, y))) = (stage.get_untracked(), platform::point(&event)) {
            let (x, y) = platform::place_in(&stage, x, y);
            show(Some(Place { x, y }));
        }
    };
    let away = move |_: PointerEvent| show(None);
    Effect::new(move |_| {
        // No pointer leaves a page that is put behind another.
        let listener = window_event_listener(visibilitychange, move |_| {
            if platform::page_is_hidden() {
                show(None);
            }
        });
        on_cleanup(move || listener.remove());
    });
    let status = use_room().status();
    Effect::new(move |_| {
        // Nor one that isn't shown while the room is closed.
        if matches!(status.get(), Status::Closed(_)) {
            show(None);
        }
    });
    let peers = use_peers();
    let class = Signal::derive(move || if peers.with(Vec::is_empty) { "stage alone" } else { "stage" }.to_owned());
    view! {
        <section
            class=class
            aria-label=words::room::STAGE
            node_ref=stage
            on:pointermove=point
            on:pointerdown=point
            on:pointerleave=away
            on:pointercancel=away
        >
            <Videos/>
            <div class="canvas">
                <Alone/>
                <p class="canvas-hint">{words::room::POINT_HERE}</p>
            </div>
            <div class="stage-tools">
                <Controls/>
                <Reactions sky places/>
            </div>
            <div class="overlay" aria-hidden="true">
                <Flights sky/>
                <Cursors places/>
            </div>
        </section>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_on_the_stage_whatever_is_sent() {
        let place = |x, y| Place { x, y }.transform();
        assert_eq!(place(0, u16::MAX), "translate(0.00cqw, 100.00cqh)");
        assert_eq!(place(u16::MAX / 2, 1), "translate(49.99cqw, 0.00cqh)");
        for bad in [r#"{"x":70000,"y":0}"#, r#"{"x":-1,"y":0}"#, r#"{"x":0.5,"y":0}"#, r#"{"x":1}"#, r#""here""#] {
            assert!(serde_json::from_str::<Option<Place>>(bad).is_err(), "{bad}");
        }
    }
}
