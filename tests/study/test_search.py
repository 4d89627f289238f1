"""The search: what it opens, that it goes on where it was killed, and what it leaves."""

from __future__ import annotations

import doctest
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from choice_scans import COUNTS, UNLABELLED, write_collection

from latentdx.autoencoder.engine.checkpoint import Epoch
from latentdx.collection.near_kept import kept_near_duplicates
from latentdx.collection.store import Collection
from latentdx.core.errors import StopError
from latentdx.diagnosis.probe import Probe
from latentdx.report import choice_page
from latentdx.study import choice, search_result, search_store
from latentdx.study import search as at_work
from latentdx.study.reporter import Silent
from latentdx.study.search import SearchSettings, search
from latentdx.study.search_result import Budget
from latentdx.study.search_space import space_of
from latentdx.study.settings import RunSettings, read_toml, settings_from

SIX = Budget(trials=6)


@pytest.fixture
def collection(tmp_path):
    return write_collection(tmp_path / "collection")


def settings(collection, *, epochs=3, families=("invariant", "convolutional"), **more):
    base = RunSettings(source=str(collection), epochs=epochs, precision="fp32", **more)
    return SearchSettings(base, space_of(families, ("vicreg",)), labelled=12)


@pytest.fixture
def quick(monkeypatch):
    """Training is a pretence; the loss of a network is a function of what it was built with."""

    def train(network, scans, run, *, minutes=None, watch, **_):
        network.told = run
        history = []
        for number in range(1, run.epochs + 1):
            history.append(Epoch(1.0, 1.0, 100.0))
            watch.epoch(number, history[-1])
        return choice.Trained(network, history, 1.0)

    def embed(network, pixels, kind="pooled"):
        rate = network.told.learning_rate or network.learning_rate
        loss = 0.2 + abs(math.log(rate / 4e-3)) / 5 + 0.1 * len(network.told.objectives)
        return np.full((len(pixels), 1), loss, np.float32)

    def probe(train, tune, asked, *, seed):
        likely = np.exp(-float(train.embeddings[0, 0]))
        table = np.full((asked.draws, len(tune), 2), 1 - likely)
        table[:, np.arange(len(tune)), tune.labels] = likely
        return Probe(table, tune.labels, tune.patients)

    monkeypatch.setattr(at_work, "train_member", train)
    monkeypatch.setattr(at_work, "embed", embed)
    monkeypatch.setattr(choice, "few_label_probe", probe)


def without_seconds(found):
    trials = [{**trial, "seconds": 0} for trial in found["trials"]]
    best = found["best"] and {**found["best"], "seconds": 0}
    return json.loads(json.dumps({**found, "trials": trials, "best": best, "seconds": 0}))


def killed_after(monkeypatch, n_looks):
    """The process ends in the middle of a training."""
    real, seen = at_work._Search._look, []

    def look(self, trial, number, network):
        seen.append(number)
        if len(seen) > n_looks:
            raise KeyboardInterrupt
        real(self, trial, number, network)

    monkeypatch.setattr(at_work._Search, "_look", look)
    return lambda: monkeypatch.setattr(at_work._Search, "_look", real)


@pytest.mark.parametrize("module", [at_work, choice_page])
def test_the_examples_run(module):
    found = doctest.testmod(module)
    assert (found.attempted > 0, found.failed) == (True, 0)


def test_the_members_own_settings_come_first_and_the_best_is_kept(quick, collection, tmp_path):
    found = search(collection, tmp_path / "s", settings(collection), SIX, Silent())
    trials = found["trials"]
    assert [trial["settings"] for trial in trials[:2]] == [
        {"autoencoder": "invariant"},
        {"autoencoder": "convolutional"},
    ]
    assert len(trials) == 6
    losses = [trial["log_loss"]["value"] for trial in trials if trial["log_loss"]]
    assert found["best"]["log_loss"]["value"] == min(losses)
    assert found["best"]["state"] == "complete"
    assert json.loads((tmp_path / "s" / "search.json").read_text()) == json.loads(json.dumps(found))
    assert all(version for version in found["versions"].values())


def test_best_toml_is_a_configuration_of_a_run(quick, collection, tmp_path):
    found = search(collection, tmp_path / "s", settings(collection), SIX, Silent())
    path = tmp_path / "s" / "best.toml"
    told = settings_from(read_toml(path), path)
    expected = {"source": str(collection), "precision": "fp32", "epochs": 3}
    assert told == settings_from({**expected, **found["best"]["settings"]})
    assert "optimistic" in path.read_text()


