//! The browser's half: brings the islands of the page that the server rendered to life.
//!
//! This crate is a `cdylib` alone, and everything else lives in member crates: cargo drops link-time optimisation
//! for a library that is an `rlib` too.

/// Called by the script that the server puts into the page, before the islands.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_islands();
}

/// Called by that script when every island has come to life: only now does the page take part in a room.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn begin() {
    converge_app::begin();
}
