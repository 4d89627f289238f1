"""Public sets by name: ``medmnist:pneumoniamnist@64`` wherever a source goes."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from latentdx.collection.npz import finding_name
from latentdx.collection.public_sets import CITATION, PUBLIC_SETS, RECORD, PublicSet
from latentdx.core.errors import StopError

PREFIX = "medmnist:"
CACHE_VARIABLE = "LATENTDX_CACHE"

Progress = Callable[[int, int], None]
Sets = Mapping[str, PublicSet]

_DEFAULT_SIZE = 28
_TIMEOUT_SECONDS = 30
_BLOCK_BYTES = 1 << 20


def is_public(source: str | Path) -> bool:
    """Whether a source is asked for by the name of a public set.

    Examples
    --------
    >>> is_public("medmnist:pneumoniamnist@64"), is_public("scans/medmnist")
    (True, False)
    """
    return str(source).casefold().startswith(PREFIX)


def public_set(source: str | Path, sets: Sets = PUBLIC_SETS) -> tuple[PublicSet, int]:
    """The set and the size in pixels that ``medmnist:NAME`` or ``medmnist:NAME@SIZE`` asks for.

    The size is 28 unless said. Raises `StopError` ``E_SOURCE`` for a name or a size that is not
    there, with the nearest names.

    Examples
    --------
    >>> found, size = public_set("medmnist:breastmnist@128")
    >>> found.classes, size
    (('malignant', 'normal, benign'), 128)
    """
    name, mark, size = str(source)[len(PREFIX) :].casefold().partition("@")
    known = sets.get(name)
    if not is_public(source) or known is None:
        nearest = get_close_matches(name, sets, n=3, cutoff=0.5) or list(sets)
        fix = f"did you mean {' or '.join(nearest)}?"
        raise StopError("E_SOURCE", "no public set has this name", fix=fix, path=source)
    side = _DEFAULT_SIZE if not mark else int(size) if size.isdecimal() else None
    if side is None or side not in known.sizes:
        offered = ", ".join(f"@{side}" for side in known.sizes)
        raise StopError(
            "E_SOURCE", f"{name} is offered as {offered}", fix="choose one of these", path=source
        )
    return known, side


def label_names(source: str | Path) -> dict[str, str]:
    """What the label numbers of a public set mean.

    Examples
    --------
    >>> label_names("medmnist:pneumoniamnist")
    {'0': 'normal', '1': 'pneumonia'}
    """
    known, _ = public_set(source)
    several = known.task == "multi-label"
    return {
        finding_name(number) if several else str(number): name
        for number, name in enumerate(known.classes)
    }


def licence_note(source: str | Path) -> str:
    """Licence, origin and what to cite, in one line to be shown once.

    Examples
    --------
    >>> licence_note("medmnist:dermamnist").split(";")[0]
    'dermamnist: licence CC BY-NC 4.0 (not for commercial use)'
    """
    known, _ = public_set(source)
    limit = " (not for commercial use)" if "NC" in known.licence else ""
    return (
        f"{known.name}: licence {known.licence}{limit}; made from {known.origin}; "
        f"cite it and {CITATION}; not for clinical use"
    )


def cache_folder(cache: Path | None = None) -> Path:
    """Where fetched sets are kept: `cache`, else ``LATENTDX_CACHE``, else the system's cache."""
    import pooch

    named = os.environ.get(CACHE_VARIABLE)
    root = cache or (Path(named).expanduser() if named else Path(pooch.os_cache("latentdx")))
    return Path(root) / "medmnist"


