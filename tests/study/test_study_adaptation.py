"""``evaluate --adapt``: beside the model as it is, never in its place."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from choice_scans import write_collection
from sklearn.metrics import roc_auc_score
from test_study_folds import rows_of, settings_of
from typer.testing import CliRunner

from latentdx.bundle.load import load_bundle
from latentdx.cli.app import app
from latentdx.core.errors import StopError
from latentdx.study.adaptation import adapt_to
from latentdx.study.external import Wanted, evaluate_bundle
from latentdx.study.prepare import open_prepared
from latentdx.study.reporter import Silent
from latentdx.study.run import run_study

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("adapt")
    run_study(settings_of(write_collection(root / "c")), root / "run")
    return root / "run" / "bundle"


def other_site(path: Path) -> Path:
    """Other scans, alike but for who they are of."""

    def alike(part: str, number: int, label: str) -> str | None:
        return label if part == "test" else None

    return write_collection(path, alike)


def test_the_adapted_model_stands_beside_the_bundles_own(bundle: Path, tmp_path: Path) -> None:
    site = other_site(tmp_path / "c")
    plain, _ = evaluate_bundle(bundle, site, tmp_path / "plain", Silent())
    wanted = Wanted(adapt="standardise")
    metrics, _ = evaluate_bundle(bundle, site, tmp_path / "out", Silent(), wanted=wanted)
    told = metrics["adaptation"]
    assert {name: metrics[name] for name in plain} == plain
    rows = {
        name: rows_of(tmp_path / "out" / f"{name}.csv")
        for name in ("predictions", "adapted-predictions")
    }
    areas = [
        roc_auc_score(
            [row["label"] == "disc" for row in table],
            [float(row["probability:disc"]) for row in table],
        )
        for table in rows.values()
    ]
    assert told["metrics"]["auroc"]["value"] == pytest.approx(areas[1])
    assert told["gain"]["value"] == pytest.approx(areas[1] - areas[0])
    assert 0 <= told["told_apart"]["after"] <= 1
    assert rows["predictions"] == rows_of(tmp_path / "plain" / "predictions.csv")
    assert rows["predictions"] != rows["adapted-predictions"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Adapted to these scans without their labels by" in page
    assert "Adapted" not in (tmp_path / "plain" / "report.html").read_text()
    evaluate_bundle(bundle, site, tmp_path / "out", Silent())
    assert not (tmp_path / "out" / "adapted-predictions.csv").exists()


@pytest.mark.parametrize("method", ["standardise", "combat"])
def test_a_linear_change_of_every_feature_is_undone(bundle: Path, tmp_path: Path, method) -> None:
    """Labels play no part: swapped ones give the same scores."""
    settings = settings_of(other_site(tmp_path / "c"))
    prepared = open_prepared(bundle.parent / "collection", settings)
    model = load_bundle(bundle)
    assert model.head.source is not None
    first = adapt_to(model, prepared, method)
    flipped = replace(prepared, classes=prepared.classes[::-1])
    second = adapt_to(model, flipped, method)
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.result.outputs.scores, second.result.outputs.scores)
    assert adapt_to(model, prepared, "none") is None


def test_what_cannot_be_adapted_is_refused(bundle: Path, tmp_path: Path) -> None:
    site = other_site(tmp_path / "c")
    for method, code in (("auto", "E_OPTION"), ("coral:site", "E_OPTION")):
        call = ["evaluate", str(bundle), str(site), "--out", str(tmp_path / "o"), "--adapt", method]
        result = CliRunner().invoke(app, call)
        assert isinstance(result.exception, StopError)
        assert code in str(result.exception)
    model = load_bundle(bundle)
    model = replace(model, head=replace(model.head, source=None))
    prepared = open_prepared(bundle.parent / "collection", settings_of(site))
    with pytest.raises(StopError, match="E_ADAPT"):
        adapt_to(model, prepared, "coral")
    blank = write_collection(tmp_path / "none", lambda part, number, label: None)
    with pytest.raises(StopError, match=r"E_OPTION.*without labels"):
        evaluate_bundle(bundle, blank, tmp_path / "o", Silent(), wanted=Wanted(adapt="coral"))


def test_the_json_of_the_command_has_it(bundle: Path, tmp_path: Path) -> None:
    site = other_site(tmp_path / "c")
    out = ["--out", str(tmp_path / "o"), "--adapt", "coral", "--json"]
    result = CliRunner().invoke(app, ["evaluate", str(bundle), str(site), *out])
    assert json.loads(result.stdout)["adaptation"]["method"] == "coral"
