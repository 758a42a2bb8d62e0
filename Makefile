# Every task works alone on a fresh clone: each installs what it needs first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
NODE_STAMP := tests/interop/node/node_modules/.installed

.DEFAULT_GOAL := help
.PHONY: help install node demo test check bench bench-versus clean

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

demo: install ## run the platform's main job on the embedded server
	$(BIN)/stockyard demo

test: install node ## run every test, on the embedded server and against the real bullmq
	$(BIN)/pytest -q

check: install ## ruff, mypy strict, import-linter, Lua headers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/architecture

bench: install ## measure Stockyard
	$(BIN)/python -m benchmarks

bench-versus: install node ## measure Stockyard against BullMQ on Node and the Python peers
	$(BIN)/python -m benchmarks --versus

clean: ## remove what the tasks installed
	rm -rf $(VENV) tests/interop/node/node_modules benchmarks/.peers
