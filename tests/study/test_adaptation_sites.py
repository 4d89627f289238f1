"""``evaluate --adapt`` on several sites: each is adapted to by itself, as if it were alone."""

from __future__ import annotations

import doctest
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from choice_scans import SIDE, write_collection
from sklearn.metrics import roc_auc_score
from test_study_folds import rows_of, settings_of

from latentdx.bundle.load import load_bundle
from latentdx.cli.summary import summary
from latentdx.collection.cases import Cases
from latentdx.collection.store import Collection
from latentdx.collection.table import ScanRow
from latentdx.core.errors import StopError
from latentdx.diagnosis.by_site import SitePart, compute_by_site
from latentdx.report import adaptation as words
from latentdx.report.adaptation import adapted_sentences
from latentdx.report.language import looked_up
from latentdx.study.adaptation import adapt_to
from latentdx.study.external import Wanted, evaluate_bundle
from latentdx.study.prepare import open_prepared
from latentdx.study.reporter import Silent
from latentdx.study.run import run_study

pytestmark = pytest.mark.slow

SILENT = Silent()
LOOKS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "north": lambda pixels: 0.5 * pixels**1.5,
    "south": lambda pixels: 0.4 + 0.6 * pixels,
    "tiny": lambda pixels: pixels,
    "": lambda pixels: pixels,
}


