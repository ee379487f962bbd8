"""Faults put into the code one at a time, each of which must turn a test red: ``python -m tests.mutants``."""
