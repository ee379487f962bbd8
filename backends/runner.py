"""Any .tflite run by either backend: a signature's arguments by name in, its results by name out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tflite_transfer.backends.tflite import first_line, interpreter_class
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.kernels.threads import cores
from tflite_transfer.reference.signatures import Names, arguments, names
from tflite_transfer.reference.tflite.errors import ModelError, OptionError
from tflite_transfer.reference.tflite.graph import Array, Signature
from tflite_transfer.reference.tflite.reader import read
from tflite_transfer.reference.tflite.verify import verify


class Runner(Protocol):
    """What both backends do."""

    def run(self, signature: str | None = None, /, **inputs: Any) -> dict[str, Array]:
        """Run a signature; with None, the main graph by its tensors' names."""
        ...

    def variables(self) -> dict[str, Array]:
        """A copy of each resource variable, by name."""
        ...

    def assign(self, values: Mapping[str, Array]) -> None:
        """Set variables by name."""
        ...


class NumpyRunner:
    """The reference interpreter as a ``Runner``."""

    def __init__(
        self, source: Path | bytes, num_threads: int | None = None, folder: str | Path = ".", *, resize: bool = False
    ) -> None:
        self._interpreter = Interpreter(source, folder=folder, resize=resize, num_threads=num_threads or cores())
        self.run = self._interpreter.run

    def variables(self) -> dict[str, Array]:
        return dict(self._interpreter.variables)

    def assign(self, values: Mapping[str, Array]) -> None:
        self._interpreter.variables.update(values)


class LiteRTRunner:
    """LiteRT behind the face of ``reference.Interpreter``: the same file, the same checks before it runs."""

    def __init__(
        self,
        source: Path | bytes,
        num_threads: int | None = None,
        *,
        resize: bool = False,
        name: str = "the model",
        **options: Any,
    ) -> None:
        """``name``: what errors call bytes; ``options``: further ones of LiteRT's interpreter."""
        content, name = (source, name) if isinstance(source, bytes) else (_content(source), source.name)
        self.model = read(content, name)
        verify(self.model)
        self._runners: dict[str, Any] = {}
        self._resize = resize
        try:
            self.interpreter: Any = interpreter_class()(model_content=content, num_threads=num_threads, **options)
        except (ValueError, RuntimeError) as e:
            raise ModelError(f"LiteRT refuses {name}: {first_line(e)}") from e

    def run(self, signature: str | None = None, /, **inputs: Any) -> dict[str, Array]:
        """See ``Runner``. Raises ShapeError, ModelError."""
        found = names(self.model, signature)
        given = arguments(self.model, found, inputs, resize=self._resize)
        try:
            return self._main(found, given) if signature is None else self._signature(signature, given)
        except (ValueError, RuntimeError) as e:
            raise ModelError(f"LiteRT cannot run {self.model.source}: {first_line(e)}") from e

    def variables(self) -> dict[str, Array]:
        return self.run(self._way("save", "variables").key)

    def assign(self, values: Mapping[str, Array]) -> None:
        key = self._way("restore", "assign").key
        known = {} if len(values) == len(self._way("restore", "assign").inputs) else self.variables()
        self.run(key, **{**known, **values})

    def _way(self, *keys: str) -> Signature:
        """The signature that gives or takes variables: LiteRT has no other way to them."""
        names = {o.options.get("shared_name") for g in self.model.subgraphs for o in g.operators} - {None}
        for signature in self.model.signatures:
            side = signature.inputs or signature.outputs
            if signature.key in keys and set(side) == names:
                return signature
        raise ModelError(
            f"{self.model.source} has no signature {' or '.join(keys)} for its variables' values, and LiteRT has no "
            "other way to them: run it with the numpy backend."
        )

    def _signature(self, key: str, given: Mapping[str, Array]) -> dict[str, Array]:
        if key not in self._runners:  # a new runner allocates its sub-graph anew
            self._runners[key] = self.interpreter.get_signature_runner(key)
        results = self._runners[key](**{k: _plain(v) for k, v in given.items()})
        return {name: np.array(value) for name, value in results.items()}

    def _main(self, found: Names, given: Mapping[str, Array]) -> dict[str, Array]:
        for name, number in found.inputs.items():
            self.interpreter.resize_tensor_input(number, given[name].shape)
        self.interpreter.allocate_tensors()
        for name, number in found.inputs.items():
            self.interpreter.set_tensor(number, _plain(given[name]))
        self.interpreter.invoke()
        return {name: self.interpreter.get_tensor(number) for name, number in found.outputs.items()}


def _plain(value: Array) -> Array:
    """Texts as LiteRT takes them: NumPy's bytes."""
    return value.astype(np.bytes_) if value.dtype.kind == "O" else value


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()  # once: what is checked is what runs
    except OSError as e:
        raise ModelError(f"{path} cannot be read: {e.strerror}.") from e


def open_runner(
    name: str,
    source: Path | bytes,
    num_threads: int | None = None,
    folder: str | Path = ".",
    *,
    resize: bool = False,
) -> Runner:
    """The backend of that name, ready to run a file. Raises OptionError, ModelError, MissingExtraError.

    ``num_threads``: by default one for each core with numpy, what LiteRT chooses with tflite. ``folder``: where the
    model may save and restore, on the numpy backend. ``resize``: see ``Interpreter``.
    """
    if name == "numpy":
        return NumpyRunner(source, num_threads, folder, resize=resize)
    if name == "tflite":
        return LiteRTRunner(source, num_threads, resize=resize)
    raise OptionError(f"backend must be numpy or tflite, but is {name!r}.")
