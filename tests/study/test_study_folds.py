"""``--folds``: each scan by a model without its patient; stopped, gone on with; refused."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from choice_scans import COUNTS, write_collection
from sklearn.metrics import roc_auc_score

from latentdx.collection.split import Split
from latentdx.core.errors import StopError
from latentdx.report.fold import Fold
from latentdx.study.fold_file import read_fold, write_fold
from latentdx.study.folder import RunFolder
from latentdx.study.folds import check_folds, make_fold, parted, splits_of
from latentdx.study.prepare import open_prepared
from latentdx.study.reporter import Clock, Silent
from latentdx.study.run import StudyResult, run_study
from latentdx.study.settings import RunSettings

OTHER = {"clear": "disc", "disc": "clear"}
N_TESTED = sum(COUNTS.values()) - COUNTS["test"]


def settings_of(path: Path, **more: object) -> RunSettings:
    small = {"autoencoder": "convolutional", "network": {"widths": [8, 16]}, "epochs": 1}
    given = {"source": str(path), "classifier": "prototypes", "features": "pooled", **small, **more}
    return RunSettings(**given)  # type: ignore[arg-type]


pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Done:
    """A run in two folds, and the same run without folds."""

    settings: RunSettings
    folder: Path
    result: StudyResult
    plain: StudyResult


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    root = tmp_path_factory.mktemp("folds")
    settings = settings_of(write_collection(root / "c"), folds=2)
    plain = run_study(settings.model_copy(update={"folds": None}), root / "plain")
    return Done(settings, root / "run", run_study(settings, root / "run"), plain)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def told(metrics: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in metrics.items() if name != "seconds"}


def test_every_scan_outside_the_given_test_part_is_tested_once(done: Done) -> None:
    rows = rows_of(done.folder / "fold-predictions.csv")
    assert len(rows) == len({row["scan_id"] for row in rows}) == N_TESTED
    assert not [row for row in rows if row["path"].startswith(("test", "more"))]
    folds: dict[str, set[str]] = {}
    for row in rows:
        folds.setdefault(row["patient"], set()).add(row["fold"])
    assert {len(found) for found in folds.values()} == {1}
    assert {row["fold"] for row in rows} == {"1", "2"}


def test_the_numbers_follow_from_the_rows(done: Done) -> None:
    rows, found = rows_of(done.folder / "fold-predictions.csv"), done.result.metrics["folds"]
    truth = np.array([row["label"] == "disc" for row in rows])
    scores = np.array([float(row["probability:disc"]) for row in rows])
    decided = np.array([row["decision"] == "disc" for row in rows])
    assert found["pooled"]["auroc"]["value"] == pytest.approx(roc_auc_score(truth, scores))
    assert found["pooled"]["accuracy"]["value"] == pytest.approx(np.mean(truth == decided))
    for each in found["each"]:
        own = np.array([row["fold"] == str(each["fold"]) for row in rows])
        area = roc_auc_score(truth[own], scores[own])
        assert each["metrics"]["auroc"]["value"] == pytest.approx(area)
        assert each["parts"]["test"] == own.sum()
        assert each["parts"]["excluded"] == COUNTS["test"]


def test_the_rest_of_the_run_is_as_without_folds(done: Done) -> None:
    plain, folded = told(done.plain.metrics), told(done.result.metrics)
    del folded["folds"]
    folded["warnings"] = [text for text in folded["warnings"] if not text.startswith("folds:")]
    assert folded == plain
    names = ("predictions.csv", "bundle/encoder.safetensors")
    for name in names:
        assert (done.folder / name).read_bytes() == (done.plain.folder / name).read_bytes()
    assert not (done.plain.folder / "fold-predictions.csv").exists()


def test_page_and_card_tell_of_it(done: Done) -> None:
    assert "Every scan tested once" in (done.folder / "report.html").read_text()
    assert "## Cross-validation" in (done.folder / "bundle" / "README.md").read_text()
    assert "## Cross-validation" not in (done.plain.folder / "bundle" / "README.md").read_text()


class StopsAt(Silent):
    """Somebody who stops the run when a step begins; tells which steps there were."""

    def __init__(self, text: str | None = None) -> None:
        self.text = text
        self.steps: list[str] = []

    def step(self, name: str, text: str) -> None:
        self.steps.append(text)
        if self.text is not None and self.text in text:
            raise KeyboardInterrupt


def test_stopped_in_a_fold_it_goes_on_with_it_to_the_same_numbers(
    done: Done, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_study(done.settings, tmp_path / "run", StopsAt("Fold 2 of 2: Fitting"))
    assert not (tmp_path / "run" / "metrics.json").exists()
    seen = StopsAt()
    again = run_study(done.settings, tmp_path / "run", seen)
    trained = [text for text in seen.steps if "Training the autoencoder" in text]
    assert [text.partition(":")[0] for text in trained[1:]] == ["Fold 2 of 2"]
    assert told(again.metrics) == told(done.result.metrics)
    name = "fold-predictions.csv"
    assert (tmp_path / "run" / name).read_bytes() == (done.folder / name).read_bytes()
    third = StopsAt()
    assert run_study(done.settings, tmp_path / "run", third).metrics == again.metrics
    assert not [text for text in third.steps if text.startswith("Fold")]


def fold_of(path: Path, parts: np.ndarray | None = None) -> tuple[Fold, np.ndarray]:
    """The first fold of a collection, or a fold with these parts."""
    settings = settings_of(path, folds=3)
    prepared = open_prepared(path, settings)
    split = splits_of(prepared, settings)[0]
    if parts is not None:
        split = Split(parts, Split.hash_of(prepared.table, parts))
    own = parted(prepared, split, settings)
    folder = RunFolder(path.parent / f"work-{path.name}")
    return make_fold(1, own, settings, folder, Clock(Silent())), split.parts


def test_labels_of_the_tested_change_no_model_and_those_of_the_others_do(tmp_path: Path) -> None:
    plain, parts = fold_of(write_collection(tmp_path / "a"))
    prepared = open_prepared(tmp_path / "a", settings_of(tmp_path / "a"))
    numbers = {
        part: {str(path) for path in prepared.table.path[parts == part].tolist()}
        for part in ("test", "train")
    }

    def swapped(name: str, of: str) -> Fold:
        def relabel(part: str, number: int, label: str) -> str:
            return OTHER[label] if f"{part}-{number:03}.png" in numbers[of] else label

        return fold_of(write_collection(tmp_path / name, relabel), parts)[0]

    tested, learned = swapped("b", "test"), swapped("c", "train")
    before = plain.predictions.probabilities
    np.testing.assert_array_equal(tested.predictions.probabilities, before)
    np.testing.assert_array_equal(tested.predictions.labels, 1 - plain.predictions.labels)
    assert tested.facts == plain.facts
    assert np.abs(learned.predictions.probabilities - before).max() > 0.01


def test_a_fold_that_was_kept_is_read_back_and_no_other(tmp_path: Path) -> None:
    fold, _ = fold_of(write_collection(tmp_path / "c"))
    path = tmp_path / "1.safetensors"
    assert read_fold(path, "key") is None
    write_fold(path, fold, "key")
    again = read_fold(path, "key")
    assert again is not None
    assert (again.number, again.facts, again.rows) == (fold.number, fold.facts, fold.rows)
    assert list(again.rivals) == list(fold.rivals)
    for name, kept in {"": again.predictions, **again.rivals}.items():
        made = fold.rivals[name] if name else fold.predictions
        np.testing.assert_array_equal(kept.probabilities, made.probabilities)
        np.testing.assert_array_equal(kept.decisions, made.decisions)
        np.testing.assert_array_equal(kept.patients, made.patients)
    np.testing.assert_array_equal(again.sets, fold.sets)
    assert read_fold(path, "another key") is None
    path.write_bytes(path.read_bytes()[:100])
    assert read_fold(path, "key") is None


@pytest.mark.parametrize(
    ("task", "labels"), [("regression", ("1.5", "2.5")), ("multi-label", ("a;b", "b"))]
)
def test_tasks_without_classes_are_refused_before_anything_is_trained(
    tmp_path: Path, task: str, labels: tuple[str, str]
) -> None:
    names = dict(zip(OTHER, labels, strict=True))
    path = write_collection(tmp_path / "c", lambda part, number, label: names[label])
    settings = settings_of(path, folds=3, task=task, classifier="knn")
    with pytest.raises(StopError, match=r"E_OPTION.*--folds with the task"):
        check_folds(open_prepared(path, settings), settings)
    with pytest.raises(StopError, match="E_OPTION"):
        run_study(settings, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_more_folds_than_patients_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    path = write_collection(tmp_path / "c")
    with pytest.raises(StopError, match="E_CLASS_SIZE"):
        run_study(settings_of(path, folds=20), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_time_is_for_all_trainings(tmp_path: Path) -> None:
    from latentdx.study.learn import fit_settings

    one, folded = (
        fit_settings(settings_of(tmp_path, minutes=10, folds=folds)).minutes for folds in (None, 4)
    )
    assert one == 5 * folded == 6
