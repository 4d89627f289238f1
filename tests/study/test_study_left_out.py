"""``--leave-out``: each site by a model that has not seen it; stopped, gone on with; refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from choice_scans import write_collection
from sklearn.metrics import roc_auc_score
from test_study_folds import StopsAt, rows_of, settings_of, told

from latentdx.core.errors import StopError
from latentdx.study.left_out import check_left_out
from latentdx.study.prepare import open_prepared
from latentdx.study.run import StudyResult, run_study
from latentdx.study.settings import RunSettings

pytestmark = pytest.mark.slow


def site(patient: int) -> str:
    return "AB"[patient // 2 % 2]


@dataclass(frozen=True)
class Done:
    """A run that leaves sites out, and the same run without."""

    settings: RunSettings
    folder: Path
    result: StudyResult
    plain: StudyResult


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    root = tmp_path_factory.mktemp("left-out")
    path = write_collection(root / "c", lambda part, number, label: label, site=site)
    settings = settings_of(path, leave_out="Site")
    plain = run_study(settings.model_copy(update={"leave_out": None}), root / "plain")
    return Done(settings, root / "run", run_study(settings, root / "run"), plain)


def test_each_site_is_tested_whole_by_the_model_without_it(done: Done) -> None:
    rows = rows_of(done.folder / "left-out-predictions.csv")
    found = done.result.metrics["left_out"]
    assert sorted(one["name"] for one in found["each"]) == ["A", "B"]
    assert len(rows) == len({row["scan_id"] for row in rows}) == 76  # all but the given test part
    for one in found["each"]:
        own = [row for row in rows if row["left_out"] == one["name"]]
        assert {site(int(row["path"].split("-")[1][:3]) // 2) for row in own} == {one["name"]}
        truth = [row["label"] == "disc" for row in own]
        scores = [float(row["probability:disc"]) for row in own]
        assert one["metrics"]["auroc"]["value"] == pytest.approx(roc_auc_score(truth, scores))
        assert one["parts"]["test"] == len(own) == one["metrics"]["auroc"]["n_scans"]
    mean = np.mean([one["metrics"]["auroc"]["value"] for one in found["each"]])
    assert found["auroc_within_places"]["value"] == pytest.approx(mean)


def test_the_given_test_part_leaves_nothing_that_both_have_tested(done: Done) -> None:
    found = done.result.metrics["left_out"]
    assert [one["known"] for one in found["each"]] == [None, None]
    assert found["gap"] is None
    assert "cannot be told from the scans" in found["verdict"]


def test_the_rest_of_the_run_is_as_without(done: Done) -> None:
    plain, full = told(done.plain.metrics), told(done.result.metrics)
    del full["left_out"]
    hints = [text for text in plain["warnings"] if "--leave-out site" in text]
    assert len(hints) == 1
    plain["warnings"].remove(hints[0])
    assert full == plain
    for name in ("predictions.csv", "bundle/encoder.safetensors"):
        plainly = done.plain.folder / name
        assert (done.folder / name).read_bytes() == plainly.read_bytes()
    assert not (done.plain.folder / "left-out-predictions.csv").exists()


def test_page_and_card_tell_of_it(done: Done) -> None:
    assert "At a place it has never seen" in (done.folder / "report.html").read_text()
    card = (done.folder / "bundle" / "README.md").read_text()
    assert "## Places never seen" in card
    assert "| A | 36 | 18 |" in card or "| A | 40 | 20 |" in card
    assert "## Places never seen" not in (done.plain.folder / "bundle" / "README.md").read_text()


def test_with_folds_both_have_tested_all_and_a_stopped_run_goes_on(tmp_path: Path) -> None:
    path = write_collection(tmp_path / "c", site=site)
    settings = settings_of(path, leave_out="site", folds=2)
    with pytest.raises(KeyboardInterrupt):
        run_study(settings, tmp_path / "run", StopsAt("Without B: Fitting"))
    seen = StopsAt()
    result = run_study(settings, tmp_path / "run", seen)
    trained = [text for text in seen.steps if "Training the autoencoder" in text]
    assert [text.partition(":")[0] for text in trained[1:]] == ["Without B"]
    found = result.metrics["left_out"]
    scans = {row["scan_id"]: row for row in rows_of(result.folder / "fold-predictions.csv")}
    rows = rows_of(result.folder / "left-out-predictions.csv")
    for one in found["each"]:
        own = [row for row in rows if row["left_out"] == one["name"]]
        assert one["known"]["gap"]["n_scans"] == len(own)
        areas = {"with": [], "without": []}
        for fold in "12":
            cell = [row for row in own if scans[row["scan_id"]]["fold"] == fold]
            truth = [row["label"] == "disc" for row in cell]
            for name, table in (
                ("without", cell),
                ("with", [scans[row["scan_id"]] for row in cell]),
            ):
                scores = [float(row["probability:disc"]) for row in table]
                areas[name].append(roc_auc_score(truth, scores))
        for name, values in areas.items():
            assert one["known"][name]["value"] == pytest.approx(np.mean(values))
        gap = np.mean(areas["with"]) - np.mean(areas["without"])
        assert one["known"]["gap"]["value"] == pytest.approx(gap)
    assert found["gap"]["n_scans"] == len(rows)
    third = StopsAt()
    assert run_study(settings, tmp_path / "run", third).metrics == result.metrics
    assert not [text for text in third.steps if text.startswith("Without")]


def three(patient: int) -> str:
    return "ABC"[patient // 2 % 3]


@pytest.mark.parametrize("method", ["histogram", "auto"])
def test_adapted_models_stand_beside_those_as_they_are(tmp_path: Path, method: str) -> None:
    path = write_collection(tmp_path / "c", site=three, blank=())
    settings = settings_of(path, leave_out="site", adapt=method)
    result = run_study(settings, tmp_path / "run")
    found = result.metrics["left_out"]
    plain = [one["metrics"]["auroc"]["value"] for one in found["each"]]
    rows = rows_of(result.folder / "left-out-predictions.csv")
    page = (result.folder / "report.html").read_text()
    page = page.replace("&gt;", ">")
    for one, value in zip(found["each"], plain, strict=True):
        own = [row for row in rows if row["left_out"] == one["name"]]
        truth = [row["label"] == "disc" for row in own]
        scores = [float(row["probability:disc"]) for row in own]
        assert value == pytest.approx(roc_auc_score(truth, scores))
        adapted = one["adapted"]
        gain = adapted["metrics"]["auroc"]["value"] - value
        assert adapted["gain"]["value"] == pytest.approx(gain)
        assert one["adaptation"]["asked"] == method
        assert "adapted" not in one["baselines"]
        if method == "auto":  # too few patients of a site to choose by
            assert one["adaptation"]["method"] == "none"
            assert gain == 0
        else:
            distance = one["adaptation"]["distance"]
            assert {*distance["before"], *distance["after"]} == {"value", "p"}
            shown = " > ".join(f"{distance[name]['value']:.3f}" for name in ("before", "after"))
            assert shown in page
    gains = [one["adapted"]["gain"]["value"] for one in found["each"]]
    assert found["adaptation"]["gain"]["value"] == pytest.approx(np.mean(gains))
    assert found["adaptation"]["verdict"].split(",")[0] in page
    again = run_study(settings, tmp_path / "run")
    assert again.metrics == result.metrics


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"leave_out": "scanner"}, "E_OPTION.*no column 'scanner'.*has site"),
        ({"leave_out": "site", "task": "regression", "classifier": "knn"}, "E_OPTION.*task"),
        ({"adapt": "coral"}, "E_OPTION.*needs scans to adapt to"),
        ({"adapt": "coral", "leave_out": "site", "covariates": ("age",)}, "E_OPTION.*covariates"),
    ],
)
def test_what_cannot_be_left_out_is_refused_before_anything_is_trained(
    tmp_path: Path, more: dict[str, str], code: str
) -> None:
    labels = {"clear": "1.5", "disc": "2.5"}
    values = "task" in more
    path = write_collection(
        tmp_path / "c", lambda part, number, label: labels[label] if values else label, site=site
    )
    settings = settings_of(path, **more)
    prepared = open_prepared(path, settings.model_copy(update={"covariates": ()}))
    with pytest.raises(StopError, match=code):
        check_left_out(prepared, settings)


@pytest.mark.parametrize(
    ("of", "code"),
    [
        (lambda patient: "A", "E_OPTION.*has 1 values"),
        (lambda patient: "AB"[patient % 2], "E_CLASS_SIZE"),
    ],
)
def test_columns_that_cannot_be_left_out_are_refused(tmp_path: Path, of: object, code: str) -> None:
    path = write_collection(tmp_path / "c", site=of)  # type: ignore[arg-type]
    settings = settings_of(path, leave_out="site")
    with pytest.raises(StopError, match=code):
        run_study(settings, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_time_is_for_all_trainings(tmp_path: Path) -> None:
    from latentdx.study.learn import fit_settings
    from latentdx.study.places import timed

    path = write_collection(tmp_path / "c", site=site)
    settings = settings_of(path, minutes=10, leave_out="site", folds=2)
    shared = timed(fit_settings(settings), open_prepared(path, settings), settings)
    assert shared.minutes == pytest.approx(6 / 5)
