//! What was measured.

use leptos::prelude::*;

use crate::words;

/// Three of them.
#[component]
pub(super) fn Figures() -> impl IntoView {
    let figure = |(figure, heading, text)| {
        view! {
            <article class="fact">
                <p class="fact-figure">{figure}</p>
                <h2>{heading}</h2>
                <p>{text}</p>
            </article>
        }
    };
    let figures: Vec<_> = words::landing::MEASURED.into_iter().map(figure).collect();
    view! {
        <section id="figures" aria-label=words::landing::FIGURES>
            <div class="facts">{figures}</div>
            <p class="facts-note">
                <code>"make bench"</code>
                {words::landing::MEASURE_AGAIN}
            </p>
        </section>
    }
    .into_any()
}
