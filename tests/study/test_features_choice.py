"""``--features auto``: chosen on tune alone, told on the page, the card and in the metrics."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from choice_scans import COUNTS, write_collection

from latentdx import load_bundle
from latentdx.collection.store import Collection
from latentdx.features.kinds import KINDS
from latentdx.study import features_choice
from latentdx.study.beginning import first_network
from latentdx.study.decide import parts_of_tune
from latentdx.study.features_choice import FeaturesChosen, features_step
from latentdx.study.learn import fit_step
from latentdx.study.pool import training_pool
from latentdx.study.prepare import open_prepared
from latentdx.study.reporter import Clock, Silent
from latentdx.study.run import run_study
from latentdx.study.separate import fit_collection, pretrain_collection
from latentdx.study.settings import RunSettings

Relabel = Callable[[str, int, str], str | None]

OTHER = {"clear": "disc", "disc": "clear"}


@pytest.fixture
def two_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less to wait for."""
    few = {kind: KINDS[kind] for kind in KINDS if kind in ("pooled", "latent")}
    monkeypatch.setattr(features_choice, "KINDS", few)


def settings_of(path: Path, **more: object) -> RunSettings:
    small = {"autoencoder": "convolutional", "network": {"widths": [8, 16]}, "epochs": 1}
    given = {"source": str(path), "features": "auto", "classifier": "prototypes", **small, **more}
    return RunSettings(**given)  # type: ignore[arg-type]


def chosen_of(path: Path, relabel: Relabel = lambda part, number, label: label) -> FeaturesChosen:
    settings = settings_of(write_collection(path, relabel))
    prepared = open_prepared(path, settings)
    network = first_network(
        settings, training_pool(prepared.collection, prepared.split).train
    ).network
    found = features_step(prepared, network.eval(), settings, Clock(Silent()))
    assert found is not None
    return found


def test_every_kind_is_tried_and_the_first_near_the_best_is_taken(tmp_path: Path) -> None:
    found = chosen_of(tmp_path / "c")
    assert [each.features for each in found.candidates] == list(KINDS)
    assert (found.n_scans, found.n_patients) == (COUNTS["tune"], COUNTS["tune"] // 2)
    near = [each for each in found.candidates if each.above_best <= each.standard_error]
    assert found.chosen == near[0].features
    least = min(each.log_loss for each in found.candidates)
    for each in found.candidates:
        assert each.above_best == pytest.approx(each.log_loss - least)
    assert "log-loss on tune" in found.sentence()


def test_labels_of_the_test_part_change_nothing_and_those_of_tune_do(
    tmp_path: Path, two_kinds: None
) -> None:
    def swapped(*parts: str) -> Relabel:
        return lambda part, number, label: OTHER[label] if part in parts else label

    plain = chosen_of(tmp_path / "a")
    assert chosen_of(tmp_path / "b", swapped("test")) == plain
    assert chosen_of(tmp_path / "c", swapped("tune")).candidates != plain.candidates


def test_a_kind_that_was_given_is_not_chosen(tmp_path: Path) -> None:
    path = write_collection(tmp_path / "c")
    settings = settings_of(path).model_copy(update={"features": "latent"})
    prepared = open_prepared(path, settings)
    network = first_network(
        settings, training_pool(prepared.collection, prepared.split).train
    ).network
    assert features_step(prepared, network, settings, Clock(Silent())) is None
    model = fit_step(prepared, network.eval(), settings, Clock(Silent()))
    assert model.kind == "latent"


def test_those_who_test_a_risk_have_not_chosen(tmp_path: Path) -> None:
    patients = np.array([f"P{row // 2}" for row in range(40)])
    plain, risk = settings_of(tmp_path), settings_of(tmp_path, risk=0.2)
    given = risk.model_copy(update={"features": "pooled"})
    assert all(part.all() for part in parts_of_tune(patients, plain))
    assert all(part.all() for part in parts_of_tune(patients, given))
    choosing, testing = parts_of_tune(patients, risk)
    assert (choosing ^ testing).all()
    assert not set(patients[choosing].tolist()) & set(patients[testing].tolist())


def test_with_a_risk_half_of_tune_chooses(tmp_path: Path, two_kinds: None) -> None:
    settings = settings_of(write_collection(tmp_path / "c"), risk=0.2)
    prepared = open_prepared(tmp_path / "c", settings)
    network = first_network(
        settings, training_pool(prepared.collection, prepared.split).train
    ).network
    found = features_step(prepared, network.eval(), settings, Clock(Silent()))
    assert found is not None
    assert found.n_patients == COUNTS["tune"] // 4


def test_fitted_apart_the_choice_is_in_the_bundle(tmp_path: Path) -> None:
    path = write_collection(tmp_path / "c")
    settings = settings_of(path)
    pretrain_collection(path, tmp_path / "encoder", settings, Silent())
    fit_collection(path, tmp_path / "encoder", tmp_path / "bundle", settings, Silent())
    told = json.loads((tmp_path / "bundle" / "bundle.json").read_text())
    assert told["head"]["features"] in KINDS
    model = load_bundle(tmp_path / "bundle")
    pixels = Collection.open(path).pixels(np.arange(4))
    assert model.compute(pixels).probabilities.shape == (4, 2)


@pytest.mark.slow
def test_a_whole_study_tells_its_choice(tmp_path: Path) -> None:
    settings = settings_of(write_collection(tmp_path / "c"))
    result = run_study(settings, tmp_path / "run")
    told = result.metrics["features"]
    assert [each["features"] for each in told["candidates"]] == list(KINDS)
    bundle = json.loads((tmp_path / "run" / "bundle" / "bundle.json").read_text())
    assert bundle["head"]["features"] == told["chosen"]
    page = (tmp_path / "run" / "report.html").read_text()
    assert f"{told['chosen']}, chosen" in page
    card = (tmp_path / "run" / "bundle" / "README.md").read_text()
    assert "## Choice of the features" in card
    assert run_study(settings, tmp_path / "run").metrics["features"] == told
