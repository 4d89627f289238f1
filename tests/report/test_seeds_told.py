"""The spread over seeds: numbers, words, page and card."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_folds import seeds_of
from report_content import binary_content
from sklearn.metrics import roc_auc_score
from test_page import words

from latentdx.report.model_card import render_card
from latentdx.report.page import render
from latentdx.report.predictions import Predictions
from latentdx.report.seeds import seed_warnings, seeds_sentence, seeds_told


@pytest.fixture(scope="module")
def made():
    return binary_content()


@pytest.fixture(scope="module")
def models(made):
    """The first model and those of other seeds, each with its baselines."""
    patients = (np.arange(len(made.labels)) * 3 // 4).astype(str)
    tables = {"": made.probabilities, **made.rivals}
    said = {n: Predictions(made.labels, patients, t, t.argmax(axis=1)) for n, t in tables.items()}
    own = said.pop("")
    return own, said, seeds_of(made)


@pytest.fixture(scope="module")
def told(models):
    return seeds_told(*models, 0)


def areas(made, models, name=None):
    own, rivals, others = models
    of = [own if name is None else rivals[name]]
    of += [other.predictions if name is None else other.rivals[name] for other in others]
    return np.array([roc_auc_score(made.labels, each.ranking()) for each in of])


def test_the_spread_is_that_of_all_seeds(made, models, told):
    found = areas(made, models)
    spread = told["spread"]["auroc"]
    assert told["n_seeds"] == len(found) == 3
    assert list(spread.values()) == pytest.approx(
        [found.mean(), found.std(ddof=1), found.min(), found.max()]
    )
    assert [each["metrics"]["auroc"]["value"] for each in told["each"]] == pytest.approx(found)


def test_the_lead_is_taken_seed_by_seed(made, models, told):
    leads = areas(made, models) - areas(made, models, "hog-svm")
    lead = told["lead"]["hog-svm"]
    assert lead["mean"] == pytest.approx(leads.mean())
    assert lead["deviation"] == pytest.approx(leads.std(ddof=1))
    assert lead["ahead"] == (leads > 0).sum()


def test_a_baseline_that_one_seed_lacks_has_no_lead(models):
    own, rivals, (first, *others) = models
    lacking = replace(first, rivals={})
    assert seeds_told(own, rivals, [lacking, *others], 0)["lead"] == {}


def test_words_say_how_far_and_warn_where_it_is_far(told):
    spread = told["spread"]["auroc"]
    assert f"standard deviation of {spread['deviation']:.3f}" in seeds_sentence(told)
    wide = {"spread": {"auroc": {**spread, "least": 0.8, "greatest": 0.84}}}
    assert seed_warnings(wide)
    close = {"spread": {"auroc": {**spread, "least": 0.81, "greatest": 0.82}}}
    assert seed_warnings(close) == seed_warnings({"spread": {"auroc": None}}) == []


def test_page_and_card_show_it_and_are_silent_with_one_seed(made, told):
    bundle = {"format": 1}
    whole = replace(made, metrics={**made.metrics, "seeds": told})
    spread = f"{told['spread']['auroc']['deviation']:.3f}"
    assert "Other seeds" in render(whole)
    assert spread in words(render(whole))
    assert "## Spread over seeds" in render_card(whole, bundle)
    assert "Other seeds" not in render(made)
    assert "## Spread over seeds" not in render_card(made, bundle)
