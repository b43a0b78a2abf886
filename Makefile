# `make test` is everything that CI checks. `make long` is what takes longer.

.PHONY: test long tools peers lint web units docs

test: tools peers lint web units docs
	@echo "all is well, with these" && cat target/peers/report

# Says what is missing before an hour is spent without it.
tools:
	@cargo nextest --version >/dev/null 2>&1 || \
	  { echo "cargo-nextest is missing: cargo install cargo-nextest --locked"; exit 1; }
	@for part in fmt clippy; do cargo $$part --version >/dev/null 2>&1 || \
	  { echo "cargo $$part is missing: rustup component add $$part"; exit 1; }; done

peers:
	@mkdir -p target/peers && scripts/peers.sh >target/peers/report || \
	  { cat target/peers/report; exit 1; }
	@cat target/peers/report

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

# The console's pages: their tests, and whether what is kept is what they make.
web:
	@scripts/web.sh check

# Unit and integration tests, fuzz corpora, foreign peers; a PostgreSQL server while they run.
units:
	scripts/postgres.sh cargo nextest run --workspace --locked -E "$$(cat target/peers/filter)"

docs:
	cargo test --workspace --doc --locked
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

long:
	cargo build --release -p thalweg-cli --locked
	scripts/postgres.sh cargo test --release -p thalweg-console --test api --test store_contract --locked -- \
	  --ignored --nocapture --test-threads 1
	cargo nextest run -p thalweg-cli --test peers --locked --run-ignored only --no-capture \
	  'outage::' 'schemathesis::' 'browser::web::'
	cd web && GOALS=1 LONG=1 THALWEG=$(CURDIR)/target/release/thalweg node e2e/run.mjs live rtc camera
	scripts/web.sh walk
	scripts/instructions.sh
	scripts/fuzz.sh 60
