"""Which weights train: ``all``, ``biases``, ``last:N`` layers, or names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from tflite_transfer.converter.networks.network import Weight
from tflite_transfer.reference.tflite.errors import OptionError
from tflite_transfer.reference.tflite.graph import Array

BIASES = ("bias", "beta")  # what Keras calls them
ARGUMENTS = ("x", "y", "learning_rate")  # of a training file: no weight has such a name


def distinct(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """Each name once: where it came before, or is taken, with a number behind its layer, such as no other layer has.

    >>> distinct(["dense/kernel", "dense/bias", "dense/kernel", "dense/bias", "dense_1/kernel"])
    ['dense/kernel', 'dense/bias', 'dense_2/kernel', 'dense_2/bias', 'dense_1/kernel']
    """
    names, taken = list(names), list(taken)
    others, found = {*names, *(n.rpartition("/")[0] for n in names)}, dict.fromkeys(taken)
    for name in names:
        layer, slash, leaf = name.rpartition("/")
        numbered = (f"{layer or leaf}_{k}" for k in range(1, 2 * len(names) + 2))
        free = (f"{n}{slash}{leaf}" if layer else n for n in numbered if n not in others)
        found[name if name not in found else next(n for n in free if n not in found)] = None
    return list(found)[len(taken) :]


def weights_of(values: Mapping[str, Array]) -> dict[str, Weight]:
    """Weights from variables' names and values in the order of the layers: ``layer/kernel``, ``layer/bias``.

    A variable without a layer in its name is one by itself.
    """
    folders = {name: name.rpartition("/")[0] or name for name in values}
    layers = list(dict.fromkeys(folders.values()))
    return {n: Weight(v, layers.index(folders[n]), n.rpartition("/")[2] in BIASES) for n, v in values.items()}


def selected(weights: Mapping[str, Weight], chosen: str) -> tuple[str, ...]:
    """The names of those that train, of those that can. Raises OptionError.

    A name stands for itself, for all that it is a folder of (``dense`` for ``dense/kernel``), and may hold ``*``.
    """
    able = {name: w for name, w in weights.items() if w.trainable}
    if chosen == "all":
        return tuple(able)
    if chosen == "biases":
        return _some(chosen, tuple(n for n, w in able.items() if w.bias))
    if chosen.startswith("last:"):
        layers = sorted({w.layer for w in able.values()})
        count = _count(chosen, len(layers))
        return tuple(n for n, w in able.items() if w.layer in layers[-count:])
    patterns = [p.strip() for p in chosen.split(",") if p.strip()]
    found = [_matching(able, pattern) for pattern in patterns]
    return _some(chosen, tuple(n for n in able if any(n in f for f in found)))


def _count(chosen: str, layers: int) -> int:
    number = chosen.removeprefix("last:")
    if not number.isdecimal() or not 1 <= int(number) <= layers:
        raise OptionError(f"--trainable last:N takes 1 to {layers}, the layers that have weights, but is {chosen!r}.")
    return int(number)


def _matching(weights: Mapping[str, Weight], pattern: str) -> set[str]:
    found = {n for n in weights if n == pattern or n.startswith(f"{pattern}/") or fnmatchcase(n, pattern)}
    if not found:
        close = difflib.get_close_matches(pattern, weights, 5, 0) or list(weights)[-5:]
        raise OptionError(f"--trainable: there are no weights {pattern!r}; the nearest names: {', '.join(close)}.")
    return found


def _some(chosen: str, names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise OptionError(f"--trainable {chosen} chooses no weights.")
    return names
