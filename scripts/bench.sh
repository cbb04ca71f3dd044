#!/usr/bin/env bash
# Builds the release and measures it. Every figure is a line `RESULT name=value unit`.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo leptos build --release --precompress

# What bench/links.mjs runs in its page: an application of its own, made small as the page's own program is.
target=$(cd "${CARGO_TARGET_DIR:-target}" && pwd)/bench
wasm=wasm32-unknown-unknown
(cd bench/links && cargo build --release --locked --target $wasm --target-dir "$target")
wasm-bindgen --target web --out-dir "$target/links" "$target/$wasm/release/links.wasm"
PATH="$PATH:$PWD/node_modules/.bin" wasm-opt -Oz --enable-bulk-memory --enable-nontrapping-float-to-int \
  --enable-sign-ext --enable-mutable-globals --enable-reference-types --enable-multivalue \
  "$target/links/links_bg.wasm" -o "$target/links/links_bg.wasm"

node bench/links.mjs
node bench/connect.mjs

# The page: a first visit, twenty pointers at once, a call of two minutes, a hostile member, and Lighthouse.
node bench/first-visit.mjs
node bench/cursors.mjs
node bench/soak.mjs
node bench/hostile.mjs
node bench/lighthouse.mjs

# The signalling server, beside a bare one: an example of its crate, which starts both as processes of their own.
cargo run --quiet --release --locked -p converge-signal --features server --example load -- all

# The whole server under strangers' attacks: memory, pages, descriptors.
server=$(cd "${CARGO_TARGET_DIR:-target}" && pwd)/release/converge
cargo run --quiet --release --locked -p converge-signal --features server --example load -- strangers --server "$server"
