# `make help` lists the targets. Needs bash, Rust (rustup reads rust-toolchain.toml) and, as root, apt for what is missing.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
PYTHON ?= python3
VENV := .cache/venv
UV := .cache/uv/bin/uv
TARGET := $(or $(CARGO_TARGET_DIR),target)
BROKER := KAFKA_DATA=.cache/kafka/data scripts/kafka.sh
CHECKOV := .cache/checkov/bin/checkov
DBT_VENV := .cache/dbt-venv
EMULATOR_VENV := .cache/bigquery-venv
AIRFLOW_VENV := .cache/airflow-venv
GRAFANA := .cache/grafana
# The longest tests wait for a Kafka client's own pauses, not for a processor.
export RUST_TEST_THREADS := $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))
MINUTES ?= 5
LAKE ?= .demo/lake
MARTS ?= .demo/beatlytica.duckdb
REPORT ?= .demo/report
PYTEST = $(VENV)/bin/python -m pytest -c tests/e2e/pytest.ini --rootdir tests/e2e
# Half of their time the end-to-end tests wait. A file's tests share brokers and more, so they stay together.
SIDE_BY_SIDE = -n 2 --dist loadfile --no-loadscope-reorder
# Two at a time: one that compiles on one core, or mostly waits, beside others.
BESIDE = $(MAKE) --no-print-directory --jobs=2
E2E = BEATLYTICA_BIN="$${BEATLYTICA_BIN:-$(abspath $(TARGET))/debug/beatlytica}" $(PYTEST) -s -v

.PHONY: help
help: ## List the targets
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | sort | column -t -s $$'\t'

.PHONY: setup
setup: packages venv broker-jars prometheus-packages ## Install what building and testing need, where it is missing

.PHONY: packages
packages: ## Install missing system packages (apt, as root)
	@scripts/packages.sh

.PHONY: venv
venv: $(VENV)/.complete ## Make the Python environment of the end-to-end tests

# Makes the other environments: pip takes a minute for what it installs in seconds.
$(UV):
	@mkdir -p .cache
	$(PYTHON) -m venv .cache/uv
	.cache/uv/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9

# $(call environment,FOLDER,WHAT): a new environment with what is named.
define environment
	$(PYTHON) -m venv $(1)
	$(UV) pip install --quiet --python $(1)/bin/python $(2)
endef

$(VENV)/.complete: tests/e2e/requirements.txt | $(UV)
	$(call environment,$(VENV),-r $<)
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

.PHONY: demo
demo: packages build ## Listeners, broker, engine, lake and live page in one process: no cloud, no account (DEMO_FLAGS, see `demo --help`)
	@$(TARGET)/debug/beatlytica demo $(DEMO_FLAGS)

# Private items too: nobody uses the library but its own program, and pages link to what they speak of.
RUSTDOC = RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" $(CARGO) doc --locked --no-deps --document-private-items

.PHONY: lint
lint: ## Format, lints, and the links in the library's documentation
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(RUSTDOC)

.PHONY: check
check: lint ## Format, lints and unit tests: the quick one
	$(CARGO) test --locked --lib

.PHONY: test
test: setup ## Everything that a change must pass, end to end
	@$(MAKE) --no-print-directory lint
	$(CARGO) test --locked
	@FUZZ_SEED=1 $(MAKE) --no-print-directory fuzz SECONDS=5
	@$(BESIDE) bench-instructions terraform-test deploy-test
	@$(BESIDE) e2e airflow-test dbt-test

.PHONY: e2e
e2e: venv dbt-venv build ## End-to-end tests alone: real broker, real input
	@[ -n "$${BEATLYTICA_EVENTSIM_DATA:-}" ] || \
	  echo "BEATLYTICA_EVENTSIM_DATA names no folder with Eventsim's output: the tests on real input are skipped"
	BEATLYTICA_TEST_PORTS="15000 26000" $(E2E) $(SIDE_BY_SIDE) tests/e2e

.PHONY: alert-drill
alert-drill: setup dbt-venv build ## Make every alert fire once, by a real fault, and write docs/alert-drill.md (about ten minutes)
	$(E2E) --drill --record docs/alert-drill.md tests/e2e/test_alert_drill.py

