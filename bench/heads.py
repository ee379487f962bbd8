"""Training steps of a softmax head: both backends, LiteRT's bare ``invoke``, and what the machine could do at best.

B examples, F features, C classes, K steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial

import numpy as np

from bench.case import Case, Setting
from bench.limits import byte_floor, fma_floor, stream
from bench.litert import THREADS, Invoke, upstream
from bench.peers import Given, Peer
from bench.results import Goal, Values
from bench.timing import Clock, Side, race, timed
from tests.cases import Head
from tests.parity import training
from tflite_transfer.backends import open_backend
from tflite_transfer.backends.base import Array, Backend, Steps, Tree, one_hot
from tflite_transfer.backends.graphs import GraphBackend
from tflite_transfer.backends.numpy import NumpyBackend
from tflite_transfer.converter.training.optimizers import SGD, Adam
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.writer import write
from tflite_transfer.training import epoch_batches

RULES = {"sgd": SGD(0.03), "adam": Adam()}  # the numbers in the upstream-made files
LITERT = {n: (f"LiteRT{told}", f"LiteRT, upstream's graph{told}") for n, told in THREADS.items()}
FLOORS = ("byte floor", "FMA floor")
HOT, STREAMED, GEMMS = "numpy, hot", "same rows streamed", "its two GEMMs"
TURNS = "numpy, four batches in turn"
LIMITS = (*FLOORS, HOT, STREAMED, GEMMS, TURNS)  # the sides that are no ways to take a step
Measure = Callable[[Head, Setting], Values]
STEPS = 48  # a call takes at least so many, as a chunk of a training does: what a call costs is shared among them


class PlainBackend(NumpyBackend):
    """The definitions in NumPy alone, without the kernels."""

    _train = GraphBackend._train


class Problem:
    """A head, the samples that it learns from, and every way to take its steps through shuffled epochs of them.

    The samples are small: however long they are trained on, the softmax does not saturate.
    """

    def __init__(self, head: Head, samples: int) -> None:
        self.head, self.bundle = head, head.bundle(RULES[head.optimizer])
        rng = np.random.default_rng(0)
        self.x = rng.random((samples, head.features), np.float32)
        self.x /= np.float32(np.sqrt(head.features))
        self.classes = rng.integers(0, head.classes, samples)
        epoch = epoch_batches(0, 0, samples, head.examples)
        self.batches = np.tile(epoch, (-(-STEPS // len(epoch)), 1))
        ws = rng.standard_normal((head.features, head.classes), np.float32)
        self.params: Tree = {"ws": ws, "bs": rng.standard_normal(head.classes, np.float32)}
        self.slots: Tree = {name: np.zeros(shape, np.float32) for name, shape in self.bundle.slots.items()}

    @cached_property
    def first(self) -> tuple[Array, Array]:
        """The first batch: x (B, F) and one-hot y (B, C)."""
        rows = self.batches[0]
        return self.x[rows], one_hot(self.classes[rows], self.head.classes)

    @cached_property
    def exact(self) -> list[training.Part]:
        """What the first step gives in float64."""
        numbers = training.constants(self.bundle)
        return list(training.whole_step(numbers, self.params, self.slots, *self.first))

    def steps(self, backend: Backend, batches: Array) -> Side:
        """Steps of a backend, the first of which was found right."""
        slots = {name: slot.copy() for name, slot in self.slots.items()}
        last = backend.train(self.params, slots, self.x, self.classes, self.batches[:1])
        self.check(last)
        params = last.params

        def train() -> None:  # always from the same parameters, in the memory that the backend gave them
            nonlocal last
            last = backend.train(params, last.slots, self.x, self.classes, batches)

        return Side(timed(train), len(batches))

    def backend(self, name: str, threads: int = 1) -> Side:
        """Epochs of a backend."""
        return self.steps(open_backend(name, self.bundle, threads), self.batches)

    def plain(self) -> Side:
        """The definitions."""
        return self.steps(PlainBackend(self.bundle), self.batches[:STEPS])

    def hot(self) -> Side:
        """The first batch again and again: it and the weights stay in the caches."""
        return self.steps(open_backend("numpy", self.bundle, 1), np.tile(self.batches[:1], (500, 1)))

    def litert(self, threads: int) -> dict[str, Side]:
        """Both graph layouts."""
        theirs = upstream(self.head.optimizer, self.head.features, self.head.classes, self.head.examples)
        files = zip(LITERT[threads], (self.bundle.contents, theirs), strict=True)
        return {name: self.invoke(contents, threads) for name, contents in files}

    def invoke(self, contents: Mapping[str, bytes], threads: int) -> Side:
        """LiteRT's step of the first batch, found right."""
        step = Invoke(contents, threads)
        loss, *new = step.step(*self.first, list(self.params.values()), list(self.slots.values()))
        values = dict(zip((*self.params, *self.slots), new, strict=True))
        self.check(Steps(loss.reshape(1), values, values))
        return Side(timed(step))

    def floors(self) -> dict[str, Side]:
        """What a step must move and multiply at least; each of Adam's slots is read and written too."""
        numbers = self.head.size * (3 if self.slots else 1)
        products = 2 * self.head.examples * self.head.size  # the logits' and the gradient's
        sides = byte_floor(self.x, self.batches, np.ones(numbers, np.float32)), fma_floor(products)
        return dict(zip(FLOORS, sides, strict=True))

    def gemms(self) -> Side:
        """A step's two matrix products, by NumPy's BLAS on one thread, into arrays that are there."""
        x, d = self.first
        ws = self.params["ws"]
        logits, grad = np.empty_like(d), np.empty_like(ws)
        return Side(timed(lambda: (np.dot(x, ws, out=logits), np.dot(x.T, d, out=grad))))

    def check(self, found: Steps) -> None:
        """A step must be what float64 says: a wrong answer is not timed."""
        values = {"loss": found.losses[0], **found.slots, **found.params}
        for name, rows, exact in self.exact:
            c = training.needed(values[name][rows], exact) if name in values else 0.0
            assert c <= training.GRADIENT_C, f"{self.head}: {name} is {c:.3g} units of 2^-24 from float64"

    def sides(self, setting: Setting) -> dict[str, Side]:
        """What every head is measured by."""
        found = {f"numpy{told}": self.backend("numpy", n) for n, told in THREADS.items()}
        found["plain NumPy"] = self.plain()
        found |= self.litert(1) | self.litert(2) | {"tflite backend": self.backend("tflite")}
        return found | {name: Side(self.peer(peer)) for name, peer in setting.peers.items()}

    def peer(self, peer: Peer) -> Clock:
        """Another framework's steps of the first batch, found right."""
        rows, optimizer = self.batches[0], self.head.optimizer
        arrays = {"x": self.x[rows], "labels": self.classes[rows], **self.params}
        again = np.tile(rows, (3, 1))
        losses = PlainBackend(self.bundle).train(self.params, self.slots, self.x, self.classes, again).losses
        return peer.head(Given(arrays, self.inference(), optimizer, RULES[optimizer].learning_rate), losses)

    def inference(self) -> bytes:
        """The head as an ordinary .tflite, (1, F) -> logits (1, C)."""
        g = GraphBuilder()
        x = g.input("x", (1, self.head.features))
        ws, bs = g.constant("ws", np.array(self.params["ws"].T, order="C")), g.constant("bs", self.params["bs"])
        g.output("logits", g.op("FULLY_CONNECTED", [x, ws, bs], "logits", (1, self.head.classes)))
        return write(g.model("head"))