def test_what_is_worse_than_most_is_given_up_early(quick, collection, tmp_path):
    found = search(collection, tmp_path / "s", settings(collection), Budget(trials=12), Silent())
    given = [trial for trial in found["trials"] if trial["state"] == "pruned"]
    complete = [trial for trial in found["trials"] if trial["state"] == "complete"]
    assert given
    assert len(complete) >= search_store._UNPRUNED
    for trial in given:
        before = [other for other in complete if other["number"] < trial["number"]]
        [(epoch, value)] = trial["values"].items()
        assert value > np.median([other["values"][epoch] for other in before])
        assert trial["log_loss"] is None
        assert f"after {epoch} of 3 epochs" in trial["note"]
    assert all(list(trial["values"]) == ["1", "2"] for trial in complete)


@pytest.mark.slow
@pytest.mark.parametrize("n_looks", [0, 4, 20])
def test_killed_and_resumed_it_ends_as_if_it_never_was(
    quick, collection, tmp_path, monkeypatch, n_looks
):
    """14 trials: the last ones are those of the sampler, which learns from the first."""
    budget = Budget(trials=14)
    whole = search(collection, tmp_path / "a", settings(collection), budget, Silent())
    mend = killed_after(monkeypatch, n_looks)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            search(collection, tmp_path / "b", settings(collection), budget, Silent())
    mend()
    again = search(collection, tmp_path / "b", settings(collection), budget, Silent())
    assert without_seconds(again) == without_seconds(whole)
    assert (tmp_path / "a/best.toml").read_text() == (tmp_path / "b/best.toml").read_text()
    states = [
        trial.state.name for trial in search_store.SearchStore(tmp_path / "b/.work", 0).study.trials
    ]
    assert (states.count("FAIL"), states.count("RUNNING"), states.count("WAITING")) == (3, 0, 0)


def test_a_killed_writer_leaves_nothing_that_stops_the_next(quick, collection, tmp_path):
    to = tmp_path / "s"
    search(collection, to, settings(collection), Budget(trials=3), Silent())
    journal = to / ".work" / search_store.JOURNAL
    with journal.open("a") as file:
        file.write('{"op_code": 4, "wor')
    (to / ".work" / f"{search_store.JOURNAL}.lock").symlink_to(journal)
    again = search(collection, to, settings(collection), SIX, Silent())
    whole = search(collection, tmp_path / "w", settings(collection), SIX, Silent())
    assert without_seconds(again) == without_seconds(whole)


def test_a_finished_search_is_not_searched_again_but_prolonged(
    quick, collection, tmp_path, monkeypatch
):
    to = tmp_path / "s"
    first = search(collection, to, settings(collection), SIX, Silent())
    with monkeypatch.context() as patch:
        patch.setattr(at_work, "train_member", None)
        again = search(collection, to, settings(collection), SIX, Silent())
    assert again == first
    more = search(collection, to, settings(collection), Budget(trials=8), Silent())
    assert more["trials"][:6] == first["trials"]
    assert len(more["trials"]) == 8


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"epochs": 4}, "epochs"),
        ({"seed": 1}, "seed"),
        ({"families": ("convolutional",)}, "families"),
    ],
)
def test_other_settings_are_refused(quick, collection, tmp_path, other, named):
    search(collection, tmp_path / "s", settings(collection), Budget(trials=1), Silent())
    with pytest.raises(StopError, match=named) as caught:
        search(collection, tmp_path / "s", settings(collection, **other), SIX, Silent())
    assert caught.value.code == "E_DESTINATION"


def test_other_scans_are_refused(quick, collection, tmp_path):
    search(collection, tmp_path / "s", settings(collection), Budget(trials=1), Silent())
    other = write_collection(
        tmp_path / "o", lambda part, n, label: "disc" if (part, n) == ("tune", 0) else label
    )
    with pytest.raises(StopError, match="scans"):
        search(other, tmp_path / "s", settings(other), SIX, Silent())


def test_other_things_and_other_processes_are_refused(quick, collection, tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "thesis.docx").write_text("")
    with pytest.raises(StopError, match=r"thesis\.docx"):
        search(collection, tmp_path / "s", settings(collection), SIX, Silent())
    with (
        at_work.claimed(tmp_path / "t", {}, set()),
        pytest.raises(StopError, match="another process"),
    ):
        search(collection, tmp_path / "t", settings(collection), SIX, Silent())


def test_no_row_of_calibrate_or_test_is_read(quick, collection, tmp_path, monkeypatch):
    stored = Collection.open(collection)
    parts = stored.metadata().given_part
    kept_near_duplicates(stored, stored.metadata())  # they are looked for in all parts, once
    read = []
    real = Collection.levels
    monkeypatch.setattr(
        Collection, "levels", lambda self, rows: read.extend(parts[rows]) or real(self, rows)
    )
    search(collection, tmp_path / "s", settings(collection), Budget(trials=2), Silent())
    assert set(read) == {"train", "tune", ""}
    assert {name: read.count(name) for name in ("train", "tune", "")} == {
        **{"train": 2 * COUNTS["train"], "tune": 2 * COUNTS["tune"]},
        "": UNLABELLED,
    }


