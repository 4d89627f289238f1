"""`decode_files`: untrusted files decoded in processes that can be killed.

A decoder can hang, crash, or take all memory. Here that costs exactly the file that did it: its
worker is killed and replaced, and the file's place in the order is taken by an `InputError`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from latentdx.core.errors import InputError
from latentdx.scans.limits import Limits
from latentdx.scans.peek import Peek
from latentdx.scans.pool import Pool
from latentdx.scans.request import Request
from latentdx.scans.scan import Scan
from latentdx.scans.wire import Outcome, Task


def decode_files(
    paths: Iterable[str | Path],
    *,
    request: Request,
    workers: int | None = None,
    limits: Limits | None = None,
) -> Iterator[tuple[int, Scan | InputError]]:
    """Decode files of one scan each in worker processes; yields (index, scan or error) in order.

    Besides `open_scan`'s errors a file can end as ``E_TIMEOUT`` (`limits.seconds` passed),
    ``E_MEMORY`` (`limits.memory_bytes` exceeded) or ``E_CRASH`` (the decoder died). `paths` is
    read as needed and results are made only a little ahead of the consumer, so memory stays
    bounded for any number of files. Closing the generator, or an exception in the consumer, ends
    all workers. `workers` defaults to the processors at hand. POSIX only.

    Examples
    --------
    >>> request = Request(size=64, channels=1, key=b"secret")
    >>> for index, result in decode_files(["scan.dcm"], request=request):
    ...     print(index, result)
    0 E_IO scan.dcm: cannot be opened: No such file or directory
    """
    names = ((os.fspath(path),) for path in paths)
    for index, outcome in decode_groups(names, request=request, workers=workers, limits=limits):
        yield index, outcome if isinstance(outcome, InputError) else _only(outcome)


def decode_groups(
    groups: Iterable[Sequence[str]],
    *,
    request: Request,
    workers: int | None = None,
    limits: Limits | None = None,
) -> Iterator[tuple[int, tuple[Scan | InputError, ...] | InputError]]:
    """As `decode_files`, for groups of paths: the files of a series, or one file of many scans.

    Yields (index, all scans of the group or an error) in the order of `groups`; among the scans, a
    frame that cannot be used is an error. Errors carry the group's first path.
    """
    for index, outcome in _run("read", groups, request, workers, limits):
        assert not isinstance(outcome, Peek)
        yield index, outcome


def peek_files(
    paths: Iterable[str],
    *,
    request: Request,
    workers: int | None = None,
    limits: Limits | None = None,
) -> Iterator[tuple[int, Peek | InputError]]:
    """As `decode_files`, but only what each file says of itself (see `Peek`)."""
    for index, outcome in _run("peek", ((path,) for path in paths), request, workers, limits):
        assert not isinstance(outcome, tuple)
        yield index, outcome


def _run(
    task: Task,
    groups: Iterable[Sequence[str]],
    request: Request,
    workers: int | None,
    limits: Limits | None,
) -> Iterator[tuple[int, Outcome]]:
    pool = Pool(task, request, limits or Limits(), workers or _processors())
    try:
        yield from pool.run(enumerate(groups))
    finally:
        pool.close()


def _only(scans: tuple[Scan | InputError, ...]) -> Scan | InputError:
    if len(scans) == 1:
        return scans[0]
    found = f"the file holds {len(scans)} scans where one was asked for"
    return InputError("E_NDIM", found, fix="read them into a collection")


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
