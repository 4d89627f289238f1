"""`FeatureTable`: embeddings that keep their patients, and the encoder and split they are from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
    n_beside: how many columns, the last ones, come from beside the picture.
    cases: (N,), the names of the cases whose scans are decided together, or None.
    """

    embeddings: NDArray[np.float32]
    labels: NDArray[np.int64]
    patients: NDArray[np.str_]
    scan_ids: NDArray[np.str_]
    parts: NDArray[np.str_]
    classes: tuple[str, ...]
    extractor_hash: str
    split_hash: str
    n_beside: int = 0
    cases: NDArray[np.str_] | None = None

    def __len__(self) -> int:
        return len(self.embeddings)

    def take(self, rows: NDArray[Any]) -> FeatureTable:
        """The rows at these numbers, or where a mask is True."""
        names = _FIELDS if self.cases is None else (*_FIELDS, "cases")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def image(self) -> FeatureTable:
        """Without what stands beside the picture."""
        width = self.embeddings.shape[1] - self.n_beside
        return replace(self, embeddings=self.embeddings[:, :width], n_beside=0)

    @classmethod
    def joined(cls, tables: Sequence[FeatureTable]) -> FeatureTable:
        """The rows of tables of one origin, one table after another."""
        for table in tables:
            table.require_same_origin(tables[0].extractor_hash, tables[0].split_hash)
        columns: dict[str, Any] = {
            name: np.concatenate([getattr(table, name) for table in tables]) for name in _FIELDS
        }
        cases = [table.cases for table in tables if table.cases is not None]
        columns["cases"] = np.concatenate(cases) if len(cases) == len(tables) else None
        return replace(tables[0], **columns)

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
        put_beside(np.concatenate(batches), scans.beside),
        scans.labels,
        scans.patients,
        scans.scan_ids,
        scans.parts,
        scans.classes,
        extractor_hash,
        scans.split_hash,
        0 if scans.beside is None else scans.beside.shape[1],
        scans.cases,
    )


def put_beside(
    embeddings: NDArray[np.float32], beside: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """Embeddings (N, D), and behind them what stands beside the picture, (N, K), if anything.

    Examples
    --------
    >>> put_beside(np.zeros((2, 3), np.float32), np.ones((2, 1), np.float32)).shape
    (2, 4)
    """
    return embeddings if beside is None else np.concatenate([embeddings, beside], axis=1)


def augmented(
    scans: LabelledScans, settings: AugmentSettings, *, n_copies: int, seed: int
) -> Iterator[LabelledScans]:
    """The scans themselves, then `n_copies` augmented copies of all, one after another.

    Copies keep patient, label and part: whatever splits by patient keeps them together. One copy
    is in memory at a time: those of volumes are large.
    """
    yield scans
    for number in range(n_copies):
        yield replace(scans, pixels=_copy(scans.pixels, settings, seed, number))


def _copy(pixels: Pixels, settings: AugmentSettings, seed: int, number: int) -> Pixels:
    generator = torch.Generator().manual_seed(derive_seed(seed, "copies", number))
    batches = [
        apply(
            torch.from_numpy(batch), draw(len(batch), settings, generator, dims=batch.ndim - 2)
        ).numpy()
        for batch in (pixels[start : start + _BATCH] for start in range(0, len(pixels), _BATCH))
    ]
    return np.concatenate(batches)


def flipped(pixels: Pixels) -> Pixels:
    """Mirrored left to right: the last axis of images, the first (to the right) of RAS+ volumes.

    Examples
    --------
    >>> flipped(np.arange(3, dtype=np.float32).reshape(1, 1, 1, 3)).ravel().tolist()
    [2.0, 1.0, 0.0]
    """
    return np.ascontiguousarray(np.flip(pixels, 2 if pixels.ndim == 5 else 3))
