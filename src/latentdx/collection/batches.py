"""Pixels for training: materialised once into an array, or streamed where they do not fit."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.store import Collection

_EIGHT_BIT = 257  # a level of 0..65535 that is a multiple of this is a level of 0..255
_GROUP_BYTES = 16 << 20
_AHEAD = 2


@dataclass(frozen=True)
class TrainingArray:
    """All pixels of a collection as whole numbers, in memory or in a memory-mapped file.

    Attributes
    ----------
    levels: uint8 or uint16 (N, C, *spatial); see `materialise`.
    """

    levels: NDArray[Any]

    @property
    def top(self) -> int:
        """The level that means 1: 255 or 65535."""
        return int(np.iinfo(self.levels.dtype).max)

    def batch(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """The levels at `indices`, in that order, as a new array: to be divided by `top`, which
        is cheapest on the device that trains."""
        found: NDArray[Any] = np.take(self.levels, indices, axis=0)
        return found

    def unit(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32 in 0..1 of the same."""
        return self.batch(indices).astype(np.float32) / np.float32(self.top)


def materialise(collection: Collection, path: Path | None = None) -> TrainingArray:
    """Read a whole collection into one array.

    uint8 where every stored value is one of 8 bits (images that were neither deeper nor resized):
    half the memory, and still exact; uint16 elsewhere. With `path` the array is a memory-mapped
    ``.npy`` file there, for collections larger than memory. Raises `IntegrityError`
    ``E_COLLECTION`` where stored pixels have changed.

    Examples
    --------
    >>> array = materialise(Collection.open("collection"))  # doctest: +SKIP
    >>> array.unit(np.array([5, 3])).shape  # doctest: +SKIP
    (2, 1, 64, 64)
    """
    narrow = all((levels % _EIGHT_BIT == 0).all() for levels in collection.scan_levels())
    dtype = np.uint8 if narrow else np.uint16
    shape = (len(collection), *collection.shape)
    whole: NDArray[Any] = (
        np.empty(shape, dtype)
        if path is None
        else np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    )
    start = 0
    for levels in collection.scan_levels(verify=False):
        end = start + len(levels)
        whole[start:end] = levels // _EIGHT_BIT if narrow else levels
        start = end
    return TrainingArray(whole)


def levels_at(collection: Collection, rows: NDArray[np.int64]) -> NDArray[Any]:
    """Levels (N, C, *spatial) of some rows of a collection, in the order of `rows`, in memory.

    uint8 where every value is one of 8 bits, uint16 elsewhere, as in `materialise`.

    Examples
    --------
    >>> levels = levels_at(Collection.open("collection"), np.array([5, 3]))  # doctest: +SKIP
    >>> levels.shape, levels.dtype  # doctest: +SKIP
    ((2, 1, 64, 64), dtype('uint8'))
    """
    whole = np.empty((len(rows), *collection.shape), np.uint16)
    step = max(1, _GROUP_BYTES * _AHEAD // bytes_of(collection, 1))
    for start in range(0, len(rows), step):
        whole[start : start + step] = collection.levels(rows[start : start + step])
    narrow = all((levels % _EIGHT_BIT == 0).all() for levels in whole)
    return (whole // _EIGHT_BIT).astype(np.uint8) if narrow else whole


def bytes_of(collection: Collection, n_scans: int) -> int:
    """Bytes that the levels of so many scans take at most."""
    return 2 * n_scans * math.prod(collection.shape)


def stream(
    collection: Collection, order: NDArray[np.int64], batch_size: int = 64
) -> Iterator[NDArray[np.uint16]]:
    """Batches of levels (B, C, *spatial), uint16, of the rows in `order`, read ahead in a thread.

    Several batches are fetched at once: the store answers few large requests far faster than many
    small ones.

    Examples
    --------
    >>> order = np.random.default_rng(0).permutation(1000)
    >>> for levels in stream(collection, order):  # doctest: +SKIP
    ...     batch = torch.from_numpy(levels).to(device) / 65535
    """
    row_bytes = bytes_of(collection, 1)
    n_group = batch_size * max(1, _GROUP_BYTES // (row_bytes * batch_size))
    groups = [order[start : start + n_group] for start in range(0, len(order), n_group)]
    with ThreadPoolExecutor(1) as thread:
        waiting: list[Future[NDArray[np.uint16]]] = []
        for group in groups[:_AHEAD]:
            waiting.append(thread.submit(collection.levels, group))
        for number in range(len(groups)):
            levels = waiting.pop(0).result()
            if number + _AHEAD < len(groups):
                waiting.append(thread.submit(collection.levels, groups[number + _AHEAD]))
            for start in range(0, len(levels), batch_size):
                yield levels[start : start + batch_size]
