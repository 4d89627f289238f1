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
    beyond,
    descriptions,
    nearest,
)
from latentdx.collection.near_pictures import LARGEST, comparable, flipped
from latentdx.collection.near_register import coarse, laid_over, refined
from latentdx.collection.near_threads import in_threads
from latentdx.collection.store import Collection
from latentdx.collection.table import CollectionTable

AGREE = 0.93
"""Copies agree so well at least."""

CHANCE = 0.9
"""Coarse details of copies agree so well at least."""

NEARER = 0.2
"""How far a copy may be from its scan, as a share of how far scans that are alike usually are."""

_BLOCK, _AT_ONCE = 512, 128
_SAMPLE, _DRAWN = 2000, 400
_IN_MEMORY = 1 << 30


@dataclass(frozen=True)
class NearPairs:
    """Scans that are nearly equal: rows (P, 2), the lower first, and (P,) how well they agree."""

    rows: NDArray[np.int64]
    agreement: Floats

    def joining(self, n_scans: int) -> NDArray[np.int64]:
        """(Q, 2) pairs by which a split may keep scans together.

        Left out are groups of more than a tenth of all scans (at least 20): so many are alike for
        another reason than that they were copied, and as one unit they would leave nothing to
        draw.
        """
        most = max(20, n_scans // 10)
        large = [group for group in self.groups() if len(group) > most]
        kept: NDArray[np.int64] = self.rows
        if large:
            kept = kept[~np.isin(kept[:, 0], np.concatenate(large))]
        return kept

    def groups(self) -> list[NDArray[np.int64]]:
        """Connected components: ascending rows of each, the best agreeing group first."""
        parent: dict[int, int] = {}

        def root(row: int) -> int:
            while parent.setdefault(row, row) != row:
                parent[row] = parent[parent[row]]
                row = parent[row]
            return row

        for one, other in self.rows.tolist():
            parent[root(one)] = root(other)
        best: dict[int, float] = {}
        members: dict[int, set[int]] = {}
        for (one, other), agree in zip(self.rows.tolist(), self.agreement.tolist(), strict=True):
            members.setdefault(root(one), set()).update((one, other))
            best[root(one)] = max(agree, best.get(root(one), 0.0))
        order = sorted(members, key=lambda name: (-best[name], min(members[name])))
        return [np.array(sorted(members[name]), np.int64) for name in order]

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
    far better than other scans of this collection that are alike (docs/audit.md). At most eight
    candidates a scan, so blank or equal scans cannot make more; scans without any detail are in no
    pair. The memory grows with the scans, not with their square.

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
    plain, middle, small = _described(pictures, blocks)
    pairs = np.concatenate([nearest(each, plain, owner, progress) for each in (plain, middle)])
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    alike = beyond(plain, owner, _drawn(_with_detail(plain)))
    usual = _refined(pictures, alike, plain, _laid_over(small, alike, plain)[1])
    chance, places = _laid_over(small, pairs, plain)
    pairs, places = pairs[chance >= CHANCE], places[chance >= CHANCE]
    agree = _refined(pictures, pairs, plain, places)
    close = agree >= limit(usual, pictures.shape[-1])
    return NearPairs(pairs[close], agree[close])


def limit(usual: Floats, side: int = LARGEST) -> float:
    """How well a pair must agree where scans that are alike, but no copies, agree so (M,).

    Small pictures tell less: with fewer pixels on a `side` the rest must be smaller.

    Examples
    --------
    >>> round(limit(np.array([0.9]), 64), 3), round(limit(np.array([0.5]), 16), 3)
    (0.98, 0.965)
    """
    middle = float(np.median(usual)) if len(usual) else 0.0
    return 1 - min(1 - AGREE, NEARER * (1 - middle)) * math.sqrt(side / LARGEST)


def _with_detail(described: list[Floats]) -> NDArray[np.int64]:
    """Rows of scans in which there is something to see."""
    return np.flatnonzero(np.any([part.any(axis=1) for part in described], axis=0))


def _drawn(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """A few hundred of them, evenly spaced."""
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(_DRAWN, len(rows))).astype(np.int64))]


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
) -> tuple[list[Floats], list[Floats], Floats]:
    """Whitened descriptions of all pictures, and of their middles; their coarse detail."""
    start = 0
    for block in blocks:
        pictures[start : start + len(block)] = block
        start += len(block)
    drawn = np.unique(np.linspace(0, start - 1, min(_SAMPLE, start)).astype(np.int64))
    whiten = Whitener.fit(descriptions(_unit(pictures[drawn]))[:, 0])
    plain: list[list[Floats]] = []
    middle: list[list[Floats]] = []
    small: list[Floats] = []
    for first in range(0, start, _BLOCK):
        grey = _unit(pictures[first : first + _BLOCK])
        small.append(coarse(grey))
        described = descriptions(grey)
        plain.append(whiten(described[:, 0]))
        middle.append(whiten(described[:, 1]))
    return _joined(plain), _joined(middle), np.concatenate(small)


def _joined(blocks: list[list[Floats]]) -> list[Floats]:
    return [np.concatenate(parts) for parts in zip(*blocks, strict=True)]


def _unit(pictures: NDArray[np.uint8]) -> Floats:
    return pictures.astype(np.float32) / np.float32(255)


def _laid_over(
    small: Floats, pairs: NDArray[np.int64], described: list[Floats]
) -> tuple[Floats, Floats]:
    """(M,) how well coarse details agree in the best plane, (M, P, 4) how each plane is laid."""

    def of_some(some: NDArray[np.int64]) -> tuple[Floats, Floats]:
        found, places = laid_over(*_planes(small, some, described))
        return found.reshape(len(some), -1).max(axis=1), places.reshape(len(some), -1, 4)

    found = list(in_threads(of_some, _parted(pairs)))
    none = (np.empty(0, np.float32), np.empty((0, small.shape[1], 4), np.float32))
    agree, places = zip(none, *found, strict=True)
    return np.concatenate(agree), np.concatenate(places)


def _refined(
    pictures: NDArray[Any], pairs: NDArray[np.int64], described: list[Floats], places: Floats
) -> Floats:
    """(M,) mean correlation of fine detail over the planes of each pair."""

    def of_some(each: tuple[NDArray[np.int64], Floats]) -> Floats:
        some, laid = each
        one, other = (part / np.float32(255) for part in _planes(pictures, some, described))
        planes = refined(one, other, laid.reshape(-1, 4)).reshape(len(some), -1)
        agree: Floats = planes.mean(axis=1)
        return agree

    parts = zip(_parted(pairs), _parted(places), strict=True)
    return np.concatenate([np.empty(0, np.float32), *in_threads(of_some, parts)])


def _parted(rows: NDArray[Any]) -> list[NDArray[Any]]:
    return [rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE)]


def _planes(
    pictures: NDArray[Any], pairs: NDArray[np.int64], described: list[Floats]
) -> tuple[Floats, Floats]:
    """Planes (pairs x P, W, W) of each pair, the second mirrored to fit best."""
    first, second = pairs.T
    flips = best_flip([part[first] for part in described], [part[second] for part in described])
    own, other = (pictures[rows].astype(np.float32) for rows in (first, second))
    for flip in np.unique(flips).tolist():
        other[flips == flip] = flipped(other[flips == flip], flip)
    side = own.shape[-1]
    return own.reshape(-1, side, side), other.reshape(-1, side, side)
