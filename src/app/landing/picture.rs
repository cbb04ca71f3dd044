//! Two peers meeting, as a drawing.

use leptos::prelude::*;

use crate::words;

/// Two browsers with the server between and above them; the line to the server fades, the one between them stays.
#[component]
pub(crate) fn Picture() -> impl IntoView {
    view! {
        <svg class="picture" viewBox="0 0 400 260" role="img" aria-label=words::landing::PICTURE>
            <g class="picture-introduction" fill="none" stroke="currentColor" stroke-width="2" stroke-dasharray="4 6">
                <path d="M96 150 188 60"/>
                <path d="M304 150 212 60"/>
            </g>
            <path class="picture-link" d="M128 186H272" fill="none" stroke="currentColor" stroke-width="4" stroke-linecap="round"/>
            <circle class="picture-message" cx="128" cy="186" r="6" fill="currentColor"/>
            <g class="picture-server">
                <rect x="176" y="24" width="48" height="36" rx="8" fill="none" stroke="currentColor" stroke-width="2"/>
                <path d="M188 38h24M188 47h14" stroke="currentColor" stroke-width="2" stroke-linecap="round"/>
            </g>
            <g class="picture-peer tint-7">
                <rect x="40" y="148" width="88" height="76" rx="12"/>
                <circle cx="84" cy="178" r="10"/>
                <path d="M64 208a20 16 0 0 1 40 0"/>
            </g>
            <g class="picture-peer tint-3">
                <rect x="272" y="148" width="88" height="76" rx="12"/>
                <circle cx="316" cy="178" r="10"/>
                <path d="M296 208a20 16 0 0 1 40 0"/>
            </g>
        </svg>
    }
}
