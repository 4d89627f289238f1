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

from latentdx.autoencoder.engine.data import as_source
from latentdx.bundle.load import load_bundle
from latentdx.bundle.save import save_bundle
from latentdx.cli.app import app
from latentdx.core.errors import StopError
from latentdx.diagnosis.adapted_head import adapted_model
from latentdx.features.adapt import OF_LOOKS
from latentdx.study.adaptation import adapt_to
from latentdx.study.beginning import first_network
from latentdx.study.external import Wanted, evaluate_bundle
from latentdx.study.prepare import open_prepared
from latentdx.study.reporter import Silent
from latentdx.study.run import run_study

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("adapt")
    settings = settings_of(write_collection(root / "c"), autoencoder="invariant")
    run_study(settings, root / "run")
    return root / "run" / "bundle"


def other_site(path: Path) -> Path:
    """Other scans, alike but for who they are of."""

    return write_collection(path, only_test)


def only_test(part: str, number: int, label: str) -> str | None:
    return label if part == "test" else None


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


@pytest.mark.parametrize("method", ["histogram", "batch-norm"])
def test_a_darker_site_is_read_as_the_models_own(bundle: Path, tmp_path: Path, method: str) -> None:
    """Grey levels of another scanner: features come closer, and answers agree more with before."""
    site = other_site(tmp_path / "c")
    dark = write_collection(tmp_path / "dark", only_test, change=lambda pixels: 0.6 * pixels**1.5)
    wanted = Wanted(adapt=method)  # type: ignore[arg-type]
    plain, _ = evaluate_bundle(bundle, site, tmp_path / "plain", Silent())
    told, _ = evaluate_bundle(bundle, dark, tmp_path / "out", Silent(), wanted=wanted)
    distance = told["adaptation"]["distance"]
    assert distance["after"]["value"] < 0.5 * distance["before"]["value"]
    assert distance["before"]["p"] < 0.01
    answers = [
        np.array([float(row["probability:disc"]) for row in rows_of(tmp_path / place)])
        for place in ("plain/predictions.csv", "out/predictions.csv", "out/adapted-predictions.csv")
    ]
    off = [np.abs(each - answers[0]).mean() for each in answers[1:]]
    assert off[1] < off[0]
    assert plain["test"]["auroc"]["value"] is not None
    page = (tmp_path / "out" / "report.html").read_text()
    assert f"{distance['after']['value']:.3f} (p " in page
    assert "Lying closer does not say that answers are better." in page


def test_a_bundle_that_keeps_no_grey_levels_says_so(bundle: Path, tmp_path: Path) -> None:
    model = load_bundle(bundle)
    assert model.head.source is not None
    assert model.head.source.levels is not None
    older = replace(
        model, head=replace(model.head, source=replace(model.head.source, levels=None, norms=None))
    )
    saved = tmp_path / "older"
    save_bundle(older, saved, card="", split_hash="", counts={}, seed=0)
    site = other_site(tmp_path / "c")
    for method, kept in (("histogram", "grey levels"), ("batch-norm", "statistics")):
        wanted = Wanted(adapt=method)  # type: ignore[arg-type]
        with pytest.raises(StopError, match=f"E_ADAPT.*no {kept}"):
            evaluate_bundle(saved, site, tmp_path / "o", Silent(), wanted=wanted)
    few = load_bundle(bundle)
    for name in OF_LOOKS:
        with pytest.raises(StopError, match=r"E_ADAPT.*9 scans"):
            adapted_model(few, name, np.zeros((9, *few.encoder.shape), np.float32))


def test_a_member_without_statistics_is_refused_before_it_learns(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "c", leave_out="site", adapt="batch-norm")
    with pytest.raises(StopError, match=r"E_ADAPT.*batch-norm"):
        first_network(settings, as_source(np.zeros((2, 1, 16, 16), np.uint16)))


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
