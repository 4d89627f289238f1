"""Calibration, prediction sets, risk and target through `latentdx fit`, evaluate and predict."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from latentdx_command import Ended, class_folders, latentdx

pytestmark = pytest.mark.slow

Call = Callable[..., Ended]

_PARTS = ["train"] * 4 + ["tune"] * 5 + ["calibrate"] * 2 + ["test"] * 2
_ALONE = ("p008", "p009", "p034")  # of tune


@dataclass(frozen=True)
class Made:
    """A source, its collection and an encoder."""

    source: Path
    collection: Path
    encoder: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, _user: None) -> Made:
    """260 patients of two wards, a hundred of them of tune; three of these have a third ward."""
    root = tmp_path_factory.mktemp("decide")
    source = class_folders(root / "scans", 130)
    with (root / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("path", "label", "patient_id", "part", "ward"))
        for path in sorted(source.rglob("*.png")):
            pair = int(path.stem[1:]) // 2
            part = _PARTS[pair % len(_PARTS)]
            ward = "Smith ward" if path.stem in _ALONE else ("upper", "lower")[pair % 2]
            rows.writerow((path.relative_to(source), path.parent.name, path.stem, part, ward))
    made = Made(source, root / "collection", root / "encoder")
    labels = ("--labels", root / "labels.csv")
    for ended in (
        latentdx("ingest", source, "--to", made.collection, *labels, "--size", "16"),
        latentdx("pretrain", made.collection, "--to", made.encoder, "--epochs", "1"),
    ):
        assert ended.code == 0, ended.err
    return made


def fitted(made: Made, here: Call, to: Path, *options: object) -> tuple[Ended, dict[str, Any]]:
    """What `fit` said, and the head in the bundle."""
    given = ("fit", made.collection, "--encoder", made.encoder, "--to", to, "--classifier", "knn")
    ended = here(*given, *options)
    assert ended.code == 0, ended.err
    return ended, json.loads((to / "bundle.json").read_text())["head"]


def evaluated(made: Made, here: Call, bundle: Path, out: Path) -> dict[str, Any]:
    ended = here("evaluate", bundle, made.collection, "--out", out, "--json")
    assert ended.code == 0, ended.err
    found: dict[str, Any] = ended.json["abstention"]
    return found


def test_nothing_said_is_as_before(made: Made, here: Call, tmp_path: Path) -> None:
    _, head = fitted(made, here, tmp_path / "b")
    assert head["calibration"] == "sigmoid"
    assert head["threshold_target"] == "balanced accuracy"
    assert (head["coverage"], head["sets"], head["risk"]) == (0.9, None, None)


@pytest.mark.parametrize("name", ["sigmoid", "temperature", "beta", "isotonic", "auto"])
def test_calibrations(name: str, made: Made, here: Call, tmp_path: Path) -> None:
    _, head = fitted(made, here, tmp_path / "b", "--calibration", name)
    assert name in (head["calibration"], "auto")
    scan = next(made.source.rglob("*.png"))
    shown = here("predict", tmp_path / "b", scan, "--json").json["probabilities"]
    assert sum(shown.values()) == pytest.approx(1, abs=1e-5)
    assert all(0 < p < 1 for p in shown.values())


def test_sets_by_class(made: Made, here: Call, tmp_path: Path) -> None:
    given = ("--prediction-sets", "class-conditional", "--coverage", "0.8")
    _, head = fitted(made, here, tmp_path / "b", *given)
    assert (head["sets"]["kind"], len(head["sets"]["cutoffs"]), head["coverage"]) == (
        *("class-conditional", 2, 0.8),
    )
    found = evaluated(made, here, tmp_path / "b", tmp_path / "o")
    assert (found["sets"], found["target_coverage"]) == ("class-conditional", 0.8)
    assert set(found["coverage_by_class"]) == {"no", "yes"}
    page = (tmp_path / "o" / "report.html").read_text()
    assert "80 % of each label" in page


def test_sets_by_a_column_that_only_the_table_knows(made: Made, here: Call, tmp_path: Path) -> None:
    ended, head = fitted(made, here, tmp_path / "b", "--prediction-sets", "mondrian:ward")
    assert "too few scans in" in " ".join(ended.err.split())
    assert (head["sets"]["column"], head["sets"]["n_small"]) == ("ward", 1)
    assert len(head["sets"]["groups"]) == 3
    data = b"".join(path.read_bytes() for path in (tmp_path / "b").iterdir())
    assert b"Smith" not in data
    found = evaluated(made, here, tmp_path / "b", tmp_path / "o")
    assert {group["value"] for group in found["coverage_by_group"]} <= {"upper", "lower"}
    scan = next(made.source.rglob("*.png"))
    assert here("predict", tmp_path / "b", scan, "--json").json["prediction_set"]


def test_an_unknown_column_is_refused(made: Made, here: Call, tmp_path: Path) -> None:
    given = ("fit", made.collection, "--encoder", made.encoder, "--to", tmp_path / "b")
    ended = here(*given, "--prediction-sets", "mondrian:scanner")
    assert ended.code == 2
    assert "E_OPTION" in ended.err
    assert "give one of ward" in ended.err


def test_a_risk_that_can_be_kept(made: Made, here: Call, tmp_path: Path) -> None:
    _, head = fitted(made, here, tmp_path / "b", "--risk", "0.25")
    assert head["risk"]["risk"] == 0.25
    assert head["risk"]["cutoff"] is not None
    found = evaluated(made, here, tmp_path / "b", tmp_path / "o")["risk"]
    assert found["reached"] is True
    assert found["answered_fraction"]["value"] > 0.3
    assert found["error_when_answered"]["low"] <= 0.25
    assert "Wrong answers" in (tmp_path / "o" / "report.html").read_text()
    told = json.loads((tmp_path / "b" / "bundle.json").read_text())["head"]["risk"]["cutoff"]
    ended = here("predict", tmp_path / "b", made.source, "--json", "--abstain")
    for line in map(json.loads, ended.out.splitlines()):
        if line["status"] == "abstained":
            assert line["reason"]["code"] == "A_RISK"
        elif line["status"] == "ok":
            assert line["probabilities"][line["label"]] >= told - 1e-5


def test_a_risk_that_cannot_be_kept_is_said(made: Made, here: Call, tmp_path: Path) -> None:
    ended, head = fitted(made, here, tmp_path / "b", "--risk", "0.001")
    assert head["risk"]["cutoff"] is None
    assert "nothing is promised" in " ".join(ended.err.split())
    found = evaluated(made, here, tmp_path / "b", tmp_path / "o")["risk"]
    assert (found["reached"], found["answered_fraction"]["value"]) == (False, 1.0)
    assert "nothing is promised" in (tmp_path / "o" / "report.html").read_text()


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("sensitivity>=0.8", "a sensitivity of at least 0.8 with 95 % confidence"),
        ("specificity>=0.99", "a specificity of at least 0.99 on the scans of tune alone"),
        ("cost:FN/FP=3", "a missed positive costs 3 false alarms"),
    ],
)
def test_targets(target: str, text: str, made: Made, here: Call, tmp_path: Path) -> None:
    _, head = fitted(made, here, tmp_path / "b", "--target", target)
    assert text in head["threshold_target"]
    evaluated(made, here, tmp_path / "b", tmp_path / "o")
    assert "The threshold targets" in (tmp_path / "o" / "report.html").read_text()


def test_a_target_and_a_risk_share_the_patients(made: Made, here: Call, tmp_path: Path) -> None:
    given = ("--target", "sensitivity>=0.8", "--risk", "0.3")
    _, head = fitted(made, here, tmp_path / "b", *given)
    counts = json.loads((tmp_path / "b" / "bundle.json").read_text())["counts"]
    assert head["risk"]["n_patients"] == counts["tune"] // 2


@pytest.mark.parametrize(
    "given",
    [
        ("--calibration", "platt"),
        ("--prediction-sets", "by-site"),
        ("--coverage", "1"),
        ("--risk", "0"),
        ("--target", "sensitivity=0.9"),
    ],
)
def test_what_is_not_understood_is_refused(
    given: tuple[str, str], made: Made, here: Call, tmp_path: Path
) -> None:
    to = tmp_path / "b"
    ended = here("fit", made.collection, "--encoder", made.encoder, "--to", to, *given)
    assert ended.code == 2
    assert "E_OPTION" in ended.err or "E_CONFIG" in ended.err
    assert not to.exists()
