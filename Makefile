SHELL := bash
.DEFAULT_GOAL := help
# A Rust that was installed a minute ago is not on the path of the shell that is open.
export PATH := $(PATH):$(HOME)/.cargo/bin

CARGO_DENY := 0.20.2
# What a change must pass, cheap things first. The tests come last: their summaries end the output.
CI_STEPS := fmt-check arch lint doc deny lint-containers test-examples test-readme test-interop test-browser test-faults test-bench test

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: setup ## Build the service and run it on http://127.0.0.1:8000, its data in data/ and keys/
	cargo run --locked -p authapi -- serve $(ARGS)

.PHONY: test
test: setup ## Run all Rust tests; ARGS='-p domain' or ARGS='refresh -- --nocapture' narrows them
	@scripts/setup servers
	cargo test --locked $(if $(findstring -p ,$(ARGS)),,--workspace) $(ARGS)

.PHONY: ci
ci: ## Everything a change must pass; stops at the first failure
	@for step in $(CI_STEPS); do \
		printf '\n======== make %s\n' "$$step"; \
		$(MAKE) --no-print-directory "$$step" || exit 1; \
	done

.PHONY: fmt
fmt: ## Format the code
	cargo fmt --all

.PHONY: fmt-check
fmt-check: ## Check the format of the code
	cargo fmt --all --check

.PHONY: lint
lint: setup ## Run clippy; a warning is an error
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy -p authapi --test faults --locked -- -D warnings

.PHONY: arch
arch: ## Prove which crate uses which, as docs/architecture.md says
	@scripts/setup arch
	@scripts/arch

.PHONY: deny
deny: tools ## Check licences, banned crates and where crates come from
	cargo deny --locked check licenses bans sources

.PHONY: advisories
advisories: tools ## Check for known vulnerabilities; fetches the RustSec database, so it is not part of ci
	cargo deny --locked check advisories

.PHONY: doc
doc: setup ## Build the API documentation of the crates; a warning is an error
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked

.PHONY: openapi
openapi: setup ## Write docs/openapi.json anew
	cargo run --locked -q -p authapi -- openapi >target/openapi.json
	mv target/openapi.json docs/openapi.json

.PHONY: keys
keys: setup ## Make a signing key in keys/; ARGS='--algorithm eddsa' chooses its kind
	cargo run --locked -q -p authapi -- keys generate $(ARGS)

.PHONY: test-examples
test-examples: setup ## Run the programs of docs/embedding.md; they check what they show
	cargo run -q --locked -p axum-service
	cargo test -q --locked -p axum-service
	cargo run -q --locked -p api-http --example mount

.PHONY: test-interop
test-interop: setup ## Let PyJWT and jose verify our tokens through the JWKS alone
	@scripts/test-interop

.PHONY: test-readme
test-readme: setup ## Paste the README's walk into a shell and compare the answers
	@scripts/test-readme

.PHONY: test-browser
test-browser: setup ## Log in through Swagger UI in a real browser
	@scripts/test-browser

.PHONY: test-faults
test-faults: setup ## Kill, hang, cut off and fill up what the service needs, under load; takes minutes
	@scripts/setup faults
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-2} cargo test --locked --profile faults -p authapi --test faults -- --nocapture $(ARGS)

.PHONY: bench
bench: setup ## Measure the service against what this machine can do; QUICK=1 for one short round, ARGS='--mode sqlite' narrows it
	@scripts/setup bench
	# One after the other: built together, the service would get what the benchmark asks of the crates
	# that both use.
	cargo build --release --locked -p authapi
	cargo build --release --locked -p bench
	target/release/bench run $(if $(QUICK),--quick) $(ARGS)

.PHONY: bench-parts
bench-parts: setup ## Measure what a request goes through, part by part; ARGS='session' narrows it
	cargo bench --locked -p bench --bench hot_parts -- $(ARGS)

.PHONY: test-bench
test-bench: setup ## Run the benchmark for seconds on a debug build: it must yield every figure and no error
	@scripts/test-bench

.PHONY: up
up: ## Start Postgres, Redis and the service in containers, on http://127.0.0.1:8000; needs Docker
	docker compose -f docker/compose.yaml up -d --build

.PHONY: down
down: ## Stop the containers that up started; their data stays
	docker compose -f docker/compose.yaml down

.PHONY: lint-containers
lint-containers: ## Check the Dockerfile and the compose files; needs no Docker
	@scripts/lint-containers

.PHONY: test-dockerfile
test-dockerfile: setup ## Do what the Dockerfile says, without Docker, and start the service that comes out
	@scripts/test-dockerfile

.PHONY: tools
tools: setup ## Install the cargo-deny that deny wants; does nothing when it is there
	@if [[ "$$(cargo deny --version 2>/dev/null)" != 'cargo-deny $(CARGO_DENY)' ]]; then \
		cargo install --locked cargo-deny --version $(CARGO_DENY); \
	fi

.PHONY: setup
setup: ## Check for what building needs, and install what is missing (Debian, Ubuntu)
	@scripts/setup
