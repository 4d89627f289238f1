"""Two sites with collections of their own that train one encoder, in one process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latentdx.collection.store import Collection
from latentdx.collection.table import ScanRow
from latentdx.core.errors import LatentdxError, StopError
from latentdx.core.hashing import hash_bytes
from latentdx.scans.own_mask import packed
from latentdx.study.federated import federate_collection
from latentdx.study.federated_settings import FederatedSettings
from latentdx.study.reporter import Silent
from latentdx.study.settings import RunSettings

ROUNDS = 3
SMALL = {"autoencoder": "convolutional", "network": {"widths": [4, 8]}, "epochs": 2,
         "precision": "fp32", "batch_size": 8}  # fmt: skip


def write_collection(
    path: Path, name: str, n_patients: int, bright: float, *, masks: bool = False
) -> Path:
    """Two scans a patient; every other one holds a square, and with `masks` the mask of it."""
    generator = np.random.default_rng(n_patients)
    rows = []
    for number in range(2 * n_patients):
        pixels = generator.random((1, 12, 12), np.float32) * bright / 2
        pixels[0, 3:8, 3:8] += bright / 2 * (number // 2 % 2)
        label = ("clear", "square")[number // 2 % 2]
        content = hash_bytes(name.encode(), bytes([number]))
        row = ScanRow(f"scanid-{name}-{number}", f"file-{number}.png", pixels, content, label=label)
        if masks and number // 2 % 2:
            row = replace(row, mask=packed(pixels[0] > bright / 2))
        rows.append(replace(row, patient=f"pseudonym-{name}-{number // 2}", site=f"ward-{name}"))
    collection = Collection.create(path, size=12, channels=1, masks=masks)
    collection.append(rows)
    collection.mark_complete({})
    return path


class Sites:
    """Two sites in one process, by turns: each call goes as far as the other's files let it."""

    def __init__(self, root: Path, collections: dict[str, Path], **more: Any) -> None:
        self.root, self.collections, self.more = root, collections, more
        self.exchange = root / "exchange"
        self.exchange.mkdir(parents=True)

    def go(self, site: str, reporter: Any = None, **more: Any) -> dict[str, Any]:
        how: dict[str, Any] = {"rounds": ROUNDS, "sites": 2, "wait": 0.0, "proximal": 0.0}
        given = {**SMALL, **self.more, **more}
        how = {name: given.pop(name, value) for name, value in how.items()}
        path = self.collections[site]
        return federate_collection(
            path,
            self.root / f"encoder-{site}",
            RunSettings(source=str(path), **given),
            FederatedSettings(self.exchange, given.pop("name", site), **how),
            reporter or Silent(),
        )

    def refused(self, site: str, **more: Any) -> LatentdxError:
        with pytest.raises(LatentdxError) as caught:
            self.go(site, **more)
        return caught.value

    def by_turns(self) -> list[dict[str, Any]]:
        """Until both have finished; every call before the last ends by waiting in vain."""
        found: dict[str, dict[str, Any]] = {}
        for _ in range(2 * ROUNDS + 2):
            for site in self.collections.keys() - found.keys():
                try:
                    found[site] = self.go(site)
                except StopError as error:
                    if error.code != "E_WAIT":
                        raise
        return [found[site] for site in self.collections]
