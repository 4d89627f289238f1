"""The rivals: what they are, what they may see, and that they are tested on the same scans."""

import numpy as np
import pytest
from report_scans import scans_of, table_for
from sklearn.metrics import roc_auc_score

from latentdx.autoencoder.family import build
from latentdx.diagnosis.head import HeadSettings
from latentdx.report.baselines import Rivals, metadata_baseline, run_baselines

N_SCANS = 160
PARTS = ["train"] * 80 + ["calibrate"] * 30 + ["test"] * 50


@pytest.fixture(scope="module")
def scans():
    """Noise; in every second scan a bright disc."""
    rng = np.random.default_rng(0)
    labels = np.arange(N_SCANS) % 2
    pixels = rng.uniform(0, 0.4, (N_SCANS, 1, 16, 16))
    rows, columns = np.mgrid[:16, :16] - 8
    pixels += 0.5 * labels[:, None, None, None] * (rows**2 + columns**2 < 16)
    return scans_of(labels, parts=PARTS, pixels=pixels.astype(np.float32))


@pytest.fixture(scope="module")
def rivals(scans):
    network = build("convolutional", {"channels": 1, "size": 16}, seed=0)
    return Rivals(scans, network, HeadSettings(rows=300), seed=0)


def test_majority_by_hand(scans, rivals):
    labels = scans.labels.copy()
    labels[:10] = 1
    uneven = Rivals(
        scans_of(labels, parts=PARTS, pixels=scans.pixels), rivals.network, rivals.settings, 0
    )
    found, share = uneven.majority(), labels[:80].mean()
    assert share > 0.5
    assert found.decisions.tolist() == [1] * 50
    assert found.probabilities[:, 1].tolist() == pytest.approx([share] * 50)
    assert found.metrics(0, 20)["auroc"].value == 0.5


def test_all_of_them_are_scored_on_the_same_test_scans(scans, rivals):
    steps = []
    extra = {"metadata": rivals.majority()}
    found = run_baselines(rivals, extra, steps.append)
    assert list(found) == [
        *("majority", "metadata", "pixels-pca-svm", "hog-svm", "untrained-encoder")
    ]
    assert steps == ["pixels-pca-svm", "hog-svm", "untrained-encoder"]
    test = scans.part("test")
    for name, predictions in found.items():
        assert predictions.labels.tolist() == test.labels.tolist()
        assert predictions.patients.tolist() == test.patients.tolist()
        assert predictions.probabilities.sum(axis=1) == pytest.approx(np.ones(50)), name
    assert roc_auc_score(test.labels, found["pixels-pca-svm"].probabilities[:, 1]) > 0.95


def test_the_untrained_encoder_is_another_one_and_the_same_for_a_seed(rivals):
    first, again = rivals.fresh_network(), rivals.fresh_network()
    weights, own = first.state_dict(), rivals.network.state_dict()
    assert all((weights[name] == value).all() for name, value in again.state_dict().items())
    assert any((weights[name] != value).any() for name, value in own.items())
    assert not first.training


def test_metadata_that_tells_something(scans):
    """A site where most are ill: found, and calibrated."""
    rng = np.random.default_rng(1)
    told = np.where(rng.random(N_SCANS) < 0.85, scans.labels, 1 - scans.labels)
    table = table_for(scans, site=[("north", "south")[value] for value in told])
    found, left_out = metadata_baseline(table, scans, seed=0)
    assert left_out == []
    test = scans.part("test")
    assert found.labels.tolist() == test.labels.tolist()
    assert roc_auc_score(test.labels, found.probabilities[:, 1]) > 0.75


def test_a_column_that_is_the_label_is_left_out_and_told(scans):
    rng = np.random.default_rng(2)
    covariates = [
        {"finding": ("clear", "opacity")[label], "ward": f"w{rng.integers(3)}"}
        for label in scans.labels
    ]
    found, left_out = metadata_baseline(table_for(scans, covariates=covariates), scans, seed=0)
    assert left_out == ["finding"]
    auroc = roc_auc_score(scans.part("test").labels, found.probabilities[:, 1])
    assert 0.2 < auroc < 0.8


def test_where_nothing_but_the_picture_is_known_there_is_none(scans):
    assert metadata_baseline(table_for(scans), scans, seed=0) == (None, [])


def test_the_test_part_changes_no_baseline(scans):
    """With other test labels the same probabilities: nothing was fitted on them."""
    other = scans.labels.copy()
    other[110:] = 1 - other[110:]
    turned = scans_of(other, parts=PARTS, pixels=scans.pixels)
    rng = np.random.default_rng(1)
    sites = [f"s{value}" for value in rng.integers(0, 3, N_SCANS)]
    first, _ = metadata_baseline(table_for(scans, site=sites), scans, seed=0)
    second, _ = metadata_baseline(table_for(turned, site=sites), turned, seed=0)
    assert first.probabilities.tolist() == second.probabilities.tolist()
