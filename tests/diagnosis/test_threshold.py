"""A threshold reaches what it says, as surely as it says."""

from __future__ import annotations

import numpy as np
import pytest

from latentdx.core.errors import StopError
from latentdx.diagnosis.threshold import (
    Target,
    choose_threshold,
    guarded_rank,
    parse_target,
    require_two_classes,
)


def drawn(count: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Positives uniform on 0.2..1, negatives on 0..0.8; every third scan is positive."""
    labels = (np.arange(count) % 3 == 0).astype(np.int64)
    return generator.uniform(0, 0.8, count) + 0.2 * labels, labels


def names(count: int) -> list[str]:
    return [str(row) for row in range(count)]


@pytest.mark.parametrize("kind", ["sensitivity", "specificity"])
def test_the_rate_is_reached_in_scans_to_come(kind: str) -> None:
    generator = np.random.default_rng(0)
    target = parse_target(f"{kind}>=0.9")
    rates = []
    for _ in range(300):
        p, labels = drawn(300, generator)
        value = choose_threshold(target, p, labels, names(300), seed=0).value
        rates.append((1 - value) / 0.8 if kind == "sensitivity" else value / 0.8)
    assert np.mean(np.array(rates) < 0.9) <= 0.07  # 5 % promised, 2.6 standard errors of 300
    assert np.mean(rates) < 0.96


@pytest.mark.parametrize("kind", ["sensitivity", "specificity"])
def test_on_its_own_scans_it_reaches_the_rate_and_gives_no_more_away_than_it_must(
    kind: str,
) -> None:
    p, labels = drawn(60, np.random.default_rng(0))
    own = labels == (kind == "sensitivity")
    found = choose_threshold(parse_target(f"{kind}>=0.95"), p, labels, names(60), seed=0)
    kept = (p >= found.value) == (kind == "sensitivity")
    assert "on the scans of tune alone" in found.text
    assert "59" in found.text
    assert kept[own].mean() >= 0.95
    needed = np.ceil(0.95 * own.sum())
    assert kept[own].sum() == needed


def test_the_text_tells_by_how_many_patients() -> None:
    p, labels = drawn(300, np.random.default_rng(0))
    patients = [f"P{row // 6}" for row in range(300)]
    target = parse_target("sensitivity>=0.9")
    text = choose_threshold(target, p, labels, patients, seed=0).text
    assert text == (
        "a sensitivity of at least 0.9 with 95 % confidence, by 50 positive patients of tune"
    )


def test_ties_stay_on_the_safe_side() -> None:
    p = np.repeat([0.2, 0.4, 0.6], 100)
    labels = np.tile([0, 1], 150)
    for kind, safe in (("sensitivity", 1), ("specificity", 0)):
        value = choose_threshold(parse_target(f"{kind}>=0.9"), p, labels, names(300), seed=0).value
        assert ((p >= value) == safe)[labels == safe].mean() >= 0.9


def test_of_a_cost_it_is_where_both_mistakes_cost_the_same() -> None:
    found = choose_threshold(
        parse_target("cost:FN/FP=4"), np.zeros(0), np.zeros(0, int), [], seed=0
    )
    assert found.value == pytest.approx(0.2)
    assert "4 false alarms" in found.text


def test_a_class_that_is_missing_is_an_error() -> None:
    with pytest.raises(StopError, match="no positive scan"):
        choose_threshold(
            Target("sensitivity", 0.9), np.zeros(3), np.zeros(3, int), names(3), seed=0
        )


@pytest.mark.parametrize("wanted", [0.5, 0.9, 0.99])
def test_one_rank_more_would_not_be_safe(wanted: float) -> None:
    from scipy.stats import beta

    for count in (50, 333, 1000):
        rank = guarded_rank(count, wanted)
        # the k-th smallest of n uniform values is Beta(k, n - k + 1): the share that it misses
        misses = [beta.sf(1 - wanted, k, count - k + 1) for k in (rank, rank + 1) if k]
        assert rank == 0 or misses[0] <= 0.05
        assert misses[-1] > 0.05


@pytest.mark.parametrize(
    "text",
    [
        *("", "Balanced", "sensitivity", "sensitivity>=1", "sensitivity>=0", "sensitivity>0.9"),
        *("sensitivity>=95%", "specificity>=nan", "cost:FN/FP=0", "cost:FN/FP=-1", "cost:FP/FN=5"),
        *("cost:FN/FP=1e3", " balanced", "sensitivity >= 0.9"),
    ],
)
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(StopError) as caught:
        parse_target(text)
    assert caught.value.code == "E_OPTION"
    assert caught.value.fix


def test_of_several_classes_there_is_no_threshold() -> None:
    require_two_classes("sensitivity>=0.9", 2)
    require_two_classes("balanced", 5)
    with pytest.raises(StopError, match="3 classes"):
        require_two_classes("sensitivity>=0.9", 3)
