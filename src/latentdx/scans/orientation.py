"""Orientation: voxel axes are flipped and swapped until they run right, front, head (RAS+)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import InputError
from latentdx.scans.volume import Volume

Affine = NDArray[np.float64]

LPS_TO_RAS: Affine = np.diag([-1.0, -1.0, 1.0, 1.0])
"""DICOM's and ITK's patient axes run left, back, head; ours and nibabel's right, front, head."""

_LEAST_VOLUME = 1e-3  # of the box that three unit vectors along the axes span
_LEAST_MM, _MOST_MM = 1e-6, 1e6


def require_affine(affine: Affine) -> None:
    """Refuse an affine that puts no two voxels apart: `InputError` ``E_AFFINE``."""
    problem = _problem(affine)
    if problem:
        raise InputError(
            "E_AFFINE", f"the affine {problem}", fix="export it again, or correct its header"
        )


def _problem(affine: Affine) -> str:
    if not np.isfinite(affine).all():
        return "has values that are NaN or infinite"
    lengths = voxel_sizes(affine)
    if min(lengths) < _LEAST_MM or max(lengths) > _MOST_MM:
        return "has an axis without length"
    if abs(np.linalg.det(affine[:3, :3] / lengths)) < _LEAST_VOLUME:
        return "is singular"
    return ""


def voxel_sizes(affine: Affine) -> tuple[float, float, float]:
    """Distance of neighbouring voxels along each axis, mm.

    Examples
    --------
    >>> voxel_sizes(np.diag([-1.0, 2.0, 3.0, 1.0]))
    (1.0, 2.0, 3.0)
    """
    x, y, z = (float(length) for length in np.linalg.norm(affine[:3, :3], axis=0))
    return x, y, z


def to_ras(volume: Volume) -> Volume:
    """The same voxels with axes that run closest to right, front and head.

    Only flips and swaps, no interpolation, as ``nibabel.as_closest_canonical`` does it.
    Raises `InputError` ``E_AFFINE``.

    Examples
    --------
    >>> flipped = Volume(np.array([[[1]], [[2]]]), np.diag([-1.0, 1.0, 1.0, 1.0]))
    >>> to_ras(flipped).values.ravel().tolist(), to_ras(flipped).conversions
    ([2, 1], ('reoriented LAS to RAS',))
    """
    import nibabel.orientations as turns

    require_affine(volume.affine)
    turn = turns.io_orientation(volume.affine)
    letters = "".join(turns.ornt2axcodes(turn))
    if letters == "RAS":
        return volume

    def turned(values: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(turns.apply_orientation(values, turn))

    return replace(
        volume,
        values=turned(volume.values),
        valid=None if volume.valid is None else turned(volume.valid),
        mask=None if volume.mask is None else turned(volume.mask),
        affine=volume.affine @ turns.inv_ornt_aff(turn, volume.values.shape),
        conversions=(*volume.conversions, f"reoriented {letters} to RAS"),
    )
