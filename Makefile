# The verbs of this repository; `make` lists them. Needs python3 (3.11 or later) and make, nothing else:
# every other tool is a locked Python package in .venv. Options go through ARGS, for example
# `make demo ARGS="--agents 10"` or `make unit ARGS="-k offer"`.
SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
PYTEST := $(BIN)/pytest
HUNTGROUP := $(BIN)/huntgroup
COMPOSE := $(BIN)/docker-compose -f docker-compose.yml
BASELINE := proto/baseline.binpb
SOURCES := libs services loadtests tests tools
KAFKA_LIB := .kafka/lib
UV_LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header

# Stamps are named by the content they stand for, so a second `make setup` does nothing.
LOCKED := .venv/.locked-$(shell cksum < requirements-dev.lock | cut -d' ' -f1)
LINKED := .venv/.linked-$(shell cksum < pyproject.toml | cut -d' ' -f1)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PATH := $(CURDIR)/$(BIN):$(PATH)

##@ Start here

help: ## List the verbs
	@awk 'BEGIN {FS = ":.*## "; print "usage: make VERB [ARGS=\"...\"]"} \
		/^##@ / {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' Makefile

setup: $(LOCKED) $(LINKED) ## Create .venv with the locked tools and this project

$(LOCKED): requirements-dev.lock
	@echo "== setup: .venv from requirements-dev.lock"
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or later needed: make setup PYTHON=...")'
	@$(PYTHON) -m venv --clear .venv
	@echo "   pip installs what it names, checked by hash: a minute, or several on a slow line"
	@$(BIN)/pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

$(LINKED): pyproject.toml $(LOCKED)
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation --no-index -e .
	@rm -f .venv/.linked-* && touch $@

demo: setup ## Play a day of calls in one process and audit it
	@$(HUNTGROUP) demo $(ARGS)

test: setup ## The whole gate: lint, types, arch, contracts, every test
	@start=$$(date +%s); \
	for step in lint types arch proto-check deploy-check docs-check suite; do \
		$(MAKE) $$step || { echo "== test: FAILED at $$step"; exit 1; }; \
	done; \
	echo "== test: all steps passed in $$(($$(date +%s) - start)) s"

##@ Check

fmt: setup ## Format the code and fix what ruff can fix
	@$(BIN)/ruff check --quiet --fix-only . && $(BIN)/ruff format .

lint: setup ## ruff: rules and format
	@echo "== lint"
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: setup ## mypy --strict over sources, tests and tools
	@echo "== types"
	@$(BIN)/mypy --strict $(SOURCES)

arch: setup ## Import contracts and the shape of the repository
	@echo "== arch"
	@$(BIN)/lint-imports --no-logo
	@$(PYTEST) -q tests/architecture

unit: setup ## Quick tests: no network, no processes
	@echo "== unit"
	@$(PYTEST) -q -n 2 -m "not integration and not sim and not e2e and not theory" $(ARGS)

conformance: setup ## The log port's suite on memory, embedded and Kafka
	@echo "== conformance"
	@$(PYTEST) libs/eventlog/tests -k conformance $(ARGS)

scenarios: setup ## Whole contacts across all services in one process
	@echo "== scenarios"
	@$(PYTEST) tests/scenarios $(ARGS)

sim: setup ## The whole system under seeded faults; ARGS="--seeds 20000 --mode safety"
	@$(HUNTGROUP) sim $(ARGS)

theory: setup ## Long runs of the routing core against exact queueing theory
	@echo "== theory"
	@$(PYTEST) -n 2 -rP -m theory tests/theory $(ARGS)

suite: setup ## Every test; e2e one after another at the end
	@echo "== suite"
	@$(PYTEST) -q -n 2 --dist loadgroup -m "not e2e and not theory" --ignore=tests/architecture
	@$(PYTEST) -q -m e2e || test $$? -eq 5

deploy-check: setup ## Dockerfiles, docker-compose.yml, YAML style
	@echo "== deploy-check"
	@for file in Dockerfile deploy/docker/Dockerfile deploy/docker/*.Dockerfile; do \
		if [ -f "$$file" ]; then echo "hadolint $$file"; $(BIN)/hadolint "$$file" || exit 1; fi; \
	done
	@if [ -f docker-compose.yml ]; then $(COMPOSE) config --quiet && echo "docker-compose.yml is valid"; fi
	@$(BIN)/yamllint --strict . && echo "YAML files are tidy"

docs: setup ## Write the generated pages of docs/reference
	@$(BIN)/python -m tools.reference

docs-check: setup ## Stale pages, links between pages, commands they show
	@echo "== docs-check"
	@$(BIN)/python -m tools.reference --check
	@$(BIN)/python tools/check_docs.py

##@ Contracts

proto: setup ## Regenerate libs/contracts from proto/
	@$(BIN)/python tools/generate_proto.py

proto-check: setup ## Stale generated code, buf lint, buf breaking
	@echo "== proto-check"
	@$(BIN)/python tools/generate_proto.py --check
	@$(BIN)/buf lint
	@test -f $(BASELINE) || { echo "$(BASELINE) is missing: restore it from git, or make proto-baseline"; exit 1; }
	@$(BIN)/buf breaking --against $(BASELINE)

proto-baseline: setup ## Accept today's proto/ as what must not break
	@$(BIN)/buf build proto --exclude-source-info --output $(BASELINE)
	@echo "wrote $(BASELINE)"

golden: setup ## Write golden files for new events, and digests of stories
	@$(BIN)/python tools/write_golden.py $(ARGS)
	@$(BIN)/python tools/write_stories.py

##@ Run

verify: setup ## Audit a journal: claims, chain, snapshots
	@$(HUNTGROUP) verify $(ARGS)

bench: setup ## Figures of performance against their baselines; ARGS="--json FILE"
	@$(HUNTGROUP) bench $(ARGS)

cluster: setup ## Real Kafka and ten service processes, without Docker
	@$(HUNTGROUP) cluster $(ARGS)

chaos: setup ## Kill, freeze and fill a cluster under load, and audit it
	@$(HUNTGROUP) chaos $(ARGS)

up: setup ## The same by docker compose, with PostgreSQL, collector, Prometheus, Jaeger
	@$(COMPOSE) up --detach $(ARGS)

down: setup ## docker compose down
	@$(COMPOSE) down $(ARGS)

##@ Keep

kafka-jars: $(KAFKA_LIB)/.complete ## Fetch Apache Kafka's jars with Maven

$(KAFKA_LIB)/.complete: tools/kafka-pom.xml
	@command -v mvn >/dev/null || { echo "kafka-jars needs mvn (Maven) and Java 17"; exit 1; }
	@rm -rf $(KAFKA_LIB)
	@mvn -B -q -f tools/kafka-pom.xml dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/$(KAFKA_LIB)
	@touch $@ && echo "Kafka's jars are in $(KAFKA_LIB)"

lock: setup ## Resolve dependencies anew; ARGS=--upgrade for newer ones
	@$(UV_LOCK) $(ARGS) --output-file requirements.lock
	@$(UV_LOCK) $(ARGS) --group dev --output-file requirements-dev.lock

clean: ## Remove .venv, caches and what programs wrote
	@rm -rf .venv build dist var .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help setup demo test fmt lint types arch unit conformance scenarios sim theory suite \
	deploy-check docs docs-check proto proto-check proto-baseline golden verify bench cluster chaos up down \
	kafka-jars lock clean
