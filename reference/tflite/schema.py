"""The .tflite schema, version 3: each table's fields in slot order, as data.

One literal serves the reader, the checks and the writer. ``name:type=default``; a default not given is 0; ``_`` is a
slot that the schema retired. A union is a pair of fields, ``x_type`` and ``x``. Tables without fields are left out.
The schema is TensorFlow's ``schema.fbs`` (Apache-2.0); a test holds this text equal to the PyPI package ``tflite``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from tflite_transfer.reference.tflite.enums import UNIONS

_GRAPH = """
Model: version:uint operator_codes:[OperatorCode] subgraphs:[SubGraph] description:string buffers:[Buffer]
  metadata_buffer:[int] metadata:[Metadata] signature_defs:[SignatureDef]
OperatorCode: deprecated_builtin_code:byte custom_code:string version:int=1 builtin_code:int
SubGraph: tensors:[Tensor] inputs:[int] outputs:[int] operators:[Operator] name:string debug_metadata_index:int=-1
Tensor: shape:[int] type:byte buffer:uint name:string quantization:QuantizationParameters is_variable:bool
  sparsity:SparsityParameters shape_signature:[int] has_rank:bool variant_tensors:[VariantSubType]
QuantizationParameters: min:[float] max:[float] scale:[float] zero_point:[long] details_type:ubyte details:union
  quantized_dimension:int
CustomQuantization: custom:[ubyte]
SparsityParameters: traversal_order:[int] block_map:[int] dim_metadata:[DimensionMetadata]
DimensionMetadata: format:byte dense_size:int array_segments_type:ubyte array_segments:union
  array_indices_type:ubyte array_indices:union
Int32Vector: values:[int]
Uint16Vector: values:[ushort]
Uint8Vector: values:[ubyte]
VariantSubType: shape:[int] type:byte has_rank:bool
Operator: opcode_index:uint inputs:[int] outputs:[int] builtin_options_type:ubyte builtin_options:union
  custom_options:[ubyte] custom_options_format:byte mutating_variable_inputs:[bool] intermediates:[int]
  large_custom_options_offset:ulong large_custom_options_size:ulong builtin_options_2_type:ubyte
  builtin_options_2:union debug_metadata_index:int=-1
Buffer: data:[ubyte] offset:ulong size:ulong
Metadata: name:string buffer:uint
SignatureDef: inputs:[TensorMap] outputs:[TensorMap] signature_key:string _:_ subgraph_index:uint
TensorMap: name:string tensor_index:uint
"""

_OPTIONS = """
AddOptions: fused_activation_function:byte pot_scale_int16:bool=1
ArgMaxOptions: output_type:byte
ArgMinOptions: output_type:byte
BatchMatMulOptions: adj_x:bool adj_y:bool asymmetric_quantize_inputs:bool
BidirectionalSequenceLSTMOptions: fused_activation_function:byte cell_clip:float proj_clip:float merge_outputs:bool
  time_major:bool=1 asymmetric_quantize_inputs:bool
BidirectionalSequenceRNNOptions: time_major:bool fused_activation_function:byte merge_outputs:bool
  asymmetric_quantize_inputs:bool
BucketizeOptions: boundaries:[float]
CallOnceOptions: init_subgraph_index:int
CallOptions: subgraph:uint
CastOptions: in_data_type:byte out_data_type:byte
ConcatEmbeddingsOptions: num_channels:int num_columns_per_channel:[int] embedding_dim_per_channel:[int]
ConcatenationOptions: axis:int fused_activation_function:byte
Conv2DOptions: padding:byte stride_w:int stride_h:int fused_activation_function:byte dilation_w_factor:int=1
  dilation_h_factor:int=1 quantized_bias_type:byte
Conv3DOptions: padding:byte stride_d:int stride_w:int stride_h:int fused_activation_function:byte
  dilation_d_factor:int=1 dilation_w_factor:int=1 dilation_h_factor:int=1
CumsumOptions: exclusive:bool reverse:bool
DepthToSpaceOptions: block_size:int
DepthwiseConv2DOptions: padding:byte stride_w:int stride_h:int depth_multiplier:int fused_activation_function:byte
  dilation_w_factor:int=1 dilation_h_factor:int=1
DivOptions: fused_activation_function:byte
EmbeddingLookupSparseOptions: combiner:byte
FakeQuantOptions: min:float max:float num_bits:int narrow_range:bool
FullyConnectedOptions: fused_activation_function:byte weights_format:byte keep_num_dims:bool
  asymmetric_quantize_inputs:bool quantized_bias_type:byte
GatherOptions: axis:int batch_dims:int
GeluOptions: approximate:bool
HashtableOptions: table_id:int key_dtype:byte value_dtype:byte
IfOptions: then_subgraph_index:int else_subgraph_index:int
L2NormOptions: fused_activation_function:byte
LSHProjectionOptions: type:byte
LSTMOptions: fused_activation_function:byte cell_clip:float proj_clip:float kernel_type:byte
  asymmetric_quantize_inputs:bool
LeakyReluOptions: alpha:float
LocalResponseNormalizationOptions: radius:int bias:float alpha:float beta:float
MirrorPadOptions: mode:byte
MulOptions: fused_activation_function:byte
OneHotOptions: axis:int
PackOptions: values_count:int axis:int
Pool2DOptions: padding:byte stride_w:int stride_h:int filter_width:int filter_height:int
  fused_activation_function:byte
