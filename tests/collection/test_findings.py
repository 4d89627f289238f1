"""Which findings are asked for, and that every part gets its share of each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from latentdx.collection.allocate import rarest_names
from latentdx.collection.audit import audit
from latentdx.collection.findings import Findings
from latentdx.collection.split import LABELLED_PARTS, Split, split_by_patient
from latentdx.collection.table import CollectionTable
from latentdx.core.errors import StopError

Make = Callable[..., CollectionTable]


def cohort(table: Make, n_patients: int = 200) -> CollectionTable:
    """Two scans a patient: effusion in every 2nd, mass in every 5th, hernia in every 25th."""
    labels = []
    for patient in range(n_patients):
        every = {"effusion": 2, "mass": 5, "hernia": 25}
        names = [name for name, step in every.items() if patient % step == 0]
        labels += [";".join(sorted(names)) or "normal"] * 2
    return table(labels, patients=[f"P{row // 2}" for row in range(2 * n_patients)])


def split_of(scans: CollectionTable, **options: object) -> Split:
    return split_by_patient(scans, seed=0, several=True, **options)


def patients_with(scans: CollectionTable, split: Split, name: str, part: str) -> int:
    return len(set(scans.patient[scans.has(name) & (split.parts == part)].tolist()))


def test_every_part_gets_its_share_of_every_finding(table: Make) -> None:
    scans = cohort(table)
    split = split_of(scans)
    for name, count in {"effusion": 100, "mass": 40, "normal": 80, "hernia": 8}.items():
        for part, share in zip(LABELLED_PARTS, (0.6, 0.1, 0.1, 0.2), strict=True):
            found = patients_with(scans, split, name, part)
            assert found >= 1, (name, part)
            assert abs(found - share * count) <= max(2, 0.06 * count), (name, part)


def test_no_patient_is_in_two_parts(table: Make) -> None:
    scans = cohort(table)
    split = split_of(scans)
    for name in np.unique(scans.patient):
        assert len(set(split.parts[scans.patient == name].tolist())) == 1


def test_findings_that_a_part_lacks_are_left_out(table: Make) -> None:
    labels = ["effusion", "normal"] * 30 + ["effusion;rare", "rare", "rare;mass"]
    labels += ["mass", "mass;effusion"] * 8
    scans = table(labels, patients=[f"P{row}" for row in range(len(labels))])
    found = Findings.of(scans, split_of(scans))
    assert found.names == ("effusion", "mass")
    assert (found.negative, found.left_out) == ("normal", {"rare": 3})
    [note] = found.notes()
    assert "'rare'" in note
    assert "3 patients" in note


def test_all_findings_in_one_patient_are_refused(table: Make) -> None:
    labels = ["effusion;mass"] * 10 + ["normal"] * 10
    patients = ["A"] * 10 + [f"P{row}" for row in range(10)]
    scans = table(labels, patients=patients)
    with pytest.raises(StopError, match="E_CLASS_SIZE") as caught:
        Findings.of(scans, split_of(scans))
    assert "has 1 patients" in caught.value.found


def test_a_finding_that_every_scan_has_is_no_question(table: Make) -> None:
    labels = ["cough;effusion", "cough"] * 20
    scans = table(labels, patients=[f"P{row}" for row in range(40)])
    assert Findings.of(scans, split_of(scans)).names == ("effusion",)


def test_targets_and_labels_are_each_others_inverse() -> None:
    findings = Findings(("edema", "mass"), "normal")
    labels = ["normal", "mass", "edema", "edema;mass"]
    targets = findings.targets(labels)
    assert targets.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert [findings.label(row == 1) for row in targets] == labels
    assert findings.targets(["edema;other", "other"]).tolist() == [[1, 0], [0, 0]]


def test_names_that_hold_each_other_are_told_apart(table: Make) -> None:
    scans = table(["mass", "mass lesion", "big mass;edema", None, "mass;edema"])
    assert scans.has("mass").tolist() == [True, False, False, False, True]
    assert scans.classes == ["big mass", "edema", "mass", "mass lesion"]


def test_few_labels_keep_every_finding(table: Make) -> None:
    scans = cohort(table)
    split = split_of(scans, labelled=20)
    assert split.counts()["train"] == 20
    for name in ("effusion", "mass", "hernia", "normal"):
        assert patients_with(scans, split, name, "train") >= 1
    assert rarest_names(np.array(["b", "a", "b;a"])).tolist() == ["b", "a", "a"]


def test_the_audit_counts_findings(table: Make) -> None:
    found = {item.code: item for item in audit(cohort(table)).findings}
    assert "'hernia' has 16 of 400" in found["imbalance"].text
    assert "'hernia' has 8 patients" in found["small-class"].text
