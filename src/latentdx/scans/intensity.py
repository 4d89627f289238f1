"""Grey levels: from a file's units to 0..1."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import InputError

Pixels = NDArray[np.float32]

PERCENTILES = (0.5, 99.5)
"""Where a file gives no display window, these percentiles of its own values become 0 and 1."""

# Colour is only the noise of JPEG where the channels differ by less than this on average, and by
# much in almost no pixel: a small colour box in a grey ultrasound image stays colour.
_MEAN_SPREAD = 2 / 255
_VIVID_SPREAD, _VIVID_FRACTION = 32 / 255, 0.001
_FLOAT32_BORDER = 1e30
_LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601


def to_unit(values: NDArray[Any], low: float, high: float) -> Pixels:
    """Map `low` to 0 and `high` to 1, clipped; the same shape as `values`.

    `high` may be the lower one: values are then inverted.
    """
    # float32 holds 24 bits: wider integers, and borders out of its range, are computed in float64.
    is_wide = values.dtype.itemsize > 2 and values.dtype != np.float32
    wide = is_wide or max(abs(low), abs(high)) > _FLOAT32_BORDER
    real: type[np.floating[Any]] = np.float64 if wide else np.float32
    scaled: NDArray[Any] = values.astype(real)
    scaled -= real(low)
    scaled /= real(high - low)
    return np.clip(scaled, 0, 1, out=scaled).astype(np.float32, copy=False)


def stretch(values: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> tuple[Pixels, str]:
    """Scale by the scan's own percentiles (see `PERCENTILES`), in any unit.

    `valid` leaves padding out of the percentiles. A scan whose percentiles coincide (a mask, say)
    is scaled by its extremes; a constant one becomes 0. Returns the pixels and what was done.

    Examples
    --------
    >>> stretch(np.array([[0, 1000]]))[0].tolist()
    [[0.0, 1.0]]
    """
    low, high, done = levels(values, valid)
    if not high > low:
        return np.zeros(values.shape, np.float32), done
    return to_unit(values, low, high), done


def levels(
    values: NDArray[Any], valid: NDArray[np.bool_] | None = None
) -> tuple[float, float, str]:
    """What `stretch` maps to 0 and to 1, in the values' unit, and how that was found.

    The two are equal for a constant scan. Raises `InputError` ``E_NAN``.
    """
    sample = values if valid is None or not valid.any() else values[valid]
    require_finite(sample)
    low, high = _percentiles(sample)
    done = f"scaled by percentiles {PERCENTILES[0]}..{PERCENTILES[1]} of the scan"
    if not high > low:
        low, high = float(sample.min()), float(sample.max())
        done = "scaled by the extremes of the scan"
    return (low, high, done) if high > low else (low, low, "constant image, set to 0")


def _percentiles(sample: NDArray[Any]) -> tuple[float, float]:
    """Both `PERCENTILES`, with linear interpolation as in `np.percentile`."""
    if sample.dtype.kind not in "iu" or sample.dtype.itemsize > 2:
        low, high = np.percentile(sample, PERCENTILES)
        return float(low), float(high)
    # Small integers are counted rather than sorted: several times faster, and the same numbers.
    first = 0 if sample.dtype.kind == "u" else int(sample.min())
    shifted = sample if first == 0 else np.subtract(sample, first, dtype=np.intp)
    ends = np.cumsum(np.bincount(shifted.ravel()))

    def at(percent: float) -> float:
        place = percent / 100 * (sample.size - 1)
        below = int(place)
        ranks = (below + 1, min(below + 2, sample.size))
        lower, upper = (int(value) for value in np.searchsorted(ends, ranks))
        return first + lower + (upper - lower) * (place - below)

    return at(PERCENTILES[0]), at(PERCENTILES[1])


def require_finite(values: NDArray[Any]) -> None:
    """Raise `InputError` ``E_NAN`` where a value is NaN or infinite."""
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        count = int(values.size - np.isfinite(values).sum())
        raise InputError(
            "E_NAN",
            f"{count} of {values.size} values are NaN or infinite",
            fix="replace them on purpose before reading",
        )


def merge_equal_channels(pixels: Pixels) -> Pixels:
    """(3, H, W) whose channels agree but for noise becomes (1, H, W); other shapes stay."""
    if pixels.shape[0] != 3:
        return pixels
    red, green, blue = pixels
    spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    vivid = float((spread > _VIVID_SPREAD).mean())
    if float(spread.mean(dtype=np.float64)) >= _MEAN_SPREAD or vivid > _VIVID_FRACTION:
        return pixels
    return green[None] if not spread.any() else to_grey(pixels)


def to_grey(pixels: Pixels) -> Pixels:
    """(3, H, W) to (1, H, W) by luminance; (1, H, W) stays."""
    return pixels if pixels.shape[0] == 1 else np.tensordot(_LUMINANCE, pixels, axes=1)[None]


def to_channels(pixels: Pixels, channels: int) -> Pixels:
    """(C, H, W) with `channels` (1 or 3) channels: luminance, or grey repeated."""
    grey = to_grey(pixels) if channels == 1 else pixels
    return grey if len(grey) == channels else np.repeat(grey, channels, axis=0)
