//! Where the others point.

use converge_p2p::PeerId;
use converge_p2p::hooks::use_peers;
use leptos::html::Div;
use leptos::prelude::*;
use leptos::web_sys::HtmlElement;

use super::{Place, Places};
use crate::parts::{list, tint};
use crate::room::name_of;

#[component]
pub(super) fn Cursors(places: Places) -> impl IntoView {
    let peers = use_peers();
    let ids = Signal::derive(move || peers.get().into_iter().map(|peer| peer.id()).collect());
    let moves = Moves::new();
    view! { <div class="cursors">{list(ids, move |id| view! { <Cursor id places moves/> }.into_any())}</div> }
        .into_any()
}

/// An arrow in somebody's colour, with their name. A move of the pointer moves this, and runs nothing else again.
#[component]
fn Cursor(id: PeerId, places: Places, moves: Moves) -> impl IntoView {
    let place = places.of(id);
    let element = NodeRef::<Div>::new();
    Effect::new(move |_| moves.add(Move { whose: id, element, place: place.get().flatten() }));
    on_cleanup(move || moves.forget(id));
    view! {
        <div class=format!("cursor {}", tint(id)) data-cursor=id.to_string() hidden node_ref=element>
            <svg viewBox="0 0 16 20" width="16" height="20">
                <path d="M1 1v15l4-3 3 6 3-2-3-5h6z"/>
            </svg>
            <bdi class="cursor-name" translate="no">
                {name_of(id)}
            </bdi>
        </div>
    }
    .into_any()
}

/// The moves since the last frame of the screen: however often they point, each cursor is drawn once in a frame.
#[derive(Clone, Copy)]
struct Moves(StoredValue<Vec<Move>>);

#[derive(Clone, Copy)]
struct Move {
    whose: PeerId,
    element: NodeRef<Div>,
    /// None takes the cursor off the stage.
    place: Option<Place>,
}

impl Moves {
    fn new() -> Self {
        Self(StoredValue::new(Vec::new()))
    }

    fn add(self, new: Move) {
        let first = self.0.try_update_value(|moves| {
            let first = moves.is_empty();
            match moves.iter_mut().find(|old| old.whose == new.whose) {
                Some(old) => *old = new,
                None => moves.push(new),
            }
            first
        });
        if first == Some(true) {
            request_animation_frame(move || {
                for each in self.0.try_update_value(std::mem::take).unwrap_or_default() {
                    each.draw();
                }
            });
        }
    }

    fn forget(self, whose: PeerId) {
        self.0.try_update_value(|moves| moves.retain(|each| each.whose != whose));
    }
}

impl Move {
    fn draw(self) {
        let Some(element) = self.element.try_get_untracked().flatten().map(HtmlElement::from) else { return };
        if let Some(place) = self.place {
            // Refused only for what is no transform.
            let _ = HtmlElement::style(&element).set_property("transform", &place.transform());
        }
        element.set_hidden(self.place.is_none());
    }
}
