"""The face of it: two engines, or two files, compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import Any

from tflite_transfer.backends import open_backend
from tflite_transfer.diagnostics import inputs as inputs_of
from tflite_transfer.diagnostics.findings import MODES, Comparison, Finding, Run
from tflite_transfer.diagnostics.five_files import FiveFiles, part_of, start_of
from tflite_transfer.diagnostics.graphs import Pair
from tflite_transfer.diagnostics.one_file import InOneFile
from tflite_transfer.diagnostics.sides import Source, check_engine, is_litert
from tflite_transfer.diagnostics.stored import pair_of
from tflite_transfer.diagnostics.training import Batch, Training, trained
from tflite_transfer.reference.tflite.bundle import Bundle, load_bundle
from tflite_transfer.reference.tflite.errors import ModelError, OptionError
from tflite_transfer.reference.tflite.graph import Subgraph
from tflite_transfer.reference.tflite.one_file import OneFile, one_file, trains
from tflite_transfer.reference.tflite.reader import content_of, read

STEPS = 3
File = Bundle | OneFile | Source


def compare(
    model: str | Path,
    against: str | Path | None = None,
    *,
    a: str = "tflite",
    b: str = "numpy",
    inputs: Mapping[str, Any] | None = None,
    seed: int = 0,
    steps: int | None = None,
    mode: str | None = None,
) -> Comparison:
    """Run a model by two engines, or two models, and hold every tensor of one against the other's.

    >>> found = compare("model.tflite", a="tflite", b="numpy")          # doctest: +SKIP
    >>> found.agrees, found.first                                       # doctest: +SKIP

    Parameters
    ----------
    model : a .tflite, a training model in one file, or a folder of five; A is this by engine ``a``
    against : what B is; by default the same
    inputs : arguments by name, or a training model's ``x`` and ``y``; by default drawn from ``seed``
    steps : of a training model, 3 by default; 0 runs it forward alone
    mode : ``isolated``: each operator on the other run's inputs; ``cumulative``: whole runs alone; ``teacher_forced``:
        isolated, and each training step from A's state, as is the default where something trains

    Raises TransferError: OptionError for what cannot be asked, ModelError, ShapeError, MissingExtraError.
    """
    check_engine("a", a)
    check_engine("b", b)
    paths = Path(model), Path(model if against is None else against)
    files = _files(*paths, same=against is None)
    steps = _steps(steps, files, paths)
    mode = _mode(mode, steps)
    job = _Job((a, b), files, inputs, seed, steps, mode)
    findings = tuple(job.findings())
    runs = [Run(str(path), engine) for path, engine in zip(paths, (a, b), strict=True)]
    return Comparison(runs[0], runs[1], mode, steps, findings, tuple(job.unmatched), job.graphs)


class _Job:
    """One comparison: its findings as they are made, and meanwhile the graphs that they are of."""

    def __init__(
        self,
        engines: tuple[str, str],
        files: tuple[File, File],
        inputs: Mapping[str, Any] | None,
        seed: int,
        steps: int,
        mode: str,
    ) -> None:
        self.engines, self.files, self.steps, self.mode = engines, files, steps, mode
        self._inputs, self._seed = inputs, seed
        self.graphs: dict[str, Subgraph] = {}
        self.unmatched: list[str] = []

    def findings(self) -> Iterator[Finding]:
        """Everything, in the order of the computation."""
        one, other = self.files
        if isinstance(one, Bundle) and isinstance(other, Bundle):
            yield from self._five_files(one, other)
        elif isinstance(one, OneFile) and isinstance(other, OneFile):
            yield from self._one_file(one, other)
        else:
            sources = _plain(one), _plain(other)
            yield from self._forward(sources, inputs_of.values(sources[0], self._inputs, self._seed))

    def _forward(self, sources: tuple[Source, Source], values: list[Any], part: str | None = None) -> Iterator[Finding]:
        pair = pair_of(self.engines, sources)
        part = part or sources[0].key or "main"
        self._told(part, pair)
        yield from pair.findings(pair.run(values), part, alone=self.mode != "cumulative")

    def _five_files(self, one: Bundle, other: Bundle) -> Iterator[Finding]:
        given = inputs_of.examples(one, self._inputs, self._seed)
        state, bundles = start_of(one), (one, other)
        yield from self._forward(part_of(bundles, "bottleneck"), [given.x[:1]], "bottleneck")
        base = open_backend("tflite" if is_litert(self.engines[0]) else "numpy", one)
        x = base.bottlenecks(given.x).reshape(-1, *one.bottleneck_shape)
        params = [state[name] for name in one.parameters]
        yield from self._forward(part_of(bundles, "inference"), [x[:1], *params], "inference")
        if self.steps:
            yield from self._trained(FiveFiles(self.engines, bundles), Batch(x, given.y), one.batch)

    def _one_file(self, one: OneFile, other: OneFile) -> Iterator[Finding]:
        given = inputs_of.examples(one, self._inputs, self._seed)
        base, x = one.roles.base, given.x
        if base is not None:
            yield from self._forward(_signatures(one, other, base.key), [x[:1]])
            runs = open_backend("tflite" if is_litert(self.engines[0]) else "numpy", one)
            x = runs.bottlenecks(given.x).reshape(-1, *one.bottleneck_shape)
        yield from self._forward(_signatures(one, other, one.roles.infer.key), [x[:1]])
        if self.steps:
            size = inputs_of.size_of(one)
            yield from self._trained(InOneFile(self.engines, (one, other)), Batch(x, given.y), size)

    def _trained(self, training: Training, given: Batch, size: int) -> Iterator[Finding]:
        for part, pair in training.pairs.items():
            self._told(part, pair)
        made = inputs_of.batches(given, size, self.steps)
        yield from trained(training, made, forced=self.mode == "teacher_forced", alone=self.mode != "cumulative")

    def _told(self, part: str, pair: Pair) -> None:
        self.graphs[part] = pair.graph
        self.unmatched += [f"{part}: {line}" for line in pair.matching.unmatched]


def _files(one: Path, other: Path, *, same: bool) -> tuple[File, File]:
    """Both files; the very same object twice where there is one. Raises ModelError, OptionError."""
    first = _opened(one)
    second = first if same else _opened(other)
    if isinstance(first, Bundle) != isinstance(second, Bundle):
        raise OptionError(f"{one} and {other} must both be folders of five files, or both one file.")
    return first, second


def _opened(path: Path) -> File:
    if not path.exists():
        raise ModelError(f"there is no model {path}: neither a folder of five .tflite files nor one file.")
    if path.is_dir():
        return load_bundle(path)
    source = opened(path)
    return one_file(source.content, path.name) if trains(source.model) else source


def opened(path: Path) -> Source:
    """A file's main sub-graph, by its signature's key where it has one. Raises ModelError."""
    content = content_of(path)
    model = read(content, path.name)
    return Source(content, model, next((s.key for s in model.signatures if s.subgraph == 0), None))


def _plain(file: File) -> Source:
    """What of a file runs forward; of a training model, what infers."""
    assert not isinstance(file, Bundle)
    return file if isinstance(file, Source) else Source(file.content, file.model, file.roles.infer.key)


def _signatures(one: OneFile, other: OneFile, key: str) -> tuple[Source, Source]:
    first = Source(one.content, one.model, key)
    return first, first if one is other else replace(first, content=other.content, model=other.model)


def _steps(steps: int | None, files: tuple[File, File], paths: tuple[Path, Path]) -> int:
    plain = [path for file, path in zip(files, paths, strict=True) if isinstance(file, Source)]
    if steps is None:
        return 0 if plain else STEPS
    if not isinstance(steps, Integral) or steps < 0:
        raise OptionError(f"steps must be 0 or more, and whole, but is {steps!r}.")
    if steps and plain:
        raise OptionError(f"steps must be 0, for {plain[0]} does not train, but is {steps}.")
    return int(steps)


def _mode(mode: str | None, steps: int) -> str:
    if mode is None:
        return "teacher_forced" if steps else "isolated"
    if mode not in MODES:
        raise OptionError(f"mode must be one of {', '.join(MODES)}, but is {mode!r}.")
    return mode
