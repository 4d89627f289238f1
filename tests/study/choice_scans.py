"""A tiny collection with given parts, in which a bright disc is the diagnosis."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from latentdx.collection.store import Collection
from latentdx.collection.table import ScanRow
from latentdx.scans.own_mask import packed

COUNTS = {"train": 40, "tune": 24, "calibrate": 12, "test": 20}
UNLABELLED = 12
SIDE = 16

Relabel = Callable[[str, int, str], str | None]
"""From part, number and label to the label that is stored instead."""


def write_collection(
    path: Path,
    relabel: Relabel = lambda part, number, label: label,
    *,
    blank: tuple[str, ...] = (),
    site: Callable[[int], str | None] = lambda number: None,
    prefix: str = "",
    change: Callable[[np.ndarray], np.ndarray] = lambda pixels: pixels,
    mask: Callable[[int], np.ndarray | None] | None = None,
    info: Mapping[str, Any] | None = None,
) -> Path:
    """Scans of all parts, two a patient; those of the parts named `blank` are all alike.

    `site`: of the patient of this number in a part. `prefix`: another one makes other patients.
    `change`: of every scan's pixels. `mask`: of the scan of this number in a part. `info`: what an
    ingest would have noted.
    """
    collection = Collection.create(path, SIDE, 1, masks=mask is not None)
    rows = []
    for part, count in {**COUNTS, "": UNLABELLED}.items():
        for number in range(count):
            pixels = _picture(f"{prefix}{part} {number}", bright=number // 2 % 2 == 1)
            if part in blank:
                pixels = np.full_like(pixels, number / 100)
            label = relabel(part, number, ("clear", "disc")[number // 2 % 2]) if part else None
            name = f"{prefix}{part or 'more'}-{number:03}"
            digest = hashlib.sha256(name.encode()).hexdigest()
            rows.append(
                ScanRow(
                    digest[:16],
                    f"{name}.png",
                    change(pixels),
                    digest,
                    patient=f"{prefix}{part or 'more'}-{number // 2}",
                    label=label,
                    site=site(number // 2),
                    given_part=part or None,
                    pretrain_only=not part,
                    native_shape=(SIDE, SIDE),
                    mask=None if mask is None else packed(mask(number)),
                )
            )
    collection.append(rows)
    collection.mark_complete(dict(info or {}))
    return path


def _picture(name: str, *, bright: bool) -> np.ndarray:
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    generator = np.random.default_rng(seed)
    values = generator.uniform(0.1, 0.5, (1, SIDE, SIDE))
    y, x = np.mgrid[:SIDE, :SIDE] - generator.uniform(5, SIDE - 5, (2, 1, 1))
    values[0, y**2 + x**2 < 9] += 0.4 * bright
    return values.astype(np.float32)
