"""``auto``: the method that helps between the sites learned from, or none."""

from __future__ import annotations

import numpy as np
import pytest

from latentdx.diagnosis.head import HeadSettings
from latentdx.features.table import FeatureTable
from latentdx.study.adaptation_choice import best_between

SETTINGS = HeadSettings(classifier="logistic", rows=1, fewest_copies=0, components=8)


def table_of(shift: float, scale: float, seed: int = 0) -> tuple[FeatureTable, np.ndarray]:
    """Two hundred patients at two sites; at the second the features are moved and scaled."""
    chance = np.random.default_rng(seed)
    labels = np.arange(200) % 2
    sites = np.where(np.arange(200) < 100, "A", "B")
    features = chance.normal(size=(200, 8))
    features[:, 0] += 1.5 * labels
    # what tells the site apart stands in the way of what tells the label
    away = chance.normal(size=8) * shift
    features[sites == "B"] = features[sites == "B"] * np.array([1, *[scale] * 7]) + away
    names = np.arange(200).astype(str)
    parts = np.full(200, "train")
    table = FeatureTable(
        features.astype(np.float32), labels, names, names, parts, ("no", "yes"), "", ""
    )
    return table, sites


def test_where_sites_are_alike_nothing_is_chosen():
    chosen = [best_between(*table_of(0, 1, seed), SETTINGS, 0).name for seed in range(6)]
    assert chosen.count(None) >= 4


def test_where_features_are_scaled_a_method_is_chosen_that_undoes_it():
    table, sites = table_of(3, 12)
    choice = best_between(table, sites, SETTINGS, 0)
    assert choice.name in ("standardise", "combat", "coral", "transport")
    assert choice.n_sites == 2
    gain = choice.gains[choice.name]
    assert gain["value"] == max(each["value"] for each in choice.gains.values()) > 0.01


def test_one_site_tells_nothing():
    table, _ = table_of(3, 12)
    assert best_between(table, np.full(200, "A"), SETTINGS, 0).name is None
    few = np.where(np.arange(200) < 8, "A", "B")
    choice = best_between(table, few, SETTINGS, 0)
    assert (choice.name, choice.gains) == (None, {})
    assert choice.n_sites == 0


@pytest.mark.parametrize("seed", [0, 1])
def test_the_choice_is_repeated(seed):
    table, sites = table_of(1, 5)
    first, again = (best_between(table, sites, SETTINGS, seed) for _ in range(2))
    assert first == again
