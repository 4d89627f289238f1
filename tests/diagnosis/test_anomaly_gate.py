"""Strangeness: p-values are uniform for ordinary scans, and foreign ones are flagged."""

from __future__ import annotations

import numpy as np
import pytest

from latentdx.diagnosis.anomaly import AnomalyGate, reconstruction_errors


def ordinary(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Whitened embeddings (N, 5) and positive errors (N,)."""
    generator = np.random.default_rng(seed)
    whitened = generator.normal(size=(count, 5)).astype(np.float32)
    return whitened, generator.gamma(5, 0.02, count).astype(np.float32)


@pytest.fixture(scope="module")
def gate() -> AnomalyGate:
    return AnomalyGate.fit(*ordinary(500, 0))


def test_p_values_of_ordinary_scans_are_nearly_uniform(gate: AnomalyGate) -> None:
    whitened, errors = ordinary(4000, 1)
    by_distance = gate.scores(whitened, np.zeros(4000, np.float32))
    by_error = gate.scores(0 * whitened, errors)
    for scores in (by_distance, by_error):
        p = (1 - scores) / 2  # one measure tells nothing, the other's p-value is doubled
        for level in (0.05, 0.2, 0.4):
            assert (p <= level).mean() == pytest.approx(level, abs=0.03)


def test_few_ordinary_scans_score_high(gate: AnomalyGate) -> None:
    scores = gate.scores(*ordinary(4000, 2))
    assert ((scores >= 0) & (scores <= 1)).all()
    for level in (0.05, 0.2):
        assert (scores > 1 - level).mean() <= level + 0.02
        assert (scores > 1 - level).mean() >= level / 2


def test_scores_rise_with_strangeness_in_either_measure(gate: AnomalyGate) -> None:
    whitened, errors = np.zeros((4, 5), np.float32), np.full(4, 0.01, np.float32)
    whitened[:, 0] = [0.5, 2, 3, 10]
    by_distance = gate.scores(whitened, errors)
    by_error = gate.scores(0 * whitened, np.array([0.05, 0.15, 0.2, 2], np.float32))
    for scores in (by_distance, by_error):
        assert (np.diff(scores) >= 0).all()
        assert scores[0] < 0.5
        assert scores[-1] == pytest.approx(1 - 2 / 501)


def test_equal_strangeness_counts_as_at_least_as_strange() -> None:
    gate = AnomalyGate(np.array([1, 4, 4, 9], np.float32), np.zeros(4, np.float32))
    scores = gate.scores(np.array([[2], [2.5], [3], [3.5]], np.float32), np.zeros(4, np.float32))
    p_values = np.array([4, 2, 2, 1]) / 5
    np.testing.assert_allclose(scores, 1 - np.minimum(1, 2 * p_values))


def test_foreign_is_twice_the_strangest_of_calibration(gate: AnomalyGate) -> None:
    length, error = float(gate.distances[-1]), float(gate.errors[-1])
    whitened = np.zeros((4, 5), np.float32)
    whitened[:, 2] = np.sqrt([1.9 * length, 2.1 * length, 0, 0])
    errors = np.array([0, 0, 1.9 * error, 2.1 * error], np.float32)
    assert gate.is_foreign(whitened, errors).tolist() == [False, True, False, True]


def test_no_calibration_scan_is_foreign(gate: AnomalyGate) -> None:
    assert not gate.is_foreign(*ordinary(500, 0)).any()
    assert (np.diff(gate.distances) >= 0).all()
    assert (np.diff(gate.errors) >= 0).all()


def test_reconstruction_errors_by_hand() -> None:
    pixels = np.zeros((2, 1, 2, 2), np.float32)
    pixels[0, 0] = [[0, 1], [0, 1]]
    rebuilt = pixels + np.float32(0.1)
    np.testing.assert_allclose(
        reconstruction_errors(pixels, rebuilt), [0.1 / 0.5, 0.1 / 0.02], rtol=1e-5
    )
    np.testing.assert_allclose(reconstruction_errors(0.5 * pixels, 0.5 * rebuilt)[0], 0.2)
