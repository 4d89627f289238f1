"""Scans as scikit-learn's users have them: arrays of images or volumes, or rows of a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from latentdx.core.errors import StopError

Pixels = NDArray[np.float32]
Shape: TypeAlias = Sequence[int] | Literal["square"] | None

SMALLEST = 8
"""The side of a scan that every member of the family takes."""

FEWEST = 8
"""Scans that an autoencoder can learn from."""


class ArrayError(StopError, ValueError):
    """A `StopError` that scikit-learn's tools know as the `ValueError` that they expect."""


def as_images(images: ArrayLike) -> Pixels:
    """float32 (N, C, H, W) or (N, C, X, Y, Z) in 0..1 of images or volumes.

    Raises `ArrayError` ``E_SHAPE`` or ``E_NAN``.

    Examples
    --------
    >>> as_images(np.zeros((2, 29, 31))).shape, as_images(np.zeros((2, 1, 9, 8, 10))).shape
    ((2, 1, 29, 31), (2, 1, 9, 8, 10))
    """
    given = np.asarray(images)
    scaled = given.astype(np.float32) / (255 if given.dtype == np.uint8 else 1)
    pixels = scaled[:, None] if scaled.ndim == 3 else scaled
    if pixels.ndim not in (4, 5) or not pixels.size or min(pixels.shape[2:]) < SMALLEST:
        found = f"an array of shape {given.shape}"
        fix = f"give images (N, H, W) or (N, C, H, W), or volumes (N, C, X, Y, Z), of {SMALLEST} "
        fix += "pixels a side or more; rows of a table need `shape`"
        raise ArrayError("E_SHAPE", found, fix=fix)
    if not np.isfinite(pixels).all():
        raise ArrayError("E_NAN", "a value is NaN or infinite", fix="replace it on purpose")
    return np.ascontiguousarray(pixels)


def folded(table: NDArray[Any], shape: Sequence[int] | Literal["square"]) -> NDArray[Any]:
    """Rows (N, D) of a table as scans of `shape`: (H, W), (C, H, W) or (C, X, Y, Z).

    ``square``: D pixels are a grey square image; what is missing from one, or from 8 x 8, is
    filled up with zeros. Raises `ArrayError` ``E_SHAPE``.

    Examples
    --------
    >>> folded(np.zeros((5, 784)), "square").shape, folded(np.zeros((5, 192)), (3, 8, 8)).shape
    ((5, 28, 28), (5, 3, 8, 8))
    """
    width = table.shape[1]
    if isinstance(shape, str):
        side = max(SMALLEST, math.isqrt(width - 1) + 1)
        filled = np.pad(table, ((0, 0), (0, side * side - width)))
        return filled.reshape(-1, side, side)
    if math.prod(shape) != width or len(shape) not in (2, 3, 4):
        found = f"rows of {width} numbers, a shape of {tuple(shape)}"
        raise ArrayError("E_SHAPE", found, fix="give the shape (H, W), (C, H, W) or (C, X, Y, Z)")
    return table.reshape(-1, *shape)


def scans_of(estimator: BaseEstimator, given: ArrayLike, shape: Shape, *, first: bool) -> Pixels:
    """What `as_images` says of arrays, or where there is a `shape` of rows of a table.

    Sets ``n_features_in_``, the number of values of a scan, on the estimator where `first`; a
    table is checked as scikit-learn checks tables, with its `ValueError`.
    """
    if shape is not None and _n_axes(given) < 3:
        fewest = FEWEST if first else 1
        table = validate_data(estimator, given, reset=first, ensure_min_samples=fewest)
        return as_images(folded(table, shape))
    pixels = as_images(given)
    if first:
        estimator.n_features_in_ = math.prod(pixels.shape[1:])
        vars(estimator).pop("feature_names_in_", None)
    return pixels


def _n_axes(given: ArrayLike) -> int:
    """Sparse matrices tell it themselves, lists do not."""
    return int(given.ndim) if hasattr(given, "ndim") else np.asarray(given).ndim
