"""A model that reads covariates comes back from its bundle, and says what it did not know."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from bundle_models import RECIPES, bars, model_of, rewrite, saved

from latentdx.bundle.load import load_bundle
from latentdx.collection.labelled import LabelledScans
from latentdx.core.errors import IntegrityError
from latentdx.diagnosis.head import HeadSettings, train_head
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.features.covariates import Covariates
from latentdx.scans.scan import Scan

AGES = ("41", "52", "", "63") * 12
WARDS = ("Primrose", "Ozymandias", "", "Primrose") * 12
FITTED = Covariates.fit({"age": AGES, "ward": WARDS}, range(48))


@cache
def reading() -> DiagnosticModel:
    """A model that reads age and ward beside the picture."""
    model = model_of(RECIPES[0])

    def told(count: int, seed: int) -> LabelledScans:
        columns = {"age": AGES[:count], "ward": WARDS[:count]}
        return replace(bars(count, seed=seed), beside=FITTED.encode(columns))

    settings = HeadSettings(rows=100, components=8)
    head = train_head(told(48, 48), told(30, 30), model.extract, settings, seed=0)
    return replace(model, head=head, covariates=FITTED)


def a_scan(row: int, **told: str) -> Scan:
    pixels = bars(6, seed=7).pixels[row]
    return Scan(pixels, pixels.shape[1:], content_hash=f"{row:064x}", covariates=told)


def test_it_comes_back_bit_for_bit(tmp_path: Path) -> None:
    saved(reading(), tmp_path / "bundle")
    loaded = load_bundle(tmp_path / "bundle")
    assert loaded.covariates == FITTED
    pixels, beside = bars(12, seed=5).pixels, FITTED.encode({"age": AGES[:12], "ward": WARDS[:12]})
    for given in (beside, None):
        before, after = reading().compute(pixels, None, given), loaded.compute(pixels, None, given)
        np.testing.assert_array_equal(before.scores, after.scores)
    known = loaded.compute(pixels, None, beside).scores
    assert np.abs(known - loaded.compute(pixels).scores).max() > 1e-3


def test_what_a_file_says_is_read_and_what_is_missing_is_told() -> None:
    model = reading()
    whole, half, none = (
        a_scan(0, age="052Y", ward="Primrose"), a_scan(0, age_years="52"), a_scan(0, ward="?"),
    )  # fmt: skip
    found = model.predict([whole, half, none])
    assert [item.missing for item in found] == [(), ("ward",), ("age", "ward")]
    assert [item.as_json()["missing_covariates"] for item in found] == [
        [], ["ward"], ["age", "ward"],
    ]  # fmt: skip
    assert len({str(item.probabilities) for item in found}) == 3
    assert {item.status for item in found} == {"ok"}


def test_without_covariates_nothing_is_told_of_them() -> None:
    [found] = model_of(RECIPES[0]).predict([a_scan(0, age="41")])
    assert "missing_covariates" not in found.as_json()


def test_no_value_of_a_column_is_in_the_bundle(tmp_path: Path) -> None:
    saved(reading(), tmp_path / "bundle")
    data = b"".join(path.read_bytes() for path in (tmp_path / "bundle").iterdir())
    assert b"Primrose" not in data
    assert b"Ozymandias" not in data


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"head__covariates": []}, "do not fit each other"),
        ({"head__covariates": [{"kind": "number", "name": "age"}]}, "missing"),
        (
            {
                "head__covariates": [
                    {"kind": "category", "name": "a", "levels": ["F"], "scale": 1, "flags": False}
                ]
            },
            "string_pattern_mismatch",
        ),
        (
            {
                "head__covariates": [
                    {**dict.fromkeys(("mean", "median"), 0.0), "scale": "NaN", "name": "a",
                     "kind": "number", "flags": False}
                ]
            },
            "finite_number|greater_than",
        ),
    ],
    ids=["gone", "half", "words", "no number"],
)  # fmt: skip
def test_covariates_that_cannot_be_are_refused(
    changes: dict[str, object], found: str, tmp_path: Path
) -> None:
    saved(reading(), tmp_path / "bundle")
    rewrite(tmp_path / "bundle", **changes)
    with pytest.raises(IntegrityError, match=found) as caught:
        load_bundle(tmp_path / "bundle")
    assert caught.value.code == "E_MODEL_INTEGRITY"
