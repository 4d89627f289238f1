"""The audit: what it finds, how grave it is, and where."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np

from latentdx.collection.audit import Finding, audit
from latentdx.collection.near_duplicates import NearPairs
from latentdx.collection.split import split_by_patient
from latentdx.collection.table import CollectionTable

Make = Callable[..., CollectionTable]


def found(table: CollectionTable, parts: list[str] | None = None) -> dict[str, list[Finding]]:
    by_code: dict[str, list[Finding]] = {}
    for finding in audit(table, None if parts is None else np.array(parts)).findings:
        by_code.setdefault(finding.code, []).append(finding)
    by_code.pop("small-class", None)
    return by_code


def test_nothing_to_say_of_a_good_collection(table: Make) -> None:
    scans = table(["no", "yes"] * 50, patients=[f"P{index}" for index in range(100)])
    result = audit(scans, np.array(["train"] * 60 + ["test"] * 40))
    assert (result.valid, result.findings) == (True, ())


def test_a_patient_in_test_and_elsewhere_is_an_error(table: Make) -> None:
    scans = table(["no"] * 6, patients=["A", "A", "A", "B", "B", None])
    parts = ["train", "test", "test", "tune", "train", "test"]
    error, warning = found(scans, parts)["patient-across-parts"]
    assert (error.severity, error.count) == ("error", 1)
    assert error.examples == (("0.png", "1.png", "2.png"),)
    assert (warning.severity, warning.examples) == ("warning", (("3.png", "4.png"),))
    assert not audit(scans, np.array(parts)).valid
    assert "patient-across-parts" not in found(scans, ["excluded", *["test"] * 2, *["tune"] * 3])


def test_pretraining_on_a_test_patient_is_an_error(table: Make) -> None:
    scans = table(["no", None], patients=["A", "A"])
    assert found(scans, ["test", "pretrain"])["patient-across-parts"][0].severity == "error"


def test_scans_for_pretraining_that_test_knows_are_named(table: Make) -> None:
    scans = table(
        ["no", None, None, None, "yes"],
        patients=["A", "A", "B", "C", "D"],
        pictures=[1, 2, 1, 3, 4],
    )
    parts = ["test", "excluded", "excluded", "pretrain", "train"]
    (told,) = found(scans, parts)["pretraining-overlap"]
    assert (told.severity, told.count) == ("info", 2)
    assert told.examples == (("1.png", "0.png"), ("2.png", "0.png"))
    near = NearPairs(np.array([[0, 3]]), np.array([0.99], np.float32))
    pool = audit(scans, np.array(parts), near)
    (error, _) = (item for item in pool.findings if item.code == "pretraining-overlap")
    assert (error.severity, error.examples) == ("error", (("3.png", "0.png"),))
    assert not pool.valid


def test_a_run_keeps_them_out_of_the_pool(table: Make) -> None:
    labels = ["no", "yes"] * 10 + [None] * 10
    patients = [f"P{n}" for n in range(20)] * 2
    scans = table(labels, patients=patients[:30])
    split = split_by_patient(scans, seed=0)
    (told,) = found(scans, split.parts.tolist())["pretraining-overlap"]
    assert told.severity == "info"
    learned = set(scans.patient[split.rows("pretrain")].tolist())
    assert not learned & set(scans.patient[split.rows("test")].tolist())


def test_given_parts_are_audited_without_a_split(table: Make) -> None:
    scans = table(["no"] * 4, pictures=[1, 1, 2, 2], parts=["train", "test", "train", "val"])
    error, warning = found(scans)["duplicate-across-parts"]
    assert (error.severity, error.examples) == ("error", (("0.png", "1.png"),))
    assert (warning.severity, warning.examples) == ("warning", (("2.png", "3.png"),))
    assert "duplicate" not in found(scans)


def test_duplicates_within_a_part_are_named(table: Make) -> None:
    scans = table(["no"] * 5, pictures=[1, 1, 2, 2, 3], patients=["A", "A", "B", "C", "D"])
    (finding,) = found(scans)["duplicate"]
    assert (finding.severity, finding.count) == ("warning", 2)
    assert finding.examples == (("0.png", "1.png"), ("2.png", "3.png"))
    (harmless,) = found(scans.take([0, 1, 4]))["duplicate"]
    assert harmless.severity == "info"


def test_one_picture_with_two_labels(table: Make) -> None:
    scans = table(["no", "yes", "no", None, "no"], pictures=[1, 1, 2, 2, 3])
    (finding,) = found(scans)["conflicting-labels"]
    assert (finding.severity, finding.examples) == ("warning", (("0.png", "1.png"),))


def test_thin_classes(table: Make) -> None:
    patients = [f"P{index}" for index in range(100)]
    scans = table(["no"] * 91 + ["yes"] * 9, patients=patients)
    (imbalance,) = found(scans)["imbalance"]
    assert (imbalance.severity, imbalance.count) == ("warning", 9)
    (small,) = (item for item in audit(scans).findings if item.code == "small-class")
    assert (small.count, "'yes'" in small.text) == (9, True)
    assert "imbalance" not in found(table(["no"] * 90 + ["yes"] * 10))


def test_json(table: Make) -> None:
    scans = table(["no"] * 4, pictures=[1, 1, 2, 3], parts=["train", "test", None, None])
    value = json.loads(json.dumps(audit(scans).as_json()))
    assert value["valid"] is False
    assert value["findings"][0] == {
        "code": "duplicate-across-parts",
        "severity": "error",
        "count": 1,
        "text": "1 pictures lie in test and in another part: scores on test are invalid",
        "examples": [["0.png", "1.png"]],
    }
