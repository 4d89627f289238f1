"""``evaluate --label-shift``: class shares without labels, beside the model as it is."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss
from test_study_folds import rows_of, settings_of
from typer.testing import CliRunner

from latentdx.bundle.load import load_bundle
from latentdx.cli.app import app
from latentdx.collection.store import Collection
from latentdx.collection.table import ScanRow
from latentdx.core.errors import StopError
from latentdx.study.external import evaluate_bundle
from latentdx.study.external_wanted import Wanted
from latentdx.study.label_shift import refuse_label_shift
from latentdx.study.reporter import Silent
from latentdx.study.run import run_study

pytestmark = pytest.mark.slow

ASKED = Wanted(label_shift=True)
SIDE = 16
NAME = "label-shift-predictions.csv"


def write(
    path: Path, parts: dict[str, int], share: float, brighter: float = 0, *, labels: bool = True
) -> Path:
    """Faint discs in a share of the scans, one scan a patient."""
    collection = Collection.create(path, SIDE, 1)
    chance = np.random.default_rng(len(path.name) + sum(parts.values()))
    rows = []
    for part, count in parts.items():
        for number in range(count):
            is_disc = number < round(share * count)
            pixels = chance.normal(0.3 + brighter, 0.1, (1, SIDE, SIDE))
            pixels[:, 4:12, 4:12] += chance.normal(0.08 * is_disc, 0.035)
            digest = hashlib.sha256(f"{path.name} {part} {number}".encode()).hexdigest()
            rows.append(
                ScanRow(
                    digest[:16],
                    f"{part}-{number}.png",
                    pixels.clip(0, 1).astype(np.float32),
                    digest,
                    patient=digest[:8],
                    label=("clear", "disc")[is_disc] if labels else None,
                    given_part=part or None,
                    native_shape=(SIDE, SIDE),
                )
            )
    collection.append(rows)
    collection.mark_complete({})
    return path


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shift")
    parts = {"train": 80, "tune": 80, "calibrate": 80, "test": 20}
    settings = settings_of(write(root / "c", parts, 0.5), classifier="logistic")
    run_study(settings, root / "run")
    return root / "run" / "bundle"


def test_rarer_discs_are_found_and_told_beside(bundle: Path, tmp_path: Path) -> None:
    rare = write(tmp_path / "rare", {"": 200}, 0.15)
    plain, _ = evaluate_bundle(bundle, rare, tmp_path / "plain", Silent())
    out = tmp_path / "out"
    metrics, _ = evaluate_bundle(bundle, rare, out, Silent(), wanted=ASKED)
    told = metrics["label_shift"]
    assert {name: metrics[name] for name in plain} == plain
    assert told["reason"] is None
    share = told["shares"]["disc"]
    for way in ("em", "bbse"):
        assert share[way]["low"] <= 0.15 <= share[way]["high"]
    assert share["held_out"] == pytest.approx(0.5)
    before, after = rows_of(tmp_path / "plain" / "predictions.csv"), rows_of(out / NAME)
    scores = [
        brier_score_loss(
            [row["label"] == "disc" for row in table],
            [float(row["probability:disc"]) for row in table],
        )
        for table in (before, after)
    ]  # fmt: skip
    change = told["differences"]["brier"]
    assert change["value"] == pytest.approx(scores[1] - scores[0])
    assert change["high"] < 0
    assert [row["decision"] for row in before] == [row["decision"] for row in after]
    page = (out / "report.html").read_text()
    assert "With probabilities corrected for these class shares" in page
    assert "class shares" not in (tmp_path / "plain" / "report.html").read_text()
    evaluate_bundle(bundle, rare, out, Silent())
    assert not (out / NAME).exists()


def test_without_labels_shares_are_told_and_probabilities_written(
    bundle: Path, tmp_path: Path
) -> None:
    blank = write(tmp_path / "rare", {"": 200}, 0.15, labels=False)
    call = ["evaluate", str(bundle), str(blank), "--out", str(tmp_path / "o"), "--label-shift"]
    result = CliRunner().invoke(app, [*call, "--json"])
    told = json.loads(result.stdout)["label_shift"]
    assert told["corrected"]
    assert "metrics" not in told
    assert len(rows_of(tmp_path / "o" / NAME)) == 200
    for text in (CliRunner().invoke(app, call).stdout, (tmp_path / "o/report.html").read_text()):
        assert "Share of disc here" in text


def test_brighter_scans_are_refused(bundle: Path, tmp_path: Path) -> None:
    bright = write(tmp_path / "bright", {"": 200}, 0.5, 0.08)
    metrics, _ = evaluate_bundle(bundle, bright, tmp_path / "o", Silent(), wanted=ASKED)
    told = metrics["label_shift"]
    assert not told["corrected"]
    assert told["reason"].split(":")[0] in ("scores", "drift", "disagree", "unknown")
    assert not (tmp_path / "o" / NAME).exists()
    assert "Probabilities are not corrected" in (tmp_path / "o" / "report.html").read_text()


def test_an_older_bundle_of_two_classes_suffices(bundle: Path) -> None:
    reference = load_bundle(bundle).reference
    assert reference is not None
    assert reference.labels is not None
    older = replace(reference, labels=None).to_arrays()
    assert "labels" not in older
    assert type(reference).from_arrays(older).labels is None


def test_few_patients_are_said_to_be_few(bundle: Path, tmp_path: Path) -> None:
    few = write(tmp_path / "few", {"": 12}, 0.5)
    metrics, _ = evaluate_bundle(bundle, few, tmp_path / "o", Silent(), wanted=ASKED)
    assert metrics["label_shift"]["reason"].startswith("fewer than 20 patients")


def test_other_tasks_are_refused() -> None:
    refuse_label_shift(False, "numbers")
    with pytest.raises(StopError, match=r"E_OPTION.*numbers"):
        refuse_label_shift(True, "numbers")
