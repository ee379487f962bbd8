"""Differentiating a graph: one rule an operator, which writes its gradient as operators."""

from tflite_transfer.converter.gradients.backward import pull_back

__all__ = ["pull_back"]
