"""The folder of a search or a comparison: whose it is, and that one process works in it."""

from __future__ import annotations

import fcntl
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from latentdx.core.errors import StopError
from latentdx.core.files import write_json

WORK = ".work"
_HALF_WRITTEN = re.compile(r"\..+\.\d+\.tmp")


@contextmanager
def claimed(folder: Path, settings: Mapping[str, Any], known: set[str]) -> Iterator[Path]:
    """Work in `folder` with these settings; yields its ``.work``.

    `settings` are all that the results depend on: they are kept, and another call has to have the
    same. Raises `StopError` ``E_DESTINATION`` where other things (than `known`) or other settings
    lie there, or another process works in it.
    """
    if folder.exists() and not folder.is_dir():
        raise _taken("is a file", folder)
    work = folder / WORK
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    allowed = {*known, WORK} if (work / "settings.json").exists() else {WORK}
    strange = sorted(name for name in there - allowed if not _HALF_WRITTEN.fullmatch(name))
    if strange:
        raise _taken(f"other things lie there ({strange[0]})", folder)
    work.mkdir(parents=True, exist_ok=True)
    with (work / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _taken("another process works there", folder) from None
        _check(folder, work / "settings.json", dict(settings))
        yield work


def _check(folder: Path, path: Path, settings: dict[str, Any]) -> None:
    wanted = json.loads(json.dumps(settings))
    if not path.exists():
        write_json(path, wanted)
        return
    before = json.loads(path.read_text())
    names = [name for name in {**before, **wanted} if before.get(name) != wanted.get(name)]
    if names:
        raise _taken(f"one with other settings lies there ({', '.join(sorted(names))})", folder)


def _taken(found: str, folder: Path) -> StopError:
    return StopError("E_DESTINATION", found, fix="choose another --to, or remove it", path=folder)
