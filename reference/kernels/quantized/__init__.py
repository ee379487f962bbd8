"""The operators on stored integers again, compiled by numba: every bit as in ``ops/quantized``."""
