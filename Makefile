# The two commands: `make watch` and `make test`. Both set up what they need first.

# Where `make watch` serves. On the LAN, for a phone: make watch ADDR=0.0.0.0:3000
ADDR ?= 127.0.0.1:3000

.PHONY: help setup watch test release bench fmt

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what building needs
	@scripts/setup.sh

watch: setup ## Serve at http://127.0.0.1:3000 and rebuild on changes; ADDR=0.0.0.0:3000 for the LAN
	LEPTOS_SITE_ADDR=$(ADDR) cargo leptos watch

test: ## Set up, then check everything CI checks
	@scripts/setup.sh --test
	@scripts/test.sh

release: setup ## Build target/release/converge and target/site, compressed
	cargo leptos build --release --precompress

bench: ## Build the release and measure it: lines `RESULT name=value unit`
	@scripts/setup.sh --test
	@scripts/bench.sh

fmt: ## Format the code
	cargo fmt --all
