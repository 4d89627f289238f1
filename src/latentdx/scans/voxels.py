"""What every file of voxels must pass, whatever its format: room, one volume, finite values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import InputError
from latentdx.scans.limits import Limits
from latentdx.scans.policy import Policy

Shape = tuple[int, ...]

_WORKING_BYTES = 4  # every voxel becomes a float32


def require_room(
    shape: Shape, item_bytes: int, limits: Limits, *, packed_bytes: int | None
) -> None:
    """Refuse voxels by what their header announces, before anything is allocated.

    `shape` is (X, Y, Z) or (X, Y, Z, volumes); `packed_bytes` is what they are packed into, None
    where they are not packed. Raises `InputError` ``E_SIZE`` or ``E_BOMB``.
    """
    text = " x ".join(str(side) for side in shape)
    if min(shape) < 1:
        raise InputError("E_SIZE", f"the header announces {text} voxels")
    decoded = math.prod(shape) * item_bytes
    worked = math.prod(shape[:3]) * _WORKING_BYTES
    if shape[0] * shape[1] > limits.frame_pixels or max(decoded, worked) > limits.file_bytes:
        raise InputError(
            "E_SIZE",
            f"{text} voxels, {max(decoded, worked)} bytes decoded; the limits are "
            f"{limits.frame_pixels} pixels a slice and {limits.file_bytes} bytes",
            fix="crop or reduce it, or raise the limits",
        )
    if packed_bytes is not None:
        limits.check_ratio(decoded, packed_bytes)


def as_volumes(shape: Shape) -> Shape:
    """Any number of dimensions as (X, Y, Z, volumes); an image has one slice.

    Examples
    --------
    >>> as_volumes((64, 64)), as_volumes((64, 64, 20, 1, 3))
    ((64, 64, 1, 1), (64, 64, 20, 3))
    """
    if len(shape) < 2:
        raise InputError("E_NDIM", "the file has one dimension", fix="give images or volumes")
    padded = (*shape, 1)[:3] if len(shape) == 2 else shape
    return (*padded[:3], math.prod(padded[3:]))


def wanted_volume(count: int, policy: Policy) -> int:
    """Which of `count` volumes is read. Raises `InputError` ``E_NDIM`` where that is not said."""
    if count == 1:
        return 0
    index = policy.volume_index
    if index is None:
        found, fix = (
            f"{count} volumes in one file",
            f"say which one is wanted: --volume-index 0 to {count - 1}",
        )
        raise InputError("E_NDIM", found, fix=fix)
    if not 0 <= index < count:
        found = f"{count} volumes in one file, and volume {index} was asked for"
        raise InputError("E_NDIM", found, fix=f"choose one of 0 to {count - 1}")
    return index


def finite(values: NDArray[Any], policy: Policy) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Values without NaN and infinities, and what was done.

    Raises `InputError` ``E_NAN`` where there are some and the policy is not to impute them, or
    where nothing else is left.
    """
    if values.dtype.kind != "f":
        return values, ()
    known = np.isfinite(values)
    missing = int(values.size - known.sum())
    if not missing:
        return values, ()
    if policy.nan == "refuse" or missing == values.size:
        raise InputError(
            "E_NAN",
            f"{missing} of {values.size} values are NaN or infinite",
            fix="replace them on purpose before reading (--nan impute)",
        )
    lowest = values[known].min()
    text = f"{missing} NaN or infinite values set to the lowest finite value"
    return np.where(known, values, lowest), (text,)
