//! Small pictures for buttons.

use leptos::prelude::*;

/// Two crossing lines.
pub(crate) const CLOSE: &str = "M6 6 18 18M18 6 6 18";

/// Lines in the colour of the text around them. Says nothing to those who don't see it: the button has a name.
#[component]
pub(crate) fn Icon(
    /// The lines, as an SVG path on a grid of 24 by 24.
    path: &'static str,
) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true">
            <path d=path/>
        </svg>
    }
    .into_any()
}