.PHONY: recovery-drill
recovery-drill: setup build ## Lose the engine's machine and go on with another one
	$(E2E) tests/e2e/test_recovery.py

.PHONY: observe
observe: setup build ## The demo with Prometheus and Alertmanager beside it, and one page that links all
	@scripts/prometheus.sh pages
	@BEATLYTICA_BIN="$${BEATLYTICA_BIN:-$(abspath $(TARGET))/debug/beatlytica}" scripts/observe.sh

.PHONY: dashboards
dashboards: venv ## Write dashboards/*.json anew from dashboards/src
	$(VENV)/bin/python dashboards/src/generate.py

# Only what is run beside the dashboards; no package's scripts are run.
$(GRAFANA)/.complete: dashboards/pictures/package.json
	@command -v npm >/dev/null || { echo "npm is missing; install Node.js 20 or newer" >&2; exit 1; }
	@mkdir -p $(GRAFANA)
	cp $< $(GRAFANA)/
	cd $(GRAFANA) && npm install --ignore-scripts --no-audit --no-fund --no-package-lock --loglevel error
	@touch $@

.PHONY: dashboards-schema
dashboards-schema: $(GRAFANA)/.complete ## Check dashboards/*.json against Grafana's own schema (needs npm)
	cp dashboards/pictures/check.mjs $(GRAFANA)/ && node $(GRAFANA)/check.mjs dashboards/*.json

.PHONY: dashboards-pictures
dashboards-pictures: setup dbt-venv build $(GRAFANA)/.complete ## Draw the dashboards of a demo with Grafana's components (docs/images; MINUTES=5; needs npm)
	cp dashboards/pictures/draw.jsx $(GRAFANA)/
	cd $(GRAFANA) && node_modules/.bin/esbuild draw.jsx --bundle --minify --outfile=draw.js --jsx=automatic --legal-comments=none \
	  --log-level=warning --define:global=window --define:process.env.NODE_ENV='"production"' --loader:.svg=text --loader:.ttf=empty
	BEATLYTICA_BIN="$${BEATLYTICA_BIN:-$(abspath $(TARGET))/debug/beatlytica}" MINUTES=$(MINUTES) $(VENV)/bin/python dashboards/pictures/draw.py

.PHONY: screenshots
screenshots: venv build ## Take the pictures of the live page again (docs/images)
	BEATLYTICA_BIN="$${BEATLYTICA_BIN:-$(abspath $(TARGET))/debug/beatlytica}" $(VENV)/bin/python tests/e2e/screenshots.py

.PHONY: chaos
chaos: setup build ## Kill, stop and starve engines by a seeded schedule; nothing may be lost or twice (SEED, KILLS=30, CHAOS_FLAGS)
	BEATLYTICA_BIN="$${BEATLYTICA_BIN:-$(abspath $(TARGET))/debug/beatlytica}" \
	  $(VENV)/bin/python tests/e2e/chaos.py --kills $(or $(KILLS),30) $(if $(SEED),--seed $(SEED)) $(CHAOS_FLAGS)

.PHONY: terraform-test
terraform-test: $(CHECKOV) ## Validate, test and scan terraform/ (no cloud, no account)
	scripts/terraform-test.sh
	BC_SKIP_MAPPING=TRUE $(CHECKOV) --quiet --compact --framework terraform --directory terraform

# An environment of its own: it pins much that other tests want newer.
$(CHECKOV): | $(UV)
	$(call environment,.cache/checkov,checkov==3.3.30)

.PHONY: deploy-test
deploy-test: venv build ## The deployment's scripts against stand-ins for the cloud; compose, Kubernetes and Docker files
	PATH="$(abspath $(VENV))/bin:$$PATH" BEATLYTICA_BIN="$${BEATLYTICA_BIN:-$(abspath $(TARGET))/debug/beatlytica}" \
	  $(VENV)/bin/python -m pytest -c tests/deploy/pytest.ini --rootdir tests/deploy -q -n 2 tests/deploy
	$(PYTHON) scripts/check_links.py
	@$(MAKE) --no-print-directory workflow-test

.PHONY: workflow-test
workflow-test: ## Check the GitHub workflows with actionlint
	scripts/actionlint.sh

.PHONY: redpanda-test
redpanda-test: venv build ## The broker suite against Redpanda in a container instead of Apache Kafka (needs docker)
	BEATLYTICA_TEST_BROKER=redpanda BEATLYTICA_BIN="$${BEATLYTICA_BIN:-$(abspath $(TARGET))/debug/beatlytica}" $(PYTEST) -v tests/e2e/broker_suite.py

.PHONY: release-archive
release-archive: ## dist/beatlytica-VERSION-TARGET_NAME.tar.gz with the program, completions and manual page, and its checksum
	scripts/release-archive.sh "$(TARGET_NAME)"

.PHONY: docs
docs: ## Build the library's documentation and check the documents' links
	$(RUSTDOC)
	$(PYTHON) scripts/check_links.py

.PHONY: image
image: build ## Build the engine's image with buildah around what is built
	scripts/image.sh $(TARGET)/debug/beatlytica localhost/beatlytica:dev

.PHONY: image-test
image-test: venv build ## Build the image, run the engine in it, and simulate a deployment with it
	BEATLYTICA_BIN="$${BEATLYTICA_BIN:-$(abspath $(TARGET))/debug/beatlytica}" $(PYTEST) -v tests/e2e/test_image.py tests/e2e/test_deployment.py

.PHONY: up
up: ## Run everything on this machine with docker: broker, engine, simulated listeners, Prometheus, Grafana, Airflow
	@scripts/compose.sh up

.PHONY: down
down: ## Stop it (data stays in .compose and in volumes)
	@scripts/compose.sh down

# On Google Cloud: PROJECT=my-project [PROFILE=small|scale] [REGION=europe-west1] [NAME=beatlytica]; docs/setup.
# Within WSL every shell exports NAME, the computer's. This replaces it; a NAME on make's command line wins over this.
NAME :=
export PROJECT PROFILE REGION NAME TAG PLAN LAKE LAKE_BUCKET SERVICE

.PHONY: deploy
deploy: ## Google Cloud: make or update everything (PLAN=1 only shows what would be done)
	@scripts/deploy/deploy.sh

.PHONY: destroy
destroy: ## Google Cloud: take everything away but the lake (LAKE=delete: the lake too)
	@scripts/deploy/destroy.sh

.PHONY: status
status: ## Google Cloud: what runs, and how fresh the lake is
	@scripts/deploy/status.sh

.PHONY: logs
logs: ## Google Cloud: follow the engine's log (SERVICE=airflow and so on)
	@scripts/deploy/logs.sh

.PHONY: tunnel
tunnel: ## Google Cloud: reach charts, Grafana, Airflow and Kafka on 127.0.0.1
	@scripts/deploy/tunnel.sh

.PHONY: upgrade
upgrade: ## Google Cloud: put what is checked out in place of what runs, without loss
	@scripts/deploy/upgrade.sh

.PHONY: rollback
rollback: ## Google Cloud: go back to what ran before (TAG=... to another)
	@scripts/deploy/rollback.sh

.PHONY: dbt-venv
dbt-venv: $(DBT_VENV)/.complete ## Make the Python environment of dbt and its tests

$(DBT_VENV)/.complete: dbt/requirements.txt report/requirements.txt tests/dbt/requirements.txt | $(UV)
	$(call environment,$(DBT_VENV),-r tests/dbt/requirements.txt)
	@touch $@

$(EMULATOR_VENV)/.complete: tests/dbt/emulator-requirements.txt | $(UV)
	$(call environment,$(EMULATOR_VENV),-r $<)
	@touch $@

# dbt starts and parses on one processor. A file's tests share their marts; the longest file comes first by name, but not by its number of tests.
DBT_WORKERS = -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: dbt-test
dbt-test: dbt-venv $(EMULATOR_VENV)/.complete broker-jars build ## Tests of the marts: DuckDB, and BigQuery's emulator
	BEATLYTICA_TEST_PORTS="29000 32000" BEATLYTICA_BIN="$${BEATLYTICA_BIN:-$(abspath $(TARGET))/debug/beatlytica}" \
	  $(DBT_VENV)/bin/python -m pytest -c tests/dbt/pytest.ini --rootdir tests/dbt -v $(DBT_WORKERS) tests/dbt

$(AIRFLOW_VENV)/.complete: infra/airflow/requirements.txt | $(UV)
	$(call environment,$(AIRFLOW_VENV),-r $<)
	@touch $@

AIRFLOW_TEST = BEATLYTICA_TEST_PORTS="26000 29000" BEATLYTICA_BIN="$${BEATLYTICA_BIN:-$(abspath $(TARGET))/debug/beatlytica}" AIRFLOW_VENV="$(abspath $(AIRFLOW_VENV))" \
	  $(DBT_VENV)/bin/python -m pytest -c tests/airflow/pytest.ini --rootdir tests/airflow -v

.PHONY: airflow-test
airflow-test: dbt-venv $(AIRFLOW_VENV)/.complete broker-jars build ## Tests of Airflow: its DAGs, and hours run for real with a part of the models
	$(AIRFLOW_TEST) tests/airflow

.PHONY: airflow-whole
airflow-whole: dbt-venv $(AIRFLOW_VENV)/.complete broker-jars build ## The hours of Airflow's tests with all models (ten minutes)
	$(AIRFLOW_TEST) --whole tests/airflow/test_scheduler.py

.PHONY: marts
marts: dbt-venv ## Build the marts from the lake in the folder LAKE (.demo/lake) into MARTS (.demo/beatlytica.duckdb)
	@LAKE="$(LAKE)" MARTS="$(MARTS)" DBT="$(DBT_VENV)/bin/dbt" scripts/marts.sh

.PHONY: report
report: dbt-venv ## Pages on the marts in MARTS, into the folder REPORT (.demo/report)
	@$(DBT_VENV)/bin/python report/build.py "$(MARTS)" "$(REPORT)"

.PHONY: marts-scale
marts-scale: dbt-venv ## Measure the marts on 100 million plays (SCALE_FLAGS, see benches/marts_scale.py --help)
	$(DBT_VENV)/bin/python benches/marts_scale.py $(SCALE_FLAGS)

.PHONY: test-slow
test-slow: setup build dashboards-schema ## What every run has no time for: more cases of every property, every fault point with every outcome, Airflow with all models, Grafana's schema
	PROPTEST_CASES=20000 $(CARGO) test --locked --lib
	$(E2E) --all-points tests/e2e/test_fault_points.py
	@$(MAKE) --no-print-directory airflow-whole

# This crate alone is built anew, optimised as for a release but for LTO; what it depends on is there from the tests. In one
# unit: how the compiler cuts the crate into several changes with every line, and moves counts by up to 6 %.
AS_RELEASED = profile.dev.package.beatlytica
INSTRUCTIONS = CARGO_INCREMENTAL=0 $(CARGO) build --locked --example instructions --config $(AS_RELEASED).opt-level=3 \
	  --config $(AS_RELEASED).debug-assertions=false --config $(AS_RELEASED).overflow-checks=false --config $(AS_RELEASED).debug=false \
	  --config $(AS_RELEASED).codegen-units=1

.PHONY: bench
bench: bench-micro bench-pipeline ## Measure the hot path's steps, and the whole engine

.PHONY: bench-micro
bench-micro: ## Measure the hot path's steps by themselves: decoding, encoding, charts, simulating
	$(CARGO) bench --locked

.PHONY: bench-instructions
bench-instructions: packages build ## Count the hot path's instructions; over 5 % more than benches/instructions.json is a failure
	$(INSTRUCTIONS)
	$(PYTHON) benches/instructions.py $(TARGET)/debug/examples/instructions

.PHONY: bench-accept
bench-accept: packages ## Write benches/instructions.json anew
	$(INSTRUCTIONS)
	$(PYTHON) benches/instructions.py --accept $(TARGET)/debug/examples/instructions

.PHONY: bench-build
bench-build: setup
	$(CARGO) build --locked --release --bin beatlytica --example bare_drain --example fake_gcs

BENCH = BEATLYTICA_BIN="$${BEATLYTICA_BIN:-$(abspath $(TARGET))/release/beatlytica}" $(VENV)/bin/python

.PHONY: bench-pipeline
bench-pipeline: bench-build ## Measure the engine beside a bare librdkafka drain, by thread (BENCH_FLAGS, see benches/pipeline.py --help)
	$(BENCH) benches/pipeline.py $(BENCH_FLAGS)

.PHONY: bench-latency
bench-latency: bench-build ## Measure the time from an event's sending until the API counts it (BENCH_FLAGS, see benches/latency.py --help)
	$(BENCH) benches/latency.py $(BENCH_FLAGS)

.PHONY: bench-growth
bench-growth: bench-build ## Measure CPU, memory and restarts over partitions, songs, listeners and more (BENCH_FLAGS, see benches/growth.py --help)
	$(BENCH) benches/growth.py $(BENCH_FLAGS)

.PHONY: bench-recovery
bench-recovery: bench-build ## Measure the time until an engine with a day of a million users counts again after kill -9 (BENCH_FLAGS, see benches/recovery.py --help)
	$(BENCH) benches/recovery.py $(BENCH_FLAGS)

PEERS := .cache/peers

$(PEERS)/.complete: benches/peers/spark/pom.xml benches/peers/flink/pom.xml | $(UV)
	$(call environment,$(PEERS)/venv,pyspark==4.2.0)
	for peer in spark flink; do \
	  mvn -q -B -Dstyle.color=never -f benches/peers/$$peer/pom.xml dependency:copy-dependencies \
	    -DoutputDirectory="$(abspath $(PEERS))/$$peer" -DincludeScope=runtime || exit 1; \
	done
	@touch $@

$(PEERS)/bento: $(wildcard benches/peers/bento/*)
	cd benches/peers/bento && go build -o "$(abspath $@)" .

.PHONY: bench-peers
bench-peers: bench-build $(PEERS)/.complete $(PEERS)/bento ## Run the same topic through Flink, Spark, Bento and DuckDB (needs a JDK and Go; BENCH_FLAGS, see benches/peers/run.py --help)
	$(BENCH) benches/peers/run.py $(BENCH_FLAGS)

.PHONY: bench-flame
bench-flame: venv ## Draw where the engine's time goes (docs/images/flame.svg; needs perf)
	@command -v inferno-flamegraph >/dev/null || [ -x .cache/cargo/bin/inferno-flamegraph ] || \
	  $(CARGO) install --locked --root .cache/cargo inferno
	$(CARGO) build --locked --release --bin beatlytica
	PATH="$$PATH:$(abspath .cache/cargo/bin)" $(BENCH) benches/flame.py $(BENCH_FLAGS)

.PHONY: bench-report
bench-report: ## Write the tables of docs/performance.md from the last runs
	$(PYTHON) benches/report.py

.PHONY: bench-verify
bench-verify: venv ## Measure `verify` on ten thousand objects (BENCH_FLAGS, see benches/verify.py --help)
	$(CARGO) build --locked --release --bin beatlytica --example many_ranges
	$(BENCH) benches/verify.py $(BENCH_FLAGS)

.PHONY: fuzz
fuzz: ## Fuzz all targets by turns, SECONDS=30 each, or one: TARGET=decode|ledger|settings|query|batch
	CARGO="$(CARGO)" CARGO_TARGET_DIR="$(abspath $(or $(CARGO_TARGET_DIR),target))" \
	  fuzz/run.sh $(or $(SECONDS),30) $(if $(filter command,$(origin TARGET)),$(TARGET))

.PHONY: deny
deny: ## Check licences, advisories and sources of all dependencies
	@command -v cargo-deny >/dev/null || [ -x .cache/cargo/bin/cargo-deny ] || \
	  $(CARGO) install --locked --root .cache/cargo cargo-deny
	PATH="$$PATH:$(abspath .cache/cargo/bin)" $(CARGO) deny --all-features check

.PHONY: pages
pages: ## Write the pages anew that are generated from the code
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
