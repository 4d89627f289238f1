"""Covariates of a study: fitted on train, refused where they are the label, told in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from latentdx.collection.split import Split
from latentdx.collection.table import CollectionTable, ScanRow, table_of
from latentdx.core.errors import StopError
from latentdx.metrics.estimate import Estimate
from latentdx.study.covariates import (
    covariates_told,
    fit_covariates,
    missing_warnings,
    require_no_value,
)
from latentdx.study.gains import COVARIATES, gain_sentence
from latentdx.study.settings import settings_from

PARTS = ["train"] * 30 + ["tune"] * 10 + ["calibrate"] * 10 + ["test"] * 30


def a_table(seed: int = 0, **columns: list[str]) -> CollectionTable:
    columns["age"] = np.random.default_rng(seed).integers(30, 80, 80).astype(str).tolist()
    return table_of(
        ScanRow(
            f"{row:016x}", f"{row}.png", np.zeros((1, 1, 1), np.float32), str(row),
            patient=f"P{row}", label=("no", "yes")[row % 2],
            covariates={name: each[row] for name, each in columns.items()},
        )
        for row in range(80)
    )  # fmt: skip


def split_of(table: CollectionTable) -> Split:
    parts = np.array(PARTS)
    return Split(parts, Split.hash_of(table, parts))


def test_none_are_asked_for() -> None:
    table = a_table()
    assert fit_covariates(table, split_of(table), ()) is None


def test_only_the_training_part_is_fitted_on() -> None:
    table = a_table()
    fitted = fit_covariates(table, split_of(table), ["age"])
    ages = [int(told["age"]) for told in table.covariates]
    assert fitted is not None
    assert fitted.columns[0].mean == pytest.approx(np.mean(ages[:30]))
    others = [*table.covariates[:30], *({"age": "999"} for _ in range(50))]
    assert fit_covariates(replace(table, covariates=tuple(others)), split_of(table), ["age"]) == (
        fitted
    )


def test_the_label_in_other_words_is_refused() -> None:
    table = a_table(finding=["clear", "opacity"] * 40)
    with pytest.raises(StopError, match="'finding' is the label in other words") as caught:
        fit_covariates(table, split_of(table), ["age", "finding"])
    assert caught.value.code == "E_COVARIATE"


def test_a_column_that_follows_the_values_is_refused() -> None:
    table = a_table()
    ages = [told["age"] for told in table.covariates]
    same = replace(table, label=np.array([f"{12 * float(age):.1f}" for age in ages]))
    other = replace(table, label=np.array([str(row * row % 71) for row in range(80)]))
    fitted = fit_covariates(table, split_of(table), ["age"])
    assert fitted is not None
    require_no_value(other, split_of(other), fitted)
    with pytest.raises(StopError, match="'age' is the label in other words"):
        require_no_value(same, split_of(same), fitted)


def test_the_labels_of_test_are_not_looked_at() -> None:
    """A column that is the label in train and not in test is refused all the same."""
    table = a_table(finding=[*["clear", "opacity"] * 25, *["clear", "clear"] * 15])
    with pytest.raises(StopError, match="in other words"):
        fit_covariates(table, split_of(table), ["finding"])


@pytest.mark.parametrize("name", ["weight", "patient_id"])
def test_columns_that_cannot_be_are_refused(name: str) -> None:
    table = a_table()
    with pytest.raises(StopError) as caught:
        fit_covariates(table, split_of(table), [name])
    assert caught.value.code == "E_COVARIATE"


def test_what_is_not_known_is_counted_and_told() -> None:
    table = a_table(sex=(["F", "M", "", "M", "F"] * 16))
    fitted = fit_covariates(table, split_of(table), ["age", "sex"])
    assert fitted is not None
    told = covariates_told(fitted, table, table.scan_id[-8:].tolist())
    assert told == {"columns": ["age", "sex"], "n_scans": 8, "missing": {"age": 0, "sex": 2}}
    assert missing_warnings(told) == ["the covariate 'sex' is not known of 2 of 8 test scans"]


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (Estimate(0.05, 0.01, 0.09, 100, 90), "they are worth it"),
        (Estimate(0.05, -0.01, 0.09, 100, 90), "it is not sure that they help"),
        (Estimate(-0.05, -0.09, -0.01, 100, 90), "they harm"),
        (Estimate(0.05, 0.01, 0.09, 100, 9), "cannot be told"),
        (Estimate(None, None, None, 100, 90), "cannot be told"),
    ],
)
def test_whether_they_are_worth_it_is_told(gain: Estimate, words: str) -> None:
    assert words in gain_sentence(COVARIATES, gain)


def test_names_are_written_as_columns_are(tmp_path: Path) -> None:
    settings = settings_from({"source": "x", "covariates": ("Age Years", "sex", "SEX")})
    assert settings.covariates == ("age_years", "sex")
