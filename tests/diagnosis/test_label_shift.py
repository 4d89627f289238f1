"""Class shares without labels: found where only they changed, refused where more did."""

from __future__ import annotations

import doctest
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from latentdx.diagnosis.calibrate import SigmoidCalibration
from latentdx.diagnosis.drift_reference import Reference
from latentdx.diagnosis.label_shift import Held, LabelShift, Said, estimate_shift
from latentdx.metrics import label_shift
from latentdx.metrics.calibration import brier
from latentdx.metrics.label_shift import bbse, likeliest_shares, with_shares
from latentdx.report.label_shift import more_than_shares, shares_told, shift_sentences
from latentdx.report.language import looked_up

Arrays = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


def scans(seed: int, count: int, shares: list[float], moved: float = 0, flat: float = 1) -> Arrays:
    """Scores and labels; `moved` adds to all scores, `flat` scales them."""
    chance = np.random.default_rng(seed)
    labels = chance.choice(len(shares), count, p=shares)
    if len(shares) == 2:
        scores = chance.normal(size=(count, 1)) + 2 * labels[:, None]
    else:
        scores = chance.normal(size=(count, len(shares))) + 2.5 * np.eye(len(shares))[labels]
    scores[:, 0] += moved
    return (scores * flat).astype(np.float32), labels


def found(seed: int, here: list[float], there: list[float], **how: float) -> LabelShift:
    scores, labels = scans(seed, 200, here)
    calibration = SigmoidCalibration.fit(scores, labels)
    own = calibration.probabilities(scores)
    new = calibration.probabilities(scans(1000 + seed, 300, there, **how)[0])
    return estimate_shift(
        Held(own, own.argmax(axis=1), labels),
        Said(new, new.argmax(axis=1)),
        np.random.default_rng(seed),
        300,
    )


SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
TWO, RARE = [0.5, 0.5], [0.85, 0.15]
THREE, OTHER = [0.4, 0.3, 0.3], [0.7, 0.2, 0.1]


@pytest.mark.parametrize(("here", "there"), [(TWO, RARE), (THREE, OTHER)])
def test_shares_that_changed_alone_are_found(here: list[float], there: list[float]) -> None:
    told = [found(seed, here, there) for seed in range(12)]
    assert sum(one.reason is None for one in told) >= 4
    for values in (np.mean([one.em for one in told], axis=0), np.mean([o.bbse for o in told], 0)):
        np.testing.assert_allclose(values, there, atol=0.05)
    covered = [(one.ends(2)[0] <= there) & (there <= one.ends(2)[1]) for one in told]
    assert np.mean(covered) >= 0.75


@pytest.mark.parametrize("how", [{"moved": 1.5}, {"flat": 0.4}])
def test_where_scores_moved_nothing_is_corrected(how: dict[str, float]) -> None:
    told = [found(seed, TWO, TWO, **how) for seed in range(12)]
    assert sum(one.reason is None for one in told) <= 1


def test_the_same_shares_are_no_shift() -> None:
    assert sum(found(seed, TWO, TWO).reason is None for seed in range(12)) <= 2


def test_corrected_probabilities_are_right_again() -> None:
    scores, labels = scans(0, 4000, TWO)
    table = SigmoidCalibration.fit(scores, labels).probabilities(scores)
    new, truth = scans(1, 4000, RARE)
    own = SigmoidCalibration.fit(scores, labels).probabilities(new)
    after = with_shares(own, np.array(TWO), np.array(RARE))
    target = np.eye(2)[truth]
    assert ((after - target) ** 2).mean() < ((own - target) ** 2).mean() - 0.02
    assert after[:, 1].mean() == pytest.approx(truth.mean(), abs=0.02)
    assert table[:, 1].mean() == pytest.approx(0.5, abs=0.02)


def test_two_classes_need_no_stored_labels_and_several_do() -> None:
    scores, labels = scans(0, 90, TWO)
    table = SigmoidCalibration.fit(scores, labels).probabilities(scores)
    decided = (table[:, 1] >= 0.4).astype(np.int64)
    held = Held.of(reference(table, decided, labels), 0.4)
    assert held is not None
    np.testing.assert_array_equal(held.labels, labels)
    np.testing.assert_array_equal(held.decisions, decided)
    scores, labels = scans(0, 90, THREE)
    table = SigmoidCalibration.fit(scores, labels).probabilities(scores)
    kept = reference(table, table.argmax(axis=1), labels)
    assert Held.of(kept, None) is None
    again = Reference.from_arrays(reference(table, table.argmax(axis=1), labels, True).to_arrays())
    held = Held.of(again, None)
    assert held is not None
    np.testing.assert_array_equal(held.decisions, table.argmax(axis=1))
    np.testing.assert_array_equal(held.labels, labels)


