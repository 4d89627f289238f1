"""A model that tells the site scores scans of one label apart; one that does not does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, norm

from latentdx.collection.table import CollectionTable, ScanRow, table_of
from latentdx.report.equal_label import Strata, equal_label_warnings, scores_at_equal_label
from latentdx.report.predictions import Predictions

N = 240


def cohort(
    by_site: float, seed: int = 0, n_classes: int = 2, *, ordered: bool = False
) -> tuple[Predictions, list[str], CollectionTable]:
    """The sick are mostly of site B; its scans score higher by `by_site`, whatever their label."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(n_classes, size=N)
    is_b = draw.random(N) < np.where(labels > 0, 0.7, 0.3)
    logits = 2.0 * (labels > 0) + by_site * is_b + draw.normal(size=N)
    if n_classes == 2:
        positive = 1 / (1 + np.exp(-logits))
        table = np.stack([1 - positive, positive], axis=1)
    else:
        own = np.eye(n_classes)[labels] * logits[:, None]
        table = np.exp(own) / np.exp(own).sum(axis=1, keepdims=True)
    names = [f"{n:016x}" for n in range(N)]
    pixels = np.zeros((1, 1, 1), np.float32)
    rows = [
        ScanRow(
            names[n],
            f"{n}.png",
            pixels,
            str(n),
            site="AB"[int(is_b[n])],
            covariates={"ward": str(draw.integers(4))},
        )
        for n in range(N)
    ]
    patients = np.array([f"P{n}" for n in range(N)])
    told = Predictions(labels, patients, table, table.argmax(axis=1), ordered)
    return told, names, table_of(rows)


def by_column(*given: Any, **more: Any) -> dict[str, dict[str, Any]]:
    told = scores_at_equal_label(*cohort(*given, **more), seed=0)
    return {each["column"]: each for each in told}


def test_a_score_that_follows_the_site_is_told() -> None:
    found = by_column(1.2)
    assert set(found) == {"site", "ward"}
    site = found["site"]
    assert site["flagged"]
    assert not found["ward"]["flagged"]
    high = site["auroc"]["value"] if site["value"] == "B" else 1 - site["auroc"]["value"]
    assert 0.7 < high < 0.9
    assert site["auroc"]["low"] < site["auroc"]["value"] < site["auroc"]["high"]
    (warning,) = equal_label_warnings(list(found.values()))
    assert "at equal label the model scores scans of 'site'" in warning


def test_more_sick_at_one_site_alone_are_no_reason() -> None:
    flagged = [by_column(0.0, seed)["site"]["flagged"] for seed in range(12)]
    assert sum(flagged) <= 1


@pytest.mark.parametrize("ordered", [False, True])
def test_more_than_two_classes(ordered: bool) -> None:
    found = by_column(0.0, 3, n_classes=3, ordered=ordered)["site"]
    assert found["auroc"]["n_patients"] == N
    assert 0 < found["p_value"] <= 1


def test_a_patient_counts_once() -> None:
    told, names, table = cohort(1.2)
    twice = Predictions(
        np.repeat(told.labels, 2),
        np.repeat(told.patients, 2),
        np.repeat(told.probabilities, 2, axis=0),
        np.repeat(told.decisions, 2),
    )
    found = scores_at_equal_label(twice, np.repeat(names, 2).tolist(), table, seed=0)
    assert found == scores_at_equal_label(told, names, table, seed=0)


def test_deviates_are_those_of_the_rank_sum_test() -> None:
    draw = np.random.default_rng(0)
    scores, group = draw.integers(0, 9, 40).astype(float), draw.random(40) < 0.4
    (found,) = Strata(scores, np.zeros(40, np.int64)).deviates(group[None])
    expected = mannwhitneyu(
        scores[group], scores[~group], method="asymptotic", use_continuity=False
    )
    assert 2 * norm.sf(abs(found)) == pytest.approx(expected.pvalue)


def test_labels_that_lie_in_one_group_each_cannot_be_compared() -> None:
    labels = np.array([0, 0, 1, 1])
    strata = Strata(np.arange(4.0), labels)
    assert strata.area(labels == 1, np.random.default_rng(0)).value is None
    assert strata.deviates((labels == 1)[None]).tolist() == [0.0]