@pytest.mark.slow
def test_labels_and_pixels_of_calibrate_and_test_do_not_matter(collection, tmp_path):
    """Without pretence: the same weights and numbers where test is turned round and emptied."""

    def turned(part, number, label):
        if part not in ("calibrate", "test"):
            return label
        return None if number > 7 else ("disc", "clear")[label == "disc"]

    other = write_collection(tmp_path / "o", turned, blank=("calibrate", "test"))
    one, same = (
        choice.open_choice(where, settings(where).base).key for where in (collection, other)
    )
    assert one == same  # a search goes on, whatever became of them
    found = [
        search(where, to, settings(where, epochs=1), Budget(trials=2), Silent())
        for where, to in ((collection, tmp_path / "a"), (other, tmp_path / "b"))
    ]
    assert without_seconds(found[0]) == without_seconds(found[1])
    assert found[0]["best"]["log_loss"]["value"] < 0.5


def test_labels_of_tune_do(quick, collection, tmp_path):
    other = write_collection(
        tmp_path / "o", lambda part, n, label: ("disc", "clear")[n % 2] if part == "tune" else label
    )
    first, second = (
        choice.open_choice(where, settings(where).base).key for where in (collection, other)
    )
    assert first != second


def test_time_is_a_budget_too(quick, collection, tmp_path, monkeypatch):
    """A clock by hand: each look takes 20 s, so the second trial is given up within a minute."""
    now = [0.0]
    monkeypatch.setattr(at_work.time, "monotonic", lambda: now[0])
    real = at_work._Search._look

    def look(self, trial, number, network):
        now[0] += 20
        real(self, trial, number, network)

    monkeypatch.setattr(at_work._Search, "_look", look)
    to, budget = tmp_path / "s", Budget(minutes=1.5)
    found = search(collection, to, settings(collection), budget, Silent())
    assert [trial["state"] for trial in found["trials"]] == ["complete", "pruned"]
    assert [trial["seconds"] for trial in found["trials"]] == [60, 40]
    assert found["trials"][1]["note"] == "time was over"
    again = search(collection, to, settings(collection), budget, Silent())
    assert len(again["trials"]) == 2
    longer = search(collection, to, settings(collection), Budget(minutes=2.5), Silent())
    assert len(longer["trials"]) == 3


def test_the_first_trial_is_cut_to_the_time_and_the_others_are_not(
    quick, collection, tmp_path, monkeypatch
):
    given, real = [], at_work.train_member

    def train(network, *of, minutes=None, **more):
        given.append(minutes)
        return real(network, *of, **more)

    monkeypatch.setattr(at_work, "train_member", train)
    budget = Budget(minutes=50, trials=3)
    search(collection, tmp_path / "s", settings(collection), budget, Silent())
    assert given[0] == pytest.approx(50, abs=1)
    assert given[1:] == [None, None]


def test_a_trial_that_diverges_is_told_of_and_the_next_one_begins(
    quick, collection, tmp_path, monkeypatch
):
    real, count = at_work.train_member, []

    def train(*of, **more):
        count.append(1)
        if len(count) == 2:
            raise StopError("E_DIVERGED", "the loss grew")
        return real(*of, **more)

    monkeypatch.setattr(at_work, "train_member", train)
    found = search(collection, tmp_path / "s", settings(collection), Budget(trials=4), Silent())
    assert [trial["state"] for trial in found["trials"]][:2] == ["complete", "pruned"]
    assert "E_DIVERGED" in found["trials"][1]["note"]
    assert len(found["trials"]) == 4


def test_where_all_trials_fail_it_says_why(quick, collection, tmp_path, monkeypatch):
    def train(*of, **more):
        raise StopError("E_DIVERGED", "the loss grew")

    monkeypatch.setattr(at_work, "train_member", train)
    with pytest.raises(StopError, match="the loss grew"):
        search(collection, tmp_path / "s", settings(collection), Budget(trials=50), Silent())


def test_the_page_shows_every_trial_and_warns(quick, collection, tmp_path):
    found = search(collection, tmp_path / "s", settings(collection), Budget(trials=9), Silent())
    page = (tmp_path / "s" / "search.html").read_text()
    assert page.count('<tr><th scope="row">') + page.count('class="model"><th') >= 9
    assert search_result.CAUTION.split("`")[0] in page
    assert "<svg" in page
    assert set(found["importance"]) <= {
        *("autoencoder", "objective", "objective_weight", "width", "latent", "learning_rate")
    }


def test_importance_finds_what_matters(quick, collection, tmp_path, monkeypatch):
    """The pretended loss is one of the learning rate, but for an objective's tenth."""
    monkeypatch.setattr(search_store, "_UNPRUNED", 100)
    given = replace(settings(collection), space=space_of(("convolutional",), ("vicreg",)))
    found = search(collection, tmp_path / "s", given, Budget(trials=24), Silent())
    assert max(found["importance"], key=found["importance"].get) == "learning_rate"
