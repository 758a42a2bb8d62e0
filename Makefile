# Every task works alone on a fresh clone: each installs what it needs first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
NODE_STAMP := tests/interop/node/node_modules/.installed
PEER := tests/interop/python/.venv
PEER_STAMP := $(PEER)/.installed

# Many tests wait most of the time, so more of them run at once than there are processors; each pytest worker has
# servers, ports, folders and peers of its own. `make test WORKERS=0` runs all of them in one process;
# `make test ARGS='--durations=10'` gives pytest more options.
WORKERS ?= $(shell echo $$(($(shell getconf _NPROCESSORS_ONLN) * 2)))
PARALLEL := -n $(WORKERS) --dist worksteal

# The tests start hundreds of processes, each of which would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install node python-peer browser postgresql promtool luacheck demo demo-cluster test test-quick test-pythons coverage check stubs bench bench-versus faults clean

help: ## list every task
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[server,dev]'
	@touch $@

$(NODE_STAMP): tests/interop/node/package.json
	npm install --prefix tests/interop/node --no-audit --no-fund --silent
	@touch $@

install: $(STAMP) ## create .venv with every extra and test dependency

node: $(NODE_STAMP) ## install the real npm bullmq for the interop tests and the comparison

$(PEER_STAMP): tests/interop/python/requirements.txt
	$(PYTHON) -m venv $(PEER)
	$(PEER)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

python-peer: $(PEER_STAMP) ## install the real PyPI bullmq for the interop tests, in an environment of its own

browser: ## install Chromium, which the tests of Bull Board drive
	@tests/browser/chromium.sh

postgresql: ## install PostgreSQL, which the tests of outboxes start
	@tests/outbox/postgresql.sh

promtool: install ## fetch promtool and amtool, which check the files of deploy/
	@tests/deploy/promtool.sh $(BIN)

luacheck: ## install luacheck, which reads every Lua script as the server runs it
	@tests/architecture/luacheck.sh

demo: install ## run the platform's main job on the embedded server
	$(BIN)/stockyard demo

demo-cluster: install ## the same on an embedded cluster, of which one primary is killed in the middle
	$(BIN)/stockyard demo --cluster 3

test: install node python-peer browser postgresql promtool ## run every test, on the embedded server, against the real bullmq, and in a browser
	$(BIN)/pytest -q $(PARALLEL) $(ARGS)

test-quick: install ## run the architecture, unit and script tests
	$(BIN)/pytest -q $(PARALLEL) tests/architecture tests/unit tests/scripts $(ARGS)

coverage: install ## measure what the unit and script tests run of the package; fails below the floor of pyproject.toml
	$(BIN)/pytest -q $(PARALLEL) --cov --cov-report=term:skip-covered tests/unit tests/scripts $(ARGS)

test-pythons: ## run unit, scripts and integration tests on every other Python from 3.11 on that the machine has
	@WORKERS=$(WORKERS) tests/pythons.sh $(ARGS)

check: install luacheck ## ruff, mypy strict, import-linter, the rules of the tree, luacheck
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/architecture

stubs: install ## write the types of .sync from the asynchronous classes
	$(BIN)/python tools/blocking_stub.py

release-check: ## build the wheel and the sdist, check and list them, and run each in a clean environment
	@PYTHON=$(PYTHON) tools/release-check.sh

bench: install ## measure Stockyard
	$(BIN)/python -m benchmarks

bench-versus: install node ## measure Stockyard against BullMQ on Node and the Python peers
	$(BIN)/python -m benchmarks --versus

faults: install node ## play every fault under load and print what became of the jobs
	$(BIN)/python -m tests.faults.report

clean: ## remove what the tasks installed
	rm -rf $(VENV) .venv-3.* $(PEER) tests/interop/node/node_modules benchmarks/.peers
