"""Groups of tiles are those that scipy finds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from latentdx.scans.text_likeness import _connected


@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 0.6, 1.0])
def test_groups_are_those_of_scipy(share: float) -> None:
    generator = np.random.default_rng(int(share * 100))
    for shape in ((1, 1), (7, 30), (64, 32)):
        tiles = generator.random(shape) < share
        labels, _ = ndimage.label(tiles)
        expected = sorted(ndimage.find_objects(labels), key=repr)
        assert sorted(_connected(tiles), key=repr) == expected
