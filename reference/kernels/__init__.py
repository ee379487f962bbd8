"""The definitions of ``reference`` again, compiled by numba: the same results, several times faster.

Numba is imported by ``compile``, and so only where a compiled kernel is asked for.
"""
