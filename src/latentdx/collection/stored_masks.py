"""`StoredMasks`: the masks of some scans of a collection, as bits in memory."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.store import Collection
from latentdx.core.hashing import hash_array

_READ = 256


@dataclass(frozen=True)
class StoredMasks:
    """Masks of N scans, a bit a pixel: a sixteenth of what their levels take at most.

    Attributes
    ----------
    bits: uint8 (N, ceil(pixels / 8)); all 0 where a scan has no mask, or an empty one.
    shape: (*spatial) of each.
    """

    bits: NDArray[np.uint8]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, collection: Collection, rows: NDArray[np.int64]) -> StoredMasks:
        """Those of the scans at `rows`, in that order; none of a collection without masks."""
        shape = collection.shape[1:]
        bits = np.zeros((len(rows), -(-math.prod(shape) // 8)), np.uint8)
        for start in range(0, len(rows) if collection.has_masks else 0, _READ):
            found = collection.masks(rows[start : start + _READ])
            bits[start : start + len(found)] = [np.packbits(mask) for mask in found]
        return cls(bits, shape)

    def __len__(self) -> int:
        return len(self.bits)

    @property
    def given(self) -> NDArray[np.bool_]:
        """(N,) which scans have a mask that is not empty."""
        return np.asarray(self.bits.any(axis=1))

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of all of them."""
        return hash_array(self.bits)

    def inside(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(B, 1, *spatial), where some of the scans lie inside; all of a scan without a mask.

        Examples
        --------
        >>> masks = StoredMasks(np.array([[0b10100000], [0]], np.uint8), (2, 2))
        >>> masks.inside(np.array([1, 0])).tolist()
        [[[[True, True], [True, True]]], [[[True, False], [True, False]]]]
        """
        chosen = self.bits[rows]
        flat = np.unpackbits(chosen, axis=1, count=math.prod(self.shape)).astype(np.bool_)
        flat |= ~chosen.any(axis=1, keepdims=True)
        return flat.reshape(len(chosen), 1, *self.shape)
