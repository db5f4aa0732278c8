# Everything is installed into .venv by the target that needs it.
VENV := .venv
BIN := $(VENV)/bin
# A Python that is new enough, and not newer than what Brian2 supports.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo $$p && break; done)
CXX ?= g++

.PHONY: help mnist test test-slow lint reproduce release-check docs clean compiler

help:  ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

mnist: $(VENV)/installed compiler  ## Train 784-500-10 on MNIST, print the test accuracy, save the run
	@$(BIN)/ghost-spiking train --dataset mnist

test: $(VENV)/installed compiler  ## Run the fast tests
	@$(BIN)/python -m pytest -q -n auto

test-slow: $(VENV)/installed compiler  ## Run all tests
	@$(BIN)/python -m pytest -q -m ""

lint: $(VENV)/installed  ## Check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

reproduce: $(VENV)/installed compiler  ## Run all experiments (hours; can be stopped, and goes on where it was)
	@for script in choose table1 figure2 figure3 theorem1 settling residual depth reconstruction \
		spiking two_layers calibration steps beyond zoo; do \
		echo "experiments/$$script.py $(QUICK)"; \
		$(BIN)/python experiments/$$script.py $(QUICK) || exit 1; \
	done

release-check:  ## Build sdist and wheel, and run the fast tests with each supported Python (an hour)
	@.ci/release-check

docs: $(VENV)/installed-docs compiler  ## Build the site, with all tutorials executed
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python -m sphinx -W --keep-going -q docs docs/_build/html
	@echo "open docs/_build/html/index.html"

clean:  ## Remove what make has made
	rm -rf $(VENV) build *.egg-info docs/_build docs/tutorials docs/reference/generated

$(VENV)/installed: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 found; name one with: make PYTHON=/path/to/python $(MAKECMDGOALS)"; exit 1; }
	@echo "installing into $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/installed-docs: $(VENV)/installed docs/requirements.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check -r docs/requirements.lock
	@touch $@

compiler:
	@command -v $(CXX) >/dev/null || { echo "No C++ compiler ($(CXX)) found. Install one: apt install g++ (Debian, Ubuntu), dnf install gcc-c++ (Fedora), xcode-select --install (macOS)"; exit 1; }
