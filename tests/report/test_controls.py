"""The control must fail where labels mean nothing, and must succeed where they leak."""

from dataclasses import replace

import numpy as np
import pytest
from report_scans import scans_of

from latentdx.diagnosis.classifiers import fit_classifier
from latentdx.diagnosis.head import Head
from latentdx.features.whiten import PrincipalComponents, Standardiser
from latentdx.report import controls
from latentdx.report.controls import ControlScans, shuffled_labels

PARTS = ["train"] * 120 + ["calibrate"] * 40 + ["test"] * 80


def blobs(*, distance=3.0, seed=0, per_patient=1, name=str):
    """Two clouds in eight dimensions; every patient's scans have one label."""
    rng = np.random.default_rng(seed)
    patients = np.arange(len(PARTS)) // per_patient
    labels = rng.integers(0, 2, len(PARTS))[patients]
    features = rng.normal(size=(len(PARTS), 8)).astype(np.float32)
    features[:, 0] += distance * labels
    scans = scans_of(labels, parts=PARTS, patients=[name(number) for number in patients])
    return ControlScans(scans, features)


def head_of(control, name="svm"):
    train = control.part("train")
    machine = fit_classifier(name, train.features, train.scans.labels, n_classes=2, strength=1.0)
    scale = Standardiser.fit(train.features)
    return Head(name, 1.0, scale, PrincipalComponents.fit(scale(train.features), 8), machine)


@pytest.mark.parametrize("per_patient", [1, 2])
def test_on_shuffled_labels_nothing_is_found(per_patient):
    control = blobs(per_patient=per_patient)
    found = shuffled_labels(head_of(control), control, seed=0)
    assert abs(found["auroc"].value - 0.5) < 0.15
    assert found["auroc"].low < 0.5 < found["auroc"].high
    assert abs(found["balanced_accuracy"].value - 0.5) < 0.15
    assert (found["auroc"].n_scans, found["auroc"].n_patients) == (80, 80 // per_patient)


def test_over_seeds_its_mean_is_a_half():
    """Of eight controls on other blobs none is far out, and their mean is close."""
    values = []
    for seed in range(8):
        control = blobs(seed=seed, distance=1.0)
        values.append(shuffled_labels(head_of(control), control, seed=seed)["auroc"].value)
    assert abs(np.mean(values) - 0.5) < 0.06


def test_where_the_permutation_leaks_the_labels_it_finds_them(monkeypatch):
    control = blobs()
    monkeypatch.setattr(controls, "_permuted", lambda scans, seed: scans.labels)
    found = shuffled_labels(head_of(control), control, seed=0)
    assert found["auroc"].value > 0.95
    assert found["auroc"].low > 0.9


def test_where_most_labels_stay_it_finds_them(monkeypatch):
    """A permutation that moves a tenth of the labels leaves the others to be learnt."""
    real = controls._permuted

    def mostly_true(scans, seed):
        moved = np.arange(len(scans)) % 10 == 0
        return np.where(moved, real(scans, seed), scans.labels)

    monkeypatch.setattr(controls, "_permuted", mostly_true)
    control = blobs()
    assert shuffled_labels(head_of(control), control, seed=0)["auroc"].value > 0.9


def test_the_permutation_keeps_the_number_of_each_label_and_moves_many():
    scans = blobs(per_patient=2).part("train").scans
    permuted = [controls._permuted(scans, seed) for seed in range(20)]
    assert all(labels.sum() == scans.labels.sum() for labels in permuted)
    agreement = np.mean([labels == scans.labels for labels in permuted])
    assert 0.4 < agreement < 0.65
    assert len({labels.tobytes() for labels in permuted}) == 20


def test_patients_of_train_in_test_are_found():
    """Each patient looks like nobody else, and has scans on both sides: the control must tell."""
    rng = np.random.default_rng(0)
    patients = np.tile(np.arange(80), 3)
    looks = rng.normal(size=(80, 40)).astype(np.float32)
    features = looks[patients] + 0.1 * rng.normal(size=(240, 40)).astype(np.float32)
    labels = np.tile(rng.integers(0, 2, 80), 3)
    parts = ["train"] * 80 + ["calibrate"] * 80 + ["test"] * 80
    names = [str(number) for number in patients]
    leaky = ControlScans(scans_of(labels, parts=parts, patients=names), features)
    assert shuffled_labels(head_of(leaky), leaky, seed=0)["auroc"].value > 0.9


def test_the_same_seed_gives_the_same_and_pseudonyms_change_nothing():
    first, renamed = blobs(per_patient=2), blobs(per_patient=2, name=lambda n: f"{-n * 7919 % 997}")
    head = head_of(first)
    assert shuffled_labels(head, first, seed=4) == shuffled_labels(head, renamed, seed=4)
    assert shuffled_labels(head, first, seed=4) != shuffled_labels(head, first, seed=5)


def test_a_class_that_shuffling_takes_from_train_gives_no_number():
    """One patient of a class: train lacks it in some shuffles, test in all others."""
    control = blobs()
    head = head_of(control)
    labels = (np.arange(len(PARTS)) == 0).astype(np.int64)
    alone = replace(control, scans=replace(control.scans, labels=labels))
    assert shuffled_labels(head, alone, seed=0)["auroc"].value is None
