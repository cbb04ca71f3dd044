//! The landing page: what this is, a form that opens a room, and two peers meeting.

mod api;
mod code;
mod demo;
mod figures;
mod forms;
mod picture;

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_meta::Title;
use leptos_router::location::RequestUrl;

use self::api::Api;
use self::demo::Demo;
use self::figures::Figures;
use self::forms::{JoinForm, OpenForm};
use self::picture::Picture;
use crate::numbers::{Numbers, here_now};
use crate::parts::{Brand, ThemeButton, live};
use crate::{platform, words};

pub use self::code::{as_name, checked, decoded};

/// How often the numbers are asked for.
const REFRESH: Duration = Duration::from_secs(10);

/// What this is, and a form that opens a room.
#[component]
pub(crate) fn Landing() -> impl IntoView {
    // What somebody typed that names no room is given back, with what is wrong with it.
    let refused = use_context::<RequestUrl>().and_then(|url| refused_in(url.as_ref()));
    let problem = refused.as_ref().and_then(|text| checked(text).err()).unwrap_or_default();
    let suggestion = refused.or_else(|| platform::random().map(words::topic_from)).unwrap_or_default();
    view! {
        <Title text=""/>
        <div class="page">
            <header class="page-header">
                <Brand/>
                <nav aria-label=words::landing::PARTS>
                    <a href="#how">{words::landing::HOW}</a>
                    <a href="#api">{words::landing::FOR_DEVELOPERS}</a>
                    <Theme/>
                </nav>
            </header>
            <main class="landing">
                <section class="hero">
                    <div class="hero-text">
                        <h1>{words::landing::HEADLINE}</h1>
                        <p class="lead">{words::landing::LEAD}</p>
                        <OpenForm suggestion problem=problem.to_owned()/>
                        <JoinForm/>
                        <Here/>
                    </div>
                    <Demo/>
                </section>
                <Figures/>
                <Api/>
                <section class="how" id="how">
                    <div>
                        <h2>{words::landing::HOW}</h2>
                        <ol>
                            {words::landing::STEPS.map(|step| view! { <li>{step}</li> })}
                        </ol>
                    </div>
                    <Picture/>
                </section>
            </main>
            <footer class="page-footer">
                <p>{words::landing::LICENCE}</p>
            </footer>
        </div>
    }
    .into_any()
}

/// The text that named no room, as the address gives it back. The router would decode it twice.
fn refused_in(url: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    let text = query.split('&').find_map(|pair| pair.strip_prefix("topic="))?;
    Some(decoded(text).unwrap_or_else(|| char::REPLACEMENT_CHARACTER.to_string()))
}

/// The button, alive.
#[island]
fn Theme() -> impl IntoView {
    view! { <ThemeButton/> }
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
    let said = RwSignal::new(numbers.words());
    Effect::new(move |_| {
        let ask = move || {
            if document().hidden() {
                return;
            }
            spawn_local(async move {
                // What was known last stays, while the server is away.
                if let Ok(numbers) = here_now().await {
                    said.try_set(numbers.words());
                }
            });
        };
        // Refused by no browser; without it the numbers are those of when the page was loaded.
        if let Ok(asking) = set_interval_with_handle(ask, REFRESH) {
            on_cleanup(move || asking.clear());
        }
    });
    view! {
        <p class="here" use:live=Signal::from(said)>
            {said.get_untracked()}
        </p>
    }
}
