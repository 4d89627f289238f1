"""The folder of a run: what lies in it, and whether a command may go on in it."""

from __future__ import annotations

import csv
import io
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from latentdx.core.errors import StopError
from latentdx.core.files import write_atomic
from latentdx.study.settings import RunSettings, read_toml, settings_from

FOLD_PREDICTIONS = "fold-predictions.csv"
LEFT_OUT_PREDICTIONS = "left-out-predictions.csv"
_BEGUN = {"collection", ".work", "cohort"}
_CHECKED = {"audit.json", "quarantine.csv"}
_KNOWN = {
    *(*_BEGUN, *_CHECKED, "config.toml", "checklists.json"),
    *("report.html", "metrics.json", "predictions.csv", "bundle", "tracking"),
    *(FOLD_PREDICTIONS, LEFT_OUT_PREDICTIONS),
}
_HALF_WRITTEN = re.compile(r"\.(.+)\.\d+\.tmp")


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
    def checkpoints(self) -> Path:
        """The training's folder, to be gone on with."""
        return self.root / ".work" / "pretrain"

    def fold(self, number: int) -> RunFolder:
        """The place of one fold's training."""
        return RunFolder(self.root / ".work" / "folds" / str(number))

    def fold_file(self, number: int) -> Path:
        """What a finished fold leaves, until the run is done and after."""
        return self.root / ".work" / "folds" / f"{number}.safetensors"

    def seed(self, number: int) -> RunFolder:
        """The place of a training with another seed."""
        return RunFolder(self.root / ".work" / "seeds" / str(number))

    def seed_file(self, number: int) -> Path:
        """What a finished training with another seed leaves."""
        return self.root / ".work" / "seeds" / f"{number}.safetensors"

    def left_out(self, number: int) -> RunFolder:
        """The place of the training without one site, or another place."""
        return RunFolder(self.root / ".work" / "left-out" / str(number))

    def left_out_file(self, number: int) -> Path:
        """What it leaves once it is finished."""
        return self.root / ".work" / "left-out" / f"{number}.safetensors"

    @property
    def tracking(self) -> Path:
        """What trackers (TensorBoard, MLflow) write."""
        return self.root / "tracking"

    @property
    def done(self) -> Path:
        """Written last: what the finished results were made from."""
        return self.root / ".work" / "done.json"

    def check(self, settings: RunSettings) -> None:
        """Raise `StopError` ``E_DESTINATION`` where other things or another run lie here."""
        if self.root.exists() and not self.root.is_dir():
            raise self._taken("is a file")
        if strange := sorted(self.names() - self._expected() - self._half_written()):
            raise self._taken(f"other things lie there ({strange[0]})")
        if self.config.exists():
            before = settings_from(read_toml(self.config), self.config)
            if names := settings.differences(before):
                raise self._taken(f"a run with other settings lies there ({', '.join(names)})")

    def names(self) -> set[str]:
        """What lies in it now."""
        return {path.name for path in self.root.iterdir()} if self.root.is_dir() else set()

    def sweep(self) -> None:
        """Remove what a killed run was writing."""
        self._remove(self._half_written())

    def restore(self, names: set[str] | None) -> None:
        """Remove all that was not there when it held `names`; None: when it did not exist."""
        self._remove(self.names() - (names or set()))
        if names is None and self.root.is_dir():
            self.root.rmdir()

    def _expected(self) -> set[str]:
        """What a run may find: results only beside the settings that they were made with."""
        if self.config.exists():
            return _KNOWN
        return _BEGUN | _CHECKED if self.collection.is_dir() else _BEGUN

    def _half_written(self) -> set[str]:
        matches = map(_HALF_WRITTEN.fullmatch, self.names())
        return {match[0] for match in matches if match and match[1] in _KNOWN}

    def _remove(self, names: set[str]) -> None:
        for path in (self.root / name for name in names):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def _taken(self, found: str) -> StopError:
        fix = "choose another --out, or remove it"
        return StopError("E_DESTINATION", found, fix=fix, path=self.root)


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV atomically; cells that a spreadsheet would run as formulas get a ``'``.

    Always UTF-8: undecodable bytes of a file's name are written as ``\\udc..``.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_safe(cell) for cell in row] for row in rows)
    write_atomic(path, text.getvalue().encode(errors="backslashreplace"))


def _safe(cell: object) -> object:
    if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
        return f"'{cell}"
    return cell
