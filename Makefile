# Every task works alone on a fresh clone: each installs what it needs first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO_STAMP := $(VENV)/.demo-installed
NODE_STAMP := tests/interop/node/node_modules/.installed
LINTERS_STAMP := $(VENV)/.linters
PEER := tests/interop/python/.venv
DOCS_STAMP := $(VENV)/.docs-installed
PEER_STAMP := $(PEER)/.installed

# Tests wait for half of their time, so three of them run at once for each processor: with two, processors were idle
# for a tenth to a half of the time. Each pytest worker has servers, ports, folders and peers of its own.
# `make test WORKERS=0` runs all tests in one process; `make test ARGS='--durations=10'` gives pytest more options.
WORKERS ?= $(shell echo $$(($(shell getconf _NPROCESSORS_ONLN) * 3)))
PARALLEL := -n $(WORKERS) --dist worksteal

# Of the integration tests, those that use the session's server alone: they run on a set of servers too.
SET_TESTS := $(patsubst %,tests/integration/%.py, \
  $(addprefix engine/test_,adding administration blocking canary cancelling declared_schedules deduplication editing \
    event_gaps events executors flows flows_again health job_cancel jobs limits metrics moving payloads results \
    retrying schedules schedules_again typed_results) \
  $(addprefix cache/test_,loading nesting tags values) \
  $(addprefix pubsub/test_,buffers consumers handling replay trimming))

# The tests start hundreds of processes, each of which would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install node python-peer browser postgresql promtool linters luacheck demo dashboard pictures demo-cluster test test-quick test-sets test-pythons coverage check stubs docs bench bench-versus bench-scale faults soak clean

help: ## list every task
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[server,dev]'
	@touch $@ $(DEMO_STAMP)

# What the demo needs takes a sixth of the time of what the tests need.
$(DEMO_STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[server,dashboard]'
	@touch $@

$(NODE_STAMP): tests/interop/node/package.json
	npm install --prefix tests/interop/node --no-audit --no-fund --silent
	@touch $@

$(LINTERS_STAMP): tests/deploy/requirements.txt $(STAMP)
	$(BIN)/pip install --quiet --disable-pip-version-check -r $<
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

linters: $(LINTERS_STAMP) ## install the linters of the files for Docker, Kubernetes and systemd

luacheck: ## install luacheck, which reads every Lua script as the server runs it
	@tests/architecture/luacheck.sh

demo: $(DEMO_STAMP) ## run the platform's main job on the embedded server
	$(BIN)/stockyard demo

dashboard: $(DEMO_STAMP) ## watch the platform at work in a browser, until Ctrl-C
	$(BIN)/stockyard demo --dashboard $(ARGS)

pictures: install browser ## take the pictures of the dashboard's page again
	STOCKYARD_PICTURES=docs/howto/pictures $(BIN)/pytest -q tests/browser/test_dashboard_pages.py

demo-cluster: $(DEMO_STAMP) ## the same on an embedded cluster, of which one primary is killed in the middle
	$(BIN)/stockyard demo --cluster 3

test: install node python-peer browser postgresql promtool linters ## run every test, on the embedded server, against the real bullmq, and in a browser
	$(BIN)/pytest -q $(PARALLEL) $(ARGS)

test-quick: install ## run the architecture, unit and script tests
	$(BIN)/pytest -q $(PARALLEL) tests/architecture tests/unit tests/scripts $(ARGS)

coverage: install ## measure what the unit and script tests run of the package; fails below the floor of pyproject.toml
	$(BIN)/pytest -q $(PARALLEL) --cov --cov-report=term:skip-covered tests/unit tests/scripts $(ARGS)

test-sets: install ## run integration tests that need no server of their own on a cluster, and once more under Sentinel
	TEST_SET=cluster $(BIN)/pytest -q -n 2 --dist worksteal $(SET_TESTS) $(ARGS)
	TEST_SET=sentinel $(BIN)/pytest -q -n 2 --dist worksteal $(SET_TESTS) $(ARGS)

test-pythons: ## run unit, scripts and integration tests on every other Python from 3.11 on that the machine has
	@WORKERS=$(WORKERS) tests/pythons.sh $(ARGS)

check: install luacheck ## ruff, mypy strict, import-linter, the rules of the tree, luacheck
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tools.blocks
	$(BIN)/pytest -q tests/architecture

$(DOCS_STAMP): $(STAMP)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[docs]'
	@touch $@

docs: $(DOCS_STAMP) ## build the documentation site in build/site/html, and check its links
	$(BIN)/python -m tools.site

stubs: install ## write the types of .sync from the asynchronous classes
	$(BIN)/python tools/blocking_stub.py

release-check: ## build the wheel and the sdist, check and list them, and run each in a clean environment
	@PYTHON=$(PYTHON) tools/release-check.sh

bench: install ## measure Stockyard
	$(BIN)/python -m benchmarks

bench-versus: install node ## measure Stockyard against BullMQ on Node and the Python peers
	$(BIN)/python -m benchmarks --versus

bench-scale: install ## measure one queue over several shards, and jobs/s by shards on all cores of the machine
	$(BIN)/python -m benchmarks --only shards upkeep --output benchmarks/results/scale.json
	$(BIN)/python -m benchmarks.scale

faults: install node ## play every fault under load and print what became of the jobs
	$(BIN)/python -m tests.faults.report

SOAK_SECONDS ?= 1800

soak: install node ## let faults happen to a desk's processes for half an hour (SOAK_SECONDS) and check its history
	DESK_SECONDS=$(SOAK_SECONDS) $(BIN)/pytest -q -s -n 0 --timeout=$$(($(SOAK_SECONDS) + 300)) \
		-o faulthandler_timeout=$$(($(SOAK_SECONDS) + 330)) tests/faults/test_desk_history.py $(ARGS)

clean: ## remove what the tasks installed
	rm -rf $(VENV) .venv-3.* $(PEER) tests/interop/node/node_modules benchmarks/.peers
