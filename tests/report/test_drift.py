"""Drift: the reference in a bundle, false alarms, sizes, expectations, and that nobody is in it."""

from __future__ import annotations

import doctest
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load, save
from test_page import words

from latentdx.collection.table import ScanRow, table_of
from latentdx.diagnosis import drift_reference
from latentdx.diagnosis.drift_reference import Reference, one_each, pixel_numbers
from latentdx.diagnosis.drift_rows import column_codes, reference_of
from latentdx.metrics import two_samples
from latentdx.report import drift_words
from latentdx.report.drift import SIZES, drift_of
from latentdx.report.drift_page import drift_page
from latentdx.report.drift_words import drift_rows, drift_sentences, drift_warnings
from latentdx.report.language import in_language, not_translated


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two_samples, "PERMUTATIONS", 199)


def rows(seed: int, count: int = 120, shift: float = 0.0, share: float = 0.5) -> Reference:
    """Patients of one population; `shift` moves pixels and embeddings, `share` the sex."""
    chance = np.random.default_rng(seed)
    labels = chance.integers(0, 2, count)
    score = 1 / (1 + np.exp(-(2.0 * (2 * labels - 1) + chance.logistic(size=count) - shift)))
    decided = (score >= 0.5).astype(int)
    return Reference(
        chance.normal(size=(count, 11)) + shift,
        chance.normal(size=(count, 6)) + shift,
        np.log(score / (1 - score))[:, None],
        np.where(decided == 1, score, 1 - score)[:, None],
        (decided == labels)[:, None],
        {"sex": (chance.random(count) < share).astype(np.uint64)},
    )


def reference(seed: int = 0, **changes: object) -> Reference:
    return reference_of(rows(seed, 150, **changes), np.random.default_rng(seed))


def test_two_halves_of_one_population_raise_few_alarms() -> None:
    alarms = sum(
        drift_of(reference(k), rows(1000 + k), k)["largest"] != SIZES[0] for k in range(40)
    )
    # 2 expected of 40; 7 would come once in a thousand.
    assert alarms <= 6


def test_a_shift_is_named_with_its_size_and_nothing_is_foretold() -> None:
    found = drift_of(reference(), rows(1, shift=1.5), 0)
    sizes = {test["of"]: test["size"] for test in found["tests"]}
    assert sizes["pixels"] == sizes["embeddings"] == "strong"
    assert sizes["sex"] == "none shown"
    assert found["largest"] == "strong"
    assert found["expected"] is None
    assert "drift: pixels, embeddings" in drift_warnings(found)[0]
    assert drift_sentences(found)[0].startswith("They differ strongly")


def test_another_share_of_a_column_is_found_and_accuracy_is_still_foretold() -> None:
    found = drift_of(reference(share=0.2), rows(2, share=0.9), 0)
    sizes = {test["of"]: test["size"] for test in found["tests"]}
    assert sizes == {"pixels": "none shown", "embeddings": "none shown", "scores": "none shown",
                     "sex": "strong"}  # fmt: skip
    assert found["expected"] is not None


def test_the_expected_accuracy_is_near_the_true_one_where_nothing_drifts() -> None:
    misses = []
    for seed in range(10):
        new = rows(500 + seed, 300)
        found = drift_of(reference(seed), replace(new, columns={}), seed)
        if found["expected"]:
            told = found["expected"]["thresholded_confidence"]
            misses.append(told["value"] - new.right.mean())
            assert told["low"] <= told["value"] <= told["high"]
    assert len(misses) >= 7
    assert abs(np.mean(misses)) < 0.04


def test_answers_to_several_findings_are_foretold_together() -> None:
    """Two findings, one of them nearly always decided rightly: their mean accuracy is expected."""
    misses = []
    for seed in range(6):
        both = [rows(700 + seed, 300), rows(800 + seed, 300)]
        easy = replace(both[1], sure=np.full((300, 1), 0.97), right=np.ones((300, 1), bool))
        joined = [
            replace(
                first,
                scores=np.hstack([first.scores, second.scores]),
                sure=np.hstack([first.sure, second.sure]),
                right=np.hstack([first.right, second.right]),
            )
            for first, second in ((rows(seed, 200), _cut(easy, 200)), (both[0], easy))
        ]
        kept = reference_of(joined[0], np.random.default_rng(seed))
        found = drift_of(kept, replace(joined[1], columns={}), seed)
        if found["expected"]:
            told = found["expected"]["thresholded_confidence"]["value"]
            misses.append(told - joined[1].right.mean())
    assert len(misses) >= 4
    assert abs(np.mean(misses)) < 0.04


def _cut(told: Reference, count: int) -> Reference:
    names = ("pixels", "embeddings", "scores", "sure", "right")
    return replace(told, columns={}, **{name: getattr(told, name)[:count] for name in names})


