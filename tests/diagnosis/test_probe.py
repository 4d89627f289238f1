"""The few-label probe: drawn by patient and class, the same draws for whatever features."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from diagnosis_blobs import blobs

from latentdx.core.errors import StopError
from latentdx.diagnosis.probe import ProbeSettings, few_label_probe, few_labels
from latentdx.features.table import FeatureTable
from latentdx.metrics.calibration import log_loss
from latentdx.metrics.discrimination import auroc

SMALL = ProbeSettings(draws=4, labelled=20)


def table(count, *, seed=0, n_classes=2, apart=2.0, a_patient=2, width=6):
    features, labels = blobs(count, n_classes=n_classes, width=width, apart=apart, seed=seed)
    rows = np.arange(count)
    return FeatureTable(
        features,
        labels,
        np.array([f"P{seed}-{row // a_patient}" for row in rows]),
        rows.astype(str),
        np.full(count, "train"),
        tuple(f"class {k}" for k in range(n_classes)),
        "",
        "",
    )


def drawn(labels, patients, settings=SMALL, seed=0):
    return few_labels(np.array(labels), np.array(patients), settings, np.random.default_rng(seed))


def test_a_draw_keeps_the_shares_of_the_classes():
    labels = [0] * 60 + [1] * 30 + [2] * 10
    rows = drawn(labels, np.arange(100))
    assert np.bincount(np.array(labels)[rows]).tolist() == [12, 6, 2]
    assert rows.tolist() == sorted(set(rows.tolist()))


def test_every_class_has_at_least_two():
    labels = [0] * 98 + [1] * 2
    assert np.bincount(np.array(labels)[drawn(labels, np.arange(100))]).tolist() == [20, 2]


def test_no_more_than_half_of_few_scans():
    assert len(drawn([0, 1] * 8, np.arange(16))) == 8


def test_a_draw_takes_patient_after_patient():
    """Ten scans a patient of one class each: two patients fill a quota of ten but for none."""
    patients = np.repeat(np.arange(20), 10)
    labels = patients % 2
    rows = drawn(labels, patients)
    assert sorted(np.bincount(patients[rows])[np.unique(patients[rows])].tolist()) == [10, 10]


def test_draws_differ_and_repeat():
    labels, patients = np.tile([0, 1], 100), np.arange(200)
    first, again, other = (drawn(labels, patients, seed=seed) for seed in (1, 1, 2))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


@pytest.mark.parametrize("n_classes", [2, 3])
def test_features_that_tell_the_classes_do_better_than_those_that_do_not(n_classes):
    found = {}
    for apart in (0.0, 3.0):
        parts = [table(180, seed=seed, apart=apart, n_classes=n_classes) for seed in (1, 2)]
        found[apart] = few_label_probe(*parts, SMALL, seed=0)
        assert found[apart].probabilities.shape == (4, 180, n_classes)
        assert found[apart].probabilities.sum(axis=2) == pytest.approx(1)
    assert found[3.0].losses().mean() < 0.5 * np.log(n_classes)
    assert found[0.0].losses().mean() == pytest.approx(np.log(n_classes), abs=0.15)


def test_the_loss_is_that_of_the_probabilities():
    probe = few_label_probe(table(80, seed=1), table(60, seed=2), SMALL, seed=0)
    told = [-np.log(p[np.arange(60), probe.labels]).mean() for p in probe.probabilities]
    assert probe.losses() == pytest.approx(told)
    assert probe.measured(log_loss, seed=0).value == pytest.approx(np.mean(told))
    estimate = probe.measured(auroc, seed=0).estimate()
    assert estimate.low < estimate.value <= estimate.high <= 1
    assert (estimate.n_scans, estimate.n_patients) == (60, 30)


def test_other_features_are_judged_by_the_same_draws(monkeypatch):
    """The labels that the classifiers are fitted on are the same, whatever the features."""
    from latentdx.diagnosis import probe

    fitted = []
    real = probe._fitted
    monkeypatch.setattr(probe, "_fitted", lambda *of: fitted.append(of[2].tolist()) or real(*of))
    for width in (6, 9):
        few_label_probe(table(80, seed=1, width=width), table(20, width=width), SMALL, seed=5)
    assert fitted[:4] == fitted[4:]
    assert len({str(rows) for rows in fitted[:4]}) == 4


def test_the_scale_of_the_features_does_not_matter():
    train, tune = table(80, seed=1), table(60, seed=2)
    first = few_label_probe(train, tune, SMALL, seed=0)
    large = [replace(part, embeddings=1000 * part.embeddings + 7) for part in (train, tune)]
    assert few_label_probe(*large, SMALL, seed=0).probabilities == pytest.approx(
        first.probabilities, abs=1e-3
    )


def test_labels_of_tune_do_not_enter_the_probabilities():
    train, tune = table(80, seed=1), table(60, seed=2)
    first = few_label_probe(train, tune, SMALL, seed=0)
    turned = few_label_probe(train, replace(tune, labels=1 - tune.labels), SMALL, seed=0)
    assert (first.probabilities == turned.probabilities).all()
    assert turned.losses().mean() > first.losses().mean()


def test_a_scan_of_tune_does_not_depend_on_the_others():
    train, tune = table(80, seed=1), table(60, seed=2)
    whole = few_label_probe(train, tune, SMALL, seed=0)
    part = few_label_probe(train, tune.take(np.arange(7)), SMALL, seed=0)
    assert part.probabilities == pytest.approx(whole.probabilities[:, :7], abs=1e-6)


def test_the_strength_is_chosen():
    """Noise asks for much regularisation: with the weakest the loss would be above chance."""
    train, tune = (table(300, seed=seed, apart=0.0, width=100, a_patient=1) for seed in (1, 2))
    losses = few_label_probe(train, tune, ProbeSettings(draws=4), seed=0).losses()
    assert losses.mean() < 0.8


def test_very_few_labels_and_one_patient_a_class_still_give_an_answer():
    train, tune = table(8, seed=1, a_patient=1), table(20, seed=2)
    probe = few_label_probe(train, tune, ProbeSettings(draws=2, labelled=4), seed=0)
    assert np.isfinite(probe.losses()).all()
    patients = np.where(train.labels == 1, "one", "other")
    probe = few_label_probe(replace(train, patients=patients), tune, SMALL, seed=0)
    assert np.isfinite(probe.losses()).all()


def test_a_class_without_a_scan_is_refused():
    train = table(40)
    with pytest.raises(StopError, match="lack a class") as caught:
        few_label_probe(train.take(train.labels == 0), table(20), SMALL, seed=0)
    assert caught.value.code == "E_ONE_CLASS"
