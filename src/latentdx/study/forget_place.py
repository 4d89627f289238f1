"""`place_at`: what kind of folder of latentdx lies at a path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from latentdx.core.errors import StopError
from latentdx.study.settings import RunSettings, read_toml, settings_from

Kind = Literal["run", "collection", "encoder", "evaluation"]


@dataclass(frozen=True)
class Place:
    """A folder of latentdx; `collection` is what it holds of scans, `settings` of its run."""

    path: Path
    kind: Kind
    collection: Path | None = None
    settings: RunSettings | None = None


def place_at(path: Path) -> Place:
    """Look at a folder. Raises `StopError` ``E_FORGET`` where none of latentdx's lies there."""
    stored = path / "collection"
    if (path / "config.toml").is_file():
        settings = settings_from(read_toml(path / "config.toml"), path / "config.toml")
        return Place(path, "run", stored if _is_collection(stored) else None, settings)
    if _is_collection(path):
        return Place(path, "collection", path)
    if (path / "encoder.json").is_file():
        return Place(path, "encoder")
    if (path / "predictions.csv").is_file():
        return Place(path, "evaluation")
    if (path / "bundle.json").is_file():
        fix = "give its run; a bundle by itself does not tell whom it learned from"
        raise StopError("E_FORGET", "a bundle lies there", fix=fix, path=path)
    fix = "give folders of run, ingest, pretrain or evaluate"
    raise StopError("E_FORGET", "no folder of latentdx lies there", fix=fix, path=path)


def _is_collection(path: Path) -> bool:
    """Also where a call that was killed has put it aside for a moment."""
    return (path / "_versions").is_dir() or any(path.parent.glob(f".{path.name}.*.old"))
