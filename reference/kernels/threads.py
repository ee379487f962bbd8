"""Work of a kernel shared between threads: parts of one result, each as it would be alone."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from tflite_transfer.reference.ops.limit import in_time, threads

TERMS = 2**30  # multiply-adds of one call: 0.1 s, after which Python's threads and the run's clock have their turn
# Of a call that is worth a thread: handing it over takes 30 to 60 us, these 130 us. MobileNetV2 on one image of 224
# pixels has 20 operators that are larger, on 32 images all are.
WORTH = 2**23

Part = tuple[int, int]
_ALONE = threading.Lock()


def each(count: int, terms: int, work: Callable[[Part], object]) -> None:
    """``work(part)`` for ranges that make up ``count`` results of so many terms each. Raises BudgetError between two.

    Parts do not depend on one another, and so their number does not change the result.
    """
    if count * terms < WORTH:
        work((0, count))
        return
    workers = min(threads(), count * terms // WORTH)
    if workers < 2:
        for part in _parts(count, max(TERMS // max(terms, 1), 1)):
            work(part)
        return
    for first, last in _parts(count, max(workers * TERMS // max(terms, 1), workers)):
        share = -(-(last - first) // workers)
        list(_pool(workers).map(work, [(first + a, first + b) for a, b in _parts(last - first, share)]))


def together(works: Sequence[Callable[[], object]]) -> bool:
    """Run works that wait for one another, each in a thread of its own: all begin, or none does, and it is False.

    None where others run so now: two groups could fill the pool with works that wait for one that has no thread. And
    where there is no thread to be had.
    """
    if not _ALONE.acquire(blocking=False):
        return False
    ready = threading.Barrier(len(works))

    def begin(work: Callable[[], object]) -> None:
        ready.wait()
        work()

    try:
        try:
            others = [_pool(len(works) - 1, "steps").submit(begin, work) for work in works[1:]]
        except RuntimeError:  # "can't start new thread"
            ready.abort()
            return False
        begin(works[0])
        for other in others:
            other.result()
    finally:
        _ALONE.release()
    return True


def _parts(count: int, most: int) -> Iterator[Part]:
    for first in range(0, count, most):
        in_time()
        yield first, min(first + most, count)


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _pool(workers: int, name: str = "kernels") -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, name)


if hasattr(os, "register_at_fork"):  # a child has the pools, and none of their threads
    os.register_at_fork(after_in_child=_pool.cache_clear)
