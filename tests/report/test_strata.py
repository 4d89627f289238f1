"""Hidden strata: a planted group of errors is found, none where errors fall by chance."""

from __future__ import annotations

import doctest
from dataclasses import replace

import numpy as np
import pytest

from latentdx.report import strata
from latentdx.report.findings_predictions import FindingPredictions
from latentdx.report.predictions import Predictions
from latentdx.report.strata import strata_of, strata_warnings
from latentdx.report.value_predictions import ValuePredictions


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strata, "PERMUTATIONS", 199)
    monkeypatch.setattr(strata, "_RESAMPLES", 100)


def cohort(seed: int, *, planted: bool) -> tuple[np.ndarray, Predictions]:
    """150 patients of two scans each in three kinds, a tenth of decisions wrong; or half of one."""
    chance = np.random.default_rng(seed)
    kinds = np.repeat(np.arange(150) % 3, 2)
    features = chance.normal(0, 0.3, (300, 4)) + np.eye(4)[kinds]
    patients = np.repeat(np.arange(150), 2).astype(str)
    labels = chance.integers(0, 2, 300)
    rate = np.where(planted & (kinds == 1), 0.5, 0.1)
    # Both scans of a patient err together: scans are not independent.
    wrong = np.repeat(chance.random(150), 2) < rate
    decisions = np.where(wrong, 1 - labels, labels)
    table = np.stack([1 - decisions, decisions], axis=1) * 0.8 + 0.1
    return features, Predictions(labels, patients, table, decisions)


def test_a_planted_group_is_found_and_shown_by_its_errors() -> None:
    features, told = cohort(0, planted=True)
    found = strata_of(features, told, 0)
    first = found.told["groups"][0]
    assert first["fails"]
    assert first["error"]["low"] > 0.3
    shown = found.shown[0]
    assert len(shown) == 4
    assert (told.decisions[shown] != told.labels[shown]).all()
    assert (features[shown].argmax(axis=1) == 1).mean() >= 0.75
    assert strata_warnings(found.told)


def test_errors_by_chance_make_no_group() -> None:
    alarms = sum(
        any(
            group["fails"] for group in strata_of(*cohort(seed, planted=False), seed).told["groups"]
        )
        for seed in range(20)
    )
    # 1 expected of 20; 5 would come once in four hundred.
    assert alarms <= 4


def test_the_groups_hold_every_scan_once() -> None:
    found = strata_of(*cohort(1, planted=True), 0).told
    assert sum(group["error"]["n_scans"] for group in found["groups"]) == 300
    assert sum(sum(group["labels"]) for group in found["groups"]) == 300
    values = [group["error"]["value"] for group in found["groups"]]
    assert values == sorted(values, reverse=True)


def test_numbers_that_are_further_off_in_one_group_are_found() -> None:
    """Errors of a size: a group of alike scans errs three times as far as the others."""
    features, _ = cohort(0, planted=False)
    chance = np.random.default_rng(1)
    kinds = features[:, :3].argmax(axis=1)
    away = chance.normal(0, np.where(kinds == 1, 3.0, 1.0))
    values = chance.normal(50, 10, 300)
    told = ValuePredictions(values, values + away, np.repeat(np.arange(150), 2).astype(str))
    found = strata_of(features, told, 0)
    failing = [group for group in found.told["groups"] if group["fails"]]
    assert failing  # the kind may be two groups
    n_scans = sum(group["error"]["n_scans"] for group in failing)
    assert abs(n_scans - (kinds == 1).sum()) <= 2
    assert all(group["labels"] == [] for group in failing)
    means = [group["error"]["value"] * group["error"]["n_scans"] for group in failing]
    assert sum(means) == pytest.approx(np.abs(away)[kinds == 1].sum(), rel=0.05)
    for shown in found.shown:
        assert (np.abs(away)[shown] >= np.abs(away).mean()).all()
    one = {"groups": [{"fails": True}, {"fails": False}]}
    assert "1 of 2 groups of alike scans has larger" in strata_warnings(one, are_numbers=True)[0]


def test_findings_of_one_group_that_are_often_wrong_are_found() -> None:
    features, first = cohort(0, planted=True)
    _, second = cohort(3, planted=False)
    told = FindingPredictions({"a": first, "b": replace(second, patients=first.patients)})
    np.testing.assert_allclose(told.errors, (first.errors + second.errors) / 2)
    found = strata_of(features, told, 0)
    assert found.told["groups"][0]["fails"]
    counts = np.array([group["labels"] for group in found.told["groups"]])
    assert counts.sum(axis=0).tolist() == [int(each.labels.sum()) for each in (first, second)]


def test_too_few_patients_are_told() -> None:
    features, told = cohort(0, planted=True)
    rows = np.arange(80)
    found = strata_of(features[rows], told.take(rows), 0)
    assert (found.told["groups"], found.shown) == ([], ())
    assert "too few" in found.told["reason"]


def test_the_examples_of_strata_run() -> None:
    assert doctest.testmod(strata).failed == 0
