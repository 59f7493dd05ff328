# Needs make and Python >= 3.11 (with venv and pip), nothing else: the first target sets up .venv from constraints.txt.
#   make train              the embedded default: phantom films, a small network, its scores
#   make test               everything that is fast
#   make PYTHON=python3.12 VENV=.venv312 test

PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python -m

.PHONY: train test test-slow test-all lint docs audit sbom venv

train: venv
	$(RUN) tfrespam.train

test: venv
	$(RUN) pytest -n auto --maxprocesses 4 -m "not slow and not real"

# the sweeps, and the tests on the real films where TFRESPAM_REAL_DATA names them
test-slow: venv
	$(RUN) pytest -n auto --maxprocesses 2 --dist worksteal -m "slow or real"

test-all: test test-slow

lint: venv
	$(RUN) ruff check
	$(VENV)/bin/lint-imports

# the pages under docs/ as a site in build/site; a broken link is an error
docs: venv
	NO_MKDOCS_2_WARNING=1 $(RUN) mkdocs build --strict

# known weaknesses of the pinned packages, from PyPI's own list; what could not be looked up is an error
audit: venv
	$(RUN) pip_audit --strict --no-deps --disable-pip --requirement constraints.txt

# software bill of materials: every installed package, its version and its licence, as CycloneDX
sbom: venv
	@mkdir -p build
	$(VENV)/bin/cyclonedx-py environment $(VENV) --pyproject pyproject.toml --output-format JSON --output-file build/sbom.json

venv: $(VENV)/.installed

# .installed says that all packages are there; a setup that was interrupted leaves .unfinished and is done anew.
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: tfrespam needs Python 3.11 or newer. Found: '$(PYTHON)' is" \
	    "$$($(PYTHON) --version 2>/dev/null || echo missing). Name another: make PYTHON=python3.12 ..." >&2; exit 1; }
	@if [ -e $(VENV)/.unfinished ]; then rm -rf $(VENV); fi
	@mkdir -p $(VENV) && touch $(VENV)/.unfinished
	$(PYTHON) -m venv $(VENV)
	$(RUN) pip install --constraint constraints.txt --editable '.[test]'
	@mv $(VENV)/.unfinished $@