def reference(table: Any, decided: Any, labels: Any, keep: bool = False) -> Reference:
    """As a bundle keeps it."""
    odds = np.log(table / (1 - table))
    none = np.zeros((len(table), 1))
    sure = table[np.arange(len(table)), decided][:, None]
    right = (decided == labels)[:, None]
    shown = odds[:, 1:] if table.shape[1] == 2 else odds
    return Reference(none, none, shown, sure, right, labels=labels if keep else None)


def test_what_cannot_be_solved_is_not_known() -> None:
    labels, decisions = np.repeat([0, 1], 10), np.zeros(20, np.int64)
    assert np.isnan(bbse(labels, decisions, np.ones((1, 20)), np.array([[1.0, 0.0]]))).all()
    alike = np.full((9, 2), 0.5)
    shares = likeliest_shares(alike, np.ones((1, 9)), np.array([[0.3, 0.7]]))
    assert shares.sum() == pytest.approx(1)


def test_drift_beyond_the_shares_is_named() -> None:
    shift = found(0, TWO, RARE)
    test = {"of": "pixels", "by": "auroc", "size": "strong", "effect": 0.97}
    reason = more_than_shares(shift, {"tests": [test]})
    assert reason is not None
    assert reason.startswith("drift: pixels")
    assert more_than_shares(shift, {"tests": [{**test, "effect": 0.6}]}) is None
    assert more_than_shares(shift, {"tests": [{**test, "size": "none shown"}]}) is None


def test_it_is_said_in_both_languages() -> None:
    told = shares_told(found(0, TWO, RARE), ("clear", "disc"))
    change = {"value": -0.02, "low": -0.03, "high": -0.01}
    reasons = ["together: ", "the bundle keeps no", "labels: ", "fewer than 20", "unknown: ",
               "disagree: ", "scores: ", "drift: pixels", "none: "]  # fmt: skip
    sentences = shift_sentences({**told, "reason": None, "differences": {"brier": change}})
    sentences += shift_sentences({**told, "reason": None})
    unknown = {"held_out": 0.5, "em": change, "bbse": dict.fromkeys(change)}
    for reason in reasons:
        sentences += shift_sentences({"shares": {"a": unknown}, "reason": reason})
    assert [text for text in sentences if looked_up(text, "zh") is None] == []


@pytest.fixture(scope="module")
def pneumonia() -> tuple[Any, Any]:
    """Of PneumoniaMNIST's ``val`` and ``test``: scores by 50 components of pixels, and labels."""
    source = SHARED / "medmnist" / "pneumoniamnist.npz"
    if not source.exists():
        pytest.skip("PneumoniaMNIST is not in the data folder")
    with np.load(source) as arrays:
        pixels, labels = (
            [arrays[f"{part}_{of}"][: 1500 if part == "train" else None] for part in PARTS]
            for of in ("images", "labels")
        )
    flat = [one.reshape(len(one), -1) / 255 for one in pixels]
    reduce = PCA(50, random_state=0).fit(flat[0])
    table = [reduce.transform(one) for one in flat]
    machine = LogisticRegression(C=0.1, max_iter=2000).fit(table[0], labels[0].ravel())
    scores = [machine.decision_function(one)[:, None].astype(np.float32) for one in table]
    return tuple(
        (one, own.ravel().astype(np.int64)) for one, own in zip(scores, labels, strict=True)
    )[1:]


PARTS = ("train", "val", "test")


def judged(held: tuple[Any, Any], new: tuple[Any, Any]) -> tuple[LabelShift, float]:
    """The shift, and by how much the correction lowers the Brier score."""
    calibration = SigmoidCalibration.fit(*held)
    own, table = (calibration.probabilities(scores) for scores, _ in (held, new))
    shift = estimate_shift(
        Held(own, own.argmax(axis=1), held[1]),
        Said(table, table.argmax(axis=1)),
        np.random.default_rng(0),
    )
    before, after = (brier(new[1], one) for one in (table, shift.corrected(table)))
    return shift, before - after


def test_the_test_part_of_pneumoniamnist_is_refused_and_correction_would_harm(pneumonia) -> None:
    val, test = pneumonia
    shift, gain = judged(val, test)
    assert shift.reason is not None
    assert shift.reason.startswith("scores")
    assert gain < 0


def test_real_scans_of_which_only_the_shares_changed_are_corrected(pneumonia) -> None:
    """Half of ``val`` held out; of the other half all normal ones and 30 with pneumonia."""
    scores, labels = pneumonia[0]
    order = np.random.default_rng(0).permutation(len(labels))
    held, rest = order[:262], order[262:]
    chosen = np.r_[rest[labels[rest] == 0], rest[labels[rest] == 1][:30]]
    shift, gain = judged((scores[held], labels[held]), (scores[chosen], labels[chosen]))
    assert shift.reason is None
    assert shift.ends(2)[0, 1] <= labels[chosen].mean() <= shift.ends(2)[1, 1]
    assert gain > 0.01


def test_the_examples_run() -> None:
    assert doctest.testmod(label_shift).failed == 0
