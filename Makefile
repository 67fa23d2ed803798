# Every target works on a fresh machine: Python 3.11+ with venv, and make, are all it takes.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help demo test lint types bench lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	@echo "Setting up $(VENV) (once, about a minute) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(VENV)/.ready ## set up, run the main job, serve the pages (ONCE=1: print the summary and stop)
	@$(BIN)/connector demo $(if $(ONCE),--once) $(ARGS)

test: $(VENV)/.ready ## set up and pass the tests
	@$(BIN)/python -m pytest -n auto $(ARGS)

lint: $(VENV)/.ready ## ruff and the layer rules
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports

types: $(VENV)/.ready ## mypy --strict, tests included
	@$(BIN)/mypy

bench: $(VENV)/.ready ## list the measured claims (bench/README.md says how to run each)
	@sed -n '/^|/p' bench/README.md

lock: ## renew requirements.lock from pyproject.toml (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group dev pyproject.toml -o requirements.lock

clean: ## remove what the other targets made
	rm -rf $(VENV) .connector .mypy_cache .ruff_cache .coverage* htmlcov
