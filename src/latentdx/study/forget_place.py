"""`place_at`: what kind of folder of latentdx lies at a path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from latentdx.bundle.load import read_seen
from latentdx.bundle.schema import DESCRIPTION
from latentdx.core.errors import IntegrityError, StopError
from latentdx.scans.deidentify import user_key
from latentdx.study.choice_folder import WORK
from latentdx.study.search_store import JOURNAL
from latentdx.study.settings import RunSettings, read_toml, settings_from

Kind = Literal["run", "collection", "encoder", "bundle", "evaluation", "comparison", "search"]


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
    if (path / DESCRIPTION).is_file():
        return _bundle(path)
    if (chosen := choice_at(path)) is not None:
        return Place(path, chosen)
    fix = "give folders of run, ingest, pretrain, fit, evaluate, compare or search"
    raise StopError("E_FORGET", "no folder of latentdx lies there", fix=fix, path=path)


def _bundle(path: Path) -> Place:
    """A bundle by itself, where it tells whom it has seen."""
    try:
        seen = read_seen(path)
    except IntegrityError:
        seen = None
    if seen is not None and seen.opens_with(user_key()):
        return Place(path, "bundle")
    found = "a bundle that does not tell here whom it has seen lies there"
    fix = "give its run, or use the key that it was made with"
    raise StopError("E_FORGET", found, fix=fix, path=path)


def choice_at(path: Path) -> Literal["comparison", "search"] | None:
    """What `latentdx compare` or `search` left or began at a place."""
    work = path / WORK
    if (path / "search.json").is_file() or (work / JOURNAL).is_file():
        return "search"
    begun = (path / "compare.json").is_file() or (work / "settings.json").is_file()
    return "comparison" if begun else None


def _is_collection(path: Path) -> bool:
    """Also where a call that was killed has put it aside for a moment."""
    return (path / "_versions").is_dir() or any(path.parent.glob(f".{path.name}.*.old"))
