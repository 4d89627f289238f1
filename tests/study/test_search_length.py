"""How long trials train: as asked, as a run, or as time allows, and then always so."""

from __future__ import annotations

import pytest
from choice_scans import write_collection

from latentdx.study import search_length
from latentdx.study.choice import open_choice
from latentdx.study.search_length import Length, settle_length
from latentdx.study.settings import RunSettings


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    return write_collection(tmp_path_factory.mktemp("scans") / "collection")


@pytest.fixture
def kept(tmp_path):
    return tmp_path / "length.json"


def settled(collection, kept, minutes, **more):
    base = RunSettings(source=str(collection), autoencoder="convolutional", **more)
    return settle_length(open_choice(collection, base), base, minutes, kept)


def test_without_a_limit_of_time_a_trial_is_as_long_as_a_run(collection, kept):
    assert settled(collection, kept, None) == Length(200, 200)


def test_what_is_asked_for_is_done_whatever_the_time(collection, kept):
    assert settled(collection, kept, 0.01, epochs=7) == Length(7, 7)


def test_little_time_makes_trials_short_and_they_stay_so(collection, kept):
    assert settled(collection, kept, 1e-6) == Length(2, 200)
    assert settled(collection, kept, 1e6) == Length(2, 200)


def test_much_time_makes_them_no_longer_than_a_run(collection, kept):
    assert settled(collection, kept, 1e6) == Length(200, 200)


def test_a_dozen_trials_fit_into_the_time(collection, kept, monkeypatch):
    """A machine that does 20 epochs a minute: half a minute a trial makes ten."""
    monkeypatch.setattr(search_length, "_affordable", lambda scans, base, minutes: minutes * 20)
    assert settled(collection, kept, 6).trial == 10
