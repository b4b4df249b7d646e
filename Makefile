# Everything that people and CI run. Each target does its own set-up: Debian packages with apt where it is root (else it says
# what to install), Python packages pinned with hashes into .venv. Nothing outside this folder and apt is touched.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: test demo check unit live bench chaos simulate format lock setup system clean

## test: formatting, types, import contracts and every test; what CI runs
test: setup check unit

## demo: the index flow on this machine, with emulated remotes and a real daemon
demo: setup
	$(BIN)/docsyncd demo $(DEMO)

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# On both cores; the kill points run several worlds at once by themselves. Only the pure parts are measured: every branch.
unit: setup
	$(BIN)/pytest --numprocesses 2 --dist worksteal --ignore tests/core --ignore tests/test_registry.py \
		--ignore tests/scenarios/test_kill_points.py $(TESTS)
	$(BIN)/pytest -s tests/scenarios/test_kill_points.py
	$(BIN)/pytest --numprocesses 2 --dist worksteal --cov --cov-report term tests/core tests/test_registry.py

## live: the port contracts and the index flow against real remotes (tests/live/README.md); without variables, the emulators
live: setup
	$(BIN)/pytest -m live tests/live $(TESTS)

## bench: every figure that the documentation names, next to a named alternative, in one run
bench: setup
	$(BIN)/python -m tests.benchmarks $(BENCH)

## chaos: kill -9, SIGSTOP, FLUSHALL and server restarts under load; SECONDS=60 SEED=…
chaos: setup
	$(BIN)/pytest -m chaos -s tests/chaos tests/scenarios $(TESTS)
	KILL_POINTS=all $(BIN)/pytest -s --timeout 1800 tests/scenarios/test_kill_points.py

## simulate: random histories of one case file against the invariants, on two processes; SEED=1 HISTORIES=100000
simulate: SEED ?= 1
simulate: HISTORIES ?= 100000
simulate: setup
	SEED=$(SEED) HISTORIES=$(HISTORIES) $(BIN)/python -m tests.core.simulator

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

## lock: pin the newest releases that pyproject.toml allows, with hashes and without addresses
lock:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --generate-hashes --no-emit-index-url --universal \
		--python-version 3.11 --custom-compile-command "make lock" --upgrade --quiet --output-file requirements/dev.txt

setup: system $(READY)

$(READY): requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

system:
	@missing=""; \
	command -v pdftoppm >/dev/null || missing="$$missing poppler-utils"; \
	command -v redis-server >/dev/null || missing="$$missing redis-server"; \
	command -v bwrap >/dev/null || missing="$$missing bubblewrap"; \
	command -v systemd-analyze >/dev/null || missing="$$missing systemd"; \
	$(PYTHON) -c "import ensurepip" 2>/dev/null || missing="$$missing python3-venv"; \
	[ -z "$$missing" ] && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing Debian packages:$$missing"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	else \
		echo "These Debian packages are missing. Please run:"; \
		echo "  sudo apt-get update && sudo apt-get install --no-install-recommends$$missing"; \
		exit 1; \
	fi

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage dist build
