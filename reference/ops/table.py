"""The whole of what the interpreter can do: operator -> function. To add one: write it in its family, add a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tflite_transfer.reference.ops import conv, elementwise, linear, pool, reduce, shape

Kernel = Callable[..., Any]

TABLE: Mapping[str, Kernel] = {
    "ABS": elementwise.absolute,
    "ADD": elementwise.add,
    "AVERAGE_POOL_2D": pool.average_pool_2d,
    "BATCH_MATMUL": linear.batch_matmul,
    "CAST": elementwise.cast,
    "CONCATENATION": shape.concatenation,
    "CONV_2D": conv.conv_2d,
    "DEPTHWISE_CONV_2D": conv.depthwise_conv_2d,
    "DEQUANTIZE": elementwise.dequantize,
    "DIV": elementwise.div,
    "EXP": elementwise.exp,
    "EXPAND_DIMS": shape.expand_dims,
    "FILL": shape.fill,
    "FULLY_CONNECTED": linear.fully_connected,
    "GATHER": shape.gather,
    "HARD_SWISH": elementwise.hard_swish,
    "LEAKY_RELU": elementwise.leaky_relu,
    "LOG": elementwise.log,
    "LOGISTIC": elementwise.logistic,
    "LOG_SOFTMAX": reduce.log_softmax,
    "MAXIMUM": elementwise.maximum,
    "MAX_POOL_2D": pool.max_pool_2d,
    "MEAN": reduce.mean,
    "MINIMUM": elementwise.minimum,
    "MUL": elementwise.mul,
    "NEG": elementwise.neg,
    "PACK": shape.pack,
    "PAD": shape.pad,
    "PADV2": shape.pad,
    "POW": elementwise.power,
    "REDUCE_MAX": reduce.reduce_max,
    "RELU": elementwise.relu,
    "RELU6": elementwise.relu6,
    "RELU_N1_TO_1": elementwise.relu_n1_to_1,
    "RESHAPE": shape.reshape,
    "RSQRT": elementwise.rsqrt,
    "SHAPE": shape.shape,
    "SLICE": shape.slice_,
    "SOFTMAX": reduce.softmax,
    "SQRT": elementwise.sqrt,
    "SQUARE": elementwise.square,
    "SQUARED_DIFFERENCE": elementwise.squared_difference,
    "SQUEEZE": shape.squeeze,
    "STRIDED_SLICE": shape.strided_slice,
    "SUB": elementwise.sub,
    "SUM": reduce.total,
    "TANH": elementwise.tanh,
    "TRANSPOSE": shape.transpose,
}
