"""Membership and re-identification: against scikit-learn's curve, the theory, and planted cases."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from latentdx.core.seeds import numpy_generator
from latentdx.metrics.membership import RATES, judge_attack, lira, told_at
from latentdx.metrics.reidentification import reidentify


def halves(n_models: int, n_scans: int, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    first = [generator.permutation(n_scans) < n_scans // 2 for _ in range(n_models // 2)]
    return np.array([part for half in first for part in (half, ~half)])


def test_told_at_is_what_scikit_learns_curve_says_ties_and_all() -> None:
    generator = np.random.default_rng(0)
    scores, members = generator.integers(0, 400, 3000).astype(float), generator.random(3000) < 0.4
    scores += 150 * members
    false, true, _ = roc_curve(members, scores, drop_intermediate=False)
    for rate, found in zip(RATES, told_at(scores, members, np.ones((1, 3000))), strict=True):
        assert found[0] == true[false <= rate].max()


def test_weights_are_repeated_scans() -> None:
    generator = np.random.default_rng(1)
    scores, members = generator.normal(size=300), generator.random(300) < 0.5
    weights = generator.integers(0, 4, (2, 300))
    for row in weights:
        many = np.repeat(np.arange(300), row)
        whole = told_at(scores[many], members[many], np.ones((1, len(many))))
        told = told_at(scores, members, row[None])
        assert np.array_equal(whole, told)


def test_a_model_that_remembers_is_caught_as_theory_says_and_one_that_does_not_is_not() -> None:
    members = halves(40, 240, 2)
    generator = np.random.default_rng(3)
    noise = generator.normal(size=members.shape) + 5 * generator.normal(size=240)
    patients = [f"p{number // 2}" for number in range(240)]
    told = {}
    for shift in (0.0, 2.0):
        found = judge_attack(
            lira(noise + shift * members, members), members, patients,
            generator=numpy_generator(0, "test"),
        )  # fmt: skip
        estimate = found.told[0.01]
        assert estimate is not None
        assert estimate.value is not None
        told[shift] = estimate.value
        assert estimate.n_patients == 120
    # of normals two deviations apart 37 % lie above the others' hundredth; the means are estimated
    assert told[0.0] < 0.02
    assert 0.3 < told[2.0] < 0.42


def test_a_rate_that_cannot_be_measured_is_not_told() -> None:
    scores = np.random.default_rng(0).normal(size=(1, 150))
    members = (np.arange(150) < 50)[None]
    found = judge_attack(scores, members, list(range(150)), generator=numpy_generator(0, "t"))
    assert found.told[0.01] is not None
    assert found.told[0.001] is None
    assert found.as_json()["true_positive_rate_at"]["0.001"] is None


def test_scans_of_one_occasion_are_not_found_by_each_other() -> None:
    vectors = np.repeat(np.eye(6), 2, axis=0)  # pairs alike
    patients = np.array([f"p{number // 4}" for number in range(12)])
    apart = reidentify(vectors, patients, [""] * 12, generator=numpy_generator(0, "t"))
    assert apart is not None
    assert apart.found.value == 1
    pairs = [f"study {number // 2}" for number in range(12)]
    together = reidentify(vectors, patients, pairs, generator=numpy_generator(0, "t"))
    assert together is not None
    assert together.found.value is not None
    assert together.found.value < 1
    assert together.chance == pytest.approx(0.2)
    same = [f"study {number // 4}" for number in range(12)]
    assert reidentify(vectors, patients, same, generator=numpy_generator(0, "t")) is None
