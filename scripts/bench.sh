#!/usr/bin/env bash
# Builds the release and measures it. Every figure is a line `RESULT name=value unit`.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo leptos build --release --precompress
node bench/connect.mjs
