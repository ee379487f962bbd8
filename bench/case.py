"""A case: what is measured, and what it is held against. Each validates what it measures before it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from bench.peers import Peer
from bench.results import Goal, Unit, Values


class Setting(NamedTuple):
    """How long to measure, and whom beside."""

    rounds: int = 15
    seconds: float = 0.05  # of each side in each round
    peers: Mapping[str, Peer] = {}  # by what they are called


ONCE = Setting(1, 0.0)  # to see that a case runs


@dataclass(frozen=True)
class Case:
    """Some lines of the table."""

    name: str
    measure: Callable[[Setting], Values]
    goals: tuple[Goal, ...] = ()
    unit: Unit = "s"
    full: bool = False  # too long for CI's smoke test
