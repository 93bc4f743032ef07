# One word checks everything: make
PYTHON ?= .venv/bin/python

.PHONY: check
check:
	$(PYTHON) -m ruff format
	$(PYTHON) -m ruff check
	$(PYTHON) -m mypy
	$(PYTHON) -m pytest
