"""Per-site statistics: every feature gets the source's mean and deviation."""

from __future__ import annotations

import numpy as np

from latentdx.features.moments import Columns, Floats, Spread


def standardise(source: Spread, target: Floats) -> Columns:
    """Of features `target` (N, D), each moved and scaled by itself.

    It is what standardising every site by its own statistics comes to, where the classifier stays.

    Examples
    --------
    >>> chance = np.random.default_rng(0)
    >>> source = Spread.of(chance.normal(1, 2, (500, 3)).astype(np.float32))
    >>> target = chance.normal(5, 4, (500, 3)).astype(np.float32)
    >>> moved = Spread.of(standardise(source, target)(target))
    >>> bool(np.allclose(moved.mean, source.mean, atol=1e-4))
    True
    """
    own = Spread.of(target)
    scale = source.deviation.astype(np.float64) / own.deviation
    return Columns(scale, source.mean - own.mean * scale)
