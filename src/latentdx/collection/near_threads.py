"""`in_threads`: numpy's work on all cores, one thread of the linear algebra each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import threadpool_limits

from latentdx.core.processors import processors

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """What `work` makes of each item, in their order.

    Examples
    --------
    >>> list(in_threads(len, ["a", "bcd"]))
    [1, 3]
    """
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(processors()) as threads:
        yield from threads.map(work, items)
