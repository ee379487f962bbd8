"""One operator, bound to the function that computes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from tflite_transfer.reference.binding import Kernel, parameters
from tflite_transfer.reference.ops.limit import FREE, Cost, affordable, within_twice
from tflite_transfer.reference.ops.pieces import Pieces, in_pieces, is_large
from tflite_transfer.reference.tflite.errors import ModelError, TransferError
from tflite_transfer.reference.tflite.graph import Operator

Value = Any  # an array, or a resource's Handle
# A warning is raised where the caller turned warnings into errors.
FAILURES = (ValueError, LookupError, TypeError, ArithmeticError, AttributeError, MemoryError, Warning)


@dataclass(frozen=True)
class Step:
    """One operator, bound.

    ``inputs`` are numbers of values: those of the operator's tensors, or, past the last tensor, a constant of a
    quantised type that the float kernel takes widened. ``release`` are the tensors that nothing after it needs.
    """

    number: int
    operator: Operator
    inputs: tuple[int, ...]
    kernel: Kernel
    options: Mapping[str, Any]
    activation: Kernel | None
    types: tuple[np.dtype[Any] | None, ...]  # of the outputs; None for strings and resources
    release: tuple[int, ...]
    cost: Cost = FREE
    pieces: Pieces | None = None

    @cached_property
    def impure(self) -> bool:
        """Does it need the run: for other sub-graphs, variables, random numbers?"""
        return "run" in parameters(self.kernel)

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        return f"operator {self.number} ({self.operator.name})"


def execute(step: Step, inputs: Sequence[Value], source: str, **more: Any) -> tuple[Value, ...]:
    """A step's results. Raises ModelError, which names the operator and the shapes.

    NumPy's warnings of infinities and NaN are the caller's to turn off: once for a run, and not for each operator.
    """
    try:
        results = results_of(step, inputs, more if step.impure else {})
        _check_types(step, results)
        return results
    except TransferError:
        raise
    except FAILURES as e:
        raise failure(step, inputs, source, e) from e


def failure(step: Step, inputs: Sequence[Value], source: str, error: Exception) -> ModelError:
    """What a step's failure is to a user."""
    shapes = [None if a is None else np.shape(a) for a in inputs]
    return ModelError(f"{source}: {step.place} cannot run on shapes {shapes}: {error}")


def compact(value: Value) -> Value:
    """``value``, copied where it is a small view that would keep a large array from being released."""
    base = getattr(value, "base", None)
    return value.copy() if isinstance(base, np.ndarray) and base.nbytes > 4 * value.nbytes else value


def results_of(step: Step, inputs: Sequence[Value], more: Mapping[str, Any]) -> tuple[Value, ...]:
    """A step's results, whatever their types. Raises any of ``FAILURES``, BudgetError."""
    kernel, activation = step.kernel, step.activation
    affordable(inputs)
    if step.pieces is not None and is_large(inputs, step.pieces):
        return (in_pieces(partial(_activated, step), inputs, step.pieces),)
    result = kernel(*inputs, **step.options, **more)
    results = result if isinstance(result, tuple) else (result,)
    return results if activation is None else tuple(activation(within_twice(r)) for r in results)


def _activated(step: Step, *inputs: Value) -> Value:
    result = step.kernel(*inputs, **step.options)
    return result if step.activation is None else step.activation(result)


def _check_types(step: Step, results: tuple[Value, ...]) -> None:
    if len(results) != len(step.types):
        raise ValueError(f"it has {len(step.types)} outputs, and gives {len(results)}")
    for result, wanted in zip(results, step.types, strict=True):
        if wanted is not None and getattr(result, "dtype", None) != wanted:
            raise ValueError(f"it gives {getattr(result, 'dtype', type(result).__name__)}, and the file says {wanted}")
