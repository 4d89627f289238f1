"""`Row`: one bad (or odd) input of the catalogue, made by code."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from latentdx.scans.limits import Limits
from latentdx.scans.policy import Policy

Reader = Literal["scan", "npz"]
VOLUMES, EACH, IMPUTE = {"dims": 3}, {"frames": "each"}, {"nan": "impute"}
HASTY = Limits(seconds=3.0)


@dataclass(frozen=True)
class Row:
    """What is written under `name`, how it is read, and what must come of it.

    `code` is that of the error. `hostile` rows may take time or memory before they are refused:
    they are read in a worker.
    """

    name: str
    make: Callable[[], bytes]
    code: str
    policy: dict[str, Any] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    reader: Reader = "scan"
    hostile: bool = False

    def write(self, folder: Path) -> Path:
        path = folder / self.name
        path.write_bytes(self.make())
        return path

    def policies(self) -> Policy:
        return Policy(**self.policy)


@dataclass(frozen=True)
class Odd:
    """What is read all the same; `told` is part of a conversion, or a warning, that must stand."""

    name: str
    make: Callable[[], bytes]
    told: str
    policy: dict[str, Any] = field(default_factory=dict)


def bad(name: str, data: bytes | Callable[[], bytes], code: str, **options: Any) -> Row:
    return Row(name, data if callable(data) else lambda: data, code, **options)


def cut(data: bytes | Callable[[], bytes], kept: float) -> Callable[[], bytes]:
    """The first part of a file: a fraction of it, or (above 1) so many bytes."""

    def first() -> bytes:
        whole = data() if callable(data) else data
        return whole[: int(len(whole) * kept) if kept <= 1 else int(kept)]

    return first


def patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def zipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def archive(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return buffer.getvalue()
