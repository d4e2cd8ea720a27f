# Two commands matter: `make run` (the demo) and `make test` (everything that is fast).
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.lock-installed
JOBS   ?= 2
UV     ?= uv

.PHONY: run test test-all long interop interop-table lint types units format lock itip-table corpus corpus-golden bench crash screenshots clean

run: $(STAMP)
	$(BIN)/imip-gateway demo

test: lint types units

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

units: $(STAMP)
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not slow"

# Everything: then the long tests, what becomes of the corpus, machines that die, real calendar servers.
test-all: test long corpus crash interop

long: $(STAMP)
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m slow --ignore tests/interop

# The same meetings beside real servers: Radicale and Xandikos from the lock; Cyrus, DAViCal and SOGo from Debian packages,
# which root gets installed here. Each runs in a folder of its own on loopback; what is missing is an error.
interop: $(STAMP)
	@missing="$$($(BIN)/python -m tests.interop.servers)"; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; fi
	INTEROP=1 $(BIN)/python -m pytest -n $(JOBS) tests/interop

# The table of docs/servers.md, from the servers that are installed.
interop-table: $(STAMP)
	INTEROP_WRITE=1 $(BIN)/python -m pytest tests/interop/test_table.py

# Every letter and every page as its readers see it, in DIR; needs Chromium.
DIR       ?= screenshots
LANGUAGES ?= en de
screenshots: $(STAMP)
	$(BIN)/python -m tests.render.screenshots $(DIR) $(LANGUAGES)
	PICTURES=$(DIR) $(BIN)/python -m pytest -q tests/browser/test_accessible.py -m "not slow" -k "not letter_that"

# Ratios, measured side by side; bench/README.md.
bench: $(STAMP)
	$(BIN)/python -m bench --json docs/performance.json

# Processes and machines that die at random moments, a hundred runs, then SOAK seconds at half of the limit:
# docs/architecture.md. SEED=17 RUNS=1 repeats one run.
SEED ?= 1
RUNS ?= 100
SOAK ?= 600
crash: $(STAMP)
	$(BIN)/python -m tests.crash --seed $(SEED) --runs $(RUNS)
	$(BIN)/python -m tests.crash.soak --seed $(SEED) --seconds $(SOAK)

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# docs/itip.md, from the table of itip/decide.
itip-table: $(STAMP)
	$(BIN)/python tests/itip/test_page.py

# The whole corpus through `explain`: what becomes of each message. corpus-golden keeps it as the truth.
corpus: $(STAMP)
	@$(BIN)/python tests/imip/test_corpus.py

corpus-golden: $(STAMP)
	$(BIN)/python tests/imip/test_corpus.py --golden

# The lock: pins, hashes and markers for Python 3.11-3.14; made with uv, installed with pip.
lock:
	$(UV) pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate --prerelease disallow -o requirements.lock

$(STAMP): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(STAMP)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
