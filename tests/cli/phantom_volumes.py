"""Volumes with something in them: a ball in noise, large in one class, small in the other."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np


def write_volumes(folder: Path, n_each: int, *, side: int = 14, first: int = 0) -> Path:
    """``small/p000.nii.gz``, ``large/p001.nii.gz``, ...: a patient each, uneven and turned."""
    for number in range(first, first + 2 * n_each):
        name = ("small", "large")[number % 2]
        path = folder / name / f"p{number:03}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(number)
        shape = (side, side + number % 3, side - 2)
        place = [middle / 2 + rng.uniform(-1, 1) for middle in shape]
        axes = np.ogrid[tuple(slice(length) for length in shape)]
        distance = sum((axis - middle) ** 2 for axis, middle in zip(axes, place, strict=True))
        values = rng.integers(0, 60, shape) + 150 * (distance < (4.5 if number % 2 else 2.5) ** 2)
        affine = np.diag([-1.0 if number % 5 else 1.0, 1.0, 1.2, 1.0])
        nibabel.save(nibabel.Nifti1Image(values.astype(np.uint8), affine), path)
    return folder
