//! How good a link is, at a glance.

use converge_p2p::hooks::use_link;
use converge_p2p::{LinkReport, PeerId, PeerState};
use leptos::prelude::*;

use crate::words;

/// Three bars, and in words what they stand for.
#[component]
pub(super) fn Quality(peer: PeerId) -> impl IntoView {
    let link = use_link(peer);
    let said = Signal::derive(move || link.with(|link| link.as_ref().map(words::connection::link).unwrap_or_default()));
    let class = Signal::derive(move || {
        let bars = link.with(|link| link.as_ref().map_or(0, bars));
        format!("quality bars-{bars}")
    });
    view! {
        <span class="quality-frame" title=said>
            <svg class=class viewBox="0 0 16 12" width="16" height="12" role="img" aria-label=said>
                <path d="M2 12V8"/>
                <path d="M8 12V5"/>
                <path d="M14 12V2"/>
            </svg>
        </span>
    }
    .into_any()
}

/// Talk flows up to about 80 ms, and is awkward from 200 on (ITU-T G.114 holds one way to 150).
pub(super) fn bars(link: &LinkReport) -> u32 {
    match (link.state, link.round_trip_ms()) {
        (PeerState::Connected, Some(..80)) => 3,
        (PeerState::Connected, Some(80..200)) => 2,
        (PeerState::Connected, Some(_)) => 1,
        _ => 0,
    }
}
