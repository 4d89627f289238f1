"""From a volume in a scanner's units to scans: turned, cropped, resampled, scaled, cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import InputError
from latentdx.scans.body import crop_to_body
from latentdx.scans.intensity import Pixels, levels, require_finite, to_unit
from latentdx.scans.memory_order import memory_axes, slabs
from latentdx.scans.orientation import to_ras, voxel_sizes
from latentdx.scans.own_mask import require_fit
from latentdx.scans.policy import Policy
from latentdx.scans.prepared import prepared
from latentdx.scans.resample import to_spacing
from latentdx.scans.scan import Scan
from latentdx.scans.slices import slices_of
from latentdx.scans.volume import Volume

_ONE = Policy(dims=3)
"""Of a volume with a window of its own."""


def scans_of(
    volume: Volume, policy: Policy, mask: NDArray[np.bool_] | None = None
) -> Iterator[Scan]:
    """One scan (1, X, Y, Z) in RAS+, or with `policy.dims` 2 every N-th of its slices.

    In this order, each step recorded: axes turned to RAS+ (flips and swaps only), cropped to the
    body and resampled where `policy` asks for it, brought to 0..1 by the volume's window (the
    policy's, where the volume has none) or else by percentiles of the whole volume, padding to 0,
    and what `prepared` does. `mask` (X, Y, Z) in RAS+ is the user's own, and goes the same way.

    Raises `InputError` ``E_AFFINE``, ``E_NAN``, ``E_SIZE``, ``E_MASK`` (a mask of another shape),
    and ``E_NDIM`` where `policy` takes no volumes.

    Examples
    --------
    >>> volume = Volume(np.arange(8).reshape(2, 2, 2), np.diag([-1.0, 1.0, 3.0, 1.0]))
    >>> scan = next(scans_of(volume, Policy(dims=3)))
    >>> scan.pixels.shape, scan.spacing_mm, scan.conversions[0]
    ((1, 2, 2, 2), (1.0, 1.0, 3.0), 'reoriented LAS to RAS')
    """
    if not policy.takes_volumes:
        raise InputError(
            "E_NDIM", "a volume where 2-D images are read", fix="read it with --dims 3"
        )
    turned = to_ras(volume)
    native_shape = turned.values.shape
    if mask is not None:
        require_fit(mask, native_shape)
        turned = replace(turned, mask=mask)
    if policy.crop:
        turned = crop_to_body(turned)
    if policy.spacing_mm is not None:
        turned = to_spacing(turned, policy.spacing_mm)
    pixels, done = _unit(turned, policy)
    told: dict[str, Any] = {
        "native_shape": native_shape,
        "spacing_mm": voxel_sizes(turned.affine) if turned.has_spacing else None,
        "orientation": "RAS",
        "conversions": (*turned.conversions, *done),
        "warnings": turned.warnings,
        "mask": turned.mask,
    }
    # What one file said of its own slice gives way to what the volume says.
    scan = prepared(Scan(pixels, **{**turned.identity, **told}), policy)
    if policy.dims == 3:
        yield scan
    elif policy.every is not None:
        yield from slices_of(scan, policy.every)


def _unit(volume: Volume, policy: Policy) -> tuple[Pixels, tuple[str, ...]]:
    """(1, X, Y, Z) in 0..1, a channel a window where there are several, and what was done."""
    if volume.windows or (policy.windows and volume.window is None):
        ends = volume.windows or tuple(_ends(each) for each in policy.windows)
        each = [_unit(replace(volume, windows=(), window=pair), _ONE) for pair in ends]
        texts = tuple(dict.fromkeys(text for _, told in each for text in told))
        return np.concatenate([pixels for pixels, _ in each]), texts
    window = volume.window or _window(policy)
    if window is None:
        low, high, done = _levels(volume)
    else:
        require_finite(volume.values)
        (low, high), done = window, f"{window[0]:g}..{window[1]:g} scaled to 0..1"
    pixels = np.zeros(volume.values.shape, np.float32)
    if high > low:
        for slab in slabs(volume.values):
            pixels[slab] = to_unit(volume.values[slab], low, high)
    if volume.valid is None:
        return pixels[None], (done,)
    pixels[~volume.valid] = 0
    return pixels[None], (done, "padding set to 0")


def _levels(volume: Volume) -> tuple[float, float, str]:
    """As `latentdx.scans.intensity.stretch` has them, read in the order of memory."""
    axes = memory_axes(volume.values)
    valid = None if volume.valid is None else volume.valid.transpose(axes)
    return levels(volume.values.transpose(axes), valid)


def _window(policy: Policy) -> tuple[float, float] | None:
    if policy.window is None:
        return None
    return _ends(policy.window)


def _ends(window: tuple[float, float]) -> tuple[float, float]:
    center, width = window
    return center - width / 2, center + width / 2
