"""Lance's errors, and the disk's, as errors of a collection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from latentdx.core.errors import IntegrityError, StopError


def damaged(path: Path, what: str) -> IntegrityError:
    """The error of a collection that cannot be trusted any more."""
    fix = "restore it from a copy, or make it again with `latentdx ingest`"
    return IntegrityError("E_COLLECTION", what, fix=fix, path=path)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Lance's many errors, a panic of its Rust code included, as one of ours."""
    if not (path / "_versions").is_dir():
        fix = f"make one: latentdx ingest SOURCE --to {path}"
        raise IntegrityError("E_COLLECTION", "there is no collection here", fix=fix, path=path)
    try:
        yield
    except (KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError):
        raise
    except BaseException as error:
        raise damaged(path, f"cannot be read ({type(error).__name__})") from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What the disk refuses as `StopError` ``E_IO``: what is stored stays."""
    try:
        yield
    except OSError as error:
        raise StopError(
            "E_IO",
            f"cannot be written ({error.strerror or error})",
            fix="free space or choose another place; what is stored stays, the same call goes on",
            path=path,
        ) from error
