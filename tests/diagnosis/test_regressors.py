"""What holds of every machine that predicts a number, and each against scikit-learn's own."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.linear_model import Ridge
from sklearn.svm import SVR

from latentdx.core.errors import StopError
from latentdx.diagnosis import fit_values
from latentdx.diagnosis.conformal_values import half_width
from latentdx.diagnosis.machines import to_arrays
from latentdx.diagnosis.regressors import (
    STRENGTHS,
    RegressorName,
    choose_regressor,
    fit_regressor,
    regressor_from,
    regressor_name,
)
from latentdx.diagnosis.task import kernel_width


def bent(count: int, *, seed: int = 0, width: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Features (count, width), and values of mean 0 and deviation 1 that bend in them."""
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(count, width)).astype(np.float32)
    values = features[:, 0] + 0.5 * features[:, 1] ** 2 + generator.normal(0, 0.2, count)
    return features, (values - 0.5) / 1.25


@pytest.mark.parametrize("name", get_args(RegressorName))
def test_each_learns_and_is_the_same_from_its_arrays(name: RegressorName) -> None:
    features, values = bent(400)
    new, truth = bent(200, seed=1)
    machine = fit_regressor(name, features, values, STRENGTHS[name][-2])
    found = machine.scores(new)
    assert found.shape == (200, 1)
    assert np.corrcoef(found[:, 0], truth)[0, 1] > 0.7
    again = regressor_from(name, to_arrays(machine))
    np.testing.assert_array_equal(again.scores(new), found)


def test_each_is_what_scikit_learn_has() -> None:
    features, values = bent(150)
    new, _ = bent(40, seed=1)
    gamma = kernel_width(features)
    oracles = {
        "svm": (SVR(C=3.0, gamma=gamma), 3.0),
        "ridge": (Ridge(alpha=0.3 * 150), 0.3),
        "forest": (RandomForestRegressor(100, max_depth=4, max_features=0.33, random_state=0), 4),
        "gaussian-process": (
            GaussianProcessRegressor(RBF(1 / math.sqrt(2 * gamma)), alpha=0.3, optimizer=None),
            0.3,
        ),
    }
    for name, (model, strength) in oracles.items():
        found = fit_regressor(regressor_name(name), features, values, strength).scores(new)[:, 0]
        expected = model.fit(features, values).predict(new)
        np.testing.assert_allclose(found, expected, atol=2e-3, err_msg=name)


def test_neighbours_give_means_of_what_lies_near() -> None:
    features = np.array([[0.0], [0.1], [5.0], [5.1]], np.float32)
    machine = fit_regressor("knn", features, np.array([1.0, 2.0, -1.0, -3.0]), 2)
    found = machine.scores(np.array([[0.05], [5.05]], np.float32))[:, 0]
    np.testing.assert_allclose(found, [1.5, -2.0], atol=1e-3)


def test_landmarks_come_near_the_exact_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    features, values = bent(1500)
    new, truth = bent(300, seed=1)
    exact = fit_regressor("svm", features, values, 1.0).scores(new)[:, 0]
    monkeypatch.setattr(fit_values, "EXACT_ROWS", 1000)
    monkeypatch.setattr(fit_values, "N_LANDMARKS", 300)
    machine = fit_regressor("svm", features, values, 1.0)
    assert to_arrays(machine)["vectors"].shape == (300, 5)
    errors = [np.abs(found - truth).mean() for found in (machine.scores(new)[:, 0], exact)]
    assert errors[0] < 1.15 * errors[1]


def test_a_gaussian_process_of_many_rows() -> None:
    with pytest.raises(StopError, match="E_TOO_MANY"):
        fit_regressor("gaussian-process", np.zeros((1001, 1), np.float32), np.zeros(1001), 1.0)


def test_other_names_are_refused_with_those_that_can() -> None:
    with pytest.raises(StopError, match="prototypes") as caught:
        regressor_name("prototypes")
    assert caught.value.code == "E_CLASSIFIER"
    assert "ridge" in caught.value.fix


def test_noise_takes_the_simplest_and_signal_more() -> None:
    features, values = bent(300)
    patients = [str(row // 2) for row in range(300)]
    noise = np.random.default_rng(0).permutation(values)
    assert choose_regressor("ridge", [features], noise, patients, seed=0) == (0, 10.0)
    strength = choose_regressor("ridge", [features], values, patients, seed=0)[1]
    assert strength < 10
    others = [f"x{name}" for name in patients]
    assert choose_regressor("ridge", [features], values, others, seed=0)[1] == strength


def test_a_later_form_of_the_features_is_taken_where_it_is_better() -> None:
    features, values = bent(200)
    patients = [str(row) for row in range(200)]
    blind = np.random.default_rng(1).normal(size=features.shape).astype(np.float32)
    assert choose_regressor("ridge", [blind, features], values, patients, seed=0)[0] == 1
    assert choose_regressor("ridge", [features, blind], values, patients, seed=0)[0] == 0


def test_intervals_cover_scans_of_patients_to_come() -> None:
    """Patients with 1 to 8 scans each, whose scans err alike: coverage by a patient's scan."""
    generator = np.random.default_rng(0)
    covered = []
    for _ in range(400):
        counts = generator.integers(1, 9, 21)
        own = generator.normal(0, 1, 21)
        errors = [
            own[patient] * counts[patient] / 4 + generator.normal(0, 0.2, counts[patient])
            for patient in range(21)
        ]
        names = np.repeat(np.arange(20), counts[:20]).astype(str)
        width = half_width(np.concatenate(errors[:20]), names, 0.8)
        covered.append(np.mean(np.abs(errors[20]) <= width))
    assert 0.78 <= np.mean(covered) <= 0.88


def test_one_scan_a_patient_is_plain_split_conformal() -> None:
    errors = np.random.default_rng(0).normal(size=99)
    names = [str(row) for row in range(99)]
    assert half_width(errors, names, 0.9) == np.sort(np.abs(errors))[89]
    assert half_width(errors[:3], names[:3], 0.9) == math.inf
