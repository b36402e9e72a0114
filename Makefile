# Everything a stranger needs. `make help` lists it.

PYTHON := $(or $(shell for each in python3.13 python3.12 python3.11 python3; do \
	command -v $$each >/dev/null && $$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$each && break; done),$(error Zaallicht needs Python 3.11 or newer))
BIN := .venv/bin
SCALE ?= small

BUILT_FROM := pyproject.toml hatch_build.py $(wildcard app/ui/frontend/package.json)

.DEFAULT_GOAL := help
.PHONY: help run demo test check bench pretix mutants requirements clean

help: ## List what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 24

run: .venv/installed ## Everything on one machine, at 127.0.0.1:8000; Ctrl-C stops all
	@exec $(BIN)/zaallicht up

demo: .venv/installed ## A demonstration house with years of visits
	$(BIN)/zaallicht demo

test: .venv/installed-for-development ## The whole test suite; browser tests when a Chromium is found
	$(BIN)/python -m pytest --numprocesses 2

check: .venv/installed-for-development ## What CI checks: format, lint, types, layers, translations, quick tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m app.ui.catalogues check
	$(BIN)/python -m pytest -m "not browser and not slow" tests/structure tests/ui

bench: .venv/installed-for-development ## Every promise of speed, as a ratio (SCALE=small|org|sector)
	@for each in bench/[a-z]*.py; do \
		case $$each in bench/harness.py) continue;; esac; \
		$(BIN)/python -m bench.$$(basename $$each .py) --scale $(SCALE) || exit 1; done

pretix: ## A real pretix from PyPI in .cache/, for the test that sells at one (a minute; 600 MB)
	$(PYTHON) -m tests.real_pretix.installation

mutants: .venv/installed-for-development ## Break the rule of precedence and the gate on purpose: a test must notice (an hour)
	$(BIN)/python -m tests.consent.mutants

requirements: .venv/installed-for-development ## Pin every dependency again, with hashes
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-header --no-annotate --output-file requirements.txt pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-header --no-annotate --extra dev --output-file requirements-dev.txt pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-header --no-annotate --output-file tests/real_pretix/requirements.txt tests/real_pretix/requirements.in

clean: ## Remove what was built (never the data in var/)
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache app/ui/static/built
	find app -name '*.mo' -delete

.venv/installed: requirements.txt $(BUILT_FROM)
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

.venv/installed-for-development: .venv/installed requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@
