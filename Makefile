# What to type: `make help`. Everything is prepared on first use: .venv, Kafka, ClickHouse.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# The interpreter that makes .venv; empty means the newest tested one that is installed.
PYTHON ?=
export PYTHON
# The seed of the chaos tests; empty means one of their own, which they print.
SEED ?=
# One benchmark by name; empty means all.
ONLY ?=
# More arguments for pytest: make test ARGS="-k codec -x"
ARGS ?=

BIN := .venv/bin

.PHONY: help demo test up down chaos full bench docs lint types wheel sbom lock setup prepare

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

demo: prepare ## Replay the flights of 2013 through the whole road; ends by itself.
	@$(BIN)/driftline demo

test: prepare ## Run the tests (15 minutes at most on 2 cores).
	@scripts/test.sh $(ARGS)

up: prepare ## Start Kafka, ClickHouse and the workers on this machine, in the background.
	@$(BIN)/driftline up --detach

down: setup ## Stop them.
	@$(BIN)/driftline down

chaos: prepare ## Kill, pause and rebalance for many minutes (SEED=1 repeats a run).
	@CHAOS_SEED="$(SEED)" $(BIN)/pytest -m chaos $(ARGS)

full: prepare lint types wheel ## Run everything: tests of every length, lint, types, wheel.
	@CHAOS_SEED="$(SEED)" $(BIN)/pytest $(ARGS)

bench: prepare ## Measure against baselines of the same run (ONLY=kernel for one).
	@$(BIN)/python -m tests.bench $(ONLY)

docs: setup ## Build the documentation as a site in .driftline/site; a broken link fails.
	@$(BIN)/python scripts/site_check.py

lint: setup ## Check the code with ruff: all rules, and the format; and that the documentation builds.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/python scripts/site_check.py

types: setup ## Check the types with mypy, strictly.
	@$(BIN)/mypy
	@MYPYPATH=tests/typing:tests/bench:tests/support $(BIN)/mypy tests/bench/*.py scripts/board_pictures.py

sbom: setup ## Write the bill of materials of the wheel, dist/driftline.cdx.json (CycloneDX).
	@$(BIN)/python scripts/sbom.py

wheel: setup ## Build the wheel and try it in empty environments.
	@$(BIN)/python scripts/wheel_check.py

lock: ## Lock the dependencies again (scripts/lock.sh --upgrade for newer ones).
	@scripts/lock.sh

setup: ## Prepare .venv alone.
	@scripts/setup.sh

prepare: setup
	@$(BIN)/driftline doctor --prepare

