//! Everything that is shared, side by side.

use converge_p2p::hooks::use_all_streams;
use leptos::prelude::*;

use super::tile::{Tile, TileKey};
use crate::parts::list;
use crate::words;

/// A figure for each stream, one's own first; hidden while there is none.
#[component]
pub(crate) fn Videos() -> impl IntoView {
    let streams = use_all_streams();
    let keys = Signal::derive(move || streams.with(|streams| streams.iter().map(TileKey::of).collect::<Vec<_>>()));
    let none = Signal::derive(move || keys.with(Vec::is_empty));
    view! {
        <section class="videos" aria-label=words::call::VIDEOS hidden=none>
            {list(keys, move |key| view! { <Tile key streams/> }.into_any())}
        </section>
    }
    .into_any()
}
