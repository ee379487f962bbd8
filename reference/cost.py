"""What operators cost, so that a budget is kept before they begin.

Measured over arrays of 2^20 values, on one core: tests/attacks/test_giant_arrays.py holds the bytes against the memory
that is really taken. Matrix products are not counted here: ``ops.linear.product`` looks at the clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from tflite_transfer.reference.ops.limit import Cost
from tflite_transfer.reference.ops.pieces import Pieces

# Nanoseconds a value, copies of the largest input, bytes for each of its values, bytes for each value made: operators.
_PLAIN = """
0 0 0 0: CALL CALL_ONCE HASHTABLE HASHTABLE_SIZE IF RANK READ_VARIABLE SHAPE VAR_HANDLE WHILE
  DENSIFY FlexBroadcastGradientArgs FlexRestore
1 0 0 0: ASSIGN_VARIABLE BROADCAST_ARGS BROADCAST_TO CONCATENATION EMBEDDING_LOOKUP FILL MATRIX_DIAG MEAN MIRROR_PAD
  PACK PAD PADV2 RANGE REDUCE_ALL REDUCE_ANY REDUCE_MAX REDUCE_MIN REDUCE_PROD SUM FlexBiasAddGrad
1 0 0 8: FULLY_CONNECTED TILE
2 1 0 0: BATCH_MATMUL BATCH_TO_SPACE_ND DEPTH_TO_SPACE DILATE DYNAMIC_UPDATE_SLICE EXPAND_DIMS MATRIX_SET_DIAG
  REVERSE_V2 SLICE SPACE_TO_DEPTH SPLIT SPLIT_V SQUEEZE STABLEHLO_ADD STABLEHLO_AND STABLEHLO_MAXIMUM STABLEHLO_MINIMUM
  STABLEHLO_MULTIPLY STABLEHLO_SHIFT_LEFT STRIDED_SLICE UNPACK
2 1 0 8: CONV_2D CONV_3D CONV_3D_TRANSPOSE SPACE_TO_BATCH_ND TRANSPOSE_CONV FlexConv2DBackpropFilter
  FlexConv2DBackpropInput FlexDepthwiseConv2dNativeBackpropInput
2 2 0 0: ADD_N BITCAST FlexAddN
2 2 0 8: MAX_POOL_2D
2 2 8 16: AVERAGE_POOL_2D L2_POOL_2D
2 1 0 16: DEPTHWISE_CONV_2D FlexDepthwiseConv2dNativeBackpropFilter
2 0 16 16: NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5
2 0 8 8: ONE_HOT
2 0 16 0: DEQUANTIZE
6 0 0 0: RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR
6 1 0 0: RESHAPE SELECT TRANSPOSE
6 1 1 0: ARG_MAX ARG_MIN
6 0 8 8: GATHER
6 0 16 8: HASHTABLE_LOOKUP
6 8 0 0: FlexFusedBatchNormGradV3 FlexFusedBatchNormV3
8 0 24 0: QUANTIZE SCATTER_ND SEGMENT_SUM SPARSE_TO_DENSE UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_MIN
  UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_SUM
10 4 2 8: FlexAvgPoolGrad FlexMaxPoolGrad
10 1 0 16: BIDIRECTIONAL_SEQUENCE_LSTM BIDIRECTIONAL_SEQUENCE_RNN LSTM RNN UNIDIRECTIONAL_SEQUENCE_LSTM
  UNIDIRECTIONAL_SEQUENCE_RNN
