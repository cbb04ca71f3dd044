//! The landing page: what this is, and a form that opens a room.

mod api;
mod picture;

use std::time::Duration;

use leptos::html::Input;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_meta::Title;

use self::api::Api;
use self::picture::Picture;
use crate::numbers::{Numbers, here_now};
use crate::parts::Brand;
use crate::{platform, words};

/// How often the numbers are asked for.
const REFRESH: Duration = Duration::from_secs(10);

const HELP: &str = "Anyone who knows the name can come in.";

/// The longest topic, in bytes.
const MAX_TOPIC_BYTES: usize = 128;

/// What this is, and a form that opens a room.
#[component]
pub(crate) fn Landing() -> impl IntoView {
    view! {
        <Title text=""/>
        <div class="page">
            <header class="page-header">
                <Brand/>
                <nav aria-label="Page">
                    <a href="#api">"For developers"</a>
                </nav>
            </header>
            <main class="landing">
                <section class="hero">
                    <div class="hero-text">
                        <h1>"Rooms where browsers talk directly."</h1>
                        <p class="lead">
                            "Open a room, send its link to someone, and the two browsers connect to each other. \
                             The server only introduces them."
                        </p>
                        <OpenForm suggestion=words::topic_from(platform::random())/>
                        <Here/>
                    </div>
                    <Picture/>
                </section>
                <section class="facts" aria-label="What you get">
                    <article class="fact">
                        <h2>"Direct"</h2>
                        <p>
                            "Messages, presence and names travel over WebRTC from browser to browser, encrypted on the \
                             way. The server never sees them."
                        </p>
                    </article>
                    <article class="fact">
                        <h2>"Lasting"</h2>
                        <p>
                            "A reload is the same person. If the server goes away, people who have met go on talking, \
                             and new ones come in when it is back."
                        </p>
                    </article>
                    <article class="fact">
                        <h2>"Reactive"</h2>
                        <p>
                            "Peers, presence and messages are Leptos signals. When one cursor moves, one row is run \
                             again."
                        </p>
                    </article>
                </section>
                <Api/>
                <section class="how">
                    <h2>"How it works"</h2>
                    <ol>
                        <li>"Each tab makes a key; its public half is the tab's id, so nobody can take it."</li>
                        <li>"Tabs that name the same topic meet at the server and pass each other an offer."</li>
                        <li>"From then on they talk directly, and the server is needed only for newcomers."</li>
                    </ol>
                </section>
            </main>
            <footer class="page-footer">
                <p>"converge is free software: MIT or Apache-2.0, as you like."</p>
            </footer>
        </div>
    }
    .into_any()
}

/// How many are here. Asked on the server, while it renders; the page then asks again by itself.
#[component]
fn Here() -> impl IntoView {
    let numbers = Resource::new_blocking(|| (), |()| here_now());
    view! {
        <Suspense>{move || Suspend::new(async move { numbers.await.ok().map(|numbers| view! { <LiveNumbers numbers/> }) })}</Suspense>
    }
}

/// The numbers, renewed while somebody looks at them.
#[island]
fn LiveNumbers(numbers: Numbers) -> impl IntoView {
    let words = RwSignal::new(numbers.words());
    Effect::new(move |_| {
        let ask = move || {
            if document().hidden() {
                return;
            }
            spawn_local(async move {
                // What was known last stays, while the server is away.
                if let Ok(numbers) = here_now().await {
                    words.try_set(numbers.words());
                }
            });
        };
        // Refused by no browser; without it the numbers are those of when the page was loaded.
        if let Ok(asking) = set_interval_with_handle(ask, REFRESH) {
            on_cleanup(move || asking.clear());
        }
    });
    view! {
        <p class="here">{words}</p>
    }
}

/// A topic with a suggestion already in it, and one button. Works without JavaScript, by way of the server's route at
/// `/r`, which leads on to the room that the form names.
#[island]
fn OpenForm(suggestion: String) -> impl IntoView {
    let field = NodeRef::<Input>::new();
    let help = RwSignal::new(HELP);
    let open = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        // The field itself is asked: browsers fill it in again after a reload, and tell nobody.
        let topic = field.get_untracked().map(|field| field.value()).unwrap_or_default();
        match checked(&topic) {
            Ok(topic) => platform::go_to(&words::room_path(&topic)),
            Err(text) => help.set(text),
        }
    };
    view! {
        <form class="open" method="get" action="/r" on:submit=open>
            <label for="topic">"Room"</label>
            <div class="field-row">
                <input
                    id="topic"
                    class="field"
                    name="topic"
                    value=suggestion
                    autocomplete="off"
                    autocapitalize="off"
                    spellcheck="false"
                    required
                    aria-describedby="topic-help"
                    node_ref=field
                    on:input=move |_| help.set(HELP)
                />
                <button class="button primary" type="submit">
                    "Open room"
                </button>
            </div>
            <p id="topic-help" class="help" role="status">
                {help}
            </p>
        </form>
    }
}

/// A topic as it is used, from one that somebody typed.
///
/// # Errors
/// What is wrong with it, in words.
pub fn checked(topic: &str) -> Result<String, &'static str> {
    match topic.trim() {
        "" => Err("Give the room a name."),
        topic if topic.len() > MAX_TOPIC_BYTES => Err("This name is too long: use at most 128 letters."),
        topic => Ok(topic.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_needs_a_name_that_fits() {
        assert_eq!(checked("  lobby "), Ok("lobby".to_owned()));
        assert!(checked("   ").is_err());
        assert!(checked(&"x".repeat(129)).is_err());
    }
}
