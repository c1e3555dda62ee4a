# `make help` lists the targets. Needs bash, Rust (rustup reads rust-toolchain.toml) and, as root, apt for what is missing.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
PYTHON ?= python3
VENV := .cache/venv
TARGET := $(or $(CARGO_TARGET_DIR),target)
BROKER := KAFKA_DATA=.cache/kafka/data scripts/kafka.sh
DBT_VENV := .cache/dbt-venv
EMULATOR_VENV := .cache/bigquery-venv
LAKE ?= .demo/lake
MARTS ?= .demo/beatlytica.duckdb
PYTEST = $(VENV)/bin/python -m pytest -c tests/e2e/pytest.ini --rootdir tests/e2e

.PHONY: help
help: ## List the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | sort | column -t -s $$'\t'

.PHONY: setup
setup: packages venv broker-jars ## Install what building and testing need, where it is missing

.PHONY: packages
packages: ## Install missing system packages (apt, as root)
	@scripts/packages.sh

.PHONY: venv
venv: $(VENV)/.complete ## Make the Python environment of the end-to-end tests

$(VENV)/.complete: tests/e2e/requirements.txt
	@mkdir -p .cache
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

.PHONY: broker-jars
broker-jars: packages ## Download Apache Kafka's jars
	@scripts/kafka.sh fetch

.PHONY: build
build: ## Build the program and what the tests run beside it (development profile)
	$(CARGO) build --locked --bins --example fake_gcs

.PHONY: lint
lint: ## Format and lints
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

.PHONY: check
check: lint ## Format, lints and unit tests: the quick one
	$(CARGO) test --locked --lib

.PHONY: test
test: setup ## Everything that a change must pass, end to end
	@$(MAKE) --no-print-directory lint
	$(CARGO) test --locked
	@$(MAKE) --no-print-directory e2e
	@$(MAKE) --no-print-directory dbt-test

.PHONY: e2e
e2e: venv build ## End-to-end tests alone: real broker, real input
	@[ -n "$${BEATLYTICA_EVENTSIM_DATA:-}" ] || \
	  echo "BEATLYTICA_EVENTSIM_DATA names no folder with Eventsim's output: the tests on real input are skipped"
	BEATLYTICA_BIN="$${BEATLYTICA_BIN:-$(abspath $(TARGET))/debug/beatlytica}" $(PYTEST) -s -v tests/e2e

.PHONY: dbt-venv
dbt-venv: $(DBT_VENV)/.complete ## Make the Python environment of dbt and its tests

$(DBT_VENV)/.complete: dbt/requirements.txt tests/dbt/requirements.txt
	@mkdir -p .cache
	$(PYTHON) -m venv $(DBT_VENV)
	$(DBT_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r tests/dbt/requirements.txt
	@touch $@

$(EMULATOR_VENV)/.complete: tests/dbt/emulator-requirements.txt
	@mkdir -p .cache
	$(PYTHON) -m venv $(EMULATOR_VENV)
	$(EMULATOR_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

.PHONY: dbt-test
dbt-test: dbt-venv $(EMULATOR_VENV)/.complete broker-jars build ## Tests of the marts: DuckDB, and BigQuery's emulator
	BEATLYTICA_BIN="$${BEATLYTICA_BIN:-$(abspath $(TARGET))/debug/beatlytica}" \
	  $(DBT_VENV)/bin/python -m pytest -c tests/dbt/pytest.ini --rootdir tests/dbt -v tests/dbt

.PHONY: marts
marts: dbt-venv ## Build the marts from the lake in the folder LAKE (.demo/lake) into MARTS (.demo/beatlytica.duckdb)
	@LAKE="$(LAKE)" MARTS="$(MARTS)" DBT="$(DBT_VENV)/bin/dbt" scripts/marts.sh

.PHONY: marts-scale
marts-scale: dbt-venv ## Measure the marts on 100 million plays (SCALE_FLAGS, see benches/marts_scale.py --help)
	$(DBT_VENV)/bin/python benches/marts_scale.py $(SCALE_FLAGS)

.PHONY: test-slow
test-slow: ## More cases of every property and more schedules of the ledger's explorer than every run takes
	PROPTEST_CASES=20000 $(CARGO) test --locked --lib

.PHONY: bench
bench: setup ## Measure the engine beside a bare librdkafka drain (BENCH_FLAGS, see benches/drain.py --help)
	$(CARGO) build --locked --release --bin beatlytica --example bare_drain
	BEATLYTICA_BIN="$(abspath $(TARGET))/release/beatlytica" $(VENV)/bin/python benches/drain.py $(BENCH_FLAGS)

.PHONY: deny
deny: ## Check licences, advisories and sources of all dependencies
	@command -v cargo-deny >/dev/null || [ -x .cache/cargo/bin/cargo-deny ] || \
	  $(CARGO) install --locked --root .cache/cargo cargo-deny
	PATH="$$PATH:$(abspath .cache/cargo/bin)" $(CARGO) deny --all-features check

.PHONY: kafka-start
kafka-start: packages ## Start one Kafka node on 127.0.0.1:9092
	@$(BROKER) start

.PHONY: kafka-stop
kafka-stop: ## Stop it (its data stays; `scripts/kafka.sh clean` drops it)
	@$(BROKER) stop

.PHONY: fmt
fmt: ## Format the code
	$(CARGO) fmt

.PHONY: clean
clean: ## Remove build output and caches
	-@$(BROKER) stop
	$(CARGO) clean
	rm -rf .cache
