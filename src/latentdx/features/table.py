"""`FeatureTable`: embeddings that keep their patients, and the encoder and split they are from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from latentdx.collection.augment import AugmentSettings, apply, draw
from latentdx.collection.labelled import LabelledScans
from latentdx.core.errors import LeakageError
from latentdx.core.seeds import derive_seed

Pixels = NDArray[np.float32]
Extract = Callable[[Pixels], NDArray[np.float32]]

_BATCH = 1024
_FIELDS = ("embeddings", "labels", "patients", "scan_ids", "parts")


@dataclass(frozen=True)
class FeatureTable:
    """Embeddings of scans, row by row, with what must never be parted from them.

    Attributes
    ----------
    embeddings: float32 (N, D); labels: int (N,), indices of `classes`, negative first.
    patients, scan_ids, parts: (N,). Augmented copies bear their scan's.
    extractor_hash, split_hash: of what made the embeddings and of the split.
    """

    embeddings: NDArray[np.float32]
    labels: NDArray[np.int64]
    patients: NDArray[np.str_]
    scan_ids: NDArray[np.str_]
    parts: NDArray[np.str_]
    classes: tuple[str, ...]
    extractor_hash: str
    split_hash: str

    def __len__(self) -> int:
        return len(self.embeddings)

    def take(self, rows: NDArray[Any]) -> FeatureTable:
        """The rows at these numbers, or where a mask is True."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _FIELDS})

    def require_same_origin(self, extractor_hash: str, split_hash: str) -> None:
        """Raise `LeakageError` ``E_MIXED`` unless made by this extractor and this split."""
        if (self.extractor_hash, self.split_hash) != (extractor_hash, split_hash):
            raise LeakageError(
                "E_MIXED",
                "features of different encoders or splits were joined",
                fix="extract them again with one encoder and one split",
            )


def extract_table(scans: LabelledScans, extract: Extract, *, extractor_hash: str) -> FeatureTable:
    """The embeddings of scans, in their order."""
    batches = [
        extract(scans.pixels[start : start + _BATCH]) for start in range(0, len(scans), _BATCH)
    ]
    return FeatureTable(
        np.concatenate(batches),
        scans.labels,
        scans.patients,
        scans.scan_ids,
        scans.parts,
        scans.classes,
        extractor_hash,
        scans.split_hash,
    )


def augmented(
    scans: LabelledScans, settings: AugmentSettings, *, n_copies: int, seed: int
) -> LabelledScans:
    """The scans themselves, followed by `n_copies` augmented copies of all, one copy after another.

    Copies keep patient, label and part: whatever splits by patient keeps them together.
    """
    copies = [scans.pixels, *(_copy(scans.pixels, settings, seed, n) for n in range(n_copies))]
    tiles = n_copies + 1
    return replace(
        scans,
        pixels=np.concatenate(copies),
        labels=np.tile(scans.labels, tiles),
        patients=np.tile(scans.patients, tiles),
        scan_ids=np.tile(scans.scan_ids, tiles),
        parts=np.tile(scans.parts, tiles),
    )


def _copy(pixels: Pixels, settings: AugmentSettings, seed: int, number: int) -> Pixels:
    generator = torch.Generator().manual_seed(derive_seed(seed, "copies", number))
    batches = [
        apply(torch.from_numpy(batch), draw(len(batch), settings, generator)).numpy()
        for batch in (pixels[start : start + _BATCH] for start in range(0, len(pixels), _BATCH))
    ]
    return np.concatenate(batches)


def flipped(pixels: Pixels) -> Pixels:
    """Mirrored left to right."""
    return np.ascontiguousarray(pixels[..., ::-1])
