"""A split by scan must look better where patients can be known again, and not where they cannot."""

from __future__ import annotations

import numpy as np
import pytest
from report_scans import scans_of
from test_controls import head_of

from latentdx.report.controls import ControlScans
from latentdx.report.split_control import BY_PATIENT, BY_SCAN, split_controls, split_sentence


def slices(*, own: float, patients: int = 80, each: int = 8, seed: int = 0) -> ControlScans:
    """Scans of which half tell their label faintly; `own` is how far patients lie apart."""
    rng = np.random.default_rng(seed)
    of = np.arange(patients * each) // each
    labels = rng.integers(0, 2, patients)[of]
    features = rng.normal(size=(len(of), 8)) + own * rng.normal(size=(patients, 8))[of]
    features[:, 0] += 0.5 * labels
    parts = np.where(of < patients * 0.8, "train", np.where(of % 2, "calibrate", "test"))
    scans = scans_of(labels, parts=parts.tolist(), patients=[str(one) for one in of])
    return ControlScans(scans, features.astype(np.float32))


def aurocs(control: ControlScans) -> tuple[float, float]:
    found = split_controls(head_of(control), control, seed=0)
    return found[BY_SCAN]["auroc"].value, found[BY_PATIENT]["auroc"].value


def test_patients_who_can_be_known_again_make_a_split_by_scan_look_better():
    by_scan, by_patient = aurocs(slices(own=6.0))
    assert by_scan > 0.9
    assert by_patient < 0.75


def test_where_scans_of_a_patient_are_no_more_alike_both_say_the_same():
    by_scan, by_patient = aurocs(slices(own=0.0))
    assert abs(by_scan - by_patient) < 0.06


def test_only_scans_of_train_are_looked_at():
    control = slices(own=6.0)
    counted = split_controls(head_of(control), control, seed=0)[BY_PATIENT]["auroc"]
    train = control.part("train").scans
    assert counted.n_scans == len(train)
    assert counted.n_patients == len(np.unique(train.patients))


@pytest.mark.parametrize(("patients", "each"), [(300, 1), (5, 20)])
def test_one_scan_a_patient_or_too_few_patients_have_no_such_control(patients, each):
    control = slices(own=1.0, patients=patients, each=each)
    assert split_controls(head_of(control), control, seed=0) == {}


def test_the_sentence_names_both_and_is_empty_without_them():
    told = {BY_SCAN: {"auroc": {"value": 0.97}}, BY_PATIENT: {"auroc": {"value": 0.71}}}
    assert "0.970" in split_sentence(told)
    assert "0.710" in split_sentence(told)
    assert split_sentence({"shuffled-labels": {}}) == ""
