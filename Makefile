# Every command of the project; `make` alone lists them. Nothing but Python 3.11+ (with venv), make and git is needed.

.DEFAULT_GOAL := help
# `check` tells its faults in order, cheapest first.
.NOTPARALLEL:

PYTHON ?= python3
ARGS ?=
SECONDS := 60
ROWS ?= 100000
SEED := 1
RUNS := 1

UV_VERSION := 0.13.9
OWN_UV := .venv-tools/bin/uv
UV ?= $(or $(shell command -v uv 2>/dev/null),$(OWN_UV))
BIN := .venv/bin
READY := .venv/.ready
CODE := api cli shared workers

# The Python that is here is the one that is used.
export UV_PYTHON_DOWNLOADS := never

.PHONY: help setup demo up test check format-check lint format types layers audit docs openapi clients chaos chaos-proof kill-audit batch-audit bench clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## Install everything into .venv (brings uv if it is missing; quick when nothing changed)
	@echo "genqueue is installed in .venv; try: make demo"

demo: $(READY) ## Make a video, a picture and a text through the whole local stack, into demo-output/
	@$(BIN)/genqueue demo $(ARGS)

up: $(READY) ## Start the local stack and keep it running until Ctrl-C (ARGS="--port 9000")
	@exec $(BIN)/genqueue up $(ARGS)

test: $(READY) ## Run every test against the real three servers (ARGS="-k deliveries")
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(ARGS)

check: format-check lint types layers test ## What CI asks for: format, lint, types, layers, tests

format-check: $(READY) ## Say which files `make format` would change
	@$(BIN)/ruff format --check .

lint: $(READY) ## Look for mistakes (ruff, every rule on)
	@$(BIN)/ruff check .

format: $(READY) ## Lay the code out and repair what ruff can
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

types: $(READY) ## Check the types (mypy, strict)
	@$(BIN)/mypy
	@MYPYPATH=benchmarks $(BIN)/mypy benchmarks

layers: $(READY) ## Check who may import whom (import-linter)
	@$(BIN)/lint-imports

audit: $(READY) ## Look for known vulnerabilities in the locked packages (needs the advisory service)
	@$(UV) export --frozen --quiet --format requirements-txt --no-emit-project \
		| $(UV) tool run pip-audit --strict --require-hashes --disable-pip -r /dev/stdin

docs: $(READY) ## Build the documents as a site into site/, without a warning
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

openapi: $(READY) ## Rewrite what is generated: docs/openapi.json, docs/api.md, docs/errors.md, .env.example
	@$(BIN)/python -m tests.conventions.generated

chaos: $(READY) ## Break everything on purpose and check the promises (SECONDS=300 SEED=1 RUNS=10)
	@$(BIN)/python -m tests.chaos --seconds $(SECONDS) --seed $(SEED) --runs $(RUNS) $(ARGS)

chaos-proof: $(READY) ## Show that the checker fails when one rule of safety is taken out
	@GENQUEUE_CHAOS_PROOF=1 $(BIN)/python -m pytest tests/chaos/test_sabotage.py -s $(ARGS)

kill-audit: $(READY) ## Naive Celery and genqueue under the same 25 kill -9, side by side
	@$(BIN)/python benchmarks/kill_audit.py $(ARGS)

batch-audit: $(READY) ## Run ROWS (100000) rows of a batch with faults and two killed workers, and audit them
	@GENQUEUE_BATCH_ROWS=$(ROWS) $(BIN)/python -m pytest tests/e2e/test_batches.py -k every_row $(ARGS)

clients: $(READY) ## Make the environments of the official clients that tests/clients runs (.venv-clients)
	@$(BIN)/python -m tests.clients.environments

bench: $(READY) ## Measure each figure against its yardstick, and write docs/benchmarks.md (ARGS="accept poll": only these)
	@cd benchmarks && PATH="$(CURDIR)/$(BIN):$$PATH" ../$(BIN)/python -m frame.run $(ARGS)

clean: ## Remove what was installed or cached; jobs in .genqueue/ and demo-output/ stay
	@rm -rf .venv .venv-tools .venv-clients .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis dist
	@find $(CODE) tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

$(READY): pyproject.toml uv.lock $(filter $(OWN_UV),$(UV))
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "genqueue needs Python 3.11 or newer; name one: make setup PYTHON=python3.12"; exit 1; }
	@$(UV) sync --all-extras --group docs --frozen --quiet --python "$(PYTHON)"
	@touch $@

$(OWN_UV):
	@echo "Bringing uv $(UV_VERSION) into .venv-tools (once)"
	@$(PYTHON) -m venv .venv-tools \
		|| { echo "Python's venv module is missing; on Debian: apt-get install python3-venv"; exit 1; }
	@.venv-tools/bin/pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"
