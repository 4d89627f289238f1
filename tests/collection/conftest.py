"""Small sources made for one test each, and the real ones where they lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ingest_calls import read_here
from PIL import Image

from latentdx.collection.ingest import IngestReport, ingest
from latentdx.collection.plan import IngestSettings
from latentdx.collection.table import CollectionTable, ScanRow, table_of
from latentdx.core.errors import StopError
from latentdx.scans.request import Request
from latentdx.scans.sandbox import Sandbox

KEY = b"a key for tests only".ljust(32)
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"the shared data folder is absent: {SHARED}")
    return SHARED


@pytest.fixture
def settings() -> Callable[..., IngestSettings]:
    """Settings with the tests' key and one worker."""
    return lambda **options: IngestSettings(**{"key": KEY, "workers": 1, **options})


@pytest.fixture
def png() -> Callable[..., Path]:
    """Write a picture drawn from a seed; equal seeds make equal pictures."""

    def write(path: Path, seed: int, *, size: tuple[int, int] = (20, 24)) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        values = np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)
        Image.fromarray(values).save(path)
        return path

    return write


@pytest.fixture
def folder(tmp_path: Path, png: Callable[..., Path]) -> Path:
    """Six pictures of each of two classes, one a patient: ``scans/no/p03.png``."""
    for index in range(12):
        png(tmp_path / "scans" / ("no", "yes")[index % 2] / f"p{index:02}.png", index)
    return tmp_path / "scans"


@pytest.fixture
def table() -> Callable[..., CollectionTable]:
    """A table of rows told by label, patient, picture, given part."""

    def make(
        labels: Sequence[str | None],
        *,
        patients: Sequence[str | None] | None = None,
        pictures: Sequence[object] | None = None,
        parts: Sequence[str | None] | None = None,
        pretrain_only: Sequence[bool] | None = None,
    ) -> CollectionTable:
        n = len(labels)
        return table_of(
            ScanRow(
                f"{index:016x}",
                f"{index}.png",
                np.zeros((1, 1, 1), np.float32),
                str((pictures or range(n))[index]),
                label=labels[index],
                patient=(patients or [None] * n)[index],
                given_part=(parts or [None] * n)[index],
                pretrain_only=(pretrain_only or [False] * n)[index],
            )
            for index in range(n)
        )

    return make


@pytest.fixture
def quick_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """test_sandbox.py holds the processes to these results; the killed ingests use them."""
    monkeypatch.setattr(Sandbox, "read", read_here)


@pytest.fixture
def run(tmp_path: Path, settings: Callable[..., IngestSettings]) -> Callable[..., IngestReport]:
    """Ingest one source into ``c``."""
    return lambda source, **options: ingest([source], tmp_path / "c", settings(**options))


@pytest.fixture
def refuse(run: Callable[..., IngestReport], tmp_path: Path) -> Callable[..., StopError]:
    """The error of an ingest that must not have written anything."""

    def refused(source: Path, **options: Any) -> StopError:
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(StopError) as caught:
            run(source, **options)
        assert sorted(tmp_path.rglob("*")) == before
        return caught.value

    return refused


@pytest.fixture
def decoded(quick_decoding: None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are decoded from now on."""
    names: list[str] = []

    def watched(sandbox: Sandbox, groups: Any, request: Request, masks: Any = None) -> Any:
        listed = list(groups)
        names.extend(Path(path).name for paths in listed for path in paths)
        return read_here(sandbox, listed, request)

    monkeypatch.setattr(Sandbox, "read", watched)
    return names
