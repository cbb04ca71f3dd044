#!/usr/bin/env bash
# Everything CI checks, in the order in which it fails fastest. Ends by saying what passed.
set -uo pipefail
cd "$(dirname "$0")/.."

# cargo-leptos builds debug with this flag; with the same one here, nothing is compiled twice.
export RUSTFLAGS="--cfg erase_components${RUSTFLAGS:+ $RUSTFLAGS}"
target_dir=${CARGO_TARGET_DIR:-target}
wasm=wasm32-unknown-unknown
passed=0 failed=0 skipped=0 report=()
said=$(mktemp)
trap 'rm -f "$said"' EXIT
# What is passed on to the end is no terminal any more.
if [ -t 1 ]; then export CARGO_TERM_COLOR=always FORCE_COLOR=1; fi

step() {
  local name=$1 started=$SECONDS
  shift
  printf '\n=== %s\n' "$name"
  if "$@" 2>&1 | tee "$said"; then
    passed=$((passed + 1)) report+=("passed  $name ($((SECONDS - started)) s)")
  else
    failed=$((failed + 1)) report+=("FAILED  $name ($((SECONDS - started)) s)")
    # The names of what failed once more at the end: all of the output is long.
    while read -r line; do report+=("        $line"); done < <(sed 's/\x1b\[[0-9;]*m//g' "$said" | grep -E '^ +\[|✘|panicked at|^error|^test .* FAILED' | tail -n 8 | cut -c 1-140)
  fi
}

skip() {
  printf '\n=== %s\nskipped: %s\n' "$1" "$2"
  skipped=$((skipped + 1)) report+=("skipped $1: $2")
}

lint() { cargo clippy --quiet "$@" -- -D warnings; }
# Per package and never for the whole workspace: features are unified over what is built together, and the server's
# half of Leptos must not meet the browser's.
on_wasm=(--target $wasm --target-dir "$target_dir/front")

lint_signal() { lint -p converge-signal --all-targets && lint -p converge-signal --all-targets --features hub && lint -p converge-signal --all-targets --features server; }
lint_p2p() { lint -p converge-p2p --all-targets && lint -p converge-p2p --all-targets --features sim && lint -p converge-p2p --all-targets --features hooks,sim; }
lint_p2p_wasm() { lint -p converge-p2p "${on_wasm[@]}" && lint -p converge-p2p "${on_wasm[@]}" --all-targets --features hooks; }
lint_app() { lint -p converge-app --all-targets --features ssr && lint -p converge-app "${on_wasm[@]}" --features hydrate; }
lint_root() { lint -p converge --all-targets --no-default-features --features ssr && lint -p converge --lib "${on_wasm[@]}" --no-default-features --features hydrate; }

# The load tool too, in little: it starts the server as a process and joins it.
load() { cargo run --quiet -p converge-signal --features server --example load -- "$@" >/dev/null; }
test_signal() { cargo test --quiet -p converge-signal --features server && load join-storm --peers 50 && load idle --peers 50; }
test_p2p() { cargo test --quiet -p converge-p2p --features sim; }
test_hooks() { cargo test --quiet -p converge-p2p --features hooks --lib && cargo test --quiet -p converge-p2p --features hooks --doc; }
test_app() { cargo test --quiet -p converge-app --features ssr; }
test_server() { cargo test --quiet -p converge --no-default-features --features ssr --bin converge; }
# The time-outs are for all tests of a page together, and for the driver to open its port; both hold on a busy machine.
in_browser() { WASM_BINDGEN_TEST_TIMEOUT=1800 WASM_BINDGEN_TEST_DRIVER_TIMEOUT=120 cargo test -p converge-p2p "${on_wasm[@]}" --features hooks --test browser -- --nocapture "$@"; }
# What is measured of memory needs a page of its own.
test_browser() { in_browser --skip bulk:: && in_browser bulk::; }
# Applications of their own, with their own lock files.
examples() {
  local root=$PWD target example name
  target=$(mkdir -p "$target_dir" && cd "$target_dir" && pwd)/examples
  for example in examples/*/; do
    name=$(basename "$example")
    (cd "$example" && cargo fmt --check && lint --target $wasm --target-dir "$target" && cargo build --quiet --locked --target $wasm --target-dir "$target") &&
      wasm-bindgen --target web --out-dir "$target/$name-site" "$target/$wasm/debug/$name.wasm" || return 1
  done
  (cd bench/links && lint --target $wasm --target-dir "$target") || return 1
  (cd "$root/end2end" && npx playwright test --config examples.config.ts)
}
# cargo-leptos adds the flag itself.
build() { env -u RUSTFLAGS cargo leptos build; }
# Of the style that has just been built, too: the newest, where older ones lie beside it.
browsers() { node scripts/browsers.mjs "$(ls -t target/site/pkg/*.css | head -n 1)"; }
end_to_end() { (cd end2end && npx playwright test); }
firefox() { node -p "require('./end2end/firefox.js').$1 ?? ''"; }
end_to_end_firefox() { (cd end2end && npx playwright test --config firefox.config.ts); }

format() { cargo fmt --all --check && (cd fuzz && cargo fmt --check) && (cd bench/links && cargo fmt --check); }

step "format" format
step "lint signal" lint_signal
step "test signal" test_signal
step "lint p2p" lint_p2p
step "test p2p: core, simulator" test_p2p
step "build the server and the page" build
step "browser versions" browsers
step "end to end in Chromium" end_to_end
if [ -n "$(firefox executablePath)" ]; then step "end to end in Firefox and Chromium" end_to_end_firefox
else skip "end to end in Firefox and Chromium" "$(firefox missing)"; fi
step "lint p2p for the browser" lint_p2p_wasm
step "test p2p in Chromium" test_browser
step "test hooks under server-side rendering, and their examples" test_hooks
step "lint app" lint_app
step "test app" test_app
step "lint server and page" lint_root
step "test server" test_server
step "examples" examples

printf '\n'
printf '%s\n' "${report[@]}"
[ "$skipped" = 0 ] && others="" || others=", $skipped skipped"
printf '%d passed, %d failed%s\n' "$passed" "$failed" "$others"
[ "$failed" = 0 ]
