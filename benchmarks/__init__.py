"""Measures aca beside programs of its kind: ``python -m benchmarks --help``. No part of the package."""
