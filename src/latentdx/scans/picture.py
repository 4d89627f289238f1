"""`Picture`: the decoded samples of one picture, and their way to a scan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.scans.intensity import Pixels, merge_equal_channels, stretch, to_unit
from latentdx.scans.policy import Policy
from latentdx.scans.scan import Scan
from latentdx.scans.voxels import finite


@dataclass(frozen=True)
class Picture:
    """What a decoder gave, before any change of grey levels.

    Attributes
    ----------
    values: (H, W) or (H, W, 3), any real dtype.
    white: the value that is 1, where the format fixes it (8 bits and fewer, and colour); None
        where values are scaled by the picture's percentiles.
    alpha: (H, W) in 0..1, or None for opaque. Compositing on black is multiplication by it.
    orientation: 1..8 as in EXIF tag 274 (TIFF 6.0, section 8: Orientation).
    done: conversions so far.
    """

    values: NDArray[Any]
    white: float | None
    alpha: Pixels | None = None
    orientation: int = 1
    done: tuple[str, ...] = ()


def to_scan(picture: Picture, policy: Policy, *, frame: str = "") -> Scan:
    """The scan of a picture: finite, on black, upright, in 0..1, each step recorded.

    Raises `InputError` ``E_NAN``.
    """
    done = list(picture.done)
    values, imputed = finite(picture.values, policy)
    done += imputed
    if picture.alpha is not None:
        values = _on_black(values, picture.alpha, done)
    pixels = _unit(values, picture.white, done)
    if 2 <= picture.orientation <= 8:
        pixels = upright(pixels, picture.orientation)
        done.append("EXIF orientation applied")
    native = picture.values.shape[:2]
    return Scan(np.ascontiguousarray(pixels), native, frame=frame, conversions=tuple(done))


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """(C, H, W), stored as EXIF's `orientation` says, as it is meant to be seen.

    Examples
    --------
    >>> upright(np.array([[[1, 2, 3]]], np.float32), 6).tolist()
    [[[1.0], [2.0], [3.0]]]
    """
    if orientation >= 5:
        pixels = pixels.transpose(0, 2, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[:, ::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, :, ::-1]
    return pixels


def _on_black(values: NDArray[Any], alpha: Pixels, done: list[str]) -> NDArray[Any]:
    if (alpha == 1).all():
        done.append("opaque alpha left out")
        return values
    done.append("transparency laid on black")
    return values * (alpha if values.ndim == 2 else alpha[..., None])


def _unit(values: NDArray[Any], white: float | None, done: list[str]) -> Pixels:
    """(1 or 3, H, W) in 0..1."""
    if values.ndim == 2:
        return _grey(values, white, done)[None]
    if (white is None or white > 255) and (values == values[..., :1]).all():
        done.append("colour channels are equal: one channel kept")
        return _grey(values[..., 0], None, done)[None]
    pixels = _colour(values.transpose(2, 0, 1), white, done)
    merged = merge_equal_channels(pixels)
    if len(merged) != len(pixels):
        done.append("colour channels are equal: one channel kept")
    return merged


def _grey(values: NDArray[Any], white: float | None, done: list[str]) -> Pixels:
    if white is not None:
        return to_unit(values, 0, white)
    pixels, text = stretch(values)
    done.append(f"grey levels {text}")
    return pixels


def _colour(planes: NDArray[Any], white: float | None, done: list[str]) -> Pixels:
    if white is not None:
        return to_unit(planes, 0, white)
    pixels, text = stretch(planes)
    done.append(f"colours {text}")
    return pixels
