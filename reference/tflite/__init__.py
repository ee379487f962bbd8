"""The .tflite file: bytes -> checked tables -> graph (frozen dataclasses), and back.

``read`` and ``write`` are each other's inverse; both follow the one literal schema in ``schema.py``.
"""

from tflite_transfer.reference.tflite.graph import Model, Operator, Quantization, Signature, Subgraph, Tensor
from tflite_transfer.reference.tflite.reader import read
from tflite_transfer.reference.tflite.writer import write

__all__ = ["Model", "Operator", "Quantization", "Signature", "Subgraph", "Tensor", "read", "write"]
