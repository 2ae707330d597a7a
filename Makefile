# Two commands do all set-up: `make demo` and `make test`. The rest is for people who build whorl.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= whorl-demo
BENCH ?= whorl-bench

.PHONY: demo test test-networks test-networks-once check format lint types docs docs-check bench bench-speed clean

demo: $(VENV)/.user
	$(BIN)/whorl demo --out $(OUT)

test: $(VENV)/.developer
	$(BIN)/python -m pytest -n auto

# What needs torch, in tiny settings: all of it, or every system once.
test-networks: $(VENV)/.networks
	$(BIN)/python -m pytest -n auto -m network

test-networks-once: $(VENV)/.networks
	$(BIN)/python -m pytest -n auto -m network -k "answers_every_query or same_seed_same or network_sizes"

check: lint types docs-check test

format: $(VENV)/.developer
	$(BIN)/ruff check --fix src tests docs benchmarks examples
	$(BIN)/ruff format src tests docs benchmarks examples

lint: $(VENV)/.developer
	$(BIN)/ruff check src tests docs benchmarks examples
	$(BIN)/ruff format --check src tests docs benchmarks examples

types: $(VENV)/.developer
	$(BIN)/mypy

docs: $(VENV)/.developer
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/leaderboards.py
	$(BIN)/python docs/results.py
	$(BIN)/python docs/classical.py
	$(BIN)/python docs/attribution.py
	$(BIN)/python docs/evidence.py
	$(BIN)/python docs/speed.py

docs-check: $(VENV)/.developer
	$(BIN)/python docs/generate.py --check
	$(BIN)/python docs/leaderboards.py --check
	$(BIN)/python docs/results.py --check
	$(BIN)/python docs/classical.py --check
	$(BIN)/python docs/attribution.py --check
	$(BIN)/python docs/evidence.py --check
	$(BIN)/python docs/speed.py --check

bench: $(VENV)/.user
	$(BIN)/whorl forge editions benchmarks/editions/phantom.toml --out $(BENCH)/editions
	$(BIN)/whorl bench default 'm23-vcmi.ssim-*' 'm24-cao.*-ssim' m23-aiml.lbp m23-dmk.phash-pairs m24-robot.lbp \
	  m24-csm.spectrum-average 'a24-big.lbp-*' whorl-fingerprint.ward \
	  --editions $(BENCH)/editions --executor processes --out $(BENCH)/results

bench-speed: $(VENV)/.developer
	$(BIN)/python benchmarks/speed.py --results docs/data/speed.json
	$(BIN)/python docs/speed.py

clean:
	rm -rf $(VENV) whorl-demo whorl-bench .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.user: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.developer: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.user

$(VENV)/.networks: $(VENV)/.developer
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,deep]'
	@touch $@
