"""The rival from scratch: better than chance on phantoms, on the same terms as the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from report_scans import scans_of
from sklearn.metrics import roc_auc_score

from latentdx.autoencoder.family import build
from latentdx.diagnosis.head import Head, HeadSettings
from latentdx.diagnosis.scratch_recipe import Recipe
from latentdx.report.baselines import Rivals
from latentdx.report.scratch_rival import scratch_rival

PARTS = ["train"] * 80 + ["calibrate"] * 30 + ["test"] * 50
RECIPE = Recipe((8, 16), fewest_steps=80, most_steps=80, rate=0.01, low_precision=False)


@pytest.fixture(scope="module")
def rivals() -> Rivals:
    """Noise; in every second scan a bright disc. Two scans a patient."""
    rng = np.random.default_rng(0)
    labels = np.arange(160) // 2 % 2
    pixels = rng.uniform(0, 0.4, (160, 1, 16, 16))
    rows, columns = np.mgrid[:16, :16] - 8
    pixels += 0.3 * labels[:, None, None, None] * (rows**2 + columns**2 < 16)
    patients = [f"p{row // 2:03}" for row in range(160)]
    scans = scans_of(labels, PARTS, patients, pixels.astype(np.float32))
    network = build("convolutional", {"channels": 1, "size": 16}, seed=0)
    return Rivals(scans, network, HeadSettings(), seed=0)


def test_it_is_tested_on_the_test_part_which_changes_nothing(rivals: Rivals) -> None:
    test = rivals.scans.part("test")
    found = scratch_rival(rivals, RECIPE)
    assert found.labels.tolist() == test.labels.tolist()
    assert found.patients.tolist() == test.patients.tolist()
    assert found.probabilities.sum(axis=1) == pytest.approx(np.ones(50))
    assert roc_auc_score(test.labels, found.probabilities[:, 1]) > 0.9
    assert (found.decisions == test.labels).mean() > 0.8
    turned = rivals.scans.labels.copy()
    turned[110:] = 1 - turned[110:]
    again = scratch_rival(replace(rivals, scans=replace(rivals.scans, labels=turned)), RECIPE)
    assert again.probabilities.tolist() == found.probabilities.tolist()
    other = scratch_rival(replace(rivals, seed=1), RECIPE)
    assert other.probabilities.tolist() != found.probabilities.tolist()


def test_cases_are_pooled_columns_are_not_read_and_the_target_is_the_models(rivals: Rivals) -> None:
    beside = rivals.scans.labels[:, None].astype(np.float32)
    cased = replace(rivals.scans, cases=rivals.scans.patients, beside=beside)
    plain = scratch_rival(replace(rivals, scans=replace(cased, beside=None)), RECIPE)
    aimed = replace(rivals, scans=cased, aim=lambda head, extract: never(head))
    found = scratch_rival(aimed, RECIPE)
    assert len(found.labels) == 25
    assert found.probabilities.tolist() == plain.probabilities.tolist()
    assert not found.decisions.any()


def never(head: Head) -> Head:
    return replace(head, threshold=2.0)


def test_of_more_than_two_classes_the_likeliest_is_decided(rivals: Rivals) -> None:
    labels = np.arange(160) // 2 % 3
    pixels = np.full((160, 1, 16, 16), 0.2, np.float32)
    pixels += 0.3 * labels[:, None, None, None].astype(np.float32)
    scans = replace(rivals.scans, labels=labels, pixels=pixels, classes=("a", "b", "c"))
    found = scratch_rival(replace(rivals, scans=scans), RECIPE)
    assert found.probabilities.shape == (50, 3)
    assert found.decisions.tolist() == found.probabilities.argmax(axis=1).tolist()
    assert (found.decisions == labels[110:]).mean() > 0.8
