# Everything runs from a clean clone: the first target makes the environment it needs.

VENV := .venv
BIN := $(VENV)/bin
SEEDS ?= 100
# Two more than the two cores that the suite is meant for: many tests wait, for processes and for
# time-outs. Four took 0.8 to 0.9 of what three took, by turns, on the tests of turns, platforms,
# defects and what is left behind.
WORKERS ?= 4
STAMP := $(VENV)/.complete

# Where it is set, as in many images, each of the hundreds of interpreters of the tests compiles all anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup browser conformance test soak containers matrix package check docs known-defects pictures examples \
	downstream bench bench-downstream bench-judge format clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt tools/setup.sh
	tools/setup.sh $(VENV)
	touch $@

browser: setup  ## what the tests of the page in a browser need; the browser is the system's Chromium
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group browser

conformance: setup  ## try the contract on every reference backend
	$(BIN)/sessionstore-contract run --report build/conformance

test: setup  ## the kit's own tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

soak: setup  ## what takes longer than make test may: correct stores with many seeds, the judge of histories. SEEDS=100
	SOAK_SEEDS=$(SEEDS) $(BIN)/python -m pytest -n 2 --dist worksteal -m soak

containers: setup  ## the contract and the kit's own tests on PostgreSQL in containers
	.ci/containers

matrix: setup  ## the contract on every supported Python, database and driver. LANES="oldest sqlite-newest"
	$(BIN)/python -m tools.matrix $(LANES); code=$$?; \
	$(BIN)/python -m tools.matrix.page build/matrix/reports docs/matrix.md && exit $$code

package: setup  ## the wheel and the source distribution, installed where the sources are not
	$(BIN)/python -m tools.package

bench: setup  ## the reference stores next to the bare drivers; figures, no verdict
	$(BIN)/sessionstore-contract bench --json build/bench/bench.json --plot build/bench/bench.svg

BESIDE := build/bench-downstream
bench-downstream: $(BESIDE)/.complete  ## the reference stores next to those of fipsagents 0.32.0
	for store in sqlite postgres http; do \
	    $(BESIDE)/bin/sessionstore-contract bench $$store --seed 1 \
	        --against tests.downstream:$$(echo $$store | tr a-z A-Z) --any-processor \
	        --json build/bench/downstream-$$store.json || exit 1; \
	done

$(BESIDE)/.complete: pyproject.toml constraints.txt
	rm -rf $(BESIDE)
	$$(command -v $(BIN)/python || echo python3) -m venv $(BESIDE)
	$(BESIDE)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[all]' 'fipsagents[server]==0.32.0'
	touch $@

bench-judge: setup  ## how long the judge of concurrent histories takes, and how that grows
	$(BIN)/python -m tests.linearizability.benchmark build/bench/judge.svg

check: setup  ## ruff, mypy, the layers, and that generated documents are current
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_layers.py tests/test_documents.py

docs: known-defects  ## write what is generated
	$(BIN)/python -m sessionstore_contract.catalogue docs/contract.md docs/wire.md docs/turn.md
	$(BIN)/python -m sessionstore_contract.pages docs

known-defects: setup  ## try the contract on every mutant, and keep what each of them breaks
	$(BIN)/python -m tests.known_defects
	$(BIN)/python -m tests.wire_defects
	$(BIN)/python -m tests.turn.known_failures

pictures: setup browser  ## those in docs/images, taken anew: after a change of the page or of the clauses
	mkdir -p build
	$(BIN)/sessionstore-contract run null memory sqlite postgres http tests.report.pictures:MYSTORE \
		--json build/pictures.json --quiet; test $$? -le 1
	$(BIN)/python -m tests.report.pictures build/pictures.json docs/images

examples: setup  ## the contract on the stores under examples/, with the kit from its wheel
	tools/examples.sh

downstream: setup  ## the contract on stores of others, and that docs/findings.md is true of them
	tools/downstream.sh

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
