//! Rooms in a real browser: real connections between several peers of one page, and the real hub behind sockets that
//! never leave it.
#![cfg(target_family = "wasm")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bulk;
mod client;
mod driver;
mod hooks;
mod media;
mod server;

use wasm_bindgen_test::wasm_bindgen_test_configure;

wasm_bindgen_test_configure!(run_in_browser);
