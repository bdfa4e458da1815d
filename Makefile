# Everything runs from a clean clone: the first target makes the environment it needs.

VENV := .venv
BIN := $(VENV)/bin
SEEDS ?= 100
STAMP := $(VENV)/.complete

.PHONY: setup conformance test soak bench bench-downstream bench-judge check docs known-defects format clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt tools/setup.sh
	tools/setup.sh $(VENV)
	touch $@

conformance: setup  ## try the contract on every reference backend
	$(BIN)/sessionstore-contract run --json build/conformance/report.json

test: setup  ## the kit's own tests
	$(BIN)/python -m pytest -n 2 --dist worksteal

soak: setup  ## what takes longer than make test may: correct stores with many seeds, the judge of histories. SEEDS=100
	SOAK_SEEDS=$(SEEDS) $(BIN)/python -m pytest -n 2 --dist worksteal -m soak

bench: setup  ## the reference stores next to the bare drivers; figures, no verdict
	$(BIN)/sessionstore-contract bench --json build/bench/bench.json --plot build/bench/bench.svg

DOWNSTREAM := build/downstream
bench-downstream: $(DOWNSTREAM)/.complete  ## the reference stores next to those of fipsagents 0.32.0
	for store in sqlite postgres http; do \
	    $(DOWNSTREAM)/bin/sessionstore-contract bench $$store --seed 1 \
	        --against tests.downstream:$$(echo $$store | tr a-z A-Z) \
	        --json build/bench/downstream-$$store.json || exit 1; \
	done

$(DOWNSTREAM)/.complete: pyproject.toml constraints.txt
	rm -rf $(DOWNSTREAM)
	$$(command -v $(BIN)/python || echo python3) -m venv $(DOWNSTREAM)
	$(DOWNSTREAM)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[all]' 'fipsagents[server]==0.32.0'
	touch $@

bench-judge: setup  ## how long the judge of concurrent histories takes, and how that grows
	$(BIN)/python -m tests.linearizability.benchmark build/bench/judge.svg

check: setup  ## ruff, mypy, the layers, and that generated documents are current
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_layers.py tests/test_documents.py

docs: known-defects  ## write what is generated
	$(BIN)/python -m sessionstore_contract.catalogue docs/contract.md docs/wire.md
	$(BIN)/python -m sessionstore_contract.turn_catalogue docs/turn.md

known-defects: setup  ## try the contract on every mutant, and keep what each of them breaks
	$(BIN)/python -m tests.known_defects
	$(BIN)/python -m tests.wire_defects
	$(BIN)/python -m tests.turn.known_failures

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
