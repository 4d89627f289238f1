"""Images with something in them: discs of drawn place, size and brightness on a soft gradient."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

Pixels = NDArray[np.float32]


@pytest.fixture(scope="session")
def discs() -> Callable[..., Pixels]:
    """float32 (count, channels, size, size) in 0..1; equal arguments make equal images."""

    def make(count: int, *, size: int = 16, channels: int = 1, seed: int = 0) -> Pixels:
        generator = np.random.default_rng(seed)
        y, x = np.mgrid[:size, :size] / (size - 1)
        place = generator.uniform(0.25, 0.75, (2, count, 1, 1))
        radius = generator.uniform(0.1, 0.3, (count, 1, 1))
        level = generator.uniform(0.4, 0.8, (count, 1, 1))
        inside = 1 / (1 + np.exp(40 * (np.hypot(y - place[0], x - place[1]) - radius)))
        image = 0.2 * y + level * inside
        tints = np.linspace(1, 0.6, channels)[:, None, None]
        return (image[:, None] * tints).astype(np.float32)

    return make
