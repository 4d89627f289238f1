"""Slices of a volume as display images: head up, or front up, the patient's right on the left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from latentdx.scans.scan import Scan

PLANES = ("sagittal", "coronal", "axial")
"""The plane of the slices that lie across each axis of an RAS+ volume."""

_THICK = 1.5  # times the next largest spacing: slices lie across such an axis


def slices_of(volume: Scan, every: int) -> Iterator[Scan]:
    """Every N-th slice of an RAS+ volume, from as far behind its first as before its last.

    Slices lie across the axis with the largest spacing where that is more than 1.5 times the next
    (the planes that were measured), else across the axis to the head. Axial: front up. Coronal and
    sagittal: head up. The patient's right, or front in sagittal slices, is on the left.

    Each keeps the volume's grey scale and record; ``frame`` is ``slice/K``, K the index in the
    volume.

    Examples
    --------
    >>> volume = Scan(np.zeros((1, 4, 5, 10), np.float32), (4, 5, 10), (1.0, 2.0, 3.5), "RAS")
    >>> [(image.frame, image.pixels.shape, image.spacing_mm) for image in slices_of(volume, 5)]
    [('slice/2', (1, 5, 4), (2.0, 1.0)), ('slice/7', (1, 5, 4), (2.0, 1.0))]
    """
    axis = slice_axis(volume.spacing_mm)
    count = volume.pixels.shape[axis + 1]
    columns, rows = (other for other in range(3) if other != axis)
    spacing = volume.spacing_mm
    for index in range(first_slice(count, every), count, every):
        plane = np.take(volume.pixels, index, axis + 1)[:, ::-1, ::-1]
        mask = None if volume.mask is None else np.take(volume.mask, index, axis)[::-1, ::-1].T
        yield replace(
            volume,
            pixels=np.ascontiguousarray(plane.transpose(0, 2, 1)),
            mask=mask,
            native_shape=(volume.native_shape[rows], volume.native_shape[columns]),
            spacing_mm=None if spacing is None else (spacing[rows], spacing[columns]),
            orientation="",
            frame=f"slice/{index}",
            conversions=(*volume.conversions, f"{PLANES[axis]} slice {index} of {count}"),
        )


def slice_axis(spacing_mm: tuple[float, ...] | None) -> int:
    """The axis across which slices lie.

    Examples
    --------
    >>> slice_axis((1.0, 3.0, 1.0)), slice_axis((1.0, 1.0, 1.0)), slice_axis(None)
    (1, 2, 2)
    """
    if spacing_mm is None:
        return 2
    second, largest = sorted(spacing_mm)[-2:]
    return spacing_mm.index(largest) if largest > _THICK * second else 2


def first_slice(count: int, every: int) -> int:
    """The first of every `every`-th of `count` slices: what is left over lies on both sides.

    Examples
    --------
    >>> first_slice(10, 5), first_slice(3, 100), first_slice(7, 1)
    (2, 1, 0)
    """
    return (count - 1) % every // 2