RNNOptions: fused_activation_function:byte asymmetric_quantize_inputs:bool
RandomOptions: seed:long seed2:long
ReduceWindowOptions: reduce_function:int
ReducerOptions: keep_dims:bool
ReshapeOptions: new_shape:[int]
ResizeBilinearOptions: _:_ _:_ align_corners:bool half_pixel_centers:bool
ResizeNearestNeighborOptions: align_corners:bool half_pixel_centers:bool
ReverseSequenceOptions: seq_dim:int batch_dim:int
SVDFOptions: rank:int fused_activation_function:byte asymmetric_quantize_inputs:bool
SequenceRNNOptions: time_major:bool fused_activation_function:byte asymmetric_quantize_inputs:bool
ShapeOptions: out_type:byte
SkipGramOptions: ngram_size:int max_skip_size:int include_all_ngrams:bool
SoftmaxOptions: beta:float
SpaceToDepthOptions: block_size:int
SparseToDenseOptions: validate_indices:bool
SplitOptions: num_splits:int
SplitVOptions: num_splits:int
SqueezeOptions: squeeze_dims:[int]
StableHLOCompositeOptions: name:string decomposition_subgraph_index:int composite_attributes:[ubyte]
  composite_attributes_format:byte version:int
StablehloBroadcastInDimOptions: broadcast_dimensions:[long]
StablehloCompareOptions: comparison_direction:uint compare_type:uint
StablehloConcatenateOptions: dimension:long
StablehloConvolutionOptions: window_strides:[long] padding:[long] lhs_dilation:[long] rhs_dilation:[long]
  window_reversal:[bool] input_batch_dimension:long input_feature_dimension:long input_spatial_dimensions:[long]
  kernel_input_feature_dimension:long kernel_output_feature_dimension:long kernel_spatial_dimensions:[long]
  output_batch_dimension:long output_feature_dimension:long output_spatial_dimensions:[long]
  feature_group_count:long batch_group_count:long precision_config:[uint]
StablehloCustomCallOptions: call_target_name:string has_side_effect:bool backend_config:string api_version:int
  called_computations:[int] custom_attributes:[ubyte]
StablehloDotGeneralOptions: lhs_batching_dimensions:[long] rhs_batching_dimensions:[long]
  lhs_contracting_dimensions:[long] rhs_contracting_dimensions:[long] precision_config:[uint]
StablehloDynamicSliceOptions: slice_sizes:[long]
StablehloGatherOptions: offset_dims:[long] collapsed_slice_dims:[long] start_index_map:[long] index_vector_dim:long
  slice_sizes:[long] indices_are_sorted:bool
StablehloIotaOptions: iota_dimension:long
StablehloPadOptions: edge_padding_low:[long] edge_padding_high:[long] interior_padding:[long]
StablehloReduceOptions: dimensions:[long] body_subgraph_index:int
StablehloReduceWindowOptions: window_dimensions:[long] window_strides:[long] base_dilations:[long]
  window_dilations:[long] padding:[long] body_subgraph_index:int
StablehloRngBitGeneratorOptions: algorithm:byte
StablehloScatterOptions: indices_are_sorted:bool update_window_dims:[long] inserted_window_dims:[long]
  scatter_dims_to_operand_dims:[long] index_vector_dim:long unique_indices:bool
  update_computation_subgraph_index:int
StablehloSliceOptions: start_indices:[long] limit_indices:[long] strides:[long]
StablehloSortOptions: dimension:long is_stable:bool comparator_subgraph_index:int
StablehloTransposeOptions: permutation:[long]
StablehloWhileOptions: cond_subgraph_index:int body_subgraph_index:int
StridedSliceOptions: begin_mask:int end_mask:int ellipsis_mask:int new_axis_mask:int shrink_axis_mask:int
  offset:bool
SubOptions: fused_activation_function:byte pot_scale_int16:bool=1
TransposeConvOptions: padding:byte stride_w:int stride_h:int fused_activation_function:byte quantized_bias_type:byte
UnidirectionalSequenceLSTMOptions: fused_activation_function:byte cell_clip:float proj_clip:float time_major:bool
  asymmetric_quantize_inputs:bool diagonal_recurrent_tensors:bool
UniqueOptions: idx_out_type:byte=2
UnpackOptions: num:int axis:int
VarHandleOptions: container:string shared_name:string
WhileOptions: cond_subgraph_index:int body_subgraph_index:int
"""


class Field(NamedTuple):
    """One slot of a table. ``type``: a scalar's name, ``string``, ``union``, a table's name, or one of these in []."""

    name: str
    type: str
    default: float


class Schema(NamedTuple):
    """Tables by name, a union field's members, and how a file begins: its root table and its identifier."""

    tables: Mapping[str, tuple[Field, ...]]
    unions: Mapping[str, tuple[str, ...]]
    root: str
    identifier: bytes


def parse(text: str) -> dict[str, tuple[Field, ...]]:
    """A schema's tables, written as above."""
    tables: dict[str, tuple[Field, ...]] = {}
    for line in text.replace("\n  ", " ").strip().splitlines():
        table, _, fields = line.partition(": ")
        tables[table] = tuple(_field(f) for f in fields.split())
    return tables


def _field(text: str) -> Field:
    name, _, kind = text.partition(":")
    kind, _, default = kind.partition("=")
    return Field(name, kind, float(default or 0))


@cache
def tables() -> Mapping[str, tuple[Field, ...]]:
    """Every table that has fields, by name."""
    return parse(_GRAPH) | parse(_OPTIONS)


@cache
def tflite() -> Schema:
    """The schema of a .tflite."""
    return Schema(tables(), UNIONS, "Model", b"TFL3")
