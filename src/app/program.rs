//! How a page gets its program.

mod shape;

use std::path::PathBuf;
use std::sync::OnceLock;

use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_router::location::RequestUrl;

pub use self::shape::with_shapes;
use crate::words;

/// Small, and in the page itself.
const EARLY: &str = include_str!("program/early.js");
const START: &str = include_str!("program/start.js");

/// The files that a page loads, by their paths.
#[derive(Clone)]
struct Files {
    script: String,
    wasm: String,
    style: String,
}

impl Files {
    /// Returns the files of this server's build. They are looked up once: a later build may replace them while this server
    /// still runs, and its program does not fit the markup made here.
    fn of_this_build(options: &LeptosOptions) -> Self {
        static FILES: OnceLock<Files> = OnceLock::new();
        FILES.get_or_init(|| Self::find(options)).clone()
    }

    /// cargo-leptos puts a hash of each file into its name, and writes the hashes down beside the server's binary.
    fn find(options: &LeptosOptions) -> Self {
        let beside = std::env::current_exe().ok().and_then(|exe| exe.parent().map(PathBuf::from)).unwrap_or_default();
        let hashes =
            options.hash_files.then(|| std::fs::read_to_string(beside.join(&*options.hash_file)).ok()).flatten();
        let hash = |kind: &str| {
            let line = hashes.as_ref()?.lines().find_map(|line| line.trim().strip_prefix(kind)?.strip_prefix(':'));
            line.map(|hash| format!(".{}", hash.trim()))
        };
        let (package, name) = (&options.site_pkg_dir, &options.output_name);
        let path = |kind: &str| format!("/{package}/{name}{}.{kind}", hash(kind).unwrap_or_default());
        Self { script: path("js"), wasm: path("wasm"), style: path("css") }
    }
}

/// The path of the page that is being rendered. leptos_axum gives the address with a host of its own.
pub(crate) fn path_of(url: &RequestUrl) -> &str {
    let url = url.as_ref();
    let path = url.split_once("://").map_or(url, |(_, rest)| rest.find('/').map_or("/", |slash| &rest[slash..]));
    path.split(['?', '#']).next().unwrap_or_default()
}

/// Alerts for a program that is missing or has stopped. `data-broken` of the document selects one.
#[component]
pub(crate) fn Broken() -> impl IntoView {
    words::page::BROKEN.map(|(why, text)| view! { <p class=format!("broken {why}") role="alert">{text}</p> })
}

/// The styles, and the script that runs before the page is painted.
#[component]
pub(crate) fn Early(options: LeptosOptions) -> impl IntoView {
    let Files { style, .. } = Files::of_this_build(&options);
    view! {
        <script nonce=use_nonce() inner_html=EARLY></script>
        // By this id cargo-leptos finds the styles that it replaces while the page is shown.
        <link id="leptos" rel="stylesheet" href=style/>
    }
}

/// Has the browser fetch the program and bring the page's islands to life. In a room nothing is more urgent; elsewhere what
/// there is to read comes first.
#[component]
pub(crate) fn Program(options: LeptosOptions) -> impl IntoView {
    // What is no island is not hydrated, so nothing is to be kept for that.
    if let Some(context) = Owner::current_shared_context() {
        context.set_is_hydrating(false);
    }
    let Files { script, wasm, .. } = Files::of_this_build(&options);
    let urgent = use_context::<RequestUrl>().is_some_and(|url| path_of(&url).starts_with("/r/"));
    let nonce = use_nonce();
    let call = format!("({})({script:?}, {wasm:?}, {urgent})", START.trim_end().trim_end_matches(';'));
    let early = urgent.then(|| {
        view! {
            <link rel="modulepreload" href=script/>
            <link rel="preload" href=wasm r#as="fetch" r#type="application/wasm" crossorigin="anonymous"/>
        }
    });
    view! {
        {early}
        <script type="module" nonce=nonce>
            {call}
        </script>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_found_in_whatever_address_the_server_gives() {
        for (url, path) in [
            ("http://leptos.dev/r/lobby?x=/r/", "/r/lobby"),
            ("/r/lobby", "/r/lobby"),
            ("http://leptos.dev", "/"),
            ("http://leptos.dev/?topic=/r/", "/"),
        ] {
            assert_eq!(path_of(&RequestUrl::new(url)), path, "{url}");
        }
    }
}
