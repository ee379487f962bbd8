"""What options each operator must have: its table, the values that they can have, and axes that are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache

import numpy as np

from tflite_transfer.reference.tflite.enums import ACTIVATIONS, BUILTIN_OPTIONS, BUILTIN_OPTIONS_2, TENSOR_TYPES
from tflite_transfer.reference.tflite.graph import Operator, Tensor
from tflite_transfer.reference.tflite.schema import tables

_OPTIONS = {  # where the table's name does not follow from the operator's
    "MEAN": "ReducerOptions", "SUM": "ReducerOptions", "REDUCE_MAX": "ReducerOptions", "REDUCE_MIN": "ReducerOptions",
    "REDUCE_PROD": "ReducerOptions", "REDUCE_ANY": "ReducerOptions", "REDUCE_ALL": "ReducerOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions", "MAX_POOL_2D": "Pool2DOptions", "BATCH_MATMUL": "BatchMatMulOptions",
    "L2_POOL_2D": "Pool2DOptions", "LSTM": "LSTMOptions", "RNN": "RNNOptions", "SVDF": "SVDFOptions",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTMOptions",
    "UNIDIRECTIONAL_SEQUENCE_RNN": "SequenceRNNOptions",
    "BIDIRECTIONAL_SEQUENCE_LSTM": "BidirectionalSequenceLSTMOptions",
    "BIDIRECTIONAL_SEQUENCE_RNN": "BidirectionalSequenceRNNOptions",
    "RANDOM_UNIFORM": "RandomOptions", "RANDOM_STANDARD_NORMAL": "RandomOptions", "MULTINOMIAL": "RandomOptions",
    "CONV_2D": "Conv2DOptions", "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "CONV_3D": "Conv3DOptions", "CONV_3D_TRANSPOSE": "Conv3DOptions",
    "L2_NORMALIZATION": "L2NormOptions", "ATAN2": "ATan2Options",
    "MINIMUM": "MaximumMinimumOptions", "MAXIMUM": "MaximumMinimumOptions",
    "BATCH_TO_SPACE_ND": "BatchToSpaceNDOptions", "SPACE_TO_BATCH_ND": "SpaceToBatchNDOptions",
    "PADV2": "PadV2Options", "TOPK_V2": "TopKV2Options", "LSH_PROJECTION": "LSHProjectionOptions",
    "STABLEHLO_COMPOSITE": "StableHLOCompositeOptions",
}  # fmt: skip

_RANGES = f"""
0 {len(ACTIVATIONS) - 1}: fused_activation_function
0 1: padding weights_format kernel_type mode
0 2: combiner type
0 {len(TENSOR_TYPES) - 1}: in_data_type out_data_type out_type output_type idx_out_type key_dtype value_dtype
  quantized_bias_type
1 inf: stride_d stride_h stride_w dilation_d_factor dilation_h_factor dilation_w_factor filter_height filter_width
  block_size num_splits num rank
0 inf: depth_multiplier ngram_size max_skip_size cell_clip proj_clip seq_dim batch_dim index_vector_dim
0 65536: radius
2 16: num_bits
"""  # radius: LiteRT makes an array of twice as many numbers

# Where an operator's axes are: an option, or the number of an input that is a constant. Of which input; -1 is off the
# end of the new axis, where it makes one.
_AXES = {
    "CONCATENATION": ("axis", 0, 0), "GATHER": ("axis", 0, 0), "PACK": ("axis", 0, 1), "UNPACK": ("axis", 0, 0),
    "ONE_HOT": ("axis", 0, 1), "SQUEEZE": ("squeeze_dims", 0, 0), "ARG_MAX": (1, 0, 0), "ARG_MIN": (1, 0, 0),
    "CUMSUM": (1, 0, 0), "EXPAND_DIMS": (1, 0, 1), "SPLIT": (0, 1, 0), "SPLIT_V": (2, 0, 0), "TRANSPOSE": (1, 0, 0),
    "REVERSE_V2": (1, 0, 0), "MEAN": (1, 0, 0), "SUM": (1, 0, 0), "REDUCE_MAX": (1, 0, 0), "REDUCE_MIN": (1, 0, 0),
    "REDUCE_PROD": (1, 0, 0), "REDUCE_ANY": (1, 0, 0), "REDUCE_ALL": (1, 0, 0),
}  # fmt: skip

# Options that say how many inputs or outputs there are.
_COUNTS = {"PACK": "values_count", "SPLIT": "num_splits", "SPLIT_V": "num_splits", "UNPACK": "num"}

# Constants that say something of each axis, and go together.
_TOGETHER = {"SLICE": (1, 2), "STRIDED_SLICE": (1, 2, 3)}


def options_table(opcode: str) -> str:
    """The options table that an operator carries: ``ADD`` -> ``AddOptions``; ``NONE`` if it has none."""
    name = _OPTIONS.get(opcode) or "".join(part.capitalize() for part in opcode.split("_")) + "Options"
    return name if name in (*BUILTIN_OPTIONS, *BUILTIN_OPTIONS_2) else "NONE"


def option_faults(tensors: Sequence[Tensor], operator: Operator) -> Iterator[str]:
    """What is wrong with the options of an operator that has its tensors, as the second half of a sentence."""
    usual, table = options_table(operator.opcode), operator.options_table
    fields = tables().get(usual, ())
    if table not in (usual, "NONE") and (fields or table in tables()):
        yield f"has the options of another operator, {table}"
    for field in (f for f in fields if f.name in _ranges()):
        value, (low, high) = operator.options.get(field.name, field.default), _ranges()[field.name]
        if isinstance(value, int | float) and not low <= value <= high:
            yield f"has {field.name}={value}, which must be from {low:g} to {high:g}"
    for axis, rank in _axes(tensors, operator):
        if not -rank <= axis < rank:
            yield f"has axis {axis} of {rank} axes"
    if operator.opcode in _COUNTS:
        option, there = _COUNTS[operator.opcode], operator.inputs if operator.opcode == "PACK" else operator.outputs
        if operator.options.get(option, 0) != len(there):
            yield f"has {option}={operator.options.get(option, 0)}, and there are {len(there)}"
    together = [tensors[operator.inputs[n]] for n in _TOGETHER.get(operator.opcode, ())]
    sizes = {t.shape for t in together if t.data is not None or 0 in t.shape}
    if len(sizes) > 1:
        yield f"has constants of shapes {sorted(sizes)}, which must be one"


def _axes(tensors: Sequence[Tensor], operator: Operator) -> Iterator[tuple[int, int]]:
    """The axes that a file fixes, each with the number of axes that there are, where the file tells."""
    if operator.opcode not in _AXES:
        return
    where, of, more = _AXES[operator.opcode]
    given = tensors[operator.inputs[of]]
    axes = tensors[operator.inputs[where]].data if isinstance(where, int) else operator.options.get(where)
    if axes is not None and (given.shape or given.data is not None):  # without axes: a number, or not known
        for axis in np.ravel(axes).tolist():
            yield axis, len(given.shape) + more


@cache
def _ranges() -> Mapping[str, tuple[float, float]]:
    """By option the least and the largest value."""
    lines = [line.partition(":") for line in _RANGES.replace("\n  ", " ").strip().splitlines()]
    return {
        name: (float(ends.split()[0]), float(ends.split()[1])) for ends, _, names in lines for name in names.split()
    }
