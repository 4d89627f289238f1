"""Volumes in the order in which they lie in memory: files run along the first axis, numpy the last.

Walked across its memory, a volume of 512 x 512 x 300 voxels takes four to ten times as long.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

_THICK = 16  # samples: a line of the cache is filled before it is left


def memory_axes(values: NDArray[Any]) -> tuple[int, ...]:
    """The axes from the one with the widest stride to the one with the narrowest.

    Examples
    --------
    >>> memory_axes(np.zeros((2, 3, 4))), memory_axes(np.zeros((2, 3, 4), order="F")[::-1])
    ((0, 1, 2), (2, 1, 0))
    """
    strides = [-abs(stride) for stride in values.strides]
    return tuple(int(axis) for axis in np.argsort(strides, kind="stable"))


def inverse_axes(axes: tuple[int, ...]) -> tuple[int, ...]:
    """What undoes ``transpose(axes)``.

    Examples
    --------
    >>> inverse_axes((2, 0, 1))
    (1, 2, 0)
    """
    return tuple(int(axis) for axis in np.argsort(axes))


def slabs(values: NDArray[Any]) -> Iterator[tuple[slice, ...]]:
    """Indices of pieces that are each in one place in memory, and together are the whole array.

    Examples
    --------
    >>> [slab[2] for slab in slabs(np.zeros((2, 3, 20), order="F"))]
    [slice(0, 16, None), slice(16, 32, None)]
    """
    axis = memory_axes(values)[0]
    for start in range(0, values.shape[axis], _THICK):
        slab = [slice(None)] * values.ndim
        slab[axis] = slice(start, start + _THICK)
        yield tuple(slab)
