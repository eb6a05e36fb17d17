# One command each, the same by hand and in CI. A fresh machine needs Python 3.11 or newer (on Debian: apt install python3-venv), nothing else.
.PHONY: demo test test-trainers test-live check bench soak pictures check-colab clean

# The first Python that really runs and is new enough: a version manager's stand-in for one that is not switched on does not.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin

demo: $(VENV)/ready-demo
	$(BIN)/python -m batonpass demo

test: $(VENV)/ready-dev
	$(BIN)/python -m pytest -q -n auto --dist loadfile

# The same safety for other people's trainers, with the real libraries (transformers, Lightning, Keras, ...: about 0.5 GB more).
test-trainers: $(VENV)/ready-trainers
	BATONPASS_REQUIRE_TRAINERS=1 $(BIN)/python -m pytest -q -n auto --dist loadfile -m trainers

# Needs a network and BATONPASS_DRIVE_TOKEN: the store contract on one's own Google Drive, in a folder that is removed afterwards.
test-live: $(VENV)/ready-dev
	@test -n "$$BATONPASS_DRIVE_TOKEN" || echo "Skipped: BATONPASS_DRIVE_TOKEN is not set. Run batonpass login and put what it writes there."
	@test -z "$$BATONPASS_DRIVE_TOKEN" || $(BIN)/python -m pytest -q -rs --timeout 900 tests/live/drive_contract.py

check: $(VENV)/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PYTHONPATH=.typelink $(BIN)/mypy
	PYTHONPATH=.typelink $(BIN)/lint-imports

bench: $(VENV)/ready-dev
	$(BIN)/python bench/run.py

# The long campaigns: minutes per measure, every one with its seed printed.
# The long campaigns; each prints its seed, and `make test` runs a short slice of each.
soak: $(VENV)/ready-dev
	PYTHONPATH=.typelink:tests $(BIN)/python -m interleavings.play --plays 1000
	PYTHONPATH=.typelink:tests $(BIN)/python -m soak.torn --runs 1000
	PYTHONPATH=.typelink:tests $(BIN)/python -m soak.kills --kills 300
	$(BIN)/python bench/drive/run.py --full

# Needs a network: asks pip what an install beside Colab's preinstalled packages would change.
check-colab: $(VENV)/ready-dev
	$(BIN)/python bench/colab_install.py

pictures: $(VENV)/ready-dev
	$(BIN)/python bench/screenshots.py

$(VENV)/ready-demo: pyproject.toml requirements.txt
	@echo "Setting up $(VENV). PyTorch is the large part: about 0.2 GB on macOS, up to 3 GB on Linux (with CUDA). Once only."
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -r requirements.txt
	@touch $@

$(VENV)/ready-dev: $(VENV)/ready-demo
	$(BIN)/python -m pip install --quiet -r requirements.txt -e ".[app,train,dev]"
	@touch $@

$(VENV)/ready-trainers: $(VENV)/ready-dev
	$(BIN)/python -m pip install --quiet -r requirements.txt -e ".[app,train,dev,trainers]"
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
