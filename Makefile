# What CI runs: `make check` and `make test`. Everything installs into .venv; nothing else is touched,
# except that as root `packaging/system_check.sh` installs missing system libraries.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# The first Python that every wheel exists for; python3 where there is none (then the check below speaks).
PYTHON ?= $(shell for p in python3 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null \
	&& { command -v $$p; exit; }; done; echo python3)

.PHONY: setup test campaign check demo bench lock clean system-check
.DEFAULT_GOAL := setup

setup: system-check $(STAMP)  ## create or update .venv (quick when nothing changed)

system-check:
	@PYTHON=$(if $(wildcard $(BIN)/python),,'$(PYTHON)') packaging/system_check.sh

$(STAMP): requirements-dev.lock pyproject.toml | system-check
	@if [ ! -x $(BIN)/python ]; then \
		'$(PYTHON)' -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit(f"COSMA QC needs Python 3.11 or newer; {sys.executable} is {v[0]}.{v[1]}. Name another with: make PYTHON=...")' && \
		'$(PYTHON)' -m venv $(VENV); fi
	@echo "installing into $(VENV) (some minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
	@echo "COSMA QC is set up. Next: make demo, or $(BIN)/cosmaqc run --help"

test: setup  ## the tests, without the long campaign
	$(BIN)/python -m pytest

campaign: setup  ## the long tests: rendered dives and many random ones
	$(BIN)/python -m pytest -m campaign --timeout 0

check: setup  ## style, types, import rules, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/typos

demo: setup  ## a rendered dive with a known hole, through the whole line
	$(BIN)/cosmaqc demo

bench: setup  ## timings of ours and the peer's, printed side by side; never an assertion
	$(BIN)/python -m tests.benchmarks.bench_frames
	$(BIN)/python -m tests.benchmarks.bench_reconstruction
	$(BIN)/python -m tests.benchmarks.bench_stitch

lock: setup  ## resolve the requirement files anew
	$(BIN)/python packaging/lock.py

clean:  ## remove caches and build output; .venv stays
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +
