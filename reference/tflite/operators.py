"""What tensors each operator must have: how many, which may be left out, which have one type.

Kernels trust it: LiteRT's process ends where one is missing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from tflite_transfer.reference.tflite.graph import Operator, Tensor

# Inputs > outputs, as a regular expression with a letter for each tensor: t has the type of the first output, x another
# one; T and 1 are the same as single numbers; s are texts where the output is none, r is a resource, - is left out.
# In a pattern t stands for T too, 1 for T, x for any numbers, y for texts too, a for all that is there, a dot for all.
_CELL, _COUPLED = "xxxxxxxx...xxxx..", "-xxx-xxx-..-xxx.."  # of an LSTM: see ops/lstm.py
_TENSORS = f"""
>: CALL_ONCE
>r: HASHTABLE VAR_HANDLE
a*>a*: CALL WHILE STABLEHLO_COMPOSITE
1a*>a*: IF
r>x: HASHTABLE_SIZE READ_VARIABLE
ry>: ASSIGN_VARIABLE
ryy>: HASHTABLE_IMPORT
ryT>t: HASHTABLE_FIND
t>t: ABS AVERAGE_POOL_2D CEIL COS DENSIFY DEPTH_TO_SPACE ELU EXP FAKE_QUANT FLOOR GELU HARD_SWISH L2_NORMALIZATION
  L2_POOL_2D LEAKY_RELU LOCAL_RESPONSE_NORMALIZATION LOG LOGICAL_NOT LOGISTIC LOG_SOFTMAX MATRIX_DIAG MAX_POOL_2D NEG
  RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 ROUND RSQRT SIGN SIN SKIP_GRAM SPACE_TO_DEPTH SQRT SQUARE SQUEEZE TANH ZEROS_LIKE
  FlexBiasAddGrad
x>x: BITCAST BUCKETIZE CAST COMPLEX_ABS DEQUANTIZE IMAG QUANTIZE RANDOM_STANDARD_NORMAL RANDOM_UNIFORM REAL SOFTMAX
  WHERE
y>x: RANK SHAPE
x>xx: STABLEHLO_RNG_BIT_GENERATOR
tx?>t: RESHAPE
t>tx: UNIQUE
t>t+: UNPACK
t+>t: CONCATENATION PACK FlexAddN
tt+>t: ADD_N
tt>t: ADD ATAN2 BITWISE_XOR BROADCAST_ARGS DIV FLOOR_DIV FLOOR_MOD LOGICAL_AND LOGICAL_OR MATRIX_SET_DIAG MAXIMUM
  MINIMUM MUL POW RIGHT_SHIFT SQUARED_DIFFERENCE STABLEHLO_ADD STABLEHLO_AND STABLEHLO_MAXIMUM STABLEHLO_MINIMUM
  STABLEHLO_MULTIPLY STABLEHLO_SHIFT_LEFT SUB FlexEluGrad FlexInvGrad FlexLeakyReluGrad FlexReciprocalGrad
  FlexRelu6Grad FlexReluGrad FlexRsqrtGrad FlexSeluGrad FlexSigmoidGrad FlexSoftplusGrad FlexSoftsignGrad FlexSqrtGrad
  FlexTanhGrad
tt>tt: FlexBroadcastGradientArgs FlexSoftmaxCrossEntropyWithLogits
tx>tt: FlexSparseSoftmaxCrossEntropyWithLogits
tx>t: BATCH_MATMUL BROADCAST_TO GATHER GATHER_ND MEAN MIRROR_PAD PAD PRELU REDUCE_ALL REDUCE_ANY REDUCE_MAX REDUCE_MIN
  REDUCE_PROD RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_SEQUENCE REVERSE_V2 SEGMENT_SUM STABLEHLO_GATHER SUM TILE
  TRANSPOSE
