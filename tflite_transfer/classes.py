"""Which names a model's classes have: explicit ones go before those in its files, and those before folder names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.tflite.errors import DataError, StateError
from tflite_transfer.reference.tflite.trainable import Trainable


def agree_classes(given: Sequence[str] | None, bundle: Trainable, source: str) -> tuple[str, ...] | None:
    """The names in the order of the labels' columns, or None where nothing names them. Raises DataError."""
    if given is None:
        return bundle.class_names
    if isinstance(given, str):
        raise DataError(f"classes must be a list of names, but is the text {given!r}; write {given.split(',')}?")
    names = tuple(given)
    repeated = sorted({n for n in names if names.count(n) > 1})
    if repeated:
        raise DataError(f"the classes {', '.join(names)} hold {', '.join(repeated)} more than once.")
    if len(names) != bundle.classes:
        own = f" ({', '.join(bundle.class_names)})" if bundle.class_names else ""
        advice = f"convert with --num_classes={len(names)}" if len(names) > 1 else "training takes at least 2"
        raise DataError(
            f"{source} has {bundle.classes} classes{own}, but {len(names)} were given ({', '.join(names)}); {advice}."
        )
    return names


def classes_of_folders(
    folders: Sequence[str], known: Sequence[str] | None, bundle: Trainable, source: str
) -> tuple[str, ...]:
    """The classes for a data folder: ``known``, which must hold each folder's name; else the folders, sorted."""
    if known is None:
        named = agree_classes(sorted(folders), bundle, "the model")
        assert named is not None
        return named
    strange = sorted(set(folders) - set(known))
    if strange:
        raise DataError(
            f"{source} has the classes {', '.join(sorted(folders))}, and the model has {', '.join(known)}: "
            f"{', '.join(strange)} is unknown."
        )
    return tuple(known)


def agree_states_classes(
    saved: tuple[str, ...] | None, known: tuple[str, ...] | None, path: str
) -> tuple[str, ...] | None:
    """The names that a model has after it restored a state: they must be the same. Raises StateError."""
    if saved is not None and known is not None and saved != known:
        raise StateError(
            f"{path} was trained for the classes {', '.join(saved)}, and this model has {', '.join(known)}."
        )
    return known or saved


def class_numbers(names: Sequence[str], known: Sequence[str]) -> NDArray[Any]:
    """Each sample's column (N,), for an evaluation. Raises DataError for unknown names, or none at all."""
    unknown = sorted(set(names) - set(known))
    if unknown or not names:
        what = f"has the classes {', '.join(unknown)}" if unknown else "holds no samples"
        raise DataError(f"the evaluation {what}; the model knows {', '.join(known)}.")
    return np.array([known.index(name) for name in names])
