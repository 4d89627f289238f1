"""NaN and infinite values: refused, or replaced on purpose."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.scans.intensity import require_finite
from latentdx.scans.policy import Policy


def finite(values: NDArray[Any], policy: Policy) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Values of any shape without NaN or infinity, and what was done.

    With ``policy.nan`` ``"impute"`` they become the lowest finite value; values that are all NaN
    or infinite are refused all the same. Raises `InputError` ``E_NAN``.

    Examples
    --------
    >>> values, done = finite(np.array([1.0, np.nan, 3.0]), Policy(nan="impute"))
    >>> values.tolist(), done
    ([1.0, 1.0, 3.0], ('1 values NaN or infinite, set to the lowest finite one',))
    """
    if values.dtype.kind != "f":
        return values, ()
    sound = np.isfinite(values)
    count = int(values.size - sound.sum())
    if count == 0:
        return values, ()
    if policy.nan != "impute" or count == values.size:
        require_finite(values)
    filled = np.where(sound, values, values[sound].min())
    return filled, (f"{count} values NaN or infinite, set to the lowest finite one",)
