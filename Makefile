# make setup, then make demo; `make` alone lists the rest.
# Nothing here but `setup` needs a network, and it asks only the index that pip is set up with;
# `test`, run as root on Debian, installs dcmtk, dicom3tools and Chromium, too, and asks npm's registry for two packages.

# The first of these that is new enough; PYTHON=/path/to/python chooses another.
PYTHON ?= $(shell for python in python3.11 python3 python3.12 python3.13 python3.14; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
TORCH := $(shell sed -n 's/^\(torch==[^ ;]*\).*/\1/p' requirements.lock)
# Tests run side by side, each with one thread.
WORKERS ?= 2

# Stamps tell what a .venv holds: without it they tell nothing.
ifeq ($(wildcard $(BIN)/python),)
$(shell rm -rf .make)
endif

.PHONY: help setup demo test test-fast check bench
.DELETE_ON_ERROR:

help:
	@echo "make setup      a virtual environment in $(VENV) with all that is needed"
	@echo "make demo       a phantom cohort and the whole study on it, in demo/"
	@echo "make test       all tests"
	@echo "make test-fast  all but whole studies and real data"
	@echo "make check      formatting, lint, types, import contracts"
	@echo "make bench      the benchmarks"

setup: .make/installed

demo: setup
	@$(BIN)/latentdx demo --out demo

test: setup .make/debian .make/browser
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS)

test-fast: setup
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) -m "not slow"

check: setup
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: setup
	@$(BIN)/python -m benchmarks

.make/venv:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer was found." \
		"Install one, or name it: make setup PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) does not" \
		"run, or is older than 3.11. Name another: make setup PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual" \
		"environments: its module ensurepip is missing. On Debian and Ubuntu: apt install" \
		"python3-venv. Or name another: make setup PYTHON=/path/to/python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@mkdir -p .make && touch $@

# torch by pip, which finds a build without CUDA where it is set up to; uv, quick at the rest,
# keeps what is installed. The lock serves as constraints: what that torch does not need stays out.
.make/torch: requirements.lock | .make/venv
	@echo "Installing $(TORCH) ..."
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c requirements.lock $(TORCH) uv
	@touch $@

.make/installed: pyproject.toml requirements.lock .make/torch
	@echo "Installing latentdx and its tools ..."
	@$(BIN)/uv pip install -q --python $(BIN)/python -c requirements.lock -e '.[dev]'
	@touch $@

# Debian packages, where that is possible.
debian = { command -v apt-get >/dev/null && test "$$(id -u)" = 0 && echo "Installing $(1) ..." && \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	apt-get install -y -qq --no-install-recommends $(1) >/dev/null; }

# Programs that tests compare with; where they cannot be installed those tests skip, and say so.
.make/debian: | .make/venv
	@{ command -v dcmdump && command -v dciodvfy; } >/dev/null || $(call debian,dcmtk dicom3tools) || \
		echo "dcmtk or dicom3tools is not installed: what needs them will be skipped." >&2
	@touch $@

# A browser for the tests of the pages; where it cannot be installed those tests skip, and say so.
# Debian's npm does not go beside a nodejs from elsewhere, which has its own: only where there is none.
.make/browser: tests/browser/package-lock.json | .make/venv
	@command -v chromium >/dev/null || $(call debian,chromium fonts-dejavu-core fonts-wqy-microhei) || \
		echo "Chromium is not installed: the tests of the pages in a browser will be skipped." >&2
	@command -v npm >/dev/null || $(call debian,nodejs npm) || true
	@command -v npm >/dev/null && npm ci --prefix tests/browser --ignore-scripts --no-audit --no-fund --silent || \
		echo "npm's packages are not installed: the tests of the pages in a browser will be skipped." >&2
	@touch $@
