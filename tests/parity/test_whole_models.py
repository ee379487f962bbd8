"""Models that TensorFlow converted, and one of our own: every tensor of the main graph is LiteRT's."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter as LiteRT

from tests.parity.model_table import measured
from tests.parity.models import CRASHES, MODELS, REFUSED
from tests.parity.models.convert import KINDS
from tests.parity.operators import RESOLVERS
from tflite_transfer.reference.budget import Budget
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite import read

pytestmark = pytest.mark.tensorflow  # LiteRT warns too, that it keeps every tensor


def each(refused: bool) -> list:
    """All models and kinds that TensorFlow converts, or all others."""
    pairs = [(name, kind) for name in MODELS for kind in KINDS if ((name, kind) in REFUSED) == refused]
    return [pytest.param(*p, marks=[pytest.mark.full] if MODELS[p[0]].full else [], id=" ".join(p)) for p in pairs]


# An operator alone, on LiteRT's own inputs: floats in units of 2^-24 of the largest value, sums (46, a CONV_2D; 27 in
# the small models) and others (3.1, a TANH); stored integers in steps, which XNNPACK may round the other way.
SUMS, FLOATS, STEPS = 90, 6, {"reference": 0, "default": 1}


@pytest.mark.parametrize(("name", "kind"), each(refused=False))
def test_every_tensor_is_litert_s(name: str, kind: str) -> None:
    whole = MODELS[name]
    content, integers = whole.file(kind), kind.startswith("int")
    graphs = read(content).subgraphs
    assert set(whole.has.split()) <= {o.opcode for g in graphs for o in g.operators}
    stored = kind.upper() if kind.startswith("float") else "INT8"
    assert any(t.type == stored and t.data is not None and t.data.size > 100 for g in graphs for t in g.tensors)
    found = measured(whole, kind, content)
    assert set(found) == set(RESOLVERS)
    for resolver, by in found.items():
        assert by.run[0] <= whole.bounds.of(kind, resolver), (resolver, by)
        assert by.sums[0] <= SUMS, (resolver, by)
        assert by.floats[0] <= FLOATS, (resolver, by)
        assert by.stored[0] <= STEPS[resolver], (resolver, by)
        assert by.rounded[0] < 1, (resolver, by)
        assert by.values > 2, "the signal is lost"  # 3 of 1,000 classes, all nearly as likely; else 4 and more
        assert integers or by.run[0] > 0, "floats are never equal throughout"
        assert kind != "dynamic range" or name == "LSTM" or by.rounded[0] > 0.05, by  # its products are in the loop


@pytest.mark.parametrize(("name", "kind"), each(refused=True))
def test_what_tensorflow_or_litert_refuses(name: str, kind: str) -> None:
    if REFUSED[name, kind] != CRASHES:
        with pytest.raises((RuntimeError, ValueError), match=re.escape(REFUSED[name, kind])):
            LiteRT(model_content=MODELS[name].file(kind))
        return
    code = f"from tests.parity.models import MODELS; MODELS[{name!r}].file({kind!r})"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert process.returncode == -signal.SIGSEGV, process.stderr


@pytest.mark.parametrize("kind", ["int8", "int16"])
def test_a_run_of_integers_takes_no_minutes(kind: str) -> None:
    """0.1 s at 96 px, 2 s at 224 px and full width (2 cores); a loop over pixels in Python would take minutes."""
    whole = MODELS["MobileNetV2"]
    content = whole.file(kind)
    results = Interpreter(content, budget=Budget(seconds=10)).call(whole.given(content))
    assert np.ptp(results[0]) > 0
