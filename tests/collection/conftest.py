"""Small sources made for one test each, and the real ones where they lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latentdx.collection.plan import IngestSettings
from latentdx.collection.table import CollectionTable, ScanRow, table_of

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
