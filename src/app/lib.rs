//! converge's pages: the landing page, the room and what they are made of. What a fork edits.
//!
//! Pages are rendered on the server. What is alive in them are islands (`#[island]`): the form that opens a room, and the
//! room. Only these are compiled into what a browser downloads; the router and all that never changes stay on the
//! server.
#![warn(missing_docs)]
// The component macro marks what it makes of a component `pub`, however far the component itself reaches.
#![allow(unreachable_pub)]

mod fingerprint;
mod landing;
mod not_found;
mod numbers;
mod parts;
mod paths;
mod platform;
mod program;
mod room;
mod words;

use leptos::prelude::*;
use leptos_meta::*;
use leptos_router::components::*;
use leptos_router::{SsrMode, path};

use self::landing::Landing;
use self::not_found::NotFound;
use self::program::{Broken, Early, Program};
use self::room::RoomPage;

pub use self::landing::checked as checked_topic;
pub use self::numbers::{Numbers, NumbersSource, here_now};
pub use self::paths::{redirected, refused_path, room_path};
pub use self::platform::begin;
pub use self::program::with_shapes;
pub use self::words::page::{ERROR_PAGE, LONG_ADDRESS_PAGE, TOO_MANY_PAGE, UNKNOWN_HOST_PAGE};

/// The document around the pages.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang=words::page::LANGUAGE>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover, interactive-widget=resizes-content"/>
                <meta name="color-scheme" content="light dark"/>
                <meta name="theme-color" data-of="light" media="(prefers-color-scheme: light)" content="#f7f7f9"/>
                <meta name="theme-color" data-of="dark" media="(prefers-color-scheme: dark)" content="#131318"/>
                <link rel="icon" type="image/svg+xml" href="/icon.svg"/>
                <link rel="icon" type="image/png" href="/favicon.png"/>
                <link rel="apple-touch-icon" href="/icon-192.png"/>
                <link rel="manifest" href="/manifest.webmanifest"/>
                <Early options=options.clone()/>
                <AutoReload options=options.clone()/>
                <Program options/>
                <MetaTags/>
            </head>
            <body>
                <Broken/>
                <App/>
            </body>
        </html>
    }
}

/// The application.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Title formatter=words::page::title/>
        <Meta name="description" content=words::page::DESCRIPTION/>
        <Router>
            <Routes fallback=NotFound>
                // In one piece: a page that is put back as the server made it has no script that moves its parts.
                <Route path=path!("/") view=Landing ssr=SsrMode::Async/>
                <Route path=path!("/r/:topic") view=RoomPage/>
            </Routes>
        </Router>
    }
}
