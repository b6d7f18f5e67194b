SHELL := bash
.DEFAULT_GOAL := help
# A shell that was open before Rust was installed does not have it on its path.
export PATH := $(PATH):$(HOME)/.cargo/bin

CARGO_DENY := 0.20.2
# Most tests wait for servers, so each core runs two at a time.
TEST_THREADS := RUST_TEST_THREADS=$${RUST_TEST_THREADS:-$$(($$(getconf _NPROCESSORS_ONLN) * 2))}
# The checks that a change must pass, cheap checks first. The tests are last, so that the output
# ends with their summaries.
CI_STEPS := fmt-check arch lint doc deny lint-containers test-proxy test-examples test-readme test-interop test-browser test-client test-generators test-api test-faults test-bench test

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: setup ## Build the service and run it on http://127.0.0.1:8000, with its data in data/ and keys/
	@# The service refuses a key folder that a checkout with umask 002 left writable by the group.
	@chmod go-w keys
	cargo run --locked -p authapi -- serve $(ARGS)

.PHONY: test
test: setup ## Run all Rust tests; ARGS='-p domain' or ARGS='refresh -- --nocapture' narrows them
	@scripts/setup servers
	$(TEST_THREADS) cargo test --locked $(if $(findstring -p ,$(ARGS)),,--workspace) $(ARGS)

.PHONY: ci
ci: ## Run every check that a change must pass; stop at the first failure
	@for step in $(CI_STEPS); do \
		printf '\n======== make %s\n' "$$step"; \
		$(MAKE) --no-print-directory "$$step" || exit 1; \
	done

.PHONY: fmt
fmt: ## Format the code
	cargo fmt --all

.PHONY: fmt-check
fmt-check: ## Check that the code is formatted
	cargo fmt --all --check

.PHONY: lint
lint: setup ## Run clippy, and check the prose; warnings are errors
	@scripts/setup arch
	@scripts/prose
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy -p authapi --test faults --locked -- -D warnings

.PHONY: arch
arch: ## Check the dependency rules of docs/architecture.md
	@scripts/setup arch
	@scripts/arch

.PHONY: deny
deny: tools ## Check the licences and sources of dependencies, and for banned crates
	cargo deny --locked check licenses bans sources

.PHONY: advisories
advisories: tools ## Check for known vulnerabilities; not part of ci, because it fetches the RustSec database
	cargo deny --locked check advisories

.PHONY: doc
doc: setup ## Build the API documentation of the crates; warnings are errors
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked

.PHONY: openapi
openapi: setup ## Regenerate docs/openapi.json
	cargo run --locked -q -p authapi -- openapi >target/openapi.json
	mv target/openapi.json docs/openapi.json

.PHONY: keys
keys: setup ## Create a signing key in keys/; ARGS='--algorithm eddsa' selects the algorithm
	cargo run --locked -q -p authapi -- keys generate $(ARGS)

.PHONY: test-examples
test-examples: setup ## Run the example programs of docs/embedding.md, which check their own results
	@# The tests of the examples belong to `make test`.
	scripts/build --examples
	$${CARGO_TARGET_DIR:-target}/debug/axum-service
	$${CARGO_TARGET_DIR:-target}/debug/examples/mount

.PHONY: test-interop
test-interop: setup ## Verify access tokens with six JWT libraries, which know only the URL of the JWKS
	@scripts/test-interop

.PHONY: test-readme
test-readme: setup ## Run the commands of the README's walk-through and compare their output
	@scripts/test-readme

.PHONY: test-browser
test-browser: setup ## Test Swagger UI in a real browser
	@scripts/test-browser

.PHONY: test-client
test-client: setup ## Test the package @authapi/client and the example of docs/browser.md in Node.js and a real browser
	@scripts/test-client

.PHONY: test-generators
test-generators: setup ## Lint the OpenAPI document, and use clients that three generators make of it
	@scripts/test-generators

.PHONY: test-api
test-api: setup ## Compare the service with its OpenAPI document by generated requests; takes minutes
	@scripts/test-api $(ARGS)

