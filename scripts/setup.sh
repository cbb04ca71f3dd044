#!/usr/bin/env bash
# Installs what building converge needs, and with --test what testing needs too. Says what it does and why, does only
# what is missing, and can be run again at any time.
set -euo pipefail
cd "$(dirname "$0")/.."

with_tests=false
[ "${1:-}" = "--test" ] && with_tests=true

say() { printf 'set-up: %s\n' "$*"; }
die() { printf 'set-up: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif have sudo; then sudo "$@"
  else die "this needs an administrator: run '$*' as root, then set-up again"; fi
}

apt_updated=false
apt_install() {
  if ! $apt_updated; then as_root apt-get update -qq && apt_updated=true; fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# --- What set-up can't bring itself -----------------------------------------------------------------------------------
have git || die "git is missing: get it from https://git-scm.com"
have cargo && have rustup || die "Rust is missing: get it with rustup from https://rustup.rs"
have node && have npm || die "Node.js is missing (wasm-opt and Playwright come by npm): get version 20 or newer from https://nodejs.org"
node_major=$(node -p 'process.versions.node.split(".")[0]')
[ "$node_major" -ge 20 ] || die "Node.js $node_major is too old: get version 20 or newer from https://nodejs.org"

# --- Rust's standard library for the browser --------------------------------------------------------------------------
target=wasm32-unknown-unknown
has_wasm_std() { ls "$(rustc --print target-libdir --target $target 2>/dev/null)"/libstd-*.rlib >/dev/null 2>&1; }

# Debian has a Rust that can build its own standard library, for machines that can't reach rustup's downloads.
debian_toolchain() {
  say "installing Debian's Rust for the web, since rustup can't add $target here"
  apt_install rustc-web cargo-web rust-web-src rust-web-clippy rustfmt-web rust-web-llvm
  # The linker that /usr/bin/rust-lld points to.
  [ -e /usr/bin/rust-lld ] || apt_install lld
  [ -x "$(readlink -f /usr/bin/rust-lld || true)" ] || apt_install "$(basename "$(readlink /usr/bin/rust-lld)")"
  local lib
  lib=$(/usr/bin/rustc --print target-libdir --target $target)
  if ! ls "$lib"/libstd-*.rlib >/dev/null 2>&1; then
    say "building the standard library for $target from Debian's source (about two minutes, once per machine)"
    local work
    work=$(mktemp -d)
    mkdir "$work/src"
    printf '[package]\nname = "std-for-the-web"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n' >"$work/Cargo.toml"
    printf '#![no_std]\n' >"$work/src/lib.rs"
    # Bitcode is what link-time optimisation works on; without it the release build fails.
    (cd "$work" && env -u CARGO_TARGET_DIR -u RUSTUP_TOOLCHAIN PATH="/usr/bin:$PATH" RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 \
      RUSTFLAGS=-Cembed-bitcode=yes /usr/bin/cargo build --quiet --release --target $target \
      -Zbuild-std=std,panic_abort,panic_unwind,proc_macro,test)
    as_root mkdir -p "$lib"
    as_root cp "$work/target/$target/release/deps/"*.rlib "$lib/"
    rm -rf "$work"
  fi
  rustup toolchain link debian-web /usr
  rustup override set debian-web >/dev/null 2>&1
}

if has_wasm_std; then
  say "rust can build for the browser ($(rustc --version))"
elif rustup target add $target >/dev/null 2>&1 && has_wasm_std; then
  say "added rust's target $target, which the page is compiled to"
elif [ -x /usr/bin/apt-get ]; then
  debian_toolchain
  has_wasm_std || die "rust still can't build for $target: see 'rustup show' and 'rustc --print target-libdir --target $target'"
else
  die "rust can't build for the browser: run 'rustup target add $target' where rustup's downloads can be reached"
fi

# --- Tools written in Rust --------------------------------------------------------------------------------------------
# The tools want a newer Rust than converge does (cargo-leptos 0.3.11: 1.96). It only builds them, and stays beside the
# toolchain in use.
tools_rust=1.99.1
tools_cargo() {
  local minor
  minor=$(rustc --version | sed -E 's/^rustc 1\.([0-9]+).*/\1/')
  if [ "$minor" -ge 97 ]; then echo cargo
  elif rustup run $tools_rust rustc --version >/dev/null 2>&1; then echo "cargo +$tools_rust"
  elif rustup toolchain install $tools_rust --profile minimal --no-self-update >/dev/null 2>&1; then echo "cargo +$tools_rust"
  else echo cargo; fi
}

# install_tool NAME VERSION WHY
install_tool() {
  if have cargo-binstall && cargo binstall --no-confirm --quiet "$1@$2"; then
    say "installed $1 $2, $3"
    return
  fi
  say "building $1 $2, $3 (this takes a while, once)"
  local build
  # They only run here: built to be built fast.
  read -ra build <<<"$(tools_cargo) install --quiet"
  build=(env -u RUSTFLAGS -u CARGO_TARGET_DIR CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS=fallback "${build[@]}")
  # A tool's own lock file may name versions that a registry's mirror doesn't serve yet.
  "${build[@]}" "$1" --version "=$2" --locked || "${build[@]}" "$1" --version "=$2" ||
    die "can't build $1 $2: the reason is above; with a newer Rust ('rustup update stable') it may build"
}

bindgen=$(awk '/^name = "wasm-bindgen"$/ { getline; gsub(/version = |"/, ""); print }' Cargo.lock)
if [ "$(wasm-bindgen --version 2>/dev/null)" = "wasm-bindgen $bindgen" ] && have wasm-bindgen-test-runner; then
  say "wasm-bindgen $bindgen is there, as Cargo.lock asks"
else
  install_tool wasm-bindgen-cli "$bindgen" "which must match Cargo.lock"
fi

leptos=0.3.11
if cargo leptos --version 2>/dev/null | grep -q "$leptos"; then
  say "cargo-leptos $leptos is there"
else
  install_tool cargo-leptos $leptos "which builds the server and the page together"
fi

# --- Tools from npm ---------------------------------------------------------------------------------------------------
if [ -f node_modules/.package-lock.json ] && [ ! package-lock.json -nt node_modules/.package-lock.json ]; then
  say "wasm-opt, Playwright and puppeteer are there"
else
  say "installing wasm-opt (makes the release build small), Playwright and puppeteer (end-to-end tests) by npm"
  npm ci --no-audit --no-fund --silent
fi

# --- Browsers, for the tests ------------------------------------------------------------------------------------------
if $with_tests; then
  playwright_chromium=$(node -p 'require("@playwright/test").chromium.executablePath()' 2>/dev/null || true)
  if [ -n "${CHROMIUM:-}" ] || [ -x /usr/bin/chromium ] || [ -x "$playwright_chromium" ]; then
    say "a Chromium is there"
  elif npx playwright install chromium >/dev/null 2>&1; then
    say "installed Playwright's Chromium, for the end-to-end tests"
  elif [ -x /usr/bin/apt-get ]; then
    say "installing Debian's Chromium, for the end-to-end tests"
    apt_install chromium
  else
    die "no Chromium for the tests: install one and name it in the variable CHROMIUM"
  fi
  if [ -n "${CHROMEDRIVER:-}" ] || have chromedriver; then
    say "a chromedriver is there"
  elif [ -x /usr/bin/apt-get ]; then
    say "installing Debian's chromedriver, for the browser's own unit tests"
    apt_install chromium-driver
  else
    die "no chromedriver for the tests: get the one of your Chromium's version and put it on PATH"
  fi
  # A failed installation ends the subshell only: `make test` then skips the tests in Firefox.
  if [ -n "$(node -p 'require("./end2end/firefox.js").executablePath ?? ""')" ]; then
    say "a Firefox is there"
  elif [ -x /usr/bin/apt-get ] && (apt_install firefox-esr); then
    say "installed Debian's Firefox, for the tests of Firefox with itself and with Chromium"
  else
    say "going on without the tests in Firefox: $(node -p 'require("./end2end/firefox.js").missing')"
  fi
fi
say "done"
