"""The comparison: alike for all, kept where it was finished, and paired."""

from __future__ import annotations

import doctest
import json

import numpy as np
import pytest
from choice_scans import COUNTS, write_collection

from latentdx.collection.store import Collection
from latentdx.core.errors import StopError
from latentdx.diagnosis.probe import Probe
from latentdx.metrics.calibration import log_loss
from latentdx.study import compare as at_work
from latentdx.study.compare import CompareSettings, Recipe, compare, recipe_of
from latentdx.study.compare_result import Entry, publish_comparison, read_entry, write_entry
from latentdx.study.encoder import load_encoder
from latentdx.study.reporter import Silent
from latentdx.study.settings import RunSettings

NAMES = ("convolutional", "convolutional+vicreg")


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    return write_collection(tmp_path_factory.mktemp("scans") / "collection")


@pytest.fixture(scope="module")
def compared(collection, tmp_path_factory):
    """Two seeds of two recipes, and their folder."""
    to = tmp_path_factory.mktemp("compared") / "c"
    return compare(collection, to, settings(collection, n_seeds=2), Silent()), to


def settings(collection, names=NAMES, *, n_seeds=1, minutes=None, **more):
    base = RunSettings(source=str(collection), **{"epochs": 1, "precision": "fp32", **more})
    recipes = tuple(recipe_of(name) for name in names)
    return CompareSettings(base, recipes, n_seeds, minutes, labelled=12)


def no_training(monkeypatch):
    def train(*of, **more):
        raise AssertionError("trained again")

    monkeypatch.setattr(at_work, "train_member", train)


def test_the_examples_run():
    assert doctest.testmod(at_work).failed == 0


def test_names_are_read():
    assert recipe_of("masked") == Recipe("masked", "masked")
    assert recipe_of("masked+vicreg").objectives == ("vicreg",)
    for wrong in ("maskd", "masked+vigreg", "masked+", ""):
        with pytest.raises(StopError) as caught:
            recipe_of(wrong)
        assert caught.value.code == "E_NAME"


@pytest.mark.slow
def test_everybody_is_there_and_judged_on_the_same_scans(compared):
    found, to = compared
    assert [(row["name"], row["kind"]) for row in found["rows"]] == [
        ("convolutional", "trained"),
        ("convolutional+vicreg", "trained"),
        ("convolutional untrained", "untrained"),
        ("pixels", "baseline"),
        ("hog", "baseline"),
        ("class shares", "baseline"),
    ]
    for row in found["rows"]:
        assert row["log_loss"]["n_scans"] == COUNTS["tune"]
        assert row["log_loss"]["n_patients"] == COUNTS["tune"] // 2
        assert np.mean(row["by_seed"]) == pytest.approx(row["log_loss"]["value"])
    assert [len(row["by_seed"]) for row in found["rows"]] == [2, 2, 2, 1, 1, 1]
    shares = found["rows"][-1]
    assert shares["log_loss"]["value"] == pytest.approx(np.log(2))
    assert shares["auroc"]["value"] == 0.5
    assert json.loads((to / "compare.json").read_text()) == json.loads(json.dumps(found))


@pytest.mark.slow
def test_differences_are_those_of_the_rows(compared):
    rows = {row["name"]: row for row in compared[0]["rows"]}
    loss = {name: row["log_loss"]["value"] for name, row in rows.items()}
    assert rows["convolutional"]["to_first"] is None
    for name, row in rows.items():
        if name != "convolutional":
            assert row["to_first"]["value"] == pytest.approx(loss[name] - loss["convolutional"])
    for name in NAMES:
        told = rows[name]["to_untrained"]["value"]
        assert told == pytest.approx(loss[name] - loss["convolutional untrained"])
    assert rows["pixels"]["to_untrained"] is None


@pytest.mark.slow
def test_seeds_give_other_trainings_and_speed_is_told(compared):
    for row in compared[0]["rows"][:3]:
        assert len(set(row["by_seed"])) == 2
    for row in compared[0]["rows"][:2]:
        assert row["seconds"] > 0
        assert row["images_per_second"] > 0
        assert row["epochs"] == 1
        assert row["parameters"] == 227777


@pytest.mark.slow
def test_encoders_are_left_for_a_fit(compared):
    for name in NAMES:
        for seed in (0, 1):
            load_encoder(compared[1] / "encoders" / f"{name}-{seed}")


@pytest.mark.slow
def test_what_is_finished_is_kept_and_names_can_be_added(
    collection, compared, tmp_path, monkeypatch
):
    found, to = compared
    with monkeypatch.context() as patch:
        no_training(patch)
        assert compare(collection, to, settings(collection, n_seeds=2), Silent()) == found
        fewer = compare(collection, to, settings(collection, NAMES[1:], n_seeds=1), Silent())
    assert fewer["rows"][0]["by_seed"] == found["rows"][1]["by_seed"][:1]
    assert fewer["rows"][0]["to_first"] is None


