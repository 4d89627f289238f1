"""Coverage within classes and groups, and what happens where it cannot be promised."""

from __future__ import annotations

import numpy as np
import pytest

from latentdx.core.errors import StopError
from latentdx.diagnosis.conformal import class_cutoffs, conformal_cutoff
from latentdx.diagnosis.set_rule import SetRule, fit_sets, group_key, parse_sets


def a_population(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities (6000, 2), labels of which a quarter are 1, and two sites, one worse."""
    generator = np.random.default_rng(seed)
    labels = (generator.random(6000) < 0.25).astype(np.int64)
    site = generator.choice(["north", "south"], 6000, p=[0.7, 0.3])
    apart = np.where(site == "north", 1.5, 0.4)
    logits = generator.normal(apart * (2 * labels - 1), 1) * 2 - 1
    p = 1 / (1 + np.exp(-logits))
    return np.stack([1 - p, p], axis=1), labels, site


def test_every_class_is_covered_as_promised() -> None:
    table, labels, _ = a_population()
    generator = np.random.default_rng(1)
    held, marginal = [], []
    for _ in range(150):
        rows = generator.permutation(6000)
        few, new = rows[:400], rows[400:]
        own = np.arange(len(new)), labels[new]
        for kind, found in (("class-conditional", held), ("marginal", marginal)):
            rule = fit_sets(table[few], labels[few], sets=kind, coverage=0.9)
            # without the decided class, which can only add to the coverage
            inside = (table[new] >= np.array(rule.cutoffs) - 1e-12)[own]
            found.append([inside[labels[new] == k].mean() for k in (0, 1)])
    np.testing.assert_allclose(np.mean(held, axis=0), 0.9, atol=0.012)
    assert np.mean(marginal, axis=0)[1] < 0.85  # the rare class pays for the common one


@pytest.mark.parametrize("sets", ["marginal", "class-conditional", "mondrian:site"])
def test_the_decided_class_is_always_in(sets: str) -> None:
    table, labels, site = a_population()
    rule = fit_sets(table[:300], labels[:300], sets=sets, groups=site[:300].tolist())
    decided = np.random.default_rng(0).integers(0, 2, 500)
    inside = rule.inside(table[:500], decided, site[:500].tolist())
    assert inside.shape == (500, 2)
    assert inside[np.arange(500), decided].all()


def test_every_group_is_covered_as_promised() -> None:
    table, labels, site = a_population()
    few, new = np.arange(3000), np.arange(3000, 6000)
    rule = fit_sets(table[few], labels[few], sets="mondrian:site", groups=site[few].tolist())
    assert (rule.column, rule.n_small) == ("site", 0)
    of_label = table[new, labels[new]]
    for name in ("north", "south"):  # without the decided class, which can only add to it
        held = of_label[site[new] == name] >= rule.groups[group_key(name)]
        assert held.mean() == pytest.approx(0.9, abs=0.03)
    decided = table[new].argmax(axis=1)
    inside = rule.inside(table[new], decided, site[new].tolist())[np.arange(3000), labels[new]]
    assert inside[site[new] == "south"].mean() == pytest.approx(0.9, abs=0.03)
    plain = fit_sets(table[few], labels[few]).inside(table[new], decided)
    assert plain[np.arange(3000), labels[new]][site[new] == "south"].mean() < 0.85


def test_a_small_group_takes_the_cutoff_of_all_and_a_strange_one_the_largest_sets() -> None:
    table, labels, site = a_population()
    names = np.where(np.arange(400) < 19, "east", site[:400])
    rule = fit_sets(table[:400], labels[:400], sets="mondrian:site", groups=names.tolist())
    assert rule.n_small == 1
    assert rule.groups[group_key("east")] == rule.cutoffs[0]
    assert rule.cutoffs[0] == conformal_cutoff(table[:400], labels[:400])
    careful = min(rule.groups.values())
    assert careful == rule.groups[group_key("south")] < rule.cutoffs[0]
    p = (careful + rule.cutoffs[0]) / 2
    asked, decided = np.array([[1 - p, p]]), np.array([0])
    held = [bool(rule.inside(asked, decided, [name])[0, 1]) for name in ("east", "", "west")]
    assert held == [False, True, True]
    assert rule.inside(asked, decided)[0, 1]


def test_a_class_or_group_of_one_kind_or_of_no_scan() -> None:
    table = np.array([[0.9, 0.1]] * 30)
    labels = np.zeros(30, np.int64)
    assert class_cutoffs(table, labels).tolist() == [0.9, 0.0]
    rule = fit_sets(table, labels, sets="mondrian:sex", groups=["F"] * 30)
    assert rule.groups == {group_key("F"): 0.9}
    nothing = fit_sets(table, labels, sets="mondrian:sex", groups=[""] * 30)
    assert dict(nothing.groups) == {}
    assert nothing.inside(table, labels, ["F"] * 30).sum() == 30


def test_names_of_groups_are_not_kept() -> None:
    rule = fit_sets(*a_population()[:2], sets="mondrian:site", groups=a_population()[2].tolist())
    assert "north" not in repr(rule)


@pytest.mark.parametrize("coverage", [0.5, 0.99])
def test_the_coverage_is_the_one_asked_for(coverage: float) -> None:
    table, labels, _ = a_population()
    rule = fit_sets(table, labels, coverage=coverage)
    assert rule == SetRule("marginal", (conformal_cutoff(table, labels, coverage),), coverage)


@pytest.mark.parametrize("text", ["", "Marginal", "mondrian", "mondrian:", "mondrian: ", "by site"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(StopError, match=r"mondrian:COLUMN") as caught:
        parse_sets(text)
    assert caught.value.code == "E_OPTION"
