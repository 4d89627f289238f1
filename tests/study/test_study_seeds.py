"""``--seeds``: the same parts, other chance; stopped, gone on with; the rest of the run unmoved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from choice_scans import COUNTS, write_collection
from test_study_folds import StopsAt, settings_of, told

from latentdx.core.errors import StopError
from latentdx.study.prepare import open_prepared
from latentdx.study.run import StudyResult, run_study
from latentdx.study.seeds import check_seeds

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_collection(tmp_path_factory.mktemp("seeds") / "c")


@pytest.fixture(scope="module")
def done(source: Path) -> StudyResult:
    return run_study(settings_of(source, seeds=2), source.parent / "run")


def test_the_rest_of_the_run_is_as_with_one_seed(source: Path, done: StudyResult) -> None:
    plain = told(run_study(settings_of(source), source.parent / "plain").metrics)
    seeded = told(done.metrics)
    found = seeded.pop("seeds")
    seeded["warnings"] = [text for text in seeded["warnings"] if not text.startswith("seeds:")]
    assert seeded == plain
    assert found["each"][0]["metrics"]["auroc"]["value"] == plain["test"]["auroc"]["value"]


def test_another_seed_is_another_model_on_the_same_test_scans(done: StudyResult) -> None:
    first, second = done.metrics["seeds"]["each"]
    assert first["metrics"]["brier"]["value"] != second["metrics"]["brier"]["value"]
    assert first["metrics"]["auroc"]["n_scans"] == second["metrics"]["auroc"]["n_scans"]
    assert first["metrics"]["auroc"]["n_scans"] == COUNTS["test"]
    assert "Other seeds" in (done.folder / "report.html").read_text()


def test_stopped_in_a_seed_it_goes_on_with_it_to_the_same_numbers(
    source: Path, done: StudyResult, tmp_path: Path
) -> None:
    settings = settings_of(source, seeds=2)
    with pytest.raises(KeyboardInterrupt):
        run_study(settings, tmp_path / "run", StopsAt("Seed 2 of 2: Fitting"))
    seen = StopsAt()
    again = run_study(settings, tmp_path / "run", seen)
    assert told(again.metrics) == told(done.metrics)
    trained = [text for text in seen.steps if "Training the autoencoder" in text]
    assert [text.partition(":")[0] for text in trained[1:]] == ["Seed 2 of 2"]


def test_numbers_and_findings_are_refused_before_anything_is_trained(source: Path) -> None:
    settings = settings_of(source, seeds=2)
    prepared = open_prepared(source, settings)
    check_seeds(prepared, settings)
    for task in ("regression", "multi-label"):
        with pytest.raises(StopError, match="--seeds"):
            check_seeds(replace(prepared, task=task), settings)
