"""What the interpreter can do on quantised tensors: operator -> function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tflite_transfer.reference.ops.quantized import (
    activations,
    conv,
    linear,
    lookup,
    lstm,
    pairs,
    places,
    pool,
    quantize,
    reduce,
    resize,
    shape,
    softmax,
    svdf,
    transpose_conv,
)
from tflite_transfer.reference.ops.table import TABLE

# Operators that move numbers, and do not compute with them: the same function does for stored integers.
_MOVES = """
RESHAPE SQUEEZE EXPAND_DIMS TRANSPOSE SHAPE GATHER PACK SLICE STRIDED_SLICE IF WHILE CALL READ_VARIABLE ASSIGN_VARIABLE
SPLIT SPLIT_V UNPACK TILE REVERSE_V2 REVERSE_SEQUENCE MIRROR_PAD BROADCAST_TO SPACE_TO_DEPTH DEPTH_TO_SPACE
BATCH_TO_SPACE_ND GATHER_ND DYNAMIC_UPDATE_SLICE EMBEDDING_LOOKUP TOPK_V2 RESIZE_NEAREST_NEIGHBOR
ARG_MAX ARG_MIN SELECT SELECT_V2 MATRIX_SET_DIAG UNIQUE RANK CAST BITCAST DILATE HASHTABLE_LOOKUP STABLEHLO_GATHER
DENSIFY
"""

QUANTIZED: Mapping[str, Callable[..., Any]] = {name: TABLE[name] for name in _MOVES.split()} | {
    "ABS": activations.absolute,
    "ADD": pairs.add,
    "AVERAGE_POOL_2D": pool.average_pool_2d,
    "BATCH_MATMUL": linear.batch_matmul,
    "CONCATENATION": shape.concatenation,
    "CONV_2D": conv.conv_2d,
    "DEPTHWISE_CONV_2D": conv.depthwise_conv_2d,
    "DEQUANTIZE": quantize.dequantize,
    "DIV": pairs.div,
    "ELU": lookup.elu,
    "EQUAL": pairs.equal,
    "EXP": lookup.exp,
    "FILL": shape.fill,
    "FULLY_CONNECTED": linear.fully_connected,
    "GELU": lookup.gelu,
    "GREATER": pairs.greater,
    "GREATER_EQUAL": pairs.greater_equal,
    "HARD_SWISH": activations.hard_swish,
    "L2_NORMALIZATION": softmax.l2_normalization,
    "LEAKY_RELU": activations.leaky_relu,
    "LESS": pairs.less,
    "LESS_EQUAL": pairs.less_equal,
    "LOG": lookup.log,
    "LOGISTIC": lookup.logistic,
    "LOG_SOFTMAX": softmax.log_softmax,
    "LSTM": lstm.lstm,
    "MATRIX_DIAG": places.matrix_diag,
    "MAXIMUM": pairs.maximum,
    "MAX_POOL_2D": pool.max_pool_2d,
    "MEAN": reduce.mean,
    "MINIMUM": pairs.minimum,
    "MUL": pairs.mul,
    "NEG": activations.neg,
    "NOT_EQUAL": pairs.not_equal,
    "ONE_HOT": places.one_hot,
    "PAD": shape.pad,
    "PADV2": shape.pad,
    "PRELU": pairs.prelu,
    "QUANTIZE": quantize.quantize,
    "REDUCE_MAX": reduce.reduce_max,
    "REDUCE_MIN": reduce.reduce_min,
    "REDUCE_PROD": reduce.reduce_prod,
    "RELU": activations.relu,
    "RELU6": activations.relu6,
    "RELU_0_TO_1": activations.relu_0_to_1,
    "RELU_N1_TO_1": activations.relu_n1_to_1,
    "RESIZE_BILINEAR": resize.resize_bilinear,
    "RSQRT": lookup.rsqrt,
    "SCATTER_ND": places.scatter_nd,
    "SOFTMAX": softmax.softmax,
    "SPACE_TO_BATCH_ND": shape.space_to_batch_nd,
    "SPARSE_TO_DENSE": places.sparse_to_dense,
    "SQRT": lookup.sqrt,
    "SQUARED_DIFFERENCE": pairs.squared_difference,
    "SUB": pairs.sub,
    "SUM": reduce.total,
    "SVDF": svdf.svdf,
    "TANH": lookup.tanh,
    "TRANSPOSE_CONV": transpose_conv.transpose_conv,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": lstm.unidirectional_sequence_lstm,
}
