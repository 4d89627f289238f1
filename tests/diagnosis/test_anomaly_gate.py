"""The gate: its rate holds on exchangeable scans, strange ones are stopped, and it says by what."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from latentdx.autoencoder.family import build
from latentdx.diagnosis.anomaly import WEIGHTS, AnomalyGate, default_rate, joined
from latentdx.diagnosis.gate_density import Density
from latentdx.diagnosis.gate_evidence import (
    MEASURES,
    Evidence,
    Measure,
    brightness,
    gather,
    layout,
    reconstruction_errors,
)
from latentdx.diagnosis.gate_header import Headers
from latentdx.diagnosis.gate_words import why_not_evaluated
from latentdx.features.extract import reconstruct
from latentdx.scans.scan import Scan

WIDTHS = dict(zip(MEASURES, (40, 60, 3, 15, 16), strict=True))


def ordinary(count: int, seed: int) -> Evidence:
    """Vectors by measure, correlated and heavy-tailed, some more than others."""
    generator = np.random.default_rng(seed)
    mix = np.random.default_rng(99)
    found: Evidence = {}
    shared = generator.standard_t(6, size=(count, 1))
    for name, width in WIDTHS.items():
        hidden = generator.standard_t(6, size=(count, 5)) + shared
        vectors = hidden @ mix.normal(size=(5, width)) + generator.normal(size=(count, width))
        found[name] = vectors.astype(np.float32)
    return found


def moved(evidence: Evidence, name: Measure, by: float) -> Evidence:
    """The same but for one measure, off the axes that its scans vary along."""
    shift = np.where(np.arange(WIDTHS[name]) % 2, by, -by).astype(np.float32)
    return {**evidence, name: evidence[name] + shift}


def gate_of(count: int, seed: int, n_train: int = 300, **settings: float) -> AnomalyGate:
    train, names = ordinary(n_train, 1000 + seed), np.arange(n_train).astype(str)
    return AnomalyGate.fit(train, names, ordinary(count, 2000 + seed), **settings)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def gate() -> AnomalyGate:
    return gate_of(199, 0)


@pytest.mark.parametrize(("n_calibrate", "rate"), [(49, 0.02), (199, 0.02), (99, 0.1)])
def test_of_exchangeable_scans_the_rate_is_stopped(n_calibrate: int, rate: float) -> None:
    """On average over calibration parts exactly k / (M + 1): drawn anew from one pool."""
    gate = gate_of(n_calibrate, 1, rate=rate)
    assert not gate.is_continued
    evidence, generator = ordinary(4000, 5), np.random.default_rng(0)
    joint = joined(gate.measured(evidence))
    stopped = []
    for _ in range(40):
        drawn, others = np.split(generator.permutation(4000)[: n_calibrate + 300], [n_calibrate])
        again = replace(gate, reference=np.sort(joint[drawn]))
        stopped.append(again.is_foreign({k: v[others] for k, v in evidence.items()}).mean())
    expected = np.floor(rate * (n_calibrate + 1) + 1e-9) / (n_calibrate + 1)
    assert np.mean(stopped) == pytest.approx(expected, abs=0.01)


def test_scores_are_the_share_of_calibration_scans_that_are_less_strange() -> None:
    scores = gate_of(1999, 0).scores(ordinary(4000, 6))
    assert 0 <= scores.min() < 0.01
    assert 1 - 5 / 2000 < scores.max() <= 1 - 1 / 2000
    for level in (0.05, 0.2, 0.5):
        assert (scores >= 1 - level).mean() == pytest.approx(level, abs=0.03)


@pytest.mark.parametrize("name", MEASURES)
def test_any_one_measure_stops_a_scan_and_is_named(gate: AnomalyGate, name: Measure) -> None:
    ordinary_ones = ordinary(50, 7)
    scores = [gate.scores(moved(ordinary_ones, name, by)).mean() for by in (0, 1, 3, 30)]
    assert scores == sorted(scores)
    strange = moved(ordinary_ones, name, 30)
    assert gate.is_foreign(strange).all()
    assert (gate.strangest(strange) == name).all()
    assert len(gate.reference) == 300 + 199
    assert (gate.scores(strange) == 1 - 1 / 500).all()


def test_weak_signs_of_several_measures_add_up(gate: AnomalyGate) -> None:
    scans = ordinary(400, 8)
    values = gate.measured(scans)
    joint = joined(values)
    for column, name in enumerate(MEASURES):
        alone = joined(np.where(np.arange(5) == column, values, 0))
        wanted = np.sqrt(WEIGHTS[name]) * np.maximum(values[:, column], 0)
        np.testing.assert_allclose(alone, wanted)
        assert (joint >= alone * (1 - 1e-12)).all()
        assert (joint > 1.01 * alone).any()


@pytest.mark.parametrize("n_calibrate", [1, 2, 10, 30])
def test_few_calibration_scans_stop_the_strange_and_little_else(n_calibrate: int) -> None:
    gates = [gate_of(n_calibrate, seed, rate=0.02) for seed in range(3)]
    scans = ordinary(1000, 9)
    for gate in gates:
        assert gate.is_foreign(moved(scans, "features", 30)).all()
        p_values = np.sort(gate.p_values(scans))
        assert p_values[0] > 0
        assert p_values[-1] <= 1
    assert np.mean([gate.is_foreign(scans).mean() for gate in gates]) < 0.1


@pytest.mark.parametrize("n_calibrate", [1, 2, 10, 30])
def test_few_scans_of_both_parts_stop_the_strange(n_calibrate: int) -> None:
    scans = ordinary(1000, 9)
    for gate in (gate_of(n_calibrate, seed, n_train=18, rate=0.02) for seed in range(3)):
        assert gate.is_continued
        assert gate.is_foreign(moved(scans, "features", 30)).all()
        p_values = np.sort(gate.p_values(scans))
        assert p_values[0] > 0
        assert p_values[-1] <= 1


def test_p_values_go_on_falling_beyond_the_strangest_scan(gate: AnomalyGate) -> None:
    one = ordinary(1, 10)
    p_values = [gate.p_values(moved(one, "latent", by))[0] for by in (0, 10, 20, 40)]
    assert p_values == sorted(p_values, reverse=True)
    assert p_values[-1] < p_values[-2] < 1 / 500


@pytest.mark.parametrize("n_train", [1, 2, 3, 9])
def test_few_training_scans_make_a_gate(n_train: int) -> None:
    names = np.zeros(n_train).astype(str)
    gate = AnomalyGate.fit(ordinary(n_train, 0), names, ordinary(4, 1))
    assert np.isfinite(gate.scores(ordinary(5, 2))).all()
    assert gate.is_foreign(moved(ordinary(5, 2), "layout", 1e6)).all()


def test_a_gate_comes_back_from_its_arrays(gate: AnomalyGate) -> None:
    again = AnomalyGate.from_arrays(gate.to_arrays(), gate.rate, gate.headers)
    scans = moved(ordinary(20, 3), "rebuilt", 0.5)
    np.testing.assert_array_equal(again.p_values(scans), gate.p_values(scans))
    with pytest.raises(KeyError):
        AnomalyGate.from_arrays({"medians": np.zeros(5)}, 0.02, Headers())
    short = {**gate.to_arrays(), "units": np.ones(4)}
    with pytest.raises(ValueError, match="fit each other"):
        AnomalyGate.from_arrays(short, 0.02, Headers())


def test_densities_measure_mahalanobis_distances_where_scans_are_many() -> None:
    generator = np.random.default_rng(0)
    covariance = np.array([[4.0, 1.8, 0], [1.8, 1.0, 0], [0, 0, 0.01]])
    vectors = generator.multivariate_normal([1, 2, 3], covariance, 100_000).astype(np.float32)
    density = Density.fit(vectors, trimmed=0)
    asked = np.array([[1, 2, 3], [3, 2, 3], [3, 3, 3], [1, 2, 3.3]], np.float32)
    found = np.expm1(density(asked)) * 3
    gap = asked - np.array([1, 2, 3])
    wanted = np.einsum("ni,ij,nj->n", gap, np.linalg.inv(covariance), gap)
    np.testing.assert_allclose(found, wanted, rtol=0.05, atol=0.01)


def test_a_few_odd_scans_do_not_widen_a_density() -> None:
    vectors = np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32)
    far = np.full((1, 6), 6, np.float32)
    clean = Density.fit(vectors)(far)
    vectors[::20] += 40
    assert Density.fit(vectors)(far) == pytest.approx(clean, rel=0.1)
    assert Density.fit(vectors, trimmed=0)(far) < 0.7 * clean


@pytest.mark.parametrize(("n_calibrate", "rate"), [(5, 0.05), (43, 5 / 124), (500, 0.02)])
def test_the_fifth_strangest_scan_is_the_limit_where_scans_are_few(
    n_calibrate: int, rate: float
) -> None:
    gate = gate_of(n_calibrate, 2, n_train=80)
    assert len(gate.reference) == 80 + n_calibrate
    assert gate.rate == default_rate(80 + n_calibrate) == rate
    if n_calibrate == 43:
        shares = [(1 + (gate.reference >= value).sum()) / 124 for value in gate.reference]
        assert (np.array(shares) <= gate.rate * (1 + 1e-9)).sum() == 4


def test_a_few_odd_scans_in_calibrate_do_not_open_the_gate() -> None:
    train, names = ordinary(120, 1), np.arange(120).astype(str)
    calibrate, strange = ordinary(40, 2), moved(ordinary(60, 3), "features", 6)
    odd = {name: vectors.copy() for name, vectors in calibrate.items()}
    odd["features"][:3] += 40
    before, after = (AnomalyGate.fit(train, names, each) for each in (calibrate, odd))
    assert before.is_foreign(strange).mean() == 1
    assert after.is_foreign(strange).mean() > 0.95
    alone = replace(after, reference=np.sort(joined(after.measured(odd))), rate=0.05)
    assert alone.is_foreign(strange).mean() < 0.05


def test_calibrate_stands_alone_where_it_contradicts_training_scans() -> None:
    """As with an encoder that knows its training scans by heart."""
    train, names = ordinary(400, 1), np.arange(400).astype(str)
    new = [moved(ordinary(count, seed), "rebuilt", 6) for count, seed in ((60, 2), (400, 3))]
    gate = AnomalyGate.fit(train, names, new[0])
    assert len(gate.reference) == 60
    assert gate.is_foreign(new[1]).mean() < 0.15


def test_scans_without_any_spread_have_a_density() -> None:
    density = Density.fit(np.ones((20, 4), np.float32))
    same, other = density(np.array([[1] * 4, [2] * 4], np.float32))
    assert same == 0
    assert np.isfinite(other)
    assert other > 1


@pytest.mark.parametrize(("channels", "size"), [(1, [20, 24]), (3, [12, 12]), (1, [8, 12, 10])])
def test_evidence_of_images_and_volumes(channels: int, size: list[int]) -> None:
    network = build("invariant", {"channels": channels, "size": size, "widths": (4, 8)})
    pixels = np.random.default_rng(0).random((6, channels, *size)).astype(np.float32)
    found = gather(network, pixels, reconstruct(network, pixels))
    assert tuple(found) == MEASURES == get_args(Measure)
    for vectors in found.values():
        assert vectors.shape[0] == 6
        assert vectors.dtype == np.float32
        assert np.isfinite(vectors).all()
    assert found["rebuilt"].shape == (6, 3)
    assert found["brightness"].shape == (6, 13 + len(size))


def test_brightness_and_layout_by_hand() -> None:
    pixels = np.zeros((1, 1, 16, 16), np.float32)
    pixels[..., 4:12, 4:12] = 1
    facts = brightness(pixels)[0]
    assert facts[-1] == 0.25
    assert facts[8] == 0  # border
    assert facts[9] == 1  # centre
    assert facts[10] == 0.75  # black
    assert facts[11] == 0.25  # white
    grid = layout(pixels).reshape(8, 8)
    assert grid.sum() == 16
    assert (grid[2:6, 2:6] == 1).all()


def test_reconstruction_errors_by_hand() -> None:
    pixels = np.zeros((2, 1, 2, 2), np.float32)
    pixels[0, 0] = [[0, 1], [0, 1]]
    rebuilt = pixels + np.float32(0.1)
    np.testing.assert_allclose(
        reconstruction_errors(pixels, rebuilt), [0.1 / 0.5, 0.1 / 0.02], rtol=1e-5
    )
    np.testing.assert_allclose(reconstruction_errors(0.5 * pixels, 0.5 * rebuilt)[0], 0.2)


@pytest.mark.parametrize(
    ("modalities", "known"),
    [
        (["CR"] * 10, ("CR",)),
        (["MR"] * 9 + [""], ("MR",)),
        (["MR"] * 8 + [""] * 2, ()),
        (["OT"] * 10, ()),
        ([""], ()),
        ([], ()),
    ],
)
def test_modalities_are_kept_where_nearly_all_scans_say_theirs(
    modalities: list[str], known: tuple[str, ...]
) -> None:
    assert Headers.of(modalities, []).modalities == known


def test_headers_that_say_nothing_stop_nothing() -> None:
    scan = Scan(np.eye(4, dtype=np.float32)[None], (400, 100), modality="CT")
    assert why_not_evaluated(scan, Headers(), None) == ("", "")
    assert why_not_evaluated(replace(scan, modality=""), Headers(("MR",)), None) == ("", "")
    assert why_not_evaluated(scan, Headers(("MR",)), None)[0] == "A_MODALITY"
    assert why_not_evaluated(scan, Headers((), (0.8, 1.2)), None)[0] == "A_PROPORTION"
    assert why_not_evaluated(scan, Headers((), (0.8, 2.0)), None) == ("", "")
    texts = {why_not_evaluated(scan, Headers(), name) for name in MEASURES}
    assert {code for code, _ in texts} == {"A_FOREIGN"}
    assert len(texts) == len(MEASURES)
