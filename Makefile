# The project's commands. `make` alone lists them.

# Command line tools that the tests and the demo call.
TOOLS = cmake git rsync setfattr tar valgrind

# More flags for cargo, such as --locked.
CARGO_FLAGS =

CARGO_ALL = --workspace --all-features $(CARGO_FLAGS)

# What the benchmark can do without, but not as well: it says so.
BENCH_TOOLS = python perf strace

# More flags for the benchmark: BENCH_FLAGS=--help shows them.
BENCH_FLAGS =

BENCH = benches/peers/Cargo.toml

# Which libfuse `make matrix` tests: some of 3.10, 3.14, 3.17, 3.18; all unless given.
VERSIONS =

.PHONY: help setup demo test check conformance matrix next bench bench-quick bench-account bindings fmt

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1~\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F '~' '{ printf "%-20s %s\n", $$1, $$2 }'

setup: ## Install what is missing (libfuse3, pkg-config, libclang, ...)
	@scripts/setup.sh --with $(TOOLS)

demo: setup ## Mirror a tree of files, work on it through the mount, compare
	scripts/demo.sh

test: setup ## Run all tests; with REQUIRE_FUSE=1 none may be skipped for want of /dev/fuse
	cargo test --no-fail-fast $(CARGO_ALL)

check: setup ## Format, lints, docs, and the docs as docs.rs builds them, without libfuse3
	cargo fmt --all --check
	cargo fmt --all --check --manifest-path $(BENCH)
	cargo clippy --workspace $(CARGO_FLAGS) -- -D warnings
	cargo clippy --all-targets $(CARGO_ALL) -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps $(CARGO_ALL)
	RUSTDOCFLAGS="-D warnings" DOCS_RS=1 PKG_CONFIG_LIBDIR=/nonexistent \
		cargo doc --no-deps $(CARGO_ALL) --target-dir target/docs-rs

conformance: setup ## Run the POSIX test suites against the examples
	scripts/conformance.sh

bench: setup ## Compare the speed with C's and that of other libraries, in 15 minutes on a quiet machine
	@for tool in $(BENCH_TOOLS); do scripts/setup.sh --with $$tool || echo "Going on without $$tool."; done
	@cargo run --quiet --release --manifest-path $(BENCH) --target-dir target/bench/build -p bench-runner -- $(BENCH_FLAGS)

bench-quick: setup ## The same in two minutes, less exactly
	@$(MAKE) --no-print-directory bench BENCH_FLAGS="--quick $(BENCH_FLAGS)"

bench-account: setup ## Count what a request costs in user space, whatever else the machine does
	@scripts/setup.sh --with python3 valgrind objdump
	@cargo run --quiet --release --manifest-path $(BENCH) --target-dir target/bench/build -p bench-runner -- --build c,ours-1
	@python3 benches/peers/account.py

matrix: setup ## Run all tests against other versions of libfuse, as Debian ships them
	scripts/matrix.sh $(VERSIONS)

next: setup ## Compile what waits for a libfuse that no distribution has yet
	CARGO_FLAGS="$(CARGO_FLAGS)" scripts/next.sh

bindings: setup ## Rewrite the bindings that stand in for bindgen on docs.rs
	scripts/bindings.sh

fmt: ## Format the code
	cargo fmt --all
	cargo fmt --all --manifest-path $(BENCH)
