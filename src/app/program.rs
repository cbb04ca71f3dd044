//! How a page gets its program.

mod shape;

use std::path::PathBuf;
use std::sync::OnceLock;

use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_router::location::RequestUrl;
#[cfg(feature = "ssr")]
use sha2::{Digest, Sha256};

pub use self::shape::with_shapes;
use crate::words;

/// The suffix that start.js appends to the script's address to load another instance of it.
const AGAIN: &str = "#again";

/// Small, and in the page itself.
const EARLY: &str = include_str!("program/early.js");
const START: &str = include_str!("program/start.js");

/// The paths of the files that a page loads, and the Subresource Integrity hashes of script and program. Files without
/// a hash in their names may change while the server runs, so they have no integrity hash either.
#[derive(Clone)]
struct Files {
    script: String,
    wasm: String,
    style: String,
    script_hash: Option<String>,
    wasm_hash: Option<String>,
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
        let (script, wasm, style) = (path("js"), path("wasm"), path("css"));
        let integrity = |path: &str| {
            let file = format!("{}{path}", options.site_root);
            options.hash_files.then(|| std::fs::read(file).ok().as_deref().map(integrity)).flatten()
        };
        Self { script_hash: integrity(&script), wasm_hash: integrity(&wasm), script, wasm, style }
    }
}

/// Returns a file's integrity hash: browsers refuse a file with another (<https://www.w3.org/TR/SRI/>).
#[cfg(feature = "ssr")]
fn integrity(file: &[u8]) -> String {
    format!("sha256-{}", data_encoding::BASE64.encode(&Sha256::digest(file)))
}

/// Only the server renders pages.
#[cfg(not(feature = "ssr"))]
fn integrity(_: &[u8]) -> String {
    String::new()
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
    let Files { script, wasm, script_hash, wasm_hash, .. } = Files::of_this_build(&options);
    let urgent = use_context::<RequestUrl>().is_some_and(|url| path_of(&url).starts_with("/r/"));
    let nonce = use_nonce();
    let integrity = wasm_hash.as_deref().unwrap_or_default();
    let call = format!("({})({script:?}, {wasm:?}, {integrity:?}, {urgent})", START.trim_end().trim_end_matches(';'));
    // Only an import map can set the hash of an imported script. It must precede any module load.
    let imports = script_hash.clone().map(|hash| {
        let nonce = nonce.clone();
        let map = format!(r#"{{"integrity":{{"{script}":"{hash}","{script}{AGAIN}":"{hash}"}}}}"#);
        view! { <script type="importmap" nonce=nonce>{map}</script> }
    });
    let early = urgent.then(|| {
        view! {
            <link rel="modulepreload" href=script integrity=script_hash/>
            <link rel="preload" href=wasm r#as="fetch" r#type="application/wasm" crossorigin="anonymous"/>
        }
    });
    view! {
        {imports}
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
    fn a_second_instance_has_the_same_hash() {
        assert!(START.contains(&format!("`${{script}}{AGAIN}`")));
        assert_eq!(integrity(b""), "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }

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
