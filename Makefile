# Each target makes .venv if it is missing and installs what it needs; PYTHON names another interpreter than python3.
PYTHON ?= python3
PIP = .venv/bin/python -m pip --disable-pip-version-check --quiet
export MPLBACKEND = Agg

.PHONY: demo test test-all check mutants bench notebooks docs clean

.venv/bin/python:
	$(PYTHON) -m venv .venv
	$(PIP) install --upgrade pip

# The file stands for what is installed; the interpreter only has to be there, whatever its date.
.venv/installed: pyproject.toml | .venv/bin/python
	$(PIP) install --editable '.[dev]'
	touch $@

# All that the demo needs: no TensorFlow, which is 2 GB, and no tools.
.venv/installed-demo: pyproject.toml | .venv/bin/python
	$(PIP) install --editable '.[plot,report,tflite]'
	touch $@

demo: .venv/installed-demo  ## convert, train with both backends, predict; pictures in demo/out
	.venv/bin/python -m demo

check: .venv/installed  ## lint, format, types
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/pyright --pythonpath .venv/bin/python

# Two workers with two BLAS threads each fight over two cores: the training tests took twice as long.
test test-all: export OPENBLAS_NUM_THREADS = 1

test: check  ## what CI runs
	.venv/bin/python -m pytest -n 2 -m "not full"

test-all: check  ## the long tables too
	.venv/bin/python -m pytest -n 2

mutants: .venv/installed  ## faults put into the code, each of which must turn a test red
	.venv/bin/python -m tests.mutants

bench: .venv/installed  ## both backends, LiteRT and the machine's limits, validated before they are timed
	.venv/bin/python -m bench

notebooks: .venv/installed  ## runs the course and examples/fashion_mnist.py, which needs Debian's dataset-fashion-mnist
	.venv/bin/python -m docs.make_notebooks

docs: .venv/installed  ## the site: docs/out/site/index.html
	.venv/bin/python -m sphinx -W --keep-going -q -c docs -d docs/out/doctrees . docs/out/site

clean:
	rm -rf .venv .peers build dist *.egg-info demo/out docs/out
