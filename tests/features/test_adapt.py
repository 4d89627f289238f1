"""Adaptation: what each method makes of a site that was moved, scaled and turned."""

from __future__ import annotations

import numpy as np
import pytest

from latentdx.features.adapt import METHODS, OF_COMPONENTS, OF_FEATURES, Source, adapted
from latentdx.features.adapt_coral import shrunk
from latentdx.features.moments import Moments
from latentdx.features.table import FeatureTable
from latentdx.features.whiten import PrincipalComponents, Standardiser


def table_of(features: np.ndarray) -> FeatureTable:
    names = np.arange(len(features)).astype(str)
    parts = np.full(len(features), "train")
    labels = np.zeros(len(features), np.int64)
    return FeatureTable(features, labels, names, names, parts, ("no", "yes"), "", "")


@pytest.fixture
def here() -> np.ndarray:
    chance = np.random.default_rng(0)
    mixed = chance.normal(size=(600, 8)) @ chance.normal(size=(8, 8)) + 3
    return mixed.astype(np.float32)


def scaled(here: np.ndarray) -> tuple[tuple[Standardiser, PrincipalComponents], Source]:
    standardiser = Standardiser.fit(here)
    components = PrincipalComponents.fit(standardiser(here), 6, 0.5)
    source = Source.of(table_of(here), len(here), standardiser, components)
    assert source is not None
    return (standardiser, components), source


def test_every_method_is_of_features_or_of_components():
    assert set(METHODS) == {*OF_FEATURES, *OF_COMPONENTS}


@pytest.mark.parametrize("name", METHODS)
def test_a_site_lies_where_the_source_lies(here, name):
    """Columns of another scale and place, as of another scanner; the least moved are the means."""
    scaling, source = scaled(here)
    chance = np.random.default_rng(1)
    there = (here * chance.uniform(0.5, 2, 8) + chance.normal(0, 4, 8)).astype(np.float32)
    standardiser, moved = adapted(name, source, scaling, there)
    found = scaling[1](standardiser(there))
    found = found if moved is None else moved(found)
    wanted, before = (scaling[1](scaling[0](each)) for each in (here, there))

    def apart(features: np.ndarray) -> float:
        return float(np.abs(features.mean(axis=0) - wanted.mean(axis=0)).max())

    assert apart(before) > 1
    assert apart(found) < (0.3 if name == "combat" else 1e-3)
    if name in ("standardise", "coral", "transport"):
        np.testing.assert_allclose(np.cov(found.T), np.cov(wanted.T), atol=0.1)


@pytest.mark.parametrize("name", METHODS)
def test_scans_of_the_source_itself_are_hardly_moved(here, name):
    scaling, source = scaled(here)
    standardiser, moved = adapted(name, source, scaling, here)
    found = scaling[1](standardiser(here))
    found = found if moved is None else moved(found)
    wanted = scaling[1](scaling[0](here))
    if name == "subspace":  # it lets go of directions
        assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.9
    else:
        np.testing.assert_allclose(found, wanted, atol=0.05)


def test_of_few_scans_correlations_are_believed_little(here):
    source = Moments.of(here)
    chance = np.random.default_rng(2)
    few, many = (
        shrunk(source, (chance.normal(size=(n, 8)) @ np.diag([9.0] * 8)).astype(np.float32))
        for n in (10, 5000)
    )
    own = np.eye(8) * 81
    assert np.abs(many - own).max() < 5
    alike = shrunk(source, here[:12])
    assert (
        np.abs(alike - source.covariance).max()
        < np.abs(np.cov(here[:12].T) - source.covariance).max()
    )
    assert np.isfinite(few).all()


def test_transport_turns_nothing_and_is_the_nearest(here):
    chance = np.random.default_rng(3)
    there = (here @ chance.normal(size=(8, 8))).astype(np.float32)
    source = Moments.of(here)
    moved = {name: OF_COMPONENTS[name](source, there) for name in ("coral", "transport")}
    steps = {
        name: ((affine(there) - there) ** 2).sum(axis=1).mean() for name, affine in moved.items()
    }
    assert steps["transport"] < steps["coral"]
    matrix = moved["transport"].matrix
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-6)
    assert np.linalg.eigvalsh(matrix).min() > 0


def test_nothing_is_kept_of_scans_with_covariates(here):
    (standardiser, components), _ = scaled(here)
    table = table_of(here)
    beside = FeatureTable(**{**table.__dict__, "n_beside": 1})
    assert Source.of(beside, len(here), standardiser, components) is None
