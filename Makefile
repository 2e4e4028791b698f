# Thin on purpose: every target is one or two commands that can be typed by hand.
# Builds and downloads are kept in $(CACHE), outside the checkout.
CACHE ?= $(or $(KAITO_RS_CACHE),$(HOME)/.cache/kaito-rs)
export KAITO_RS_CACHE := $(CACHE)
export CARGO_TARGET_DIR ?= $(CACHE)/target
export CARGO ?= cargo
BIN := $(CARGO_TARGET_DIR)/release
# Always the whole workspace in one profile: a build of one crate alone has other features, and C++ to build again.
WHOLE := --release --workspace --locked

.PHONY: help setup build run smoke test test-cluster dev-cluster demo-cluster test-llm lint fmt bench eval docs

help: ## Lists the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: ## Installs what is missing: Debian packages, ONNX Runtime, the embedding model
	@.setup/setup.sh
	@.setup/claim-target.sh

build: setup ## Builds everything
	$(CARGO) build $(WHOLE) --bins

run: build ## Starts the service, shows it at work, and serves on 127.0.0.1:5000
	$(BIN)/tour --serve

smoke: build ## Starts the service on a free port and checks three answers
	$(BIN)/tour

test: build ## Runs all tests; installs the SDKs that they use, and builds a Kubernetes control plane once a machine
	@.setup/setup.sh tests
	@.setup/setup.sh cluster || test $$? = 69
	$(CARGO) test $(WHOLE)

test-cluster: build ## Runs the tests on a Kubernetes control plane
	@REQUIRE_CLUSTER=1 .setup/setup.sh cluster
	REQUIRE_CLUSTER=1 $(CARGO) test $(WHOLE) --test operator

dev-cluster: build ## Runs the operator on a Kubernetes control plane of its own, until Ctrl-C
	@REQUIRE_CLUSTER=1 .setup/setup.sh cluster
	@$(BIN)/dev-cluster

demo-cluster: build ## Shows a Workspace and a RAGEngine at work on a control plane of its own; with FAULTS=1, how they fail
	@REQUIRE_CLUSTER=1 .setup/setup.sh cluster
	@$(BIN)/demo-cluster $(if $(FAULTS),--faults)

test-llm: build ## Asks a real small language model through the service; downloads it (270 MB, Gemma's terms of use)
	@.setup/setup.sh llm
	$(BIN)/llm

lint: setup ## Checks format and lints
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(WHOLE) --all-targets -- --deny warnings
	@if command -v cargo-deny >/dev/null; then $(CARGO) deny --workspace check bans licenses sources; \
	 else echo "cargo-deny is not installed: licences and sources were not checked"; fi

fmt: ## Formats the code
	$(CARGO) fmt --all

bench: build ## Measures /retrieve, chats and guardrails against their parts
	$(CARGO) bench --workspace --locked --bench retrieve --bench chat --bench scan

eval: build ## Measures retrieval on collections: make eval DATA="dir [dir ...]"
	@test -n "$(DATA)" || { echo 'usage: make eval DATA="dir [dir ...]" (BEIR layout)'; exit 2; }
	$(BIN)/eval $(DATA)

docs: build ## Writes the generated part of README.md, and the API documentation
	$(BIN)/docs
	$(CARGO) doc $(WHOLE) --no-deps
