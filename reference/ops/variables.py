"""Resources: values that outlive a run, in ``run.memory``."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from tflite_transfer.reference.memory import Handle, handle_name

Array = NDArray[Any]


def var_handle(*, container: str | None = None, shared_name: str | None = None, run: Any) -> Handle:
    """The variable of that name, whether or not it has a value yet."""
    return Handle(handle_name(container, shared_name))


def read_variable(handle: Handle, *, run: Any) -> Array:
    """The variable's value. handle -> (...)."""
    return run.memory.variables.read(handle)


def assign_variable(handle: Handle, value: Array, *, run: Any) -> tuple[()]:
    """The variable's new value. handle, (...)."""
    variables = run.memory.variables
    run.meter.hold(value.nbytes - variables.size(handle))
    variables.assign(handle, value)
    return ()