@pytest.mark.slow
def test_killed_between_trainings_it_ends_the_same(collection, compared, tmp_path, monkeypatch):
    real, count = at_work.train_member, []

    def train(*of, **more):
        count.append(1)
        if len(count) > 2:
            raise KeyboardInterrupt
        return real(*of, **more)

    asked = settings(collection, n_seeds=2)
    with monkeypatch.context() as patch:
        patch.setattr(at_work, "train_member", train)
        with pytest.raises(KeyboardInterrupt):
            compare(collection, tmp_path / "c", asked, Silent())
    again = compare(collection, tmp_path / "c", asked, Silent())
    timed = {"seconds": None, "images_per_second": None}
    for one, other in zip(again["rows"], compared[0]["rows"], strict=True):
        assert {**one, **timed} == {**other, **timed}


@pytest.mark.slow
def test_other_settings_are_refused(collection, compared):
    for other, named in (({"epochs": 2}, "epochs"), ({"seed": 3}, "seed")):
        with pytest.raises(StopError, match=named) as caught:
            compare(collection, compared[1], settings(collection, **other), Silent())
        assert caught.value.code == "E_DESTINATION"
    with pytest.raises(StopError, match="minutes"):
        compare(collection, compared[1], settings(collection, minutes=3.0), Silent())


@pytest.mark.slow
def test_a_training_that_diverges_is_told_of(collection, tmp_path, monkeypatch):
    real = at_work.train_member

    def train(network, scans, run, **more):
        if run.objectives:
            raise StopError("E_DIVERGED", "the loss grew")
        return real(network, scans, run, **more)

    monkeypatch.setattr(at_work, "train_member", train)
    found = compare(collection, tmp_path / "c", settings(collection), Silent())
    assert list(found["failed"]) == ["convolutional+vicreg, seed 1"]
    assert found["rows"][0]["name"] == "convolutional"
    with pytest.raises(StopError, match="the loss grew"):
        compare(collection, tmp_path / "d", settings(collection, NAMES[1:]), Silent())


@pytest.mark.slow
def test_no_row_of_calibrate_or_test_is_read(collection, tmp_path, monkeypatch):
    parts = Collection.open(collection).metadata().given_part
    read = set()
    real = Collection.levels
    monkeypatch.setattr(
        Collection, "levels", lambda self, rows: read.update(parts[rows]) or real(self, rows)
    )
    compare(collection, tmp_path / "c", settings(collection, NAMES[:1]), Silent())
    assert read == {"train", "tune", ""}


def probe(likely, n_draws=3):
    labels = np.tile([0, 1], 10)
    table = np.full((n_draws, 20, 2), 1 - likely)
    table[:, np.arange(20), labels] = likely
    return Probe(table, labels, np.repeat(np.arange(10), 2).astype(str))


def test_an_entry_comes_back_the_same_or_not_at_all(tmp_path):
    entry = Entry("a", "trained", "a untrained", probe(0.8), {"seconds": 1.5})
    path = tmp_path / "e.safetensors"
    assert read_entry(path) is None
    write_entry(path, entry)
    found = read_entry(path)
    assert (found.name, found.kind, found.control, found.facts) == (
        *("a", "trained", "a untrained"),
        {"seconds": 1.5},
    )
    assert (found.probe.probabilities == entry.probe.probabilities).all()
    assert found.probe.patients.tolist() == entry.probe.patients.tolist()
    path.write_bytes(path.read_bytes()[:-9])
    assert read_entry(path) is None


def test_the_table_by_hand(tmp_path):
    """Losses that are the same of all scans: differences are exact and have no width."""
    entries = [
        Entry("a", "trained", "a untrained", probe(0.8)),
        Entry("a", "trained", "a untrained", probe(0.6)),
        Entry("a untrained", "untrained", None, probe(0.5)),
    ]
    found = publish_comparison(tmp_path, {"labelled": 5}, entries, {}, seed=0)
    expected = -(np.log(0.8) + np.log(0.6)) / 2
    [row, other] = found["rows"]
    assert row["log_loss"]["value"] == pytest.approx(expected)
    told = row["to_untrained"]
    assert [told[end] for end in ("value", "low", "high")] == pytest.approx(
        [expected - np.log(2)] * 3
    )
    assert row["by_seed"] == pytest.approx([-np.log(0.8), -np.log(0.6)])
    assert other["to_first"]["value"] == pytest.approx(-told["value"])
    assert entries[0].probe.losses()[0] == pytest.approx(
        log_loss(entries[0].probe.labels, entries[0].probe.probabilities[0])
    )
    page = (tmp_path / "compare.html").read_text()
    assert "a untrained" in page
    assert "<svg" in page
