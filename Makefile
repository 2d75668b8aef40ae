# Every target sets up what it needs by itself: a machine with Python 3.11 or newer, its venv module and pip is enough.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# torch wants MKL-like threads only for large work; tests and benches are steadier on one.
export OMP_NUM_THREADS ?= 1
# Models are built from configurations; nothing is fetched while testing.
export HF_HUB_OFFLINE = 1

# Tests that need torch and what comes with it alone: no library of models, which want a newer torch, and no extra.
ON_LOWEST := $(shell grep -rLE --include='test_*.py' 'torchvision_cpu|transformers|from models import|save.*onnx|docs/|^ *(import|from) (pairs|pypdf|onnx|tensorboard|torchviz|safetensors|pandas|PIL)' tests/api tests/cli tests/core tests/capture tests/files tests/views/test_*.py tests/test_*.py)

# What is made of web/ is committed, so only whoever changes web/ needs Node; with it, tests see that nothing is stale.
NPM := $(shell command -v npm)

.PHONY: help demo test web page lint types engine schema search bench test-lowest clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/'

demo: .venv/ready  ## capture a ResNet-18 and a small GPT and print their summaries
	@$(BIN)/python examples/demo.py

test: lint types $(if $(NPM),web page)  ## lint, types, import contracts, then every test
	@$(BIN)/python -m pytest

web: web/node_modules/.ready  ## types, format and tests of the engine and the page; needs Node 20 or newer
	@if [ -e $< ]; then cd web && npm run --silent check && npm run --silent format:check && npm test --silent; \
		else echo "web/ could not be set up: its tests are skipped."; fi

# The page is driven in Debian's Chromium, which is installed where there is none and this user may.
page: .venv/ready web/node_modules/.ready  ## the page, driven in Chromium on captured networks
	@command -v chromium || { [ "$$(id -u)" = 0 ] && command -v apt-get && apt-get update -qq \
		&& apt-get install -y -qq chromium; } > /dev/null 2>&1 || true
	@if [ -e web/node_modules/.ready ] && command -v chromium > /dev/null; then cd web \
		&& CHROMIUM=$$(command -v chromium) PYTHON=$(CURDIR)/$(BIN)/python npm run --silent e2e; \
		else echo "There is no chromium, or web/ could not be set up: the page is not driven."; fi

lint: .venv/ready  ## ruff's rules, its format, and the arrows between the packages
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

types: .venv/ready  ## mypy, strict
	@$(BIN)/mypy

engine: web/node_modules/.ready  ## bundle the drawing engine and the page of web/ into the package
	@cd web && npm run --silent build:engine -- --outDir ../src/torchatlas/views/drawing --logLevel warn
	@cd web && npm run --silent build:page -- --logLevel warn

schema: .venv/ready  ## write schema/, and web/src/contract/ with it, from the records and tables of core
	@$(BIN)/python schema/write.py
	@$(BIN)/python schema/typescript.py

search: .venv/ready  ## other examples for the tests of properties than those of `make test`, until one fails
	@while $(BIN)/python -m pytest --quiet -m hypothesis --hypothesis-profile=search; do :; done

bench: .venv/bench-ready  ## measure beside other tools, print the tables, write bench/RESULTS.md
	@$(BIN)/python bench/all.py

test-lowest: .venv-lowest/ready  ## the tests that need no model library and no extra, on the lowest versions (3 GB on Linux)
	@.venv-lowest/bin/python -m pytest $(ON_LOWEST)

clean:  ## remove what the targets set up
	rm -rf .venv .venv-lowest web/node_modules

# The stamp is written last, so a set-up that was interrupted is begun anew, and one that ended is not repeated.
# torch comes first and alone: the resolver must settle on the pinned build before anything else may ask for a torch.
.venv/ready: pyproject.toml constraints.txt
	@echo "Setting up .venv: once, some minutes."
	@if [ -e $@ ]; then rm -f $@; else rm -rf .venv; fi
	@$(PYTHON) -m venv .venv
	@$(INSTALL) torch==2.13.0
	@$(INSTALL) --editable '.[test]'
	@$(INSTALL) --no-deps torchvision timm
	@touch $@

web/node_modules/.ready: web/package-lock.json
	@cd web && npm ci --silent --no-audit --no-fund && touch ../$@ || echo "npm ci failed: tests that need web/ are skipped."

.venv/bench-ready: .venv/ready
	@$(INSTALL) --editable '.[bench]'
	@touch $@

.venv-lowest/ready: pyproject.toml constraints-lowest.txt
	@rm -rf .venv-lowest && $(PYTHON) -m venv .venv-lowest
	@.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints-lowest.txt \
		--editable . pytest hypothesis
	@touch $@
