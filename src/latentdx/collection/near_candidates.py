"""Which scans may be copies of each other: nearest ones by a short, whitened description."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.near_pictures import detail, flipped, plane_axes, reduced
from latentdx.collection.near_register import zoomed
from latentdx.collection.near_threads import in_threads

Floats = NDArray[np.float32]
Progress = Callable[[int, int], object]

CELLS = 16
MOST_NUMBERS = 96
NEAREST = 4
"""Candidates of a scan as it is, and as many of its middle: a cropped copy lies between them."""

LIKELY = 0.5
ZOOM = 0.95

_BAND = (1.5, 6.0)
_EVEN = 0.3
_ROWS, _COLUMNS = 256, 2048
_FEW, _BEYOND = 64, 6


def descriptions(planes: Floats) -> Floats:
    """float32 (N, 2, S, P x 256): of planes (N, P, W, W) and of their middle, by symmetry.

    The detail of each plane in 16 x 16 cells, mean 0, length 1, taken apart into the S = 4
    (volumes: 8) parts that mirroring along the scan's axes leaves or negates: bit a of s is set
    where mirroring along axis a negates part s. Rows are 0 where there is nothing to see.
    """
    middle = np.stack([zoomed(planes[:, k], ZOOM) for k in range(planes.shape[1])], axis=1)
    return np.stack([_parts(_cells(planes)), _parts(_cells(middle))], axis=1)


def _cells(planes: Floats) -> Floats:
    scale = planes.shape[-1] / 64
    cells = reduced(detail(planes, _BAND[0] * scale, _BAND[1] * scale), CELLS)
    cells = cells - cells.mean(axis=(-2, -1), keepdims=True)
    length = np.sqrt((cells * cells).sum(axis=(1, 2, 3), keepdims=True))
    unit: Floats = np.where(length > 0.1, cells / np.maximum(length, 0.1), 0).astype(np.float32)
    return unit


def _parts(cells: Floats) -> Floats:
    n_axes = 1 + max(axis for axes in plane_axes(cells.shape[1]) for axis in axes)
    parts: list[Floats] = [cells]
    for axis in range(n_axes):
        mirrored = [flipped(part, 1 << axis) for part in parts]
        pairs = list(zip(parts, mirrored, strict=True))
        parts = [_half(one + other) for one, other in pairs] + [
            _half(one - other) for one, other in pairs
        ]
    return np.stack([part.reshape(len(cells), -1) for part in parts], axis=1)


def _half(cells: Floats) -> Floats:
    half: Floats = cells * np.float32(0.5)
    return half


@dataclass(frozen=True)
class Whitener:
    """Weighs down what all scans of a collection share: S matrices (P x 256, D_s)."""

    axes: tuple[Floats, ...]

    @classmethod
    def fit(cls, sample: Floats) -> Whitener:
        """From descriptions (N, S, K) of a sample; parts are whitened apart, and stay apart.

        At most `MOST_NUMBERS` directions of the highest variance are kept.
        """
        found = [np.linalg.eigh(part.T @ part / len(part)) for part in sample.swapaxes(0, 1)]
        values = np.concatenate([value for value, _ in found])
        least = np.sort(values)[-min(MOST_NUMBERS, len(values))]
        noise = _EVEN * max(float(values.mean()), 1e-9)
        return cls(
            tuple(
                (vectors[:, value >= least] / np.sqrt(value[value >= least] + noise)).astype(
                    np.float32
                )
                for value, vectors in found
            )
        )

    def __call__(self, described: Floats) -> list[Floats]:
        """S arrays (N, D_s), together of length 1, or 0 where there is nothing to see."""
        parts = [described[:, s] @ axes for s, axes in enumerate(self.axes)]
        squares = np.sum([(part * part).sum(axis=1) for part in parts], axis=0)
        scale = np.where(squares > 0, 1 / np.sqrt(np.maximum(squares, 1e-12)), 0)[:, None]
        return [(part * scale).astype(np.float32) for part in parts]


def similarity(queries: list[Floats], scans: list[Floats], room: Floats | None = None) -> Floats:
    """(Q, N): cosine of each query and each scan, in the best of all mirrored ways.

    It is worked out in `room` (S + 1, Q, N or more), if given: new memory for each block would cost
    more than the products.
    """
    shape = (len(queries[0]), len(scans[0]))
    if room is None:
        room = np.empty((len(queries) + 1, *shape), np.float32)
    parts = [each.ravel()[: shape[0] * shape[1]].reshape(shape) for each in room]
    for query, scan, part in zip(queries, scans, parts, strict=False):
        np.matmul(query, scan.T, out=part)
    return _best(parts[:-1], parts[-1])


def best_flip(first: list[Floats], second: list[Floats]) -> NDArray[np.int64]:
    """(N,) how the second of each pair is mirrored to be most like the first (see `flipped`)."""
    n_flips = len(first)
    signs = [[(-1) ** (s & flip).bit_count() for s in range(n_flips)] for flip in range(n_flips)]
    products = [(one * other).sum(axis=1) for one, other in zip(first, second, strict=True)]
    flips: NDArray[np.int64] = (np.array(signs, np.float32) @ np.stack(products)).argmax(axis=0)
    return flips


def _best(parts: list[Floats], spare: Floats) -> Floats:
    """Of each pair the best mirrored way; the parts and `spare` are overwritten."""
    if len(parts) == 2:
        even, odd = parts
        np.abs(odd, out=odd)
        return np.add(even, odd, out=even)
    half = len(parts) // 2
    for place in range(half):
        even, odd = parts[place], parts[place + half]
        np.subtract(even, odd, out=spare)
        np.add(even, odd, out=even)
        parts[place + half], spare = spare, odd
    one, other = _best(parts[:half], spare), _best(parts[half:], spare)
    return np.maximum(one, other, out=one)


def nearest(
    queries: list[Floats],
    scans: list[Floats],
    owner: NDArray[np.int64],
    progress: Progress | None = None,
) -> NDArray[np.int64]:
    """(P, 2) rows of queries and of their `NEAREST` scans of another owner, if `LIKELY`.

    Exact, in blocks: the memory does not grow with the square of the scans.
    """
    n_scans = len(owner)
    blocks = [
        [scan[first : first + _COLUMNS] for scan in scans] for first in range(0, n_scans, _COLUMNS)
    ]

    def of_rows(start: int) -> NDArray[np.int64]:
        rows = [query[start : start + _ROWS] for query in queries]
        return _of_rows(rows, blocks, owner, start)

    found = [np.empty((0, 2), np.int64)]
    for done, pairs in enumerate(in_threads(of_rows, range(0, n_scans, _ROWS)), 1):
        found.append(pairs)
        if progress is not None:
            progress(min(done * _ROWS, n_scans), n_scans)
    return np.concatenate(found)


def beyond(
    scans: list[Floats], owner: NDArray[np.int64], rows: NDArray[np.int64]
) -> NDArray[np.int64]:
    """(R, 2) each of `rows` with its sixth nearest scan of another owner: alike, but no copy.

    Of few scans a nearer one, the second at least: the sixth would not be alike.
    """
    found = [np.empty((0, 2), np.int64)]
    rank = min(len(owner), max(2, min(_BEYOND, len(owner) // 20))) - 1
    for start in range(0, len(rows), _FEW):
        few = rows[start : start + _FEW]
        near = similarity([scan[few] for scan in scans], scans)
        near[owner[few][:, None] == owner] = -2
        other = np.argpartition(-near, rank, axis=1)[:, rank]
        strange = owner[few] != owner[other]
        found.append(np.stack([few, other], axis=1)[strange])
    return np.concatenate(found)


def _of_rows(
    queries: list[Floats], blocks: list[list[Floats]], owner: NDArray[np.int64], start: int
) -> NDArray[np.int64]:
    n_rows = len(queries[0])
    room = np.empty((len(queries) + 1, n_rows, min(_COLUMNS, len(owner))), np.float32)
    best = np.full((n_rows, NEAREST), LIKELY, np.float32)
    which = np.full((n_rows, NEAREST), -1, np.int64)
    for number, scans in enumerate(blocks):
        block = similarity(queries, scans, room)
        _keep(block, number * _COLUMNS, (best, which), (owner[start : start + n_rows], owner))
    row, place = np.nonzero(which >= 0)
    return np.stack([row + start, which[row, place]], axis=1)


def _keep(
    block: Floats,
    first: int,
    kept: tuple[Floats, NDArray[np.int64]],
    owners: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> None:
    """Let the block's scans into the best of each row; `kept` is in descending order."""
    best, which = kept
    row, column = np.nonzero(block > best[:, -1:])
    strange = owners[0][row] != owners[1][column + first]
    row, column = row[strange], column[strange]
    if not len(row):
        return
    order = np.lexsort((-block[row, column], row))
    row, column = row[order], column[order]
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    row, column, rank = (part[rank < NEAREST] for part in (row, column, rank))
    values = np.concatenate([best, np.full_like(best, -2)], axis=1)
    places = np.concatenate([which, np.full_like(which, -1)], axis=1)
    values[row, NEAREST + rank] = block[row, column]
    places[row, NEAREST + rank] = column + first
    order = np.argsort(-values, axis=1, kind="stable")[:, :NEAREST]
    best[:] = np.take_along_axis(values, order, axis=1)
    which[:] = np.take_along_axis(places, order, axis=1)
