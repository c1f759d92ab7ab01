# Needs python3 (3.11 or newer), make and the package index; nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin/python
STAMP := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup run test check bench format fuzz

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP) ## build .venv with everything; quick when nothing changed

# Made again when the dependencies change; the stamp comes last, so that a broken set-up is not taken for a good one.
$(STAMP): pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not installed: install Python 3.11 or newer, or set PYTHON" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Suture needs Python 3.11 or newer and $(PYTHON) is older: set PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN) -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(STAMP)

run: $(STAMP) ## set up if needed, then start the gateway with its own database
	$(BIN) -m gateway.cli serve

test: $(STAMP) ## set up if needed, then run all tests on a real PostgreSQL
	$(BIN) -m pytest -q -n auto --dist worksteal

check: $(STAMP) ## ruff, pyright, import-linter
	$(BIN) -m ruff check .
	$(BIN) -m ruff format --check .
	$(BIN) -m pyright
	$(VENV)/bin/lint-imports

format: $(STAMP) ## put all code in the one form
	$(BIN) -m ruff check --fix-only --quiet .
	$(BIN) -m ruff format .

bench: $(STAMP) ## print a table of measured ratios
	$(BIN) -m tests.benchmarks

fuzz: $(STAMP) ## ask the gateway whatever its description allows and forbids, for a quarter of an hour
	SUTURE_FUZZ=$${SUTURE_FUZZ:-30} $(BIN) -m pytest -q tests/integration/test_fuzz.py tests/wire/test_fuzz.py
