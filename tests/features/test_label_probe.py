"""What tells the label is found, and what does not is found as seldom as is promised."""

from __future__ import annotations

import numpy as np
import pytest

from latentdx.features.label_probe import RIDGE, LabelProbe, _model, macro_areas
from latentdx.metrics.discrimination import auroc


def probe(targets: np.ndarray, seed: int = 0) -> LabelProbe:
    return LabelProbe.of(targets, np.random.default_rng(seed))


def test_areas_are_those_of_the_metric() -> None:
    draw = np.random.default_rng(0)
    scores = draw.integers(0, 4, (3, 2, 50)).astype(np.float32)
    targets = draw.random((3, 2, 50)) < 0.4
    expected = [np.mean([auroc(targets[b, k], scores[b, k]) for k in range(2)]) for b in range(3)]
    assert macro_areas(scores, targets) == pytest.approx(expected)


def test_a_column_that_tells_the_label_is_found() -> None:
    draw = np.random.default_rng(1)
    sick = draw.random(200) < 0.4
    features = np.stack([sick + draw.normal(0, 0.7, 200), draw.normal(size=200)], axis=1)
    asked = probe(sick[:, None])
    found = asked.estimate(asked.scores(features), np.random.default_rng(2))
    assert found.value is not None
    assert found.low is not None
    assert found.value > 0.75
    assert found.low > 0.65
    assert asked.p_value(features, np.random.default_rng(3), 199) == 1 / 200


def test_held_out_scans_are_not_learned_from() -> None:
    # As many columns as scans: a model that had seen them would be right about all.
    draw = np.random.default_rng(4)
    targets = np.arange(60)[:, None] % 2 == 0
    asked = probe(targets)
    areas = [
        asked.estimate(asked.scores(draw.normal(size=(60, 80))), draw).value for _ in range(10)
    ]
    assert np.mean(areas) == pytest.approx(0.5, abs=0.1)


def test_chance_raises_as_few_alarms_as_is_said() -> None:
    draw = np.random.default_rng(5)
    found = []
    for number in range(150):
        targets = draw.random((50, 3)) < 0.4
        features = draw.integers(0, 2, (50, 4)).astype(np.float64)
        found.append(probe(targets, number).p_value(features, draw, 99))
    assert 0.03 < np.mean(np.array(found) <= 0.1) < 0.17


def test_several_targets_are_asked_at_once() -> None:
    draw = np.random.default_rng(6)
    which = draw.integers(0, 3, 150)
    targets = which[:, None] == np.arange(3)
    asked = probe(targets)
    scores = asked.scores(np.eye(3)[which])
    assert scores.shape == (150, 3)
    assert asked.estimate(scores, draw).value == pytest.approx(1.0)


def test_more_columns_than_scans_give_the_same_weights_by_the_smaller_system() -> None:
    generator = np.random.default_rng(0)
    features = generator.standard_normal((60, 80)).astype(np.float32)
    held_out = np.arange(60) % 5 == 0
    rows = features[~held_out].astype(np.float64)
    inner = rows.T @ rows / 48 + (RIDGE + 80 / 48) * np.eye(80)
    _, shown, weights = _model(features, held_out)
    np.testing.assert_allclose(weights, np.linalg.solve(inner, rows.T / 48), atol=1e-6)
    np.testing.assert_array_equal(shown, features[held_out])
