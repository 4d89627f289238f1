"""ComBat: location and scale of a site, shrunk towards what they are in all features."""

from __future__ import annotations

import numpy as np

from latentdx.features.moments import Columns, Doubles, Floats, Spread

_MOST_STEPS = 200


def combat(source: Spread, target: Floats) -> Columns:
    """Parametric empirical Bayes with the source as the batch of reference.

    In units of the source a feature of the site has the location g ~ N(G, T) and the variance
    d ~ inverse gamma(a, b); G, T, a and b are found from all features by moments, and posterior
    modes replace what was measured: a feature that was measured badly goes by the others. Johnson,
    Li and Rabinovic, Biostatistics 8, 2007. `target` is (N, D).

    Examples
    --------
    >>> chance = np.random.default_rng(0)
    >>> source = Spread.of(chance.normal(size=(500, 40)).astype(np.float32))
    >>> few = chance.normal(3, 1, (8, 40)).astype(np.float32)
    >>> moved = combat(source, few)
    >>> bool((moved.shift / moved.scale).std() < few.mean(axis=0).std())
    True
    """
    deviation = source.deviation.astype(np.float64)
    units = (target.astype(np.float64) - source.mean) / deviation
    location, variance = _posterior(units)
    scale = 1 / np.sqrt(variance)
    return Columns(scale, source.mean - (source.mean + location * deviation) * scale)


def _posterior(units: Doubles) -> tuple[Doubles, Doubles]:
    """Location (D,) and variance (D,) of a site's features, in units of the source."""
    n, width = units.shape
    g = units.mean(axis=0)
    if width < 2 or n < 2:
        return g, np.ones(width)
    d = units.var(axis=0, ddof=1)
    mean, between = float(g.mean()), max(float(g.var(ddof=1)), 1e-12)
    centre, spread = max(float(d.mean()), 1e-12), max(float(d.var(ddof=1)), 1e-12)
    shape, rate = 2 + centre**2 / spread, centre * (1 + centre**2 / spread)
    squares = (n - 1) * d
    location, variance = g, d
    for _ in range(_MOST_STEPS):
        moved = (n * between * g + variance * mean) / (n * between + variance)
        scaled = (rate + (squares + n * (g - moved) ** 2) / 2) / (shape + n / 2 - 1)
        step = max(np.abs(moved - location).max(), np.abs(scaled - variance).max())
        location, variance = moved, scaled
        if step < 1e-6:
            break
    return location, variance
