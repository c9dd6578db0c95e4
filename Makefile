.DEFAULT_GOAL := help
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help setup demo test check bench clean

help:  ## what each target does
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## a .venv with pinned dependencies, and bubblewrap

$(READY): requirements/lock.txt requirements/setup.sh pyproject.toml
	PYTHON=$(PYTHON) requirements/setup.sh $(VENV)
	touch $@

demo: $(READY)  ## phase-3 feedback on micro-apps: trains three LLMs and a policy, then improves it
	$(BIN)/python -m jobs.feedback --config configs/feedback/demo.yaml $(ARGS)

check: $(READY)  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

test: $(READY)  ## check, then all tests
	$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest --numprocesses 2 --dist loadscope --no-loadscope-reorder $(ARGS)

bench: $(READY)  ## rollouts per second, streaming against synchronous
	$(BIN)/python -m jobs.bench feedback $(ARGS)

clean:  ## remove the virtual environment and everything that runs have left
	rm -rf $(VENV) runs
