"""How every kernel is compiled: one decorator around ``numba.njit``, with the machine code kept on disk.

Numba compiles a kept kernel again when its file has changed, but not when a kernel that it inlines from another file
has: here it does when any file of this folder, or of one within it, has.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core.caching import FunctionCache
from numba.core.registry import CPUDispatcher

# See ``kernel``.
_SETTINGS: dict[str, Any] = {"error_model": "numpy", "nogil": True}
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
    settings = {**_SETTINGS, **options}

    def decorate(function: Function) -> Function:
        compiled: Any = numba.njit(**settings)(function)
        try:
            compiled._cache = _Cache(function)  # as cache=True does with numba's own class
        except RuntimeError as error:
            if "no locator available" not in str(error):
                raise
            _warn_of_no_cache("there is no writable folder")
        return cast("Function", compiled)

    return decorate


def part(**options: Any) -> Callable[[Function], Function]:
    """Compile a function that kernels alone call: without what Python would need to call it, and kept in theirs.

    Compiling a training loop takes a fifth less than if all its parts were kernels.
    """
    settings = {**_SETTINGS, **options, "nopython": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return lambda function: cast("Function", _Part(function, targetoptions=settings))


class _Part(CPUDispatcher):
    """Python would call what was never compiled."""

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(f"{self.__name__} is a part of kernels, which alone can call it")


class _Cache(FunctionCache):
    """Numba's cache, whose faults cost a compilation; numba 0.68 hands them to the caller, and a training ends.

    Any exception is one of them: a truncated file raises many kinds, and a whole one may name a class of ours that has
    since been renamed, which numba looks for before it sees that the source has changed.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        file = self._cache_file
        file._source_stamp = file._source_stamp, sources(Path(__file__).parent)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:
            self._forget()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except Exception as error:
            self._forget()
            _warn_of_no_cache(error)

    def _forget(self) -> None:
        """Delete the index. Numba reads it before it writes, so a damaged one would never be replaced.

        And it writes the index first: one without its machine code may lead later processes to that of an old source.
        """
        with contextlib.suppress(OSError):
            Path(self._cache_file._index_path).unlink()


@functools.cache
def sources(folder: Path) -> str:
    """A digest of all kernels' sources: 1 ms, once in a process."""
    files = sorted(folder.rglob("*.py"))
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()


_warned = False


def _warn_of_no_cache(reason: object) -> None:
    """One warning for a process, not one for each kernel."""
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(
            f"numba cannot keep compiled kernels ({reason}), so every process compiles them again: "
            "set NUMBA_CACHE_DIR to a writable folder with room",
            RuntimeWarning,
            stacklevel=3,
        )
