//! The mark and the name.

use leptos::prelude::*;

use crate::words;

/// Three lines that meet in a dot.
#[component]
pub(crate) fn Mark() -> impl IntoView {
    view! {
        <svg class="mark" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true">
            <path d="M3 4 12 12 M21 4 12 12 M12 22 V12" stroke="currentColor" stroke-width="2.5" stroke-linecap="round"/>
            <circle cx="12" cy="12" r="4" fill="currentColor"/>
        </svg>
    }
}

/// The mark and the name, leading to the landing page.
#[component]
pub(crate) fn Brand() -> impl IntoView {
    view! {
        <a class="brand" href="/">
            <Mark/>
            <span>{words::page::BRAND}</span>
        </a>
    }
}