.PHONY: test-faults
test-faults: setup ## Test the service under load while its servers crash, hang, disconnect or fill up; takes minutes
	@scripts/setup faults
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-2} cargo test --locked --workspace --test faults -- --nocapture $(ARGS)

.PHONY: test-guessing
test-guessing: setup ## Guess passwords from thousands of addresses for ten minutes while owners log in; SECONDS=60 shortens it
	@scripts/setup faults
	AUTHAPI_GUESSING_SECONDS=$(or $(SECONDS),600) cargo test --locked --workspace --test faults -- --nocapture --test-threads=1 guessing

# The two builds are separate: a common build would enable the benchmark's features in the service.
.PHONY: bench
bench: setup ## Measure the service and the limits of this machine; QUICK=1 runs one short round, ARGS='--mode sqlite' narrows it
	@scripts/setup bench
	cargo build --release --locked -p authapi
	cargo build --release --locked -p bench
	target/release/bench run $(if $(QUICK),--quick) $(ARGS)

.PHONY: bench-parts
bench-parts: setup ## Measure the parts of a request; ARGS='session' narrows it
	cargo bench --locked -p bench --bench hot_parts -- $(ARGS)

.PHONY: bench-login-times
bench-login-times: setup ## Measure whether the duration of a login shows if the account exists; takes ten minutes
	@scripts/setup arch
	cargo build --release --locked -p authapi
	python3 tests/bench/login_times.py target/release/authapi $(ARGS)

.PHONY: bench-compare
bench-compare: setup ## Compare the speed of an OLD build with this one, in turns; ARGS='--work refresh --postgres URL'
	@scripts/setup bench
	cargo build --release --locked -p authapi
	python3 tests/bench/compare.py $(OLD) target/release/authapi $(ARGS)

.PHONY: simulate-guessing
simulate-guessing: setup ## Simulate days of guessing passwords, and print the figures of docs/security.md
	cargo test --release --locked -p adapters-throttle --test it simulation -- --ignored --nocapture --test-threads 1

.PHONY: test-bench
test-bench: setup ## Run a debug build of the benchmark for seconds; it must produce every figure without errors
	@scripts/test-bench

.PHONY: fuzz
fuzz: setup ## Fuzz every parser of untrusted bytes, 60 s each; SECONDS=3600 for an hour, ARGS=login narrows it, KEEP=1 keeps new inputs
	@scripts/setup fuzz
	SECONDS_EACH=$(or $(SECONDS),60) KEEP=$(KEEP) scripts/fuzz $(ARGS)

.PHONY: mutants
mutants: setup ## Change the rules of the core one at a time; a test must fail for each; takes hours; ARGS='--shard 0/8' narrows it
	@scripts/setup mutants
	scripts/mutants $(ARGS)

.PHONY: up
up: ## Start Postgres, Redis and the service in containers, on http://127.0.0.1:8000; needs Docker
	docker compose -f docker/compose.yaml up -d --build

.PHONY: down
down: ## Stop the containers that up started; their data is kept
	docker compose -f docker/compose.yaml down

.PHONY: lint-containers
lint-containers: ## Check the Dockerfile and the compose files, without Docker
	@scripts/lint-containers

.PHONY: test-proxy
test-proxy: ## Test the proxy of the compose files in front of paused and failing processes, without Docker
	@scripts/test-proxy

.PHONY: test-containers
test-containers: ## Run the compose files in containers, and faults under load; needs Docker; ARGS='paused' narrows it
	@scripts/test-containers $(ARGS)

.PHONY: test-dockerfile
test-dockerfile: setup ## Run the steps of the Dockerfile, without Docker, and start the resulting service
	@scripts/test-dockerfile

.PHONY: tools
tools: setup ## Install the version of cargo-deny that deny needs, if it is missing
	@if [[ "$$(cargo deny --version 2>/dev/null)" != 'cargo-deny $(CARGO_DENY)' ]]; then \
		cargo install --locked --debug cargo-deny --version $(CARGO_DENY); \
	fi

.PHONY: setup
setup: ## Check for the tools that a build needs, and install missing ones (Debian, Ubuntu)
	@scripts/setup
