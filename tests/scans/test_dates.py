"""Shifted dates: secret, the same for a patient, intervals exact."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from dicom_files import KEY, dicom_bytes
from hypothesis import given
from hypothesis import strategies as st

from latentdx.scans.dates import (
    SHIFT_DAYS,
    age_string,
    age_years,
    iso_date,
    parse_date,
    shift_date,
    shift_datetime,
    shift_days,
)

PIXELS = np.arange(128 * 128, dtype=np.uint16).reshape(128, 128)


def test_the_shift_is_the_patients_and_the_keys() -> None:
    shifts = [shift_days(str(patient), KEY) for patient in range(2000)]
    assert shifts == [shift_days(f" {patient}\0", KEY) for patient in range(2000)]
    assert shifts != [shift_days(str(patient), b"j" * 32) for patient in range(2000)]
    known = np.array(shifts)
    assert known.min() >= SHIFT_DAYS[0]
    assert known.max() <= SHIFT_DAYS[1]
    # Uniform over 3286 days: mean -2007.5, deviation 948.6; five standard errors of 2000 draws.
    assert abs(known.mean() - sum(SHIFT_DAYS) / 2) < 5 * 948.6 / 2000**0.5
    assert len(set(shifts)) > 1000


@pytest.mark.parametrize("nobody", [None, "", "  ", "\0"])
def test_nobody_has_no_shift(nobody: str | None) -> None:
    assert shift_days(nobody, KEY) is None


@given(
    first=st.dates(date(1900, 1, 1), date(2100, 1, 1)),
    second=st.dates(date(1900, 1, 1), date(2100, 1, 1)),
    days=st.integers(*SHIFT_DAYS),
)
def test_intervals_are_exact(first: date, second: date, days: int) -> None:
    moved = [parse_date(shift_date(day.strftime("%Y%m%d"), days)) for day in (first, second)]
    assert moved[0] is not None
    assert moved[1] is not None
    assert moved[1] - moved[0] == second - first
    assert (first - moved[0]).days == -days


@pytest.mark.parametrize(
    ("text", "moved"),
    [("20200301", "20190301"), ("2020.03.01", "20190301"), (" 20200301\0", "20190301"),
     ("20200230", None), ("2020", None), ("DOE", None), ("", None), ("00010101", None),
     ("２０２００３０１", None)],
)  # fmt: skip
def test_dates(text: str, moved: str | None) -> None:
    assert shift_date(text, -366) == moved


@pytest.mark.parametrize(
    ("text", "moved"),
    [("20200301", "20190301"), ("20200301120000.123456-0500", "20190301120000.123456-0500"),
     ("202003011200", "201903011200"), ("202003", None), ("20200301DOE", None)],
)  # fmt: skip
def test_date_times(text: str, moved: str | None) -> None:
    assert shift_datetime(text, -366) == moved


@pytest.mark.parametrize(
    ("age", "born", "seen", "told"),
    [("045Y", None, None, "045Y"), ("45Y", None, None, "045Y"), ("089Y", None, None, "089Y"),
     ("090Y", None, None, "090Y"), ("120Y", None, None, "090Y"), ("999M", None, None, "999M"),
     ("018M", None, None, "018M"), ("DOE", "19600615", "20200614", "059Y"),
     (None, "19600615", "20200615", "060Y"), (None, "19200101", "20200101", "090Y"),
     (None, "20200101", "19600101", None), (None, None, "20200101", None)],
)  # fmt: skip
def test_ages(age: str | None, born: str | None, seen: str | None, told: str | None) -> None:
    assert age_string(age, born, seen) == told


def test_ages_in_years() -> None:
    assert [age_years(age) for age in ("045Y", "018M", "012W", "900D", "x", None)] == [
        "45", "1", "0", "2", None, None,
    ]  # fmt: skip


def test_iso() -> None:
    assert iso_date("20200301") == iso_date("2020.03.01") == iso_date("20200301120000.5")
    assert iso_date("20200301") == "2020-03-01"
    assert iso_date("2020") is iso_date(None) is None


def test_scans_of_a_patient_keep_their_distance(read) -> None:  # type: ignore[no-untyped-def]
    days = ("20200228", "20200301")
    one, two = (read(dicom_bytes(PIXELS, AcquisitionDate=day)) for day in days)
    other = read(dicom_bytes(PIXELS, AcquisitionDate=days[0], PatientID="4712"))
    nobody = read(dicom_bytes(PIXELS, AcquisitionDate=days[0], PatientID=""))
    undated = read(dicom_bytes(PIXELS))
    assert date.fromisoformat(two.acquired) - date.fromisoformat(one.acquired) == date(
        2020, 3, 1
    ) - date(2020, 2, 28)
    assert date.fromisoformat(one.acquired) <= date(2019, 2, 28)
    assert other.acquired != one.acquired
    assert nobody.acquired is None
    assert undated.acquired is None
