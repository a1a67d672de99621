# Two commands do the whole job on a machine with Python 3.11, pip, git and make:
#   make report   make test
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
BIN := .venv/bin

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.venv/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tidings needs Python 3.11 or later; set PYTHON=...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing the locked packages into .venv (about a minute, once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

setup: .venv/.installed  ## Install everything into .venv

report: setup  ## Land the sample company, build, run the weekly report, print where it is
	@$(BIN)/tidings pull
	@$(BIN)/tidings build
	@$(BIN)/tidings alerts evaluate
	@$(MAKE) --no-print-directory reports/.weekly
	@tail -n 2 reports/.weekly

# Run again only when the build, a section, a report or the code has changed since.
reports/.weekly: data/warehouse/current pyproject.toml $(shell find lib notebooks schedules -type f ! -path '*/__pycache__/*' ! -path '*/.ipynb_checkpoints/*')
	@mkdir -p reports
	@$(BIN)/tidings run weekly > $@.part || { cat $@.part; rm -f $@.part; exit 1; }
	@sed '$$d' $@.part | sed '$$d'; mv $@.part $@

explore: setup  ## Open JupyterLab on the sections
	@$(BIN)/tidings explore

# The tests take both cores most of the time; all else is done beside them, one after another.
test: setup  ## Everything that is checked on every change
	@$(MAKE) --no-print-directory -j 2 unit notebooks types lint imports

lint: setup  ## Style of code and notebooks
	@$(BIN)/ruff check --no-cache .
	@$(BIN)/ruff format --check .
	@$(BIN)/nbstripout --keep-id --keep-count --verify notebooks/*.ipynb

types: setup  ## Strict typing of lib/
	@$(BIN)/mypy

imports: setup  ## Imports point down only
	@$(BIN)/lint-imports --no-cache

proof: setup  ## What is slow or needs data of others: real data, the APIs as their vendors describe them
	@$(BIN)/python tests/descriptions.py .venv/descriptions
	@TIDINGS_DESCRIPTIONS=$(CURDIR)/.venv/descriptions $(BIN)/python -m pytest -n 2 --dist loadfile -rs --durations=10 \
	  -m "proof or data or descriptions" tests

unit: setup  ## Unit, property, architecture, end-to-end and browser tests
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not proof and not data and not descriptions" --durations=10 tests

notebooks: setup  ## Rerun every section on the sample (TIDINGS_ROOT: another workbook) and compare its digest
	@$(BIN)/python -m pytest --nbval-lax --nbval-current-env -p no:cacheprovider notebooks

digests: setup  ## Write the digests anew, after a change that is meant to move numbers
	@$(BIN)/python tests/notebooks/check.py

docs: setup  ## Write the table of metrics in docs/metrics.md anew
	@$(BIN)/python tests/cli/metrics_doc.py

bench: setup  ## Measure speed, memory and page weight; writes bench.json
	@$(BIN)/python tests/bench/bench.py

kills: setup  ## Kill `tidings due` 200 times, and hold the ledger against the mailboxes
	@$(BIN)/python tests/kills/kills.py

fakes: setup  ## Serve every API of the sample company here, to try connectors without an account
	@PYTHONPATH=tests $(BIN)/python -m fakes

format: setup  ## Put code and notebooks into the house style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/nbstripout --keep-id --keep-count notebooks/*.ipynb

lock: setup  ## Write requirements.lock anew from pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-annotate --no-header --extra dev pyproject.toml -o requirements.lock

clean:  ## Remove what was landed, built and reported (never your settings)
	rm -rf data/raw data/warehouse data/ledger.sqlite* reports/*/ reports/.weekly reports/catalog.html bench.json

.PHONY: help setup report explore test proof kills lint types imports unit notebooks digests docs bench fakes format lock clean
