"""`Sandbox`: untrusted files decoded in processes that can be killed.

A decoder can hang, crash, or take all memory. Here that costs exactly the file that did it: its
worker is killed and replaced, and the file's place in the order is taken by an `InputError`.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from latentdx.core.errors import InputError
from latentdx.core.processors import processors
from latentdx.scans.clean import CleanFile
from latentdx.scans.limits import Limits
from latentdx.scans.peek import Peek
from latentdx.scans.pool import Pool
from latentdx.scans.request import Request
from latentdx.scans.scan import Scan
from latentdx.scans.source_header import SourceHeader

Found = tuple[Scan | InputError, ...] | InputError
"""All scans of one file or series (a frame that cannot be used is an error), or why nothing."""


class Sandbox:
    """Decoding processes that live as long as this context; each takes a while to start.

    `workers` defaults to the processors at hand. Besides `open_scan`'s errors a file can end as
    ``E_TIMEOUT`` (`limits.seconds` passed), ``E_MEMORY`` (`limits.memory_bytes` exceeded) or
    ``E_CRASH`` (the decoder died). POSIX only.

    Examples
    --------
    >>> with Sandbox() as sandbox:
    ...     request = Request(size=64, channels=1, key=b"secret")
    ...     for outcome in sandbox.read([["scan.dcm"]], request):
    ...         print(outcome)
    E_IO scan.dcm: cannot be opened: No such file or directory
    """

    def __init__(self, workers: int | None = None, limits: Limits | None = None) -> None:
        self._pool = Pool(limits or Limits(), workers or processors())

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close()

    def warm(self) -> None:
        """Start the processes now; else they start with the first file."""
        self._pool.warm()

    def read(
        self,
        groups: Iterable[Sequence[str]],
        request: Request,
        masks: Mapping[str, str] | None = None,
    ) -> Iterator[Found]:
        """All scans of each group of paths, in order.

        A group is one file, or the files of a series. `groups` is read as needed and results are
        made only a little ahead of the consumer: memory stays bounded for any number of files.
        Errors carry the group's first path; `masks` are files of masks by that path. One call must
        be read to its end before the next.
        """
        for _, outcome in self._pool.run("read", request, groups, masks):
            assert not isinstance(outcome, Peek | CleanFile | SourceHeader)
            yield outcome

    def peek(self, paths: Iterable[str], request: Request) -> Iterator[Peek | InputError]:
        """What each file says of itself, in order; nothing is decoded."""
        for _, outcome in self._pool.run("peek", request, ((path,) for path in paths)):
            assert not isinstance(outcome, tuple | CleanFile | SourceHeader)
            yield outcome

    def clean(self, paths: Iterable[str], request: Request) -> Iterator[CleanFile | InputError]:
        """Each DICOM file as it may leave the house, in order (see `clean_file`)."""
        for _, outcome in self._pool.run("clean", request, ((path,) for path in paths)):
            assert not isinstance(outcome, tuple | Peek | SourceHeader)
            yield outcome

    def headers(self, paths: Iterable[str]) -> Iterator[SourceHeader | InputError]:
        """What each DICOM file says of itself and its patient, in order, for reports on it."""
        for _, outcome in self._pool.run("header", Request(), ((path,) for path in paths)):
            assert not isinstance(outcome, tuple | Peek | CleanFile)
            yield outcome


def decode_files(
    paths: Iterable[str | Path],
    *,
    request: Request,
    workers: int | None = None,
    limits: Limits | None = None,
) -> Iterator[tuple[int, Scan | InputError]]:
    """Decode files of one scan each in a `Sandbox` of their own.

    Yields (index, scan or error) in the order of `paths`. Closing the generator, or an exception
    in the consumer, ends all workers.

    Examples
    --------
    >>> request = Request(size=64, channels=1, key=b"secret")
    >>> for index, result in decode_files(["scan.dcm"], request=request):
    ...     print(index, result)
    0 E_IO scan.dcm: cannot be opened: No such file or directory
    """
    names: deque[str] = deque()

    def groups() -> Iterator[tuple[str]]:
        for path in paths:
            names.append(os.fspath(path))
            yield (names[-1],)

    with Sandbox(workers, limits) as sandbox:
        for index, outcome in enumerate(sandbox.read(groups(), request)):
            path = names.popleft()
            yield index, outcome if isinstance(outcome, InputError) else _only(outcome, path)


def decode_groups(
    groups: Iterable[Sequence[str]],
    *,
    request: Request,
    workers: int | None = None,
    limits: Limits | None = None,
) -> Iterator[tuple[int, Found]]:
    """As `decode_files`, for groups of paths; yields (index, all scans of the group or an error).

    A group is the files of a series, or one file of any number of scans.
    """
    with Sandbox(workers, limits) as sandbox:
        yield from enumerate(sandbox.read(groups, request))


def _only(scans: tuple[Scan | InputError, ...], path: str) -> Scan | InputError:
    if len(scans) == 1:
        return scans[0]
    found = f"the file holds {len(scans)} scans where one was asked for"
    return InputError("E_NDIM", found, fix="read them into a collection", path=path)
