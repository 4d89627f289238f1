"""Numbers measured in a picture: what they see, and what they do not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from latentdx.scans.measures import PREFIX, measures_of
from latentdx.scans.policy import Policy
from latentdx.scans.prepared import prepared
from latentdx.scans.scan import Scan


def head(side: int = 96, *, spot: float = 0.0, rough: float = 0.0) -> NDArray[np.float32]:
    rows, columns = np.mgrid[:side, :side] / side - 0.5 + 0.5 / side
    image = 0.5 * ((rows / 0.4) ** 2 + (columns / 0.3) ** 2 < 1)
    noise = np.random.default_rng(0).normal(0, 1, (side, side))
    image += rough * ndimage.gaussian_filter(noise, 1) * (image > 0)
    image += spot * ((rows**2 + (columns - 0.15) ** 2) < 0.08**2)
    return image.clip(0, 1).astype(np.float32)


def measured(image: NDArray[np.float32]) -> dict[str, float]:
    found = measures_of(Scan(image[None], image.shape))
    return {name.removeprefix(PREFIX): float(value) for name, value in found.items()}


def test_a_spot_on_one_side_is_seen_by_symmetry_and_grey_levels() -> None:
    plain, spotted = measured(head()), measured(head(spot=0.3))
    assert plain["asymmetry"] < 0.01 < 0.02 < spotted["asymmetry"]
    assert spotted["mirror_correlation"] < plain["mirror_correlation"]
    assert spotted["mean"] > plain["mean"]
    assert spotted["skewness"] > plain["skewness"]


def test_texture_is_seen_by_co_occurrence_and_entropy() -> None:
    plain, rough = measured(head()), measured(head(rough=0.3))
    assert rough["texture_contrast"] > 2 * plain["texture_contrast"]
    assert rough["texture_homogeneity"] < plain["texture_homogeneity"]
    assert rough["entropy"] > plain["entropy"] + 0.5


def test_shape_is_that_of_the_region() -> None:
    found = measured(head())
    assert found["share"] == pytest.approx(np.pi * 0.4 * 0.3, abs=0.02)
    assert found["elongation"] == pytest.approx(4 / 3, abs=0.05)
    assert found["box_filled"] == pytest.approx(np.pi / 4, abs=0.03)


def test_neither_mirror_nor_matrix_shows() -> None:
    image = head(128, spot=0.3, rough=0.1)
    mirrored, larger = measured(image[:, ::-1]), measured(np.kron(image, np.ones((2, 2))))
    for name, value in measured(image).items():
        assert mirrored[name] == pytest.approx(value, rel=0.01, abs=1e-3)
        assert larger[name] == pytest.approx(value, rel=0.25, abs=0.1)


def test_volumes_and_blank_scans_have_the_same_columns() -> None:
    names = set(measured(head()))
    volume = np.repeat(head(32)[..., None], 12, axis=-1)
    assert set(measured(volume)) == names
    for shape in ((1, 1), (9, 9), (3, 40), (4, 5, 1)):
        blank = measured(np.full(shape, 0.3, np.float32))
        assert set(blank) == names
        assert all(np.isfinite(value) for value in blank.values())


def test_a_policy_asks_for_them() -> None:
    scan = Scan(head()[None], (96, 96), covariates={"sex": "F"})
    told = prepared(scan, Policy(measures=True)).covariates
    assert told["sex"] == "F"
    assert len([name for name in told if name.startswith(PREFIX)]) == 18
    assert prepared(scan, Policy()) is scan
