"""Dropout's random numbers, by builtin operators: a hash of seed and place.

TensorFlow's converter leaves ``StatelessRandomUniformV2`` to TensorFlow. What replaces it needs the same of Keras' seed
generator, two numbers that Keras counts up at each step and that are variables of the file, so that a training resumes
with the masks that it would have had.
"""

from __future__ import annotations

from tflite_transfer.converter.expressions import Expression, cast, gather
from tflite_transfer.converter.gradients.rule import Call
from tflite_transfer.converter.networks.network import Function
from tflite_transfer.converter.networks.rewriting import rewritten
from tflite_transfer.reference.tflite.graph import Operator

_KEY = "FlexStatelessRandomGetKeyCounter"


def replaced(function: Function) -> Function:
    """The function with hashes for TensorFlow's random numbers."""
    return rewritten(function, {"FlexStatelessRandomUniformV2": _uniform})


def _uniform(call: Call) -> Expression | None:
    """Shape (n,), key, counter, algorithm -> float32 from 0 to 1, each place its own."""
    shape, key = call.operands[:2]
    seeds = _seeds(call, key.number)
    if seeds is None:
        return None
    return uniform(seeds, shape, call.result)


def _seeds(call: Call, key: int) -> Expression | None:
    """What the key was made from: two int32."""
    writer = next((o for o in call.graph.operators if key in o.outputs), None)
    return call.graph[writer.inputs[0]] if isinstance(writer, Operator) and writer.name == _KEY else None


def uniform(seeds: Expression, shape: Expression, like: Expression) -> Expression:
    """``mix(place ^ mix(seed_1 ^ mix(seed_0))) / 2^32``, its upper 24 bits, in the shape that ``like`` has."""
    graph = seeds.graph
    first, second = (cast(gather(seeds, n), "UINT32") for n in range(2))
    key = mix(_xor(second, mix(first)))
    count = graph.write("REDUCE_PROD", [shape, graph.literal(0, "INT32")], (), "INT32", keep_dims=False)
    places = graph.write("RANGE", [graph.literal(0, "INT32"), count, graph.literal(1, "INT32")], (-1,), "INT32")
    bits = _shift(mix(_xor(cast(places, "UINT32"), key)), 8)
    numbers = cast(cast(bits, "INT32"), "FLOAT32") * 2.0**-24
    return graph.write("RESHAPE", [numbers, shape], like.shape)


def mix(x: Expression) -> Expression:
    """A permutation of uint32 in which each bit depends on each: lowbias32 of Wellons' hash-prospector."""
    x = _times(_xor(x, _shift(x, 16)), 0x7FEB352D)
    x = _times(_xor(x, _shift(x, 15)), 0x846CA68B)
    return _xor(x, _shift(x, 16))


def _xor(a: Expression, b: Expression) -> Expression:
    shape = a.shape if len(a.shape) >= len(b.shape) else b.shape
    return a.graph.write("BITWISE_XOR", [a, b], shape, "UINT32")


def _shift(x: Expression, bits: int) -> Expression:
    return x.graph.write("RIGHT_SHIFT", [x, x.graph.literal(bits, "UINT32")], x.shape, "UINT32")


def _times(x: Expression, factor: int) -> Expression:
    return x * x.graph.literal(factor, "UINT32")
