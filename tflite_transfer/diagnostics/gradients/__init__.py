"""Does a file train along the slope of its own loss? Its gradients, loss and optimizer, looked at in float64."""

from __future__ import annotations

from tflite_transfer.diagnostics.gradients.check import BOUND, GradientCheck
from tflite_transfer.diagnostics.gradients.fault import Fault
from tflite_transfer.diagnostics.gradients.report import GradientReport, check_gradients

__all__ = ["BOUND", "Fault", "GradientCheck", "GradientReport", "check_gradients"]