def _large(head: Head, setting: Setting) -> Values:
    problem = Problem(head, head.examples)  # one batch again and again, as LiteRT's invoke has it: 5 MB
    own = {TURNS: Problem(head, 4 * head.examples).backend("numpy")}
    return race(problem.sides(setting) | problem.floors() | own, *setting[:2])


def _epoch(head: Head, setting: Setting) -> Values:
    problem = Problem(head, 10_000)
    own = {HOT: problem.hot(), STREAMED: stream(problem.x, problem.batches)}
    return race(problem.sides(setting) | own, *setting[:2])


def _wide(head: Head, setting: Setting) -> Values:
    problem = Problem(head, 1280)
    return race(problem.sides(setting) | {GEMMS: problem.gemms()}, *setting[:2])


def _goals(one: float | None, two: float | None) -> tuple[Goal, ...]:
    """Against LiteRT with so many threads."""
    return (
        Goal("faster", "numpy", LITERT[1], one),
        Goal("faster", "numpy, 2 threads", LITERT[2], two),
        Goal("within", "tflite backend", LITERT[1][:1], 1.15),
    )


_FLOOR = Goal("within", "numpy", FLOORS, 2.0)
_MEMORY = Goal("within", "numpy", (HOT, STREAMED), 1.1)
_WIDE = (Goal("within", "numpy", (GEMMS,), 1.2), Goal("faster", "numpy", ("PyTorch",), 1.0))


def _case(name: str, measure: Measure, head: Head, *goals: Goal) -> Case:
    return Case(f"head step {name}", partial(measure, head), goals)


SMALL, LARGE, WIDE = (4, 1_280, 20), (4, 62_720, 20), (1_000, 1_280, 128)
CASES = (
    _case("62,720 x 4, SGD", _large, Head("sgd", None, *LARGE), *_goals(5.0, 4.0), _FLOOR),
    _case("62,720 x 4, Adam", _large, Head("adam", None, *LARGE), *_goals(4.0, 4.0), _FLOOR),
    _case("1,280 x 4 in an epoch of 10,000, SGD", _epoch, Head("sgd", None, *SMALL), *_goals(2.5, None), _MEMORY),
    _case("1,280 x 4 in an epoch of 10,000, Adam", _epoch, Head("adam", None, *SMALL), *_goals(2.5, None), _MEMORY),
    _case("1,280 x 1,000, batch 128, SGD", _wide, Head("sgd", None, *WIDE), *_goals(None, None), *_WIDE),
)
