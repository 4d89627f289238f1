"""`Volume`: a 3-D array in a scanner's units with its place in the patient."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Volume:
    """Voxels before they are brought to 0..1.

    Attributes
    ----------
    values: (X, Y, Z) in the file's own axes until `to_ras` has turned them.
    affine: (4, 4) float64, voxel index to mm in RAS+ (nibabel's convention).
    valid: bool (X, Y, Z), False where a value is padding; None where none is.
    mask: bool (X, Y, Z), where the user says that it matters; None where no mask was given.
    window: (low, high) in the units of `values` that become 0 and 1; None for percentiles.
    windows: several of them, a channel each; empty for one.
    has_spacing: False where the affine is only assumed: spacing is then not told.
    identity: fields of `Scan` by name.
    conversions, warnings: as in `Scan`.
    """

    values: NDArray[Any]
    affine: NDArray[np.float64]
    valid: NDArray[np.bool_] | None = None
    mask: NDArray[np.bool_] | None = None
    window: tuple[float, float] | None = None
    windows: tuple[tuple[float, float], ...] = ()
    has_spacing: bool = True
    identity: dict[str, Any] = field(default_factory=dict)
    conversions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
