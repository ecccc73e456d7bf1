# `make demo` and `make test` are all a fresh Debian machine with Rust needs; both install what they need first.

CARGO ?= cargo
# What the build and the tests use beyond Rust; looked for by command so that other distributions are left alone.
PACKAGES := gcc make clang llvm libelf-dev zlib1g-dev pkg-config zstd python3 python3-venv

# What the demo runs live besides, and what the tests do: container runtimes, a reader of captures.
DEMO_PACKAGES := runc
TEST_PACKAGES := busybox-static chromium containerd iproute2 iptables podman runc sysdig valgrind

.PHONY: help setup demo test lint bench bench-store bench-live fuzz build

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

setup: ## install what the build and the tests need (Debian packages)
	@tools/setup $(PACKAGES)

build: setup ## build the release binary
	$(CARGO) build --release --locked

demo: build ## show the alerts of an attack: live in a container, or from a recording
	@tools/setup $(DEMO_PACKAGES) || true
	@tools/demo

test: setup ## run every test
	@tools/setup $(TEST_PACKAGES)
	@tools/test

lint: setup ## formatting, clippy, licences and bans
	@tools/lint

bench: build ## throughput, allocations, instruction counts
	@tools/bench

bench-store: ## the store and the server over ten million findings: latency, memory, ingest, disk
	@tools/bench-store

bench-live: build ## what the agent costs on live loads (root)
	@tools/bench-live

fuzz: setup ## run every fuzz target for SECONDS_EACH seconds (default 60)
	@tools/fuzz $(or $(SECONDS_EACH),60)
