"""Why do the numbers differ, and where first? Two engines, or two files, tensor by tensor and step by step."""

from tflite_transfer.diagnostics.comparison import compare
from tflite_transfer.diagnostics.findings import Comparison, Difference, Element, Finding, Run

__all__ = ["Comparison", "Difference", "Element", "Finding", "Run", "compare"]
