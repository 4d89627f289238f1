"""Scans with something in them: discs (balls) of drawn place, size and brightness on a gradient."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

Pixels = NDArray[np.float32]


@pytest.fixture(scope="session")
def discs() -> Callable[..., Pixels]:
    """float32 (count, channels, *size) in 0..1; equal arguments make equal scans."""

    def make(
        count: int, *, size: int | tuple[int, ...] = 16, channels: int = 1, seed: int = 0
    ) -> Pixels:
        sides = (size, size) if isinstance(size, int) else tuple(size)
        ones = (1,) * len(sides)
        generator = np.random.default_rng(seed)
        axes = np.meshgrid(*(np.arange(side) / (side - 1) for side in sides), indexing="ij")
        place = generator.uniform(0.25, 0.75, (len(sides), count, *ones))
        radius = generator.uniform(0.1, 0.3, (count, *ones))
        level = generator.uniform(0.4, 0.8, (count, *ones))
        squares = [(axis - middle) ** 2 for axis, middle in zip(axes, place, strict=True)]
        inside = 1 / (1 + np.exp(40 * (np.sqrt(sum(squares)) - radius)))
        image = 0.2 * axes[0] + level * inside
        tints = np.linspace(1, 0.6, channels).reshape(channels, *ones)
        return (image[:, None] * tints).astype(np.float32)

    return make
