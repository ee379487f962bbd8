"""The compiled optimizers equal ``reference.optimizers`` bit for bit; and how kernels are compiled."""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import subprocess
import sys
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba.extending import is_jitted

from tflite_transfer.reference import kernels, optimizers
from tflite_transfer.reference.kernels import optimizers as compiled
from tflite_transfer.reference.optimizers import SGD, Adam, AdamState, bias_corrections

Array = Any

ADAM = Adam(*map(np.float32, (1e-3, 0.9, 0.999, 1 - 0.9, 1 - 0.999, 1e-7)))
RULES = [ADAM, replace(ADAM, learning_rate=np.float32(0.3), beta1=np.float32(0.5), complement1=np.float32(0.5))]
SIZES = [0, 1, 7, 8, 9, 1000, 4097]


def arrays(count: int, size: int) -> list[Array]:
    """Of magnitudes from denormal to 1e18, both signs, read-only."""
    rng = np.random.default_rng(size)
    found = [(rng.standard_normal(size) * 10.0 ** rng.integers(-42, 19, size)).astype(np.float32) for _ in range(count)]
    for a in found:
        a.flags.writeable = False
    return found


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("rate", [0.01, 1.0, 0.0])
def test_sgd(size: int, rate: float) -> None:
    w, g = arrays(2, size)
    expected = optimizers.sgd({"w": w}, {"w": g}, SGD(np.float32(rate)))["w"]
    new, same = np.full_like(w, 7), w.copy()
    compiled.sgd_into(w, g, np.float32(rate), new)
    compiled.sgd(same, g, np.float32(rate))
    np.testing.assert_array_equal(new, expected)
    np.testing.assert_array_equal(same, expected)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("rule", RULES, ids=["usual", "other"])
@pytest.mark.parametrize("step", [0, 1, 1000])
def test_adam(size: int, rule: Adam, step: int) -> None:
    w, g, m, v = arrays(4, size)
    check_adam(w, g, m, np.abs(v), rule, np.float32(step))


def check_adam(w: Array, g: Array, m: Array, v: Array, rule: Adam, step: np.float32) -> None:
    new, state = optimizers.adam({"w": w}, {"w": g}, AdamState({"w": m}, {"w": v}, step), rule)
    expected = new["w"], state.mean["w"], state.square["w"]
    same = w.copy(), m.copy(), v.copy()
    other = [np.full_like(w, 7) for _ in range(3)]
    numbers, corrections = astuple(rule), bias_corrections(rule, step)
    compiled.adam(same[0], g, *same[1:], numbers, corrections)
    compiled.adam_into(w, g, m, v, numbers, corrections, *other)
    for a, b, c in zip(same, other, expected, strict=True):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, c)


@pytest.mark.filterwarnings("ignore:(invalid|overflow|divide):RuntimeWarning")  # of the definition, by NumPy
def test_adam_with_every_kind_of_number() -> None:
    kinds = np.array([0, -0.0, 1, -1, 1e-45, 1e-39, 3e38, -3e38, np.inf, -np.inf, np.nan], np.float32)
    w, g, m, v = (a.ravel() for a in np.meshgrid(kinds, kinds, kinds, np.abs(kinds)))
    for epsilon in (1e-7, 0):
        check_adam(w, g, m, v, replace(ADAM, epsilon=np.float32(epsilon)), np.float32(3))


def test_many_steps_of_adam() -> None:
    w, g, m, v = (a.copy() for a in arrays(4, 50))
    g = np.clip(g, -1, 1)
    m[:], v[:] = 0, 0
    params, state = {"w": w.copy()}, AdamState({"w": m.copy()}, {"w": v.copy()}, np.float32(0))
    for _ in range(300):
        corrections = bias_corrections(ADAM, state.step)
        params, state = optimizers.adam(params, {"w": g}, state, ADAM)
        compiled.adam(w, g, m, v, astuple(ADAM), corrections)
    np.testing.assert_array_equal(w, params["w"])
    np.testing.assert_array_equal(m, state.mean["w"])


def test_kernels_call_kernels_of_their_own_file_only() -> None:
    """Or a change of the called one would not be seen by numba's cache."""
    checked = 0
    for name in (m.name for m in pkgutil.iter_modules(kernels.__path__)):
        module = importlib.import_module(f"{kernels.__name__}.{name}")
        scope: dict[str, Any] = vars(module)
        own = [k for k in scope.values() if is_jitted(k) and k.__module__ == module.__name__]
        for code in (inspect.unwrap(k.py_func).__code__ for k in own):
            called = [scope[n] for n in code.co_names if n in scope and is_jitted(scope[n])]
            assert {k.__module__ for k in called} <= {module.__name__}, f"{name}.{code.co_name}"
            checked += len(called)
    assert checked > 5


SCRIPT = """
import warnings
from tflite_transfer.reference.kernels.compile import kernel
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    one = kernel()(lambda a: a / 0)
    two = kernel(fastmath={"contract"})(lambda a: a + 1)
for w in caught:
    print(w.category.__name__, w.filename == __file__, w.message)
print(one(1.0), two(1.0))
"""


@pytest.mark.parametrize("writable", [True, False])
def test_without_a_folder_for_the_cache_there_is_one_warning(tmp_path: Path, writable: bool) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    # As root every folder is writable; a file where the folder should be stops root as well.
    (tmp_path / ("elsewhere" if writable else "__pycache__")).write_text("")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    environment |= {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
    environment |= dict.fromkeys(("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"), str(script / "nowhere"))
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=True)
    *warned, result = done.stdout.splitlines()
    assert result == "inf 2.0"
    assert done.stderr == ""
    if writable:
        assert warned == []
        assert list((tmp_path / "__pycache__").glob("*.nbi"))
    else:
        assert len(warned) == 1
        assert warned[0].startswith("RuntimeWarning True numba has no writable folder")
        assert "NUMBA_CACHE_DIR" in warned[0]
