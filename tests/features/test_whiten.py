"""Standardising and whitening, against scikit-learn's PCA."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from latentdx.features import whiten
from latentdx.features.whiten import PrincipalComponents, Standardiser


def correlated(n_scans: int, width: int, generator: np.random.Generator) -> np.ndarray:
    """(n_scans, width): well separated variances along drawn directions, and an offset."""
    axes, _ = np.linalg.qr(generator.normal(size=(width, width)))
    spread = 3.0 * 0.8 ** np.arange(width)
    values = generator.normal(size=(n_scans, width)) * spread @ axes + 5
    return values.astype(np.float32)


@pytest.mark.parametrize(("n_scans", "width"), [(80, 12), (12, 40), (15, 15)])
def test_components_are_scikit_learns_up_to_sign(
    n_scans: int, width: int, generator: np.random.Generator
) -> None:
    features = correlated(n_scans, width, generator)
    found = PrincipalComponents.fit(features, 6)(features)
    expected = PCA(6, whiten=True, svd_solver="full").fit_transform(features.astype(np.float64))
    signs = np.sign((found * expected).sum(axis=0))
    np.testing.assert_allclose(found * signs, expected, atol=2e-3)


@pytest.mark.parametrize(("n_scans", "width"), [(80, 12), (12, 40)])
def test_components_have_unit_variance_and_are_uncorrelated(
    n_scans: int, width: int, generator: np.random.Generator
) -> None:
    features = correlated(n_scans, width, generator)
    kept = min(n_scans - 1, width)
    components = PrincipalComponents.fit(features, 100)
    found = components(features)
    assert found.shape == (n_scans, kept)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(np.cov(found.T), np.eye(kept), atol=5e-3)


@pytest.mark.parametrize("width", [8, 60])
def test_dependent_columns_make_fewer_components(
    width: int, generator: np.random.Generator
) -> None:
    features = generator.normal(size=(30, 3)) @ generator.normal(size=(3, width))
    found = PrincipalComponents.fit(features.astype(np.float32), 20)
    assert found.axes.shape == (width, 3)
    assert np.isfinite(found.axes).all()


def test_new_scans_are_moved_by_the_training_parts_mean(generator: np.random.Generator) -> None:
    features = correlated(50, 6, generator)
    components = PrincipalComponents.fit(features, 3)
    np.testing.assert_allclose(components(components.mean[None]), 0, atol=1e-5)
    shifted = components(features + 1) - components(features)
    np.testing.assert_allclose(shifted, np.broadcast_to(shifted[0], shifted.shape), atol=1e-4)
    assert np.abs(shifted[0]).max() > 0.1


def test_the_sign_of_an_axis_does_not_depend_on_the_order_of_scans(
    generator: np.random.Generator,
) -> None:
    features = correlated(40, 8, generator)
    first = PrincipalComponents.fit(features, 4)
    second = PrincipalComponents.fit(features[::-1], 4)
    np.testing.assert_allclose(first.axes, second.axes, atol=1e-4)
    assert (first.axes[np.abs(first.axes).argmax(axis=0), np.arange(4)] > 0).all()


@pytest.mark.parametrize("n_scans", [1, 2])
def test_one_or_two_scans_give_finite_components(n_scans: int) -> None:
    features = np.arange(n_scans * 5, dtype=np.float32).reshape(n_scans, 5)
    found = PrincipalComponents.fit(features, 3)(features)
    assert found.shape == (n_scans, 1)
    assert np.isfinite(found).all()


def test_standardised_columns_have_mean_zero_and_deviation_one(
    generator: np.random.Generator,
) -> None:
    features = (generator.normal(size=(200, 4)) * [1, 10, 0.01, 100] + [0, 5, 1, 1000]).astype(
        np.float32
    )
    found = Standardiser.fit(features)(features)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(found.std(axis=0), 1, atol=1e-3)


def test_a_constant_column_is_only_centred() -> None:
    features = np.array([[0.1, 1.0], [0.1, 3.0], [0.1, 5.0]], np.float32)
    standardiser = Standardiser.fit(features)
    found = standardiser(features)
    np.testing.assert_allclose(found[:, 0], 0, atol=1e-6)
    np.testing.assert_allclose(standardiser(features + 1)[:, 0], 1, atol=1e-6)


def test_many_columns_of_many_scans_are_reduced_by_a_sketch_that_finds_the_same(
    monkeypatch: pytest.MonkeyPatch, generator: np.random.Generator
) -> None:
    """The deviations fall as those of features do."""
    monkeypatch.setattr(whiten, "_MOST_EXACT", 200)
    falling = generator.standard_normal((300, 250)) / np.arange(1, 251) ** 0.7
    table = (falling @ np.linalg.qr(generator.standard_normal((250, 250)))[0]).astype(np.float32)
    found = PrincipalComponents.fit(table, 32, 0.0)
    centred = table.astype(np.float64) - table.mean(axis=0)
    spread = np.linalg.svd(centred, compute_uv=False)[:32] / np.sqrt(299)
    expected = spread / np.sqrt((spread**2).mean())
    np.testing.assert_allclose(found(table).std(axis=0, ddof=1), expected, rtol=5e-3)
    exact = PrincipalComponents.fit(table[:199], 32, 0.0)  # few enough to be exact
    assert not np.array_equal(exact.axes, found.axes)
    np.testing.assert_array_equal(PrincipalComponents.fit(table, 32, 0.0).axes, found.axes)


def test_a_scan_has_the_same_components_wherever_it_lies() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(60, 3000)).astype(np.float32)
    components = PrincipalComponents.fit(features, 30)
    whole, order = components(features), generator.permutation(60)
    np.testing.assert_array_equal(components(features[order]), whole[order])
    np.testing.assert_array_equal(components(features[7:8]), whole[7:8])
