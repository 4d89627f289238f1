"""The folder of a run: what lies in it, and whether a command may go on in it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from latentdx.core.errors import StopError
from latentdx.core.files import write_atomic
from latentdx.study.settings import RunSettings, read_toml, settings_from

_KNOWN = {
    *("report.html", "metrics.json", "predictions.csv", "audit.json", "quarantine.csv"),
    *("config.toml", "bundle", "collection", ".work", "cohort"),
}


@dataclass(frozen=True)
class RunFolder:
    """Paths in the folder of a run; ``.work`` holds what only a continued run needs."""

    root: Path

    @property
    def config(self) -> Path:
        """The resolved settings."""
        return self.root / "config.toml"

    @property
    def collection(self) -> Path:
        """The stored scans."""
        return self.root / "collection"

    @property
    def bundle(self) -> Path:
        """The model."""
        return self.root / "bundle"

    @property
    def checkpoint(self) -> Path:
        """The training, to be gone on with."""
        return self.root / ".work" / "pretrain.safetensors"

    @property
    def done(self) -> Path:
        """Written last: what the finished results were made from."""
        return self.root / ".work" / "done.json"

    def check(self, settings: RunSettings) -> None:
        """Raise `StopError` ``E_DESTINATION`` where other things or another run lie here."""
        if self.root.exists() and not self.root.is_dir():
            raise self._taken("is a file")
        strange = sorted(
            path.name
            for path in (self.root.iterdir() if self.root.is_dir() else ())
            if path.name not in _KNOWN and not path.name.endswith(".tmp")
        )
        if strange:
            raise self._taken(f"other things lie there ({strange[0]})")
        if self.config.exists():
            before = settings_from(read_toml(self.config), self.config)
            if names := settings.differences(before):
                raise self._taken(f"a run with other settings lies there ({', '.join(names)})")

    def _taken(self, found: str) -> StopError:
        fix = "choose another --out, or remove it"
        return StopError("E_DESTINATION", found, fix=fix, path=self.root)


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV atomically; cells that a spreadsheet would run as formulas get a ``'``."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_safe(cell) for cell in row] for row in rows)
    write_atomic(path, text.getvalue())


def _safe(cell: object) -> object:
    if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
        return f"'{cell}"
    return cell
