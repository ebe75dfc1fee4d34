# Two commands do everything on a fresh machine with python3 (>= 3.11, with venv) and make: `make demo` and `make test`.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test test-long pictures check bench bench-tools lock clean

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "python 3.11 or newer is needed; say make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $(READY)

demo: $(READY) ## Run the whole chain on invented news and look at the mails in a browser
	$(BIN)/dispatcher demo $(ARGS)

test: $(READY) ## Run the tests, several at a time: most of them wait for something
	$(BIN)/python -m pytest -n 3 --dist worksteal $(ARGS)

test-long: $(READY) ## Run the long rounds too: many kills, many mutations
	ROUNDS=long $(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

pictures: $(READY) ## Take the golden pictures of all mails again; then look at those that have changed
	GOLDEN=renew $(BIN)/python -m pytest -q tests/acceptance/test_golden_pictures.py

check: $(READY) ## Lint, types and the architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --config pyproject.toml

bench: $(READY) ## Measure; see docs/benchmarks.md
	$(BIN)/python -m benchmarks

bench-tools: $(READY) ## Fetch what bench-send compares itself with: smtp-source, nodemailer
	$(BIN)/python -m benchmarks.tools

bench-%: $(READY) ## Measure one thing: bench-chain, bench-imports, bench-match, bench-render, bench-send, bench-sign, bench-web
	$(BIN)/python -m benchmarks $*

lock: $(READY) ## Pin the dependencies again (needs uv)
	uv pip compile pyproject.toml --universal --generate-hashes --all-extras --group dev --no-header --no-annotate --python-version 3.11 -o requirements.lock

clean: ## Remove what was made here
	rm -rf $(VENV) benchmarks/.tools demo-output dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