def site_of(number: int) -> str | None:
    """Of a part's patients: two at a small site, and one of whom it is not known."""
    if number >= 17:
        return "tiny" if number > 17 else None
    return ("north", "south")[number // 2 % 2]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sites")
    settings = settings_of(write_collection(root / "c"), autoencoder="invariant")
    run_study(settings, root / "run")
    return root / "run" / "bundle"


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scans of other patients at sites whose scanners differ."""
    root = tmp_path_factory.mktemp("target")
    plain = write_collection(root / "plain", prefix="there ", site=site_of)
    return stored(root / "c", rows_in(plain), lambda row: LOOKS[row.site or ""])


def rows_in(path: Path) -> list[ScanRow]:
    collection = Collection.open(path)
    return collection.rows(collection.metadata().scan_id.tolist())


def stored(
    path: Path,
    rows: list[ScanRow],
    change: Callable[[ScanRow], Callable[[np.ndarray], np.ndarray]] = lambda row: np.asarray,
) -> Path:
    made = Collection.create(path, SIDE, 1)
    made.append([replace(row, pixels=change(row)(row.pixels).astype(np.float32)) for row in rows])
    made.mark_complete({})
    return path


def evaluated(bundle: Path, where: Path, out: Path, method: str) -> dict[str, Any]:
    wanted = Wanted(adapt=method)  # type: ignore[arg-type]
    return evaluate_bundle(bundle, where, out, SILENT, wanted=wanted)[0]


def said(path: Path) -> dict[str, float]:
    return {row["path"]: float(row["probability:disc"]) for row in rows_of(path)}


@pytest.mark.parametrize("method", ["standardise", "coral", "histogram", "batch-norm"])
def test_each_site_is_adapted_to_as_if_it_were_alone(
    bundle: Path, target: Path, tmp_path: Path, method: str
) -> None:
    metrics = evaluated(bundle, target, tmp_path / "o", method)
    own = said(tmp_path / "o" / "predictions.csv")
    both = said(tmp_path / "o" / "adapted-predictions.csv")
    sites = dict(zip(*(Collection.open(target).metadata().path.tolist(),
                       Collection.open(target).metadata().site.tolist()), strict=True))  # fmt: skip
    told = {one["name"]: one for one in metrics["adaptation"]["sites"]}
    assert set(told) == {"north", "south", "tiny", ""}
    for name in ("north", "south"):
        here = [row for row in rows_in(target) if row.site == name]
        alone = stored(tmp_path / name, here)
        apart = evaluated(bundle, alone, tmp_path / f"of {name}", method)["adaptation"]
        assert "sites" not in apart
        adapted = said(tmp_path / f"of {name}" / "adapted-predictions.csv")
        assert {path: both[path] for path in adapted} == pytest.approx(adapted, abs=1e-6)
        assert told[name]["gain"]["value"] == pytest.approx(apart["gain"]["value"])
        assert told[name]["distance"]["after"]["value"] == pytest.approx(
            apart["distance"]["after"]["value"], abs=1e-6
        )
        assert told[name]["n_scans"] == len(adapted)
    for path in (path for path in both if sites[path] in ("tiny", "")):
        # Batches of other sizes round otherwise.
        assert both[path] == pytest.approx(own[path], abs=1e-6)
    for name, count in (("tiny", 4), ("", 2)):
        assert told[name] == {"name": name, "n_scans": count, "adapted": False}


def test_sites_that_differ_come_closer_one_by_one_than_together(
    bundle: Path, target: Path, tmp_path: Path
) -> None:
    """Two opposite changes of grey levels have no one curve that undoes both."""
    by_site = evaluated(bundle, target, tmp_path / "o", "histogram")["adaptation"]
    blind = stored(tmp_path / "c", [replace(row, site=None) for row in rows_in(target)])
    together = evaluated(bundle, blind, tmp_path / "p", "histogram")["adaptation"]
    assert "sites" not in together
    before, after = (by_site["distance"][when]["value"] for when in ("before", "after"))
    assert together["distance"]["before"]["value"] == pytest.approx(before, abs=1e-6)
    assert after < 0.5 * together["distance"]["after"]["value"]


def test_the_page_the_terminal_and_the_numbers_tell_of_it(
    bundle: Path, target: Path, tmp_path: Path
) -> None:
    metrics = evaluated(bundle, target, tmp_path / "o", "standardise")
    page = (tmp_path / "o" / "report.html").read_text()
    assert "Adapted to the scans of 2 sites, each by itself, without their labels" in page
    assert "Left as they are, as a site is known by 10 scans or more: tiny (4)" in page
    terminal = summary(metrics, "")
    assert "Adapted without labels by standardise, each site by itself:" in terminal
    assert "4 scans, left as they are" in terminal
    rows = rows_of(tmp_path / "o" / "adapted-predictions.csv")
    area = roc_auc_score(
        [row["label"] == "disc" for row in rows], [float(row["probability:disc"]) for row in rows]
    )
    assert metrics["adaptation"]["metrics"]["auroc"]["value"] == pytest.approx(area)


def test_small_sites_alone_are_refused_and_one_site_is_all_scans(
    bundle: Path, target: Path, tmp_path: Path
) -> None:
    few = [row for row in rows_in(target) if row.site == "tiny"]
    few += [row for row in rows_in(target) if row.site == "north"][:8]
    with pytest.raises(StopError, match=r"E_ADAPT.*largest site's 8 scans"):
        evaluated(bundle, stored(tmp_path / "few", few), tmp_path / "o", "coral")
    one = [row for row in rows_in(target) if row.site in ("north", None)]
    told = evaluated(bundle, stored(tmp_path / "one", one), tmp_path / "p", "coral")
    assert "sites" not in told["adaptation"]
    nowhere = stored(tmp_path / "none", [replace(row, site=None) for row in one])
    again = evaluated(bundle, nowhere, tmp_path / "q", "coral")
    assert again["adaptation"] == told["adaptation"]


def test_a_place_that_is_left_out_stays_one_site(bundle: Path, target: Path) -> None:
    """There a site is what was left out, whatever the table says of it."""
    prepared = open_prepared(target, settings_of(target))
    made = adapt_to(load_bundle(bundle), prepared, "standardise")  # type: ignore[arg-type]
    assert made is not None
    assert len(made.parts) == 1


def test_parts_of_one_model_say_what_it_says_of_cases_across_them(
    bundle: Path, target: Path
) -> None:
    model = load_bundle(bundle)
    pixels = Collection.open(target).pixels(np.arange(12))
    cases = Cases.of([f"p{number // 3}" for number in (0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11)])
    rows = [np.array([0, 3, 4, 9, 11]), np.array([1, 2, 5, 6, 7, 8, 10])]
    parts = [SitePart(str(n), each, model, pixels[each]) for n, each in enumerate(rows)]  # type: ignore[arg-type]
    for together in (None, cases):
        whole = model.compute(pixels, cases=together)  # type: ignore[union-attr, call-arg]
        joined = compute_by_site(model, parts, cases=together)  # type: ignore[arg-type]
        for name in ("scores", "probabilities", "decisions", "sets", "anomaly", "foreign",
                     "embeddings", "reconstructions", "strangest"):  # fmt: skip
            one, other = getattr(joined, name), getattr(whole, name)
            if one.dtype.kind == "f":
                np.testing.assert_allclose(one, other, atol=1e-5)
            else:
                np.testing.assert_array_equal(one, other)


def test_the_words_are_known_in_chinese() -> None:
    assert doctest.testmod(words).failed == 0
    sites = [
        {"name": "north", "n_scans": 80, "adapted": True},
        {"name": "", "n_scans": 6, "adapted": False},
    ]
    for told in (adapted_sentences("coral", sites, 10), adapted_sentences("coral", [], 10)):
        assert all(looked_up(sentence, "zh") for sentence in told)