def test_numbers_have_drift_and_no_accuracy() -> None:
    none = {"sure": np.zeros((150, 0)), "right": np.zeros((150, 0), bool)}
    kept = reference_of(replace(rows(0, 150), **none), np.random.default_rng(0))
    again = Reference.from_arrays(load(save(kept.to_arrays())))
    assert again.sure.shape == (150, 0)
    found = drift_of(again, replace(rows(5, 150), **none), 0)
    assert found["expected"] is None
    assert "How far numbers err is not foretold" in drift_sentences(found)[-1]
    assert drift_of(again, replace(rows(5, 150, shift=1.5), **none), 0)["largest"] == "strong"


def test_where_nothing_can_be_told_it_says_why() -> None:
    assert "no reference" in drift_of(None, rows(0), 0)["reason"]
    assert "fewer than 20" in drift_of(reference(), rows(0, 12), 0)["reason"]


def test_a_reference_comes_back_from_its_arrays_and_what_does_not_fit_is_refused() -> None:
    kept = reference()
    again = Reference.from_arrays(kept.to_arrays())
    sizes = [
        [(test["of"], test["size"]) for test in drift_of(each, rows(3, shift=1.5), 0)["tests"]]
        for each in (kept, again)
    ]
    assert sizes[0] == sizes[1]
    np.testing.assert_allclose(again.pixels, kept.pixels, rtol=1e-6)
    np.testing.assert_array_equal(again.right, kept.right)
    with pytest.raises(ValueError, match="rows"):
        Reference.from_arrays({**kept.to_arrays(), "pixels": np.zeros((3, 11), np.float32)})


def test_a_reference_joins_no_kind_of_a_patient_with_another() -> None:
    made = rows(0, 150)
    joined = replace(made, pixels=made.embeddings[:, :1].repeat(11, axis=1))
    kept = reference_of(joined, np.random.default_rng(0))
    assert abs(np.corrcoef(kept.pixels[:, 0], kept.embeddings[:, 0])[0, 1]) < 0.3
    assert kept.right.sum() == made.right.sum()


def test_columns_stand_by_hash_ages_by_band_and_hospitals_do_not() -> None:
    told = [{"sex": "F", "age_years": "41", "ward": "north"}, {"sex": "M", "age_years": "59"}]
    table = table_of(
        ScanRow(f"{k:016x}", f"P{k}", np.zeros((1, 1, 1), np.float32), f"{k}", covariates=one)
        for k, one in enumerate(told)
    )
    codes = column_codes(table, table.scan_id.tolist())
    assert set(codes) == {"sex", "age_years"}
    assert codes["age_years"][0] == codes["age_years"][1] > 2**32
    assert codes["sex"][0] != codes["sex"][1]


def test_each_patient_gives_one_scan() -> None:
    patients = np.array(["a"] * 50 + ["b", "c"])
    drawn = {tuple(one_each(patients, 3, np.random.default_rng(k))) for k in range(9)}
    assert all(len(set(patients[list(each)])) == 3 for each in drawn)
    assert len(drawn) > 1
    assert len(one_each(patients, 2, np.random.default_rng(0))) == 2


@pytest.mark.parametrize("shape", [(4, 1, 16, 16), (4, 3, 16, 12), (4, 1, 8, 9, 10)])
def test_numbers_of_pixels_are_finite_and_know_noise(shape: tuple[int, ...]) -> None:
    chance = np.random.default_rng(0).random(shape, dtype=np.float32)
    found = pixel_numbers(chance)
    assert found.shape == (4, 11)
    assert np.isfinite(found).all()
    assert (found[:, -2] > 5 * pixel_numbers(0.05 * chance + 0.5)[:, -2]).all()


def test_the_page_without_labels_says_so_in_both_languages() -> None:
    drift = drift_of(reference(), rows(1, shift=1.5), 0)
    warnings = ["The collection has no labels: nothing here says how good the decisions are."]
    told = {
        "n_scans": 12,
        "decisions": {"sick": 4, "well": 8},
        "drift": drift,
        "warnings": warnings,
    }
    page = drift_page("chests", told)
    for text in (*warnings, "They differ strongly", "Grey levels and sharpness", "33 %"):
        assert text in words(page)
    assert not_translated(page, "zh") == []
    assert "差异很大" in in_language(page, "zh")
    assert len(drift_rows(drift)) == 4
    numbers = {**told, "predicted": {"least": 3.0, "median": 8.0, "greatest": 41.0}, "units": "mm"}
    page = drift_page("chests", numbers)
    for text in ("Predictions", "value (mm)", "41.0", "They differ strongly"):
        assert text in words(page)
    assert not_translated(page, "zh") == []


def test_the_examples_of_drift_run() -> None:
    for module in (drift_reference, drift_words):
        assert doctest.testmod(module).failed == 0