xt>t: FlexAvgPoolGrad
xx>x: EMBEDDING_LOOKUP GREATER GREATER_EQUAL LESS LESS_EQUAL RFFT2D
yy>x: EQUAL NOT_EQUAL FlexRestore
x1>x: ARG_MAX ARG_MIN MULTINOMIAL
t1>t: CUMSUM EXPAND_DIMS
t1>tx: TOPK_V2
xT>t: FILL
tT>t: STABLEHLO_PAD STABLEHLO_REDUCE_WINDOW
1t>t+: SPLIT
tx1>t+: SPLIT_V
tx1>t: UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_MIN UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_SUM
txT>t: DILATE PADV2
txx>t: BATCH_TO_SPACE_ND SLICE SPACE_TO_BATCH_ND
ttx>t: DYNAMIC_UPDATE_SLICE
xtt>t: SELECT SELECT_V2 FlexConv2DBackpropInput FlexDepthwiseConv2dNativeBackpropInput
txt>t: STABLEHLO_SCATTER FlexConv2DBackpropFilter FlexDepthwiseConv2dNativeBackpropFilter
ttt>t: FlexMaxPoolGrad
xtx>t: SCATTER_ND
yyt>tx: HASHTABLE_LOOKUP
TTT>t: RANGE
txxx>t: STRIDED_SLICE
x1TT>t: ONE_HOT
xxtT>t: SPARSE_TO_DENSE
tTxxx>t: REDUCE_WINDOW
xx111>xx: NON_MAX_SUPPRESSION_V4
xx1111>xxx: NON_MAX_SUPPRESSION_V5
xxxxx>x: EMBEDDING_LOOKUP_SPARSE
xx.?>x: FULLY_CONNECTED
xy.?>x: LSH_PROJECTION
tx.?>t: CONV_2D CONV_3D
tx.>t: DEPTHWISE_CONV_2D
xxt.?>t: CONV_3D_TRANSPOSE TRANSPOSE_CONV
txxxx>t: RNN UNIDIRECTIONAL_SEQUENCE_RNN
txx.x>t: SVDF
txxxxxxxx...>tt?: BIDIRECTIONAL_SEQUENCE_RNN
txxxx>tttt|t({_CELL}|{_COUPLED})xx(....)?>t: LSTM
t({_CELL}|{_COUPLED})xx(....)?>t: UNIDIRECTIONAL_SEQUENCE_LSTM
t({_CELL}{_CELL}|{_COUPLED}{_COUPLED})xxxx.........>tt?: BIDIRECTIONAL_SEQUENCE_LSTM
yyy*>: FlexSave
xxxxx>xxxxxx: FlexFusedBatchNormV3
xxxxxx>xxxxx: FlexFusedBatchNormGradV3
"""

_LETTERS = {"x": "[xt1T]", "1": "[1T]", "t": "[tT]", "y": "[xt1Ts]", "a": "[xt1Tsr]"}


def tensor_faults(tensors: Sequence[Tensor], operator: Operator) -> Iterator[str]:
    """What is wrong with an operator's tensors, as the second half of a sentence."""
    wanted, found = _patterns().get(operator.name), _letters(tensors, operator)
    if wanted is not None and not _compiled(wanted).fullmatch(found):
        yield f"has the tensors '{found}' and must have '{wanted}': reference/tflite/operators.py says what they mean"


def _letters(tensors: Sequence[Tensor], operator: Operator) -> str:
    """An operator's tensors as a text: see ``_TENSORS``."""
    kind = tensors[operator.outputs[0]].type if operator.outputs else ""

    def letter(i: int) -> str:
        if i < 0:
            return "-"
        tensor = tensors[i]
        if tensor.type in ("RESOURCE", "VARIANT"):
            return "r"
        if tensor.type == "STRING" and kind != "STRING":
            return "s"
        fixed = tensor.data is not None or 0 in tensor.shape
        return ("x1", "tT")[tensor.type == kind][not fixed or math.prod(tensor.shape) == 1]

    return "".join(map(letter, operator.inputs)) + ">" + "".join(map(letter, operator.outputs))


@cache
def _patterns() -> Mapping[str, str]:
    """By operator what its letters must be."""
    lines = [line.partition(":") for line in _TENSORS.replace("\n  ", " ").strip().splitlines()]
    return {name: pattern for pattern, _, names in lines for name in names.split()}


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub("[x1tya]", lambda m: _LETTERS[m[0]], pattern))
