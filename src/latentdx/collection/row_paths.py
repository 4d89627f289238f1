"""The file that a row of a table means: from the source, or else from the table's own folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from latentdx.core.errors import InputError


def locate(
    written: str, root: Path, folder: Path, is_there: Callable[[str], bool]
) -> tuple[str, bool]:
    """The path, posix and relative to `root`, and whether it was written from `folder` instead.

    Paths from the source win. Raises `InputError`: ``E_PATH`` where it leads out of the source,
    ``E_MISSING_FILE`` where it leads to nothing.

    Examples
    --------
    >>> locate("./a/1.png", Path("scans"), Path(), {"a/1.png"}.__contains__)
    ('a/1.png', False)
    >>> locate("scans/a/1.png", Path("scans"), Path(), {"a/1.png"}.__contains__)
    ('a/1.png', True)
    """
    spellings = [name for name in dict.fromkeys((written, written.replace("\\", "/"))) if name]
    from_root = [_relative(name, root, root) for name in spellings]
    found = next((path for path in from_root if _is_inside(path) and is_there(path)), None)
    if found is not None:
        return found, False
    from_folder = (_relative(name, folder, root) for name in spellings)
    found = next((path for path in from_folder if _is_inside(path) and is_there(path)), None)
    if found is not None:
        return found, True
    if not all(map(_is_inside, from_root)):
        raise InputError("E_PATH", "the path leads out of the source")
    raise InputError(
        "E_MISSING_FILE",
        "the file is not there" if written else "the row names no file",
        fix="write paths relative to the source",
    )


def _relative(written: str, base: Path, root: Path) -> str:
    """`written` from `base`, told from `root`; links are not followed."""
    if "\0" in written:
        return ".."
    if base == root and not os.path.isabs(written):
        return os.path.normpath(written)
    return os.path.relpath(base.absolute() / written, root.absolute())


def _is_inside(path: str) -> bool:
    return path.split("/")[0] != ".."
