# `make help` lists the targets. Needs bash, Rust (rustup reads rust-toolchain.toml) and, as root, apt for what is missing.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
PYTHON ?= python3
VENV := .cache/venv
TARGET := $(or $(CARGO_TARGET_DIR),target)
BROKER := KAFKA_DATA=.cache/kafka/data scripts/kafka.sh
PYTEST = $(VENV)/bin/python -m pytest -c tests/e2e/pytest.ini --rootdir tests/e2e
E2E = BEATLYTICA_BIN="$${BEATLYTICA_BIN:-$(abspath $(TARGET))/debug/beatlytica}" $(PYTEST) -s -v

.PHONY: help
help: ## List the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | sort | column -t -s $$'\t'

.PHONY: setup
setup: packages venv broker-jars prometheus-packages ## Install what building and testing need, where it is missing

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

.PHONY: prometheus-packages
prometheus-packages: packages ## Unpack Prometheus and Alertmanager from Debian's packages
	@scripts/prometheus.sh fetch

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

.PHONY: e2e
e2e: venv build ## End-to-end tests alone: real broker, real input
	@[ -n "$${BEATLYTICA_EVENTSIM_DATA:-}" ] || \
	  echo "BEATLYTICA_EVENTSIM_DATA names no folder with Eventsim's output: the tests on real input are skipped"
	$(E2E) tests/e2e

.PHONY: alert-drill
alert-drill: setup build ## Make every alert fire once, by a real fault (about five minutes)
	$(E2E) --drill tests/e2e/test_alert_drill.py

.PHONY: recovery-drill
recovery-drill: setup build ## Lose the engine's machine and go on with another one
	$(E2E) tests/e2e/test_recovery.py

.PHONY: observe
observe: setup build ## The engine under load with Prometheus and Alertmanager beside it, and one page that links all
	@scripts/observe.sh

.PHONY: dashboards
dashboards: venv ## Write dashboards/*.json anew from dashboards/src
	$(VENV)/bin/python dashboards/src/generate.py

.PHONY: screenshots
screenshots: venv build ## Take the pictures of the live page again (docs/images)
	BEATLYTICA_BIN="$${BEATLYTICA_BIN:-$(abspath $(TARGET))/debug/beatlytica}" $(VENV)/bin/python tests/e2e/screenshots.py

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

.PHONY: docs
docs: ## Write the pages anew that are generated from the code
	BEATLYTICA_WRITE_DOCS=1 $(CARGO) test --locked --lib -q page_ >/dev/null

.PHONY: prometheus
prometheus: ## Check rules, their tests and the configurations of Prometheus and Alertmanager
	@scripts/prometheus.sh check

.PHONY: sbom
sbom: ## Write the software bill of materials (CycloneDX) to target/sbom.json
	@mkdir -p $(TARGET)
	$(PYTHON) scripts/sbom.py > $(TARGET)/sbom.json

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
