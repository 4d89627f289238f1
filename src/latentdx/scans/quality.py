"""The gate of one scan: what holds no picture is refused, what looks wrong is marked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import InputError

Pixels = NDArray[np.float32]

SMALLEST_SIDE = 8
"""Pixels. The second-longest side counts: a volume may have few slices."""

BINARY_ABOVE = 0.95
"""Share of pixels at the darkest and the brightest level together."""

SATURATED_ABOVE = 0.5
"""Share of pixels at the brightest level. Not of the darkest: air is black in CT and MR."""

EMPTY_BELOW = 0.01
"""Share of pixels whose level differs from the median by more than 5 % of the range."""

SPARSE_MODALITIES = frozenset({"NM", "PT"})
"""Here a few hot spots on nothing are the picture."""

_SAMPLE = 1 << 15  # pixels looked at
_STEPS = 510  # levels counted: half a grey level of 8 bits each
_NEAR = _STEPS // 20


def check_quality(
    pixels: Pixels, native_shape: tuple[int, ...], *, modality: str = ""
) -> tuple[str, ...]:
    """Refuse a scan without a picture; the codes of what a reader should look at.

    `pixels` is float32 (C, *spatial) in 0..1 as read, before padding or resizing, `native_shape`
    the file's, `modality` DICOM's code. The codes: ``W_BINARY`` (a mask, or a display window that
    clips the rest), ``W_SATURATED`` (half of it white), ``W_NEAR_EMPTY`` (almost one level
    everywhere). The limits are the constants of this module, chosen on real scans (see
    docs/quality.md). Large scans are judged by some 33,000 evenly drawn pixels.

    Raises `InputError`: ``E_TINY`` where the second-longest side is below `SMALLEST_SIDE`,
    ``E_CONSTANT`` where all pixels of each channel are the same.

    Examples
    --------
    >>> ramp = np.linspace(0, 1, 256, dtype=np.float32).reshape(1, 16, 16)
    >>> check_quality(ramp, (16, 16))
    ()
    >>> check_quality((ramp > 0.7).astype(np.float32), (16, 16))
    ('W_BINARY',)
    """
    _refuse_tiny(native_shape)
    grey = _sample(pixels)
    low, high = float(grey.min()), float(grey.max())
    if low == high:
        _refuse_constant(pixels)
        return ("W_NEAR_EMPTY",)  # something, too small for the sample to meet
    levels = ((grey - low) * (_STEPS / (high - low)) + 0.5).astype(np.int64)
    shares = np.bincount(levels, minlength=_STEPS + 1) / levels.size
    return _warnings(shares, sparse=modality in SPARSE_MODALITIES)


def _warnings(shares: NDArray[np.float64], *, sparse: bool) -> tuple[str, ...]:
    """Codes from the histogram: the share of each level between the extremes."""
    median = int(np.searchsorted(shares.cumsum(), 0.5))
    near = shares[max(0, median - _NEAR) : median + _NEAR + 1].sum()
    found = []
    if shares[0] + shares[-1] > BINARY_ABOVE:
        found.append("W_BINARY")
    elif shares[-1] > SATURATED_ABOVE:
        found.append("W_SATURATED")
    if 1 - near < EMPTY_BELOW and not sparse:
        found.append("W_NEAR_EMPTY")
    return tuple(found)


def _refuse_tiny(native_shape: tuple[int, ...]) -> None:
    if sorted(native_shape)[-2] < SMALLEST_SIDE:
        shape = " x ".join(map(str, native_shape))
        raise InputError(
            "E_TINY",
            f"{shape} pixels: less than {SMALLEST_SIDE} show nothing",
            fix="leave it out, or export the image itself instead of its icon",
        )


def _refuse_constant(pixels: Pixels) -> None:
    flat = pixels.reshape(len(pixels), -1)
    if (flat.min(axis=1) == flat.max(axis=1)).all():
        raise InputError(
            "E_CONSTANT",
            "all pixels are the same: there is nothing to see",
            fix="leave it out, or export it again if it should show something",
        )


def _sample(pixels: Pixels) -> Pixels:
    """The mean of the channels at evenly spaced pixels, flat."""
    spatial = pixels.shape[1:]
    step = max(1, int(np.ceil((np.prod(spatial) / _SAMPLE) ** (1 / len(spatial)))))
    drawn = pixels[(slice(None), *(slice(None, None, step) for _ in spatial))]
    grey: Pixels = (drawn[0] if len(drawn) == 1 else drawn.mean(axis=0)).ravel()
    return grey
