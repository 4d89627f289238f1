import numpy as np
import pytest


@pytest.fixture
def generator():
    return np.random.default_rng(20240607)


@pytest.fixture
def repeated_rows(generator):
    """Weights (B, N) with zeros and repeats, and the indices that each row stands for."""

    def draw(n_scans, n_rows=5):
        weights = generator.integers(0, 4, (n_rows, n_scans))
        return weights, [np.repeat(np.arange(n_scans), row) for row in weights]

    return draw
