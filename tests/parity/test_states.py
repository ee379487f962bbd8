"""What an operator keeps from one run to the next: recurrent states, and where its random numbers have come to."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter as LiteRT

from tests.parity.cases import quantized_recurrent, random, recurrent
from tests.parity.operators import RESOLVERS, Array, Case, Given, case, check, content, fixed, litert, name, normal
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.errors import ModelError

CELLS = (*recurrent.cases(), *quantized_recurrent.cases())
RECURRENT = [c for c in CELLS if any(i is not None and i.variable for i in c.inputs)]
RANDOM = [c for c in random.cases() if c.values[-1].size < 4]


def in_a_row(data: bytes, runs: list[list[Array]]) -> list[list[Array]]:
    """LiteRT's outputs, run after run of one interpreter."""
    interpreter = LiteRT(model_content=data, experimental_op_resolver_type=RESOLVERS["reference"], num_threads=1)
    interpreter.allocate_tensors()
    found = []
    for given in runs:
        for details, value in zip(interpreter.get_input_details(), given, strict=True):
            interpreter.set_tensor(details["index"], value)
        interpreter.invoke()
        found.append([interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()])
    return found


def like(x: Array, rng: np.random.Generator) -> Array:
    return (
        rng.normal(size=x.shape).astype(x.dtype) if x.dtype.kind == "f" else rng.integers(-128, 128, x.shape, x.dtype)
    )


@pytest.mark.parametrize("made", [*RECURRENT, *RANDOM], ids=name)
def test_the_third_run_goes_on_where_the_second_ended_and_forgetting_begins_anew(made: Case) -> None:
    data, given = content(made)
    rng, runs = np.random.default_rng(0), [given] * 3
    if made.opcode not in {c.opcode for c in RANDOM}:
        runs = [[like(g, rng) for g in given] for _ in range(3)]
    interpreter = Interpreter(data)
    ours = [interpreter.call(*run) for run in runs]
    for mine, theirs in zip(ours, in_a_row(data, runs), strict=True):
        for y, expected, out in zip(mine, theirs, made.outputs, strict=True):
            check(y, expected, made.bound("reference", y), out.kind)
    interpreter.forget()
    for y, first in zip(interpreter.call(*runs[0]), ours[0], strict=True):
        np.testing.assert_array_equal(y, first)


@pytest.mark.parametrize("opcode", ["RNN", "LSTM"])
def test_writing_into_an_output_does_not_change_the_state(opcode: str) -> None:
    data, (x,) = content(next(c for c in RECURRENT if c.opcode == opcode))
    one, other = Interpreter(data), Interpreter(data)
    one.call(x)[0][:] = 7
    other.call(x)
    np.testing.assert_array_equal(one.call(x)[0], other.call(x)[0])


@pytest.mark.parametrize("opcode", ["RANDOM_UNIFORM", "RANDOM_STANDARD_NORMAL"])
def test_without_seeds_each_interpreter_draws_its_own_numbers(opcode: str) -> None:
    data, given = content(case(opcode, fixed([10_000]), kind="FLOAT32"))
    one, other = Interpreter(data), Interpreter(data)
    drawn = [i.call(*given)[0] for i in (one, other, one)]
    assert len({y.tobytes() for y in drawn}) == 3
    mean, deviation = (0.5, 12**-0.5) if opcode == "RANDOM_UNIFORM" else (0, 1)
    assert all(abs(y.mean() - mean) < 0.06 and abs(y.std() - deviation) < 0.06 for y in drawn)  # six deviations


def test_a_seed_has_32_bits_as_in_litert() -> None:
    """LiteRT draws anew where they are 0, whatever the others are."""
    data, _ = content(case("RANDOM_UNIFORM", fixed([4]), kind="FLOAT32", seed=2**32, seed2=0))
    assert not np.array_equal(litert(data, [], "reference")[0], litert(data, [], "reference")[0])
    assert not np.array_equal(Interpreter(data).call()[0], Interpreter(data).call()[0])


def test_the_backward_cell_reads_the_second_input_though_litert_forgets_it() -> None:
    """In the layout (B, T, I) LiteRT's plain cells read the first; in (T, B, I) they agree, see the cases."""
    x, y = normal(2, 6, 5), normal(2, 6, 5, seed=1)
    cells = [*recurrent.rnn_cell(5, 4, 2), *recurrent.rnn_cell(5, 3, 2, seed=9)]
    out = [recurrent.F32, recurrent.F32]
    by_time = [v.swapaxes(0, 1).copy() for v in (x, y)]
    made = [
        case("BIDIRECTIONAL_SEQUENCE_RNN", a, *cells, b, None, None, out=out, time_major=t)
        for a, b, t in ((x, y, False), (x, None, False), (*by_time, True))
    ]
    theirs = [litert(*content(m), "reference")[1] for m in made]
    ours = [Interpreter(content(m)[0]).call(*content(m)[1])[1] for m in made]
    np.testing.assert_array_equal(theirs[0], theirs[1])
    np.testing.assert_array_equal(ours[0], ours[2].swapaxes(0, 1))
    assert not np.allclose(ours[0], ours[1])


def test_without_an_activation_a_cell_is_linear_though_litert_takes_what_lies_in_its_memory() -> None:
    x, kept = normal(3, 5), [recurrent.state(3, 4), recurrent.state(3, 4)]
    data, given = content(case("LSTM", x, *recurrent.lstm_cell(5, 4), *kept))
    found = Interpreter(data).call(*given)[0]
    w = [i.value for i in recurrent.lstm_cell(5, 4) if i is not None]
    take, _, new, out = (x @ w[n].T + w[8 + n] for n in range(4))
    sigmoid = [1 / (1 + np.exp(-v)) for v in (take, out)]
    np.testing.assert_allclose(found, sigmoid[1] * sigmoid[0] * new, rtol=1e-5)
    assert not np.allclose(litert(data, given, "reference")[0], found, atol=1e-3)


def test_a_state_that_is_not_a_variable_is_refused_as_in_litert() -> None:
    for n in (0, 1):
        tensors = recurrent.rnn_cell(5, 4, 3)
        tensors[3] = Given(np.zeros((3, 4), np.float32), in_file=n == 1)
        data, given = content(case("RNN", normal(3, 5), *tensors), shape=(3, 4))
        with pytest.raises((RuntimeError, ValueError)):
            litert(data, given, "reference")
        with pytest.raises(ModelError, match="variable"):
            Interpreter(data).call(*given)


@pytest.mark.parametrize("shape", [(2**20, 2**20), (2**24, 4)])
def test_a_state_larger_than_any_memory_or_than_the_file_allows_is_refused(shape: tuple[int, int]) -> None:
    g = GraphBuilder()
    inputs = [g.input("x", (3, 5)), *(g.constant("w", np.zeros(s, np.float32)) for s in ((4, 5), (4, 4), (4,)))]
    kept = g.tensor("h", shape, is_variable=True)
    g.output("y", g.op("RNN", [*inputs, kept], "y", (3, 4)))
    with pytest.raises(ModelError, match="more memory"):
        Interpreter(g.model("run"))
