"""Covariates: how columns become numbers, what is not known, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from latentdx.collection.table import ScanRow, table_of
from latentdx.core.errors import StopError
from latentdx.features.covariate_values import columns_of, columns_of_scans, require_columns
from latentdx.features.covariates import Category, Covariates, Number, level_key
from latentdx.scans.scan import Scan

AGES = tuple(str(30 + row) for row in range(20))
SEXES = ("F", "M") * 10
EACH = range(20)


def a_table(*told: dict[str, str], **columns: str):
    return table_of(
        ScanRow(f"{row:016x}", f"{row}.png", np.zeros((1, 1, 1), np.float32), str(row),
                covariates=covariates, **columns)
        for row, covariates in enumerate(told)
    )  # fmt: skip


def a_scan(**told: str) -> Scan:
    return Scan(np.zeros((1, 2, 2), np.float32), (2, 2), covariates=told)


def test_each_column_has_the_variance_one_whatever_it_holds() -> None:
    told = {"age": AGES, "sex": SEXES, "view": ("PA",) * 16 + ("AP",) * 4}
    fitted = Covariates.fit(told, EACH)
    found = fitted.encode(told)
    assert fitted.names == ("age", "sex", "view")
    assert found.shape == (20, fitted.width) == (20, 5)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:, 0], (np.arange(20) - 9.5) / np.std(np.arange(20)), 1e-5)
    spread = found.var(axis=0)
    assert spread[1:3].sum() == pytest.approx(1, abs=1e-5)
    assert spread[3:].sum() == pytest.approx(1, abs=1e-5)


def test_what_is_missing_is_the_median_and_has_a_flag_where_training_missed_it_too() -> None:
    whole = Covariates.fit({"age": ("1", "2", "9") * 4}, range(12))
    assert whole.width == 1
    assert whole.encode({"age": ("", "x")}).tolist() == whole.encode({"age": ("2", "2")}).tolist()
    holes = Covariates.fit({"age": ("1", "2", "9", "") * 4}, range(16))
    assert holes.width == 2
    found = holes.encode({"age": ("", "2", "9")})
    assert found[0, 0] == found[1, 0] < found[2, 0]
    assert found[:, 1].tolist() == [1, 0, 0]


def test_levels_never_seen_are_zero_and_missing_has_a_flag_where_training_missed_it() -> None:
    fitted = Covariates.fit({"sex": SEXES}, EACH)
    found = fitted.encode({"sex": ("X", "", "M")})
    np.testing.assert_array_equal(found[:2], 0)
    assert (found[2] > 0).tolist() == [False, True]
    flagged = Covariates.fit({"sex": SEXES + ("",) * 5}, range(25))
    found = flagged.encode({"sex": ("X", "", "F")})
    assert (found > 0).tolist() == [[False] * 3, [False, False, True], [True, False, False]]


def test_values_of_fewer_than_three_patients_are_no_level() -> None:
    values = ("north",) * 6 + ("south",) * 6 + ("rare",) * 6
    fitted = Covariates.fit({"ward": values}, [*range(12), *[12] * 3, *[13] * 3])
    [column] = fitted.columns
    assert column == Category(
        "ward", (level_key("north"), level_key("south")), column.scale, flags=False
    )


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (("47",) * 20, "says the same of every training scan"),
        (("F",) * 20, "says the same of every training scan"),
        (("",) * 20, "has no value that 3 patients"),
        (tuple(f"Smith {row}" for row in EACH), "has no value that 3 patients"),
        (("inf", "nan") * 10, "says the same|has no value"),
    ],
    ids=["one number", "one word", "nothing", "a word of each", "no finite number"],
)
def test_columns_that_say_nothing_are_refused(values: tuple[str, ...], found: str) -> None:
    patients = EACH if values[0] != "inf" else [0] * 20
    with pytest.raises(StopError, match=found) as caught:
        Covariates.fit({"column": values}, patients)
    assert caught.value.code == "E_COVARIATE"
    assert "Smith" not in str(caught.value)


@pytest.mark.parametrize("name", ["age", "age_years"])
def test_ages_are_read_as_dicom_writes_them(name: str) -> None:
    [column] = Covariates.fit({name: ("040Y", "60", "018M", "old") * 3}, range(12)).columns
    assert isinstance(column, Category)  # with a word in four it is no column of numbers
    [column] = Covariates.fit({name: ("040Y", "60", "018M") * 4}, range(12)).columns
    assert isinstance(column, Number)
    assert (column.mean, column.median) == (pytest.approx(101.5 / 3), 40)


def test_days_in_another_column_are_words() -> None:
    [column] = Covariates.fit({"sequence": ("2D", "3D") * 5}, range(10)).columns
    assert isinstance(column, Category)


def test_a_table_and_a_header_may_name_the_age_differently() -> None:
    table = a_table({"age": "45"}, {"age_years": "50"}, {}, {"age": "", "age_years": "7"})
    ages = ("45", "50", "", "7")
    assert columns_of(table, ["age"]) == {"age": ages}
    assert columns_of(table, ["age_years"]) == {"age_years": ages}
    require_columns(table, ["age", "age_years"])
    scans = [a_scan(age="45"), a_scan(age_years="50"), a_scan()]
    assert columns_of_scans(scans, ["age", "site"]) == {"age": ages[:3], "site": ("",) * 3}


def test_site_and_modality_are_columns_too() -> None:
    table = a_table({"sex": "F"}, {}, site="north", modality="CR")
    require_columns(table, ["site", "modality", "sex"])
    assert columns_of(table, ["site", "sex"]) == {"site": ("north",) * 2, "sex": ("F", "")}


def test_a_column_that_is_not_there_is_refused_with_those_that_are() -> None:
    table = a_table({"sex": "F", "patient": "Mary"})
    with pytest.raises(StopError, match=r"no column 'sxe'; the collection has sex$") as caught:
        require_columns(table, ["sxe"])
    assert caught.value.code == "E_COVARIATE"


@pytest.mark.parametrize("name", ["patient", "patient_id", "subject", "study_id", "mrn", "name"])
def test_columns_of_persons_are_refused_though_they_are_there(name: str) -> None:
    with pytest.raises(StopError, match="who a patient is") as caught:
        require_columns(a_table({name: "Q7"}), [name])
    assert caught.value.code == "E_COVARIATE"


def test_missing_names_what_says_nothing_the_model_knows() -> None:
    fitted = Covariates.fit({"age": AGES, "sex": SEXES}, EACH)
    told = {"age": ("50", "", "fifty"), "sex": ("F", "M", "intersex")}
    assert fitted.missing(told) == [(), ("age",), ("age", "sex")]
    assert fitted.missing_in(a_scan(age_years="50")) == ("sex",)
    np.testing.assert_array_equal(
        fitted.unknown(2), fitted.encode({"age": ("", ""), "sex": ("", "")})
    )


def test_a_scan_is_encoded_alone_as_in_company() -> None:
    told = {"age": (*AGES, ""), "sex": (*SEXES, "")}
    fitted = Covariates.fit(told, range(21))
    one = [fitted.encode({name: (told[name][row],) for name in told})[0] for row in range(21)]
    np.testing.assert_array_equal(fitted.encode(told), np.stack(one))
