# What one types: `make demo`, `make test`; `make help` lists the rest. Needs Python 3.11 or newer, make and npm.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ASSETS := flexlogger/server/static/assets.digest
PINS := $(VENV)/constraints.txt
# A user's own PIP_* settings stay in force; the pins join them. Current pip reads the second name while it builds.
PIP := PIP_CONSTRAINT="$(strip $(PIP_CONSTRAINT) $(PINS))" \
       PIP_BUILD_CONSTRAINT="$(strip $(PIP_BUILD_CONSTRAINT) $(PINS))" \
       PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip
NEW_ENOUGH := import sys; v = sys.version.split()[0]; \
              sys.exit(sys.version_info < (3, 11) and f"flexlogger needs Python 3.11, not {v}; try: make PYTHON=python3.12")
FIT_TORCH := import torch; major, minor = torch.__version__.split(".")[:2]; raise SystemExit((int(major), int(minor)) < (2, 6))

.PHONY: help install demo test chaos fuzz lint bench docs clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  PYTHON=python3.12     the Python to use; a torch >= 2.6 that it has is used as it is"
	@echo "  TORCH_INDEX=URL       where to take torch from instead, e.g. PyTorch's index of a CUDA version"
	@echo "  QUICK=1               make bench: under two minutes instead of many"

install: $(VENV)/installed $(ASSETS) ## make .venv with everything in it, and fetch the dashboard's assets

demo: install ## train a small net on handwritten digits and watch it
	@$(BIN)/flexlogger demo

test: lint ## lint, then run all tests, in two processes
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

chaos: install ## kill, freeze, cut off and fill up what the logger depends on; about 10 minutes
	$(BIN)/python -m pytest -m chaos tests -rs

fuzz: install ## a million damaged messages into each of what reads them; about 4 minutes
	$(BIN)/python -m tests.monitor.fuzz

lint: install ## style, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: install ## measure against a bare loop and against peers
	$(BIN)/python -m bench $(if $(QUICK),--quick)

docs: install ## write docs/reference/ from the code
	$(BIN)/python -m docs.reference

clean: ## remove everything that was made, except what runs have logged
	rm -rf $(VENV) .venv-bench build dist *.egg-info flexlogger/server/static .pytest_cache .mypy_cache .ruff_cache .hypothesis .out
	find . -name __pycache__ -prune -exec rm -rf {} +

# `unpinned` marks a torch that is not held to our pin: one the user's Python has, or one from TORCH_INDEX.
$(VENV)/made:
	@$(PYTHON) -c '$(NEW_ENOUGH)'
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(if $(TORCH_INDEX),,--system-site-packages) $(VENV)
	@if [ -n "$(TORCH_INDEX)" ] || $(BIN)/python -c '$(FIT_TORCH)' 2>/dev/null; \
	  then touch $(VENV)/unpinned; else $(PYTHON) -m venv --clear $(VENV); fi
	@$(BIN)/python -m pip install -q --disable-pip-version-check pip==26.3
	@touch $@

$(PINS): constraints.txt $(VENV)/made
	@if [ -e $(VENV)/unpinned ]; then grep -v '^torch==' constraints.txt; else cat constraints.txt; fi >$@

$(VENV)/installed: $(PINS) pyproject.toml setup.py
	@$(if $(TORCH_INDEX),$(PIP) install --index-url "$(TORCH_INDEX)" 'torch>=2.6')
	@$(PIP) install -e '.[dev]'
	@touch $@

$(ASSETS): $(VENV)/installed flexlogger/server/assets.lock.json
	@$(BIN)/flexlogger assets
	@touch $@
