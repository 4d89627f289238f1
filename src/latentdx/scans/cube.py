"""Size of volumes: every scan becomes a cube without being squashed."""

from __future__ import annotations

import numpy as np

from latentdx.scans.own_mask import stacked, unstacked
from latentdx.scans.resample import Pixels, resample_axes
from latentdx.scans.scan import Scan

Sides = tuple[int, ...]


def fit_cube(scan: Scan, size: int, *, keep_spacing: bool) -> Scan:
    """The volume with pixels (C, size, size, size), its spacing scaled, the change recorded.

    Its physical shape is kept (that of its voxels where spacing is not known): the longest side
    becomes `size`, by linear interpolation, anti-aliased where it shrinks, and the rest is padded
    centrally with 0. With `keep_spacing` nothing is resampled: volumes are cropped and padded
    about their centre, so that a voxel stays as many mm in all scans.

    Examples
    --------
    >>> scan = Scan(np.ones((1, 20, 20, 5), np.float32), (20, 20, 5), (1.0, 1.0, 2.0), "RAS")
    >>> cube = fit_cube(scan, 10, keep_spacing=False)
    >>> cube.pixels.shape, cube.spacing_mm, float(cube.pixels.sum())
    ((1, 10, 10, 10), (2.0, 2.0, 2.0), 500.0)
    """
    native = scan.pixels.shape[1:]
    inner = native if keep_spacing else _inner_shape(native, scan.spacing_mm, size)
    steps = tuple(old / new for old, new in zip(native, inner, strict=True))
    pixels, done = stacked(scan), []
    if inner != native:
        resampled = [resample_axes(channel, inner, steps) for channel in pixels]
        pixels = np.stack(resampled).clip(0, 1)
        done.append(f"resized {_text(native)} to {_text(inner)}")
    if inner != (size, size, size):
        pixels = _placed(pixels, size)
        done.append(_how(inner, size))
    if not done:
        return scan
    spacing = scan.spacing_mm
    return unstacked(
        scan,
        pixels,
        spacing_mm=spacing and tuple(mm * step for mm, step in zip(spacing, steps, strict=True)),
        conversions=(*scan.conversions, *done),
    )


def _inner_shape(native: Sides, spacing_mm: tuple[float, ...] | None, size: int) -> Sides:
    """Sides of the volume inside the cube, at least one voxel each."""
    lengths = np.array(native) * (spacing_mm or (1.0, 1.0, 1.0))
    return tuple(max(1, round(length)) for length in lengths * (size / lengths.max()))


def _placed(pixels: Pixels, size: int) -> Pixels:
    """Cropped and padded with 0 about the centre."""
    cube = np.zeros((len(pixels), size, size, size), np.float32)
    source = tuple(
        slice(max(0, (side - size) // 2), max(0, (side - size) // 2) + size)
        for side in pixels.shape[1:]
    )
    kept = pixels[(slice(None), *source)]
    target = tuple(slice((size - side) // 2, (size - side) // 2 + side) for side in kept.shape[1:])
    cube[(slice(None), *target)] = kept
    return cube


def _how(inner: Sides, size: int) -> str:
    words = [
        word
        for word, is_so in (("cropped", max(inner) > size), ("padded", min(inner) < size))
        if is_so
    ]
    return f"{' and '.join(words)} to {_text((size, size, size))}"


def _text(sides: Sides) -> str:
    return "x".join(str(side) for side in sides)
