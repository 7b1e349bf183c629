# The whole developer interface: make demo, make install, make lab, make check, make test, make test-long,
# make drills, make ray.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo install lab check test test-long drills ray clean
.DEFAULT_GOAL := demo

# What a user gets: the package, what it needs, and what evaluates a model.
$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[evaluation]'
	touch $@

# What a developer gets: every extra, and what tests and checks need.
$(VENV)/.developed: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable '.[all]' --group dev
	touch $@

demo: $(VENV)/.installed
	$(BIN)/lfr demo

install: $(VENV)/.developed

# The notebooks, in JupyterLab.
lab: install
	$(BIN)/jupyter lab notebooks

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: install
	$(BIN)/pytest --durations=20

test-long: install
	$(BIN)/pytest --durations=20 -m 'long and not gpu' --timeout 3600

# The promises, tried: about ten minutes; with LONG=1 about two hours.
drills: install
	$(BIN)/python -W ignore -m tests.drills $(if $(LONG),--long)

# A Ray node as lfr needs it, in the background: then `serve run serve/dev.yaml`.
ray: $(VENV)/.installed
	$(BIN)/python -m lfr.serving.node

clean:
	rm -rf $(VENV) lfr-demo