12 4 0 0: SVDF
12 0 16 16: EMBEDDING_LOOKUP_SPARSE STABLEHLO_GATHER
10 0 0 0: L2_NORMALIZATION LOG_SOFTMAX SOFTMAX
15 2 0 0: CUMSUM
15 0 16 16: RFFT2D
20 0 8 8: WHERE
20 1 24 0: REVERSE_SEQUENCE
20 6 0 8: FlexSave FlexSoftmaxCrossEntropyWithLogits FlexSparseSoftmaxCrossEntropyWithLogits
25 0 24 0: GATHER_ND
25 6 0 0: LOCAL_RESPONSE_NORMALIZATION
30 1 0 0: ATAN2
70 0 32 8: MULTINOMIAL
150 0 24 0: TOPK_V2
150 0 300 0: HASHTABLE_FIND HASHTABLE_IMPORT
160 0 0 16: RANDOM_STANDARD_NORMAL RANDOM_UNIFORM
300 1 56 0: UNIQUE
"""

# The same for stored integers, where it is another: int64 or double on the way.
_STORED = """
1 0 0 0: PAD PADV2 REDUCE_MAX REDUCE_MIN
2 0 8 0: MEAN SUM
2 2 0 8: MAX_POOL_2D
6 0 16 0: CONCATENATION
12 0 24 8: AVERAGE_POOL_2D
8 0 40 0: SPARSE_TO_DENSE
8 0 40 32: SCATTER_ND
10 0 16 32: MATRIX_DIAG
30 0 32 64: LSTM SVDF UNIDIRECTIONAL_SEQUENCE_LSTM
30 0 64 0: REDUCE_PROD
35 0 16 0: RESIZE_BILINEAR
300 0 0 0: L2_NORMALIZATION LOG_SOFTMAX SOFTMAX
80 0 24 20: CONV_2D DEPTHWISE_CONV_2D TRANSPOSE_CONV
80 0 24 64: BATCH_MATMUL FULLY_CONNECTED
"""

# Each element alone, or each row of the last axis: in pieces. Bytes that a value takes on the way: operators.
_ELEMENTS = """
8: ABS ADD BITWISE_XOR CEIL COMPLEX_ABS COS EQUAL EXP FLOOR GREATER GREATER_EQUAL IMAG LESS LESS_EQUAL LOG
  LOGICAL_AND LOGICAL_NOT LOGICAL_OR MAXIMUM MINIMUM MUL NEG NOT_EQUAL REAL RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1
  RIGHT_SHIFT ROUND RSQRT SELECT_V2 SIGN SIN SQRT SQUARE SUB TANH ZEROS_LIKE
32: BUCKETIZE CAST DIV ELU FAKE_QUANT FLOOR_DIV FLOOR_MOD GELU HARD_SWISH LEAKY_RELU LOGISTIC POW PRELU
  SQUARED_DIFFERENCE
  FlexEluGrad FlexInvGrad FlexLeakyReluGrad FlexReciprocalGrad FlexRelu6Grad FlexReluGrad FlexRsqrtGrad FlexSeluGrad
  FlexSigmoidGrad FlexSoftplusGrad FlexSoftsignGrad FlexSqrtGrad FlexTanhGrad
"""
_ROWS = """
32: L2_NORMALIZATION LOG_SOFTMAX SOFTMAX
"""
_STORED_BYTES = 128  # in pieces of stored integers; 113 were measured


def cost_of(name: str, *, stored: bool) -> Cost:
    """What an operator costs, on stored integers or on other numbers."""
    return (_costs(_STORED) if stored else {}).get(name) or _costs(_PLAIN).get(name, Cost())


def pieces_of(name: str, *, stored: bool) -> Pieces | None:
    """How an operator's arrays may be cut; None where it needs them all at once."""
    for text, whole in ((_ELEMENTS, 0), (_ROWS, 1)):
        if name in _lines(text):
            return Pieces(_STORED_BYTES if stored else int(_lines(text)[name]), whole)
    return None


@cache
def _costs(text: str) -> Mapping[str, Cost]:
    return {name: Cost(*map(int, numbers.split())) for name, numbers in _lines(text).items()}


@cache
def _lines(text: str) -> Mapping[str, str]:
    """``numbers: names`` -> numbers by name."""
    lines = [line.partition(":") for line in text.replace("\n  ", " ").strip().splitlines()]
    return {name: numbers for numbers, _, names in lines for name in names.split()}
