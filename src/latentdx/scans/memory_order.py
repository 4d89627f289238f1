"""Volumes in the order in which they lie in memory: files run along the first axis, numpy the last.

Walked across its memory, a volume of 512 x 512 x 300 voxels takes four to ten times as long.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_BLOCK = 16  # samples of the last axis that are copied together: they share lines of the cache


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


def in_c_order(values: NDArray[Any]) -> NDArray[Any]:
    """The same array, C-contiguous, as ``numpy.ascontiguousarray``; copied block by block."""
    if values.flags.c_contiguous:
        return values
    copy = np.empty(values.shape, values.dtype)
    for start in range(0, values.shape[-1], _BLOCK):
        block = slice(start, start + _BLOCK)
        copy[..., block] = values[..., block]
    return copy
