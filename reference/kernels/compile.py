"""How every kernel is compiled: one decorator around ``numba.njit``, with the machine code kept on disk.

A kernel calls only kernels of its own file. Numba compiles a kept kernel again when that file has changed, but not when
a kernel inlined from another file has, nor for other options here: delete ``__pycache__`` after a change of this file.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

# For sums: multiply and add may be fused, and the terms taken in any order, or no sum would be vectorised.
# Not the whole of fastmath, which also assumes that there are no NaN and no infinities.
REORDER = {"contract", "reassoc", "nsz"}


def kernel(**options: Any) -> Callable[[Function], Function]:
    """Compile a function at its first call, to run without the GIL, and keep the code for later processes.

    ``error_model="numpy"`` makes x / 0 an infinity as in NumPy. Python's exception would be a test in front of each
    division, which prevents SIMD: Adam on 1M float32 took 4.8 ms with the test, 0.76 ms without.

    Parameters
    ----------
    options : further options of ``numba.njit``, such as ``fastmath=REORDER``.
    """
    settings: dict[str, Any] = {"error_model": "numpy", "nogil": True, **options}

    def decorate(function: Function) -> Function:
        try:
            return cast("Function", numba.njit(cache=True, **settings)(function))
        except RuntimeError as error:
            if "no locator available" not in str(error):
                raise
            _warn_of_no_cache()
            return cast("Function", numba.njit(**settings)(function))

    return decorate


@functools.cache  # one warning for a process, not one for each kernel
def _warn_of_no_cache() -> None:
    warnings.warn(
        "numba has no writable folder for its cache, so every process compiles the kernels again: "
        "set NUMBA_CACHE_DIR to a writable folder",
        RuntimeWarning,
        stacklevel=3,
    )
