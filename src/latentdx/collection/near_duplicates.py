"""`near_duplicates`: scans of different patients that are copies, changed a little."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.near_candidates import (
    Floats,
    Progress,
    Whitener,
    best_flip,
    descriptions,
    nearest,
)
from latentdx.collection.near_pictures import LARGEST, comparable, flipped
from latentdx.collection.near_register import agreement
from latentdx.collection.store import Collection
from latentdx.collection.table import CollectionTable

AGREE = 0.93
"""Copies agree so well at least."""

NEARER = 0.25
"""How far a copy may be from its scan, as a share of how far candidates usually are."""

_BLOCK = 512
_SAMPLE = 2000
_IN_MEMORY = 1 << 30


@dataclass(frozen=True)
class NearPairs:
    """Scans that are nearly equal: rows (P, 2), the lower first, and (P,) how well they agree."""

    rows: NDArray[np.int64]
    agreement: Floats

    @classmethod
    def none(cls) -> NearPairs:
        """No pair."""
        return cls(np.empty((0, 2), np.int64), np.empty(0, np.float32))


def near_duplicates(
    collection: Collection, table: CollectionTable, progress: Progress | None = None
) -> NearPairs:
    """Find copies that were mirrored, cropped, recompressed, resized, or of changed grey levels.

    Scans of one patient, and identical ones, are not compared: the split keeps them together
    anyway. Candidates are the nearest by a short whitened description, also mirrored along each
    axis; they are pairs where their fine detail agrees after registration, by `AGREE` at least and
    far better than candidates of this collection usually do (docs/audit.md). At most eight
    candidates a scan, so blank or equal scans cannot make more; scans without any detail are in no
    pair. Some 0.5 GB for 100,000 scans of 64 x 64.

    Examples
    --------
    >>> found = near_duplicates(stored, stored.metadata())  # doctest: +SKIP
    >>> found.rows  # doctest: +SKIP
    array([[12, 831]])
    """
    rows = _one_of_each(table)
    if len(rows) < 2:
        return NearPairs.none()
    blocks = _blocks(collection, table, rows)
    side, n_planes = min(LARGEST, collection.size), 1 if collection.dims == 2 else 3
    pictures = _room((len(rows), n_planes, side, side))
    _, owner = np.unique(table.patient_or_scan()[rows], return_inverse=True)
    found = compare(pictures, blocks, owner.ravel(), progress)
    return NearPairs(rows[found.rows], found.agreement)


def compare(
    pictures: NDArray[np.uint8],
    blocks: Iterator[NDArray[np.uint8]],
    owner: NDArray[np.int64],
    progress: Progress | None = None,
) -> NearPairs:
    """Pairs among pictures (N, P, W, W), which are filled with `blocks`; of different owners."""
    plain, middle = _described(pictures, blocks)
    pairs = np.concatenate([nearest(each, plain, owner, progress) for each in (plain, middle)])
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    agree = np.concatenate(
        [np.empty(0, np.float32)]
        + [
            _agreement(pictures, pairs[start : start + _BLOCK], plain)
            for start in range(0, len(pairs), _BLOCK)
        ]
    )
    close = agree >= limit(agree)
    return NearPairs(pairs[close], agree[close])


def limit(agree: Floats) -> float:
    """How well a pair must agree, where all candidates agree so."""
    usual = float(np.median(agree)) if len(agree) else 0.0
    return max(AGREE, 1 - NEARER * (1 - usual))


def _one_of_each(table: CollectionTable) -> NDArray[np.int64]:
    """The first row of each content, ascending."""
    names = np.where(table.content_hash == "", table.scan_id, table.content_hash)
    _, first = np.unique(names, return_index=True)
    rows: NDArray[np.int64] = np.sort(first).astype(np.int64)
    return rows


def _blocks(
    collection: Collection, table: CollectionTable, rows: NDArray[np.int64]
) -> Iterator[NDArray[np.uint8]]:
    start = 0
    for pixels in collection.batches(rows):
        native = table.native_shape[rows[start : start + len(pixels)]]
        start += len(pixels)
        for first in range(0, len(pixels), _BLOCK):
            chosen = slice(first, first + _BLOCK)
            yield comparable(pixels[chosen], native[chosen])


def _room(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Memory for pictures; a file without a name where they are many."""
    if math.prod(shape) <= _IN_MEMORY:
        return np.empty(shape, np.uint8)
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, np.uint8, "w+", shape=shape)


def _described(
    pictures: NDArray[np.uint8], blocks: Iterator[NDArray[np.uint8]]
) -> tuple[list[Floats], list[Floats]]:
    """Whitened descriptions of all pictures, and of their middles."""
    start = 0
    for block in blocks:
        pictures[start : start + len(block)] = block
        start += len(block)
    drawn = np.unique(np.linspace(0, start - 1, min(_SAMPLE, start)).astype(np.int64))
    whiten = Whitener.fit(descriptions(_unit(pictures[drawn]))[:, 0])
    plain: list[list[Floats]] = []
    middle: list[list[Floats]] = []
    for first in range(0, start, _BLOCK):
        described = descriptions(_unit(pictures[first : first + _BLOCK]))
        plain.append(whiten(described[:, 0]))
        middle.append(whiten(described[:, 1]))
    return _joined(plain), _joined(middle)


def _joined(blocks: list[list[Floats]]) -> list[Floats]:
    return [np.concatenate(parts) for parts in zip(*blocks, strict=True)]


def _unit(pictures: NDArray[np.uint8]) -> Floats:
    return pictures.astype(np.float32) / np.float32(255)


def _agreement(pictures: NDArray[Any], pairs: NDArray[np.int64], described: list[Floats]) -> Floats:
    """(M,) mean correlation over planes, the second of each pair mirrored to fit best."""
    first, second = pairs.T
    flips = best_flip([part[first] for part in described], [part[second] for part in described])
    own, other = _unit(pictures[first]), _unit(pictures[second])
    for flip in np.unique(flips).tolist():
        other[flips == flip] = flipped(other[flips == flip], flip)
    side = own.shape[-1]
    planes = agreement(own.reshape(-1, side, side), other.reshape(-1, side, side))
    means: Floats = planes.reshape(len(pairs), -1).mean(axis=1)
    return means