def fetch_public(
    source: str | Path,
    cache: Path | None = None,
    progress: Progress | None = None,
    *,
    sets: Sets = PUBLIC_SETS,
    record: str = RECORD,
) -> Path:
    """The file of a public set, downloaded once and checked against its MD5 at every call.

    A file put into the cache by hand serves as well. `progress(done, total)` is called with bytes.
    The file appears whole or not at all. Files of `sets` are looked for under ``record/files/``.

    Raises `StopError`: ``E_SOURCE`` (see `public_set`), ``E_NETWORK`` where it cannot be
    downloaded, ``E_CHECKSUM`` where its MD5 is another (a file that lay in the cache is kept under
    another name), ``E_IO`` where it cannot be written.

    Examples
    --------
    >>> fetch_public("medmnist:pneumoniamnist")  # doctest: +SKIP
    PosixPath('.../latentdx/medmnist/pneumoniamnist.npz')
    """
    known, size = public_set(source, sets)
    name = known.file(size)
    wanted = _Wanted(
        f"{record}/files/{name}?download=1", known.md5_of(size), cache_folder(cache) / name
    )
    with _quiet_pooch(), _told(wanted):
        if wanted.path.is_file():
            _check(wanted)
        else:
            _download(wanted, progress)
    return wanted.path


@dataclass(frozen=True)
class _Wanted:
    """What to download, what its MD5 must be, and where it goes."""

    url: str
    md5: str
    path: Path


def _download(wanted: _Wanted, progress: Progress | None) -> None:
    import pooch

    downloader = pooch.HTTPDownloader(
        progressbar=_Bar(progress) if progress else False,
        timeout=_TIMEOUT_SECONDS,
        chunk_size=_BLOCK_BYTES,
    )
    # It writes beside the final place and renames once the MD5 is right.
    pooch.retrieve(
        wanted.url,
        f"md5:{wanted.md5}",
        fname=wanted.path.name,
        path=wanted.path.parent,
        downloader=downloader,
    )


def _check(wanted: _Wanted) -> None:
    """A file that is there already; one that is not the right one is moved aside, not lost."""
    import pooch

    found = pooch.file_hash(str(wanted.path), alg="md5")
    if found == wanted.md5:
        return
    aside = wanted.path.with_name(f"{wanted.path.name}.{found[:8]}.wrong")
    wanted.path.replace(aside)
    raise StopError(
        "E_CHECKSUM",
        f"its MD5 is {found}, that of the set is {wanted.md5}; kept as {aside.name}",
        fix="run the same command again to download it",
        path=wanted.path,
    )


@contextmanager
def _told(wanted: _Wanted) -> Iterator[None]:
    """The errors of the network, of the disk and of the checksum as ours."""
    import requests

    by_hand = f"download {wanted.url} (MD5 {wanted.md5}) elsewhere and put it at {wanted.path}"
    try:
        yield
    except requests.RequestException as error:
        found = f"cannot be downloaded ({_reason(error)})"
        raise StopError("E_NETWORK", found, fix=by_hand, path=wanted.path.name) from None
    except ValueError:  # pooch: the MD5 is another; it has removed what came
        found = f"what came has another MD5 than {wanted.md5}: the download was cut or altered"
        fix = f"run the same command again, or {by_hand}"
        raise StopError("E_CHECKSUM", found, fix=fix, path=wanted.path.name) from None
    except OSError as error:
        found = f"cannot be written ({error.strerror or type(error).__name__})"
        fix = f"free space, or name another folder by {CACHE_VARIABLE}"
        raise StopError("E_IO", found, fix=fix, path=wanted.path) from None


def _reason(error: Exception) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    return f"HTTP {status}" if status else type(error).__name__


class _Bar:
    """The calls that pooch makes to a progress bar, as calls of `progress`."""

    def __init__(self, progress: Progress) -> None:
        self.total = 0
        self._progress, self._done = progress, 0

    def update(self, n_bytes: int) -> None:
        self._done += n_bytes
        self._progress(min(self._done, self.total), self.total)

    def reset(self) -> None:
        self._done = 0

    def close(self) -> None:
        """Nothing is held open."""


@contextmanager
def _quiet_pooch() -> Iterator[None]:
    """Its log tells whole paths, and so the user's name."""
    import pooch

    logger = pooch.get_logger()
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
