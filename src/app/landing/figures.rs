//! What was measured.

use leptos::prelude::*;

/// A figure, what it is of, and what that means. They are those of the README.
const FIGURES: [(&str, &str, &str); 3] = [
    (
        "1.1 ×",
        "Direct",
        "A link carries files as fast as plain JavaScript on a raw data channel does, and keeps what it has accepted when a \
         connection is lost. Nothing of it passes through the server.",
    ),
    (
        "1.2 s",
        "Lasting",
        "That is how long 10,000 people take to be back after the server was killed. Those who had met went on talking \
         meanwhile, and a reload is the same person.",
    ),
    (
        "4.9 kB",
        "Small",
        "That much memory the server needs for each person in a room: it introduces people, and that is all. One binary \
         serves the page, the meeting place and nothing else.",
    ),
];

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
    let figures: Vec<_> = FIGURES.into_iter().map(figure).collect();
    view! {
        <section id="figures" aria-label="Figures">
            <div class="facts">{figures}</div>
            <p class="facts-note">
                <code>"make bench"</code>
                " measures these again, and many more; the README's section “Figures” says on what and how."
            </p>
        </section>
    }
    .into_any()
}
