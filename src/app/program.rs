//! How a page gets its program.

use std::path::PathBuf;

use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_router::location::RequestUrl;

/// The program's script and its WebAssembly, as the page names them.
struct Files {
    script: String,
    wasm: String,
}

impl Files {
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
        Self { script: path("js"), wasm: path("wasm") }
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
    let Files { script, wasm } = Files::find(&options);
    let urgent = use_context::<RequestUrl>().is_some_and(|url| url.as_ref().starts_with("/r/"));
    let nonce = use_nonce();
    let call =
        format!("({})({script:?}, {wasm:?}, {urgent})", include_str!("program.js").trim_end().trim_end_matches(';'));
    let early = urgent.then(|| {
        let crossorigin = nonce.clone();
        view! {
            <link rel="modulepreload" href=script crossorigin=nonce.clone()/>
            <link rel="preload" href=wasm r#as="fetch" r#type="application/wasm" crossorigin=crossorigin/>
        }
    });
    view! {
        {early}
        <script type="module" nonce=nonce>
            {call}
        </script>
    }
}
