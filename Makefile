# Needs make and Python 3.11 to 3.13 (with venv and pip), nothing else: the first target sets up .venv from constraints.txt.
# `make train` and `make venv` install what training and predicting need, every other target what tests and docs need.
#   make train              the embedded default: phantom films, a small network, its scores
#   make test               everything that is fast
#   make PYTHON=python3.12 VENV=.venv312 test

PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python -m

.PHONY: train test test-slow test-jax test-pages test-all lint docs audit sbom venv venv-test

train: venv
	$(RUN) tfrespam.train

test: venv-test
	$(RUN) pytest -n auto --maxprocesses 4 --dist loadfile --durations 10 -m "not slow and not real"

# the sweeps, and the tests on the real films where TFRESPAM_REAL_DATA names them
test-slow: venv-test
	$(RUN) pytest -n auto --maxprocesses 4 --dist worksteal --durations 25 -m "slow or real"

# Keras on JAX, in an environment without TensorFlow, against TensorFlow
test-jax: venv-test $(VENV)-jax/.installed
	TFRESPAM_JAX_PYTHON=$(abspath $(VENV)-jax/bin/python) $(RUN) pytest tests/training/test_accelerator.py

# the demo, the reports and TensorBoard in Chromium; elsewhere these tests are skipped if there is none
test-pages: venv-test
	@{ command -v chromium || command -v google-chrome; } >/dev/null || { echo "error: no Chromium: see tests/helpers/get_chromium.sh" >&2; exit 1; }
	$(RUN) pytest tests/demonstration tests/reporting tests/training/test_server.py

test-all: test test-slow test-jax

lint: venv-test
	$(RUN) ruff check
	$(VENV)/bin/lint-imports
	$(RUN) mypy

# the pages under docs/ as a site in build/site; a broken link among them is an error. Links to files outside of docs/, such
# as experiments/, work only in the repository.
docs: venv-test
	NO_MKDOCS_2_WARNING=1 $(RUN) mkdocs build --strict

# known weaknesses of the pinned packages, from PyPI's own list; what could not be looked up is an error
audit: venv-test
	$(RUN) pip_audit --strict --no-deps --disable-pip --requirement constraints.txt

# software bill of materials: every installed package, its version and its licence, as CycloneDX
sbom: venv-test
	@mkdir -p build
	$(VENV)/bin/cyclonedx-py environment $(VENV) --pyproject pyproject.toml --output-format JSON --output-file build/sbom.json

venv: $(VENV)/.installed

venv-test: $(VENV)/.installed-test

# .installed says that all packages are there; a setup that was interrupted leaves .unfinished and is done anew.
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
	  echo "error: tfrespam needs Python 3.11, 3.12 or 3.13 (TensorFlow 2.21 has no wheels for newer ones). Found: '$(PYTHON)' is" \
	    "$$($(PYTHON) --version 2>/dev/null || echo missing). Name another: make PYTHON=python3.12 ..." >&2; exit 1; }
	@if [ -e $(VENV)/.unfinished ]; then rm -rf $(VENV); fi
	@mkdir -p $(VENV) && touch $(VENV)/.unfinished
	@$(PYTHON) -m venv $(VENV)
	$(call install,.,packages for training and predicting)
	@mv $(VENV)/.unfinished $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(call install,.[test],packages for tests and docs)
	@touch $@

# what experiments/on_accelerator.py needs
$(VENV)-jax/.installed: constraints.txt
	@$(PYTHON) -m venv --clear $(VENV)-jax
	@$(VENV)-jax/bin/pip install --quiet --constraint constraints.txt keras opencv-python-headless scipy jsonargparse wrapt \
	  jax==0.10.2
	@touch $@

# pip's output goes to a file, so that what follows can be read
define install
@echo "installing $(2) into $(VENV), see $(VENV)/pip.log"
@$(RUN) pip install --constraint constraints.txt --editable '$(1)' >>$(VENV)/pip.log 2>&1 || { \
  tail -n 20 $(VENV)/pip.log >&2; echo "error: pip failed, see $(VENV)/pip.log. Run the same command again to resume" >&2; exit 1; }
endef
