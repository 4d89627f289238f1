"""The confidentiality profile: nothing planted survives, and what may stay stays."""

from __future__ import annotations

import io
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from dicom_files import KEY, dataset_bytes, dicom_bytes
from planted_dicom import (
    PATIENT,
    PIXELS,
    Planter,
    base,
    file_bytes,
    found_in,
    planted,
    table_tags,
    unlisted_text_tags,
)
from pydicom import Dataset
from pydicom.uid import UID

from latentdx.core.errors import InputError
from latentdx.scans.deidentify import pseudonym
from latentdx.scans.open import open_scan
from latentdx.scans.profile import action_for, deidentify_dataset
from latentdx.scans.profile_file import deidentify_file
from latentdx.scans.profile_options import INGEST, ProfileOptions
from latentdx.scans.profile_table import COLUMNS, rule_of, rules, safe_private

EVERYTHING_CLEANED = ProfileOptions(
    safe_private=True, descriptors=True, structured=True, graphics=True, patient=True, dates="shift"
)
# A time of day stays where dates are shifted by days; size and weight are numbers of the patient.
STAYS = ("00101020", "00101030")


@pytest.fixture(scope="module")
def source() -> tuple[bytes, dict[str, str]]:
    """A file with an identifier in every place, and the place of each."""
    planter = Planter()
    with warnings.catch_warnings(), pydicom.config.disable_value_validation():
        warnings.simplefilter("ignore")
        data = file_bytes(planted(planter), planter)
    return data, planter.places


def _read(data: bytes) -> Any:
    return pydicom.dcmread(io.BytesIO(data))


# The table


def test_the_table_has_every_row() -> None:
    assert len(rules()) == 621
    assert sum("K" in rule.options.values() for rule in rules().values()) > 250
    assert {name for rule in rules().values() for name in rule.options} == set(COLUMNS)
    assert len(safe_private()) == 130


@pytest.mark.parametrize(
    ("tag", "options", "action"),
    [(0x00100010, {}, "Z"), (0x00100020, {}, "D"), (0x00080018, {}, "U"), (0x00081140, {}, "U"),
     (0x00080018, {"uids": True}, "K"), (0x00104000, {}, "X"), (0x00080020, {}, "Z"),
     (0x00080020, {"dates": "shift"}, "C"), (0x00080020, {"dates": "keep"}, "K"),
     (0x00101010, {}, "X"), (0x00101010, {"patient": True}, "K"), (0x0008103E, {}, "X"),
     (0x0008103E, {"descriptors": True}, "C"), (0x00080080, {"institution": True}, "K"),
     (0x00181000, {"device": True}, "K"), (0x0040A730, {"structured": True}, "C"),
     (0x60023000, {}, "X"), (0x501E3000, {}, "X"), (0x60021234, {}, ""), (0x00111001, {}, "X"),
     (0x00111001, {"safe_private": True}, "C"), (0x00280010, {}, "")],
)  # fmt: skip
def test_actions(tag: int, options: dict[str, Any], action: str) -> None:
    assert action_for(tag, ProfileOptions(**options).active) == action


def test_real_dates_are_worth_more_than_moved_ones_only_where_asked() -> None:
    rule = rule_of(0x00080020)
    assert rule is not None
    assert rule.action(frozenset({"full_dates", "modified_dates"})) == "K"


# Nothing planted survives


def test_identifiers_are_planted_everywhere(source: tuple[bytes, dict[str, str]]) -> None:
    data, places = source
    assert len(places) >= 2000
    assert set(found_in(places, data)) == set(places)
    planted_tags = {place for place in places.values() if len(place) == 8}
    assert len(planted_tags & {f"{tag:08X}" for tag in table_tags()}) >= 500
    assert len(unlisted_text_tags()) >= 1000


@pytest.mark.parametrize("options", [ProfileOptions(), INGEST, EVERYTHING_CLEANED])
def test_nothing_planted_survives_in_a_file(
    source: tuple[bytes, dict[str, str]], options: ProfileOptions
) -> None:
    data, places = source
    out = deidentify_file(data, options, KEY)
    left = {places[token] for token in found_in(places, out)}
    if options.dates == "shift":
        left = {place for place in left if pydicom.datadict.dictionary_VR(place) != "TM"}
        left -= set(STAYS)
    assert left == set()
    assert out[:128] == bytes(128)
    assert np.array_equal(_read(out).pixel_array, PIXELS)


def test_times_of_day_stay_with_moved_dates(source: tuple[bytes, dict[str, str]]) -> None:
    data, places = source
    clean = _read(deidentify_file(data, INGEST, KEY))
    assert places[clean.StudyTime] == "00080030"


def test_nothing_planted_survives_in_a_scan(
    source: tuple[bytes, dict[str, str]], tmp_path: Path
) -> None:
    data, places = source
    path = tmp_path / "scan.dcm"
    path.write_bytes(data)
    scan = open_scan(path, key=KEY)
    everything = repr({name: value for name, value in vars(scan).items() if name != "pixels"})
    assert scan.patient == pseudonym(PATIENT, KEY, "patient")
    assert scan.acquired is not None
    assert found_in(places, everything.encode()) == []


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("Rows", 4000), ("BitsAllocated", 13), ("PhotometricInterpretation", "PLANTPHOTO"),
     ("SamplesPerPixel", 3), ("PixelData", b"")],
)  # fmt: skip
def test_nothing_planted_survives_in_errors(
    keyword: str, value: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    planter = Planter()
    with warnings.catch_warnings(), pydicom.config.disable_value_validation():
        warnings.simplefilter("ignore")
        ds = planted(planter)
        setattr(ds, keyword, value)
        data = file_bytes(ds, planter)
    path = tmp_path / "scan.dcm"
    path.write_bytes(data)
    caplog.clear()
    told = []
    for attempt in (lambda: open_scan(path, key=KEY), lambda: deidentify_file(data, INGEST, KEY)):
        try:
            attempt()
        except InputError as error:
            told.append(f"{error!r} {error}")
    assert told
    assert found_in([*planter.places, "PLANTPHOTO"], " ".join([*told, caplog.text]).encode()) == []


def test_nothing_is_logged_or_warned(
    source: tuple[bytes, dict[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    deidentify_file(source[0], INGEST, KEY)  # a warning would be an error here
    assert caplog.records == []


# What stays


def test_it_says_how_it_was_done() -> None:
    clean = _read(deidentify_file(dicom_bytes(PIXELS, PatientAge="045Y"), INGEST, KEY))
    assert clean.PatientIdentityRemoved == "YES"
    assert clean.LongitudinalTemporalInformationModified == "MODIFIED"
    codes = [item.CodeValue for item in clean.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113107", "113108"]
    assert clean.PatientID == clean.PatientName == pseudonym("4711", KEY, "patient")
    assert clean.PatientAge == "045Y"
    assert clean.file_meta.MediaStorageSOPInstanceUID == clean.SOPInstanceUID


def test_without_a_patient_dates_go() -> None:
    data = dicom_bytes(PIXELS, PatientID=None, StudyDate="20200101", AcquisitionDate="20200101")
    clean = _read(deidentify_file(data, INGEST, KEY))
    assert not clean.get("StudyDate")
    assert not clean.get("AcquisitionDate")
    assert clean.LongitudinalTemporalInformationModified == "REMOVED"


def test_uids_are_new_and_the_same_everywhere() -> None:
    first, second = base(), base()
    second.SOPInstanceUID = "1.2.826.0.1.98.2"
    reference = Dataset()
    reference.ReferencedSOPClassUID = second.SOPClassUID
    reference.ReferencedSOPInstanceUID = first.SOPInstanceUID
    second.ReferencedImageSequence = [reference]
    one, two = (deidentify_dataset(ds, INGEST, KEY) for ds in (first, second))
    assert one.SOPInstanceUID == two.ReferencedImageSequence[0].ReferencedSOPInstanceUID
    assert one.SOPInstanceUID != two.SOPInstanceUID
    assert one.SOPInstanceUID.startswith("2.25.")
    assert UID(one.SOPInstanceUID).is_valid
    assert one.SOPClassUID == first.SOPClassUID
    assert one.SOPInstanceUID != deidentify_dataset(first, INGEST, b"j" * 32).SOPInstanceUID
    kept = deidentify_dataset(second, ProfileOptions(uids=True), KEY)
    assert kept.SOPInstanceUID == second.SOPInstanceUID
    assert kept.ReferencedImageSequence[0] == reference


def test_intervals_stay_exact() -> None:
    ds = base()
    ds.StudyDate, ds.AcquisitionDateTime = "20200228", "20200301123000.5"
    clean = deidentify_dataset(ds, INGEST, KEY)
    moved = [np.datetime64(f"{text[:4]}-{text[4:6]}-{text[6:8]}")
             for text in (clean.StudyDate, clean.AcquisitionDateTime)]  # fmt: skip
    assert moved[1] - moved[0] == np.timedelta64(2, "D")
    assert clean.AcquisitionDateTime[8:] == "123000.5"
    assert not 0 < (np.datetime64("2020-02-28") - moved[0]).astype(int) < 365
    kept = deidentify_dataset(ds, ProfileOptions(dates="keep"), KEY)
    assert kept.StudyDate == "20200228"


def test_kept_text_is_written_in_unicode() -> None:
    ds = base()
    ds.SpecificCharacterSet, ds.InstitutionName = "ISO_IR 100", "Universitätsklinik"
    clean = _read(deidentify_file(dataset_bytes(ds), ProfileOptions(institution=True), KEY))
    assert clean.InstitutionName == "Universitätsklinik"
    assert clean.SpecificCharacterSet == "ISO_IR 192"


def test_text_in_a_date_goes_even_where_dates_are_kept() -> None:
    ds = base()
    ds.StudyDate, ds.SeriesDate = "20200101", "20200102"
    data = dataset_bytes(ds).replace(b"20200102", b"PLANTX^Y")
    out = deidentify_file(data, ProfileOptions(dates="keep"), KEY)
    assert _read(out).StudyDate == "20200101"
    assert b"PLANTX" not in out


def test_options_keep_what_they_say() -> None:
    ds = base()
    ds.InstitutionName, ds.StationName, ds.DeviceSerialNumber = "Hospital", "CT1", "SN9"
    ds.SeriesDescription, ds.Manufacturer = "T1 ax post GD for Jane Doe", "SIEMENS"
    plain = deidentify_dataset(ds, ProfileOptions(), KEY)
    assert plain.InstitutionName == pseudonym("Hospital", KEY, "site")
    assert plain.DeviceSerialNumber == "REMOVED"
    assert "SeriesDescription" not in plain
    assert plain.Manufacturer == "Siemens"
    options = ProfileOptions(institution=True, device=True, descriptors=True)
    kept = deidentify_dataset(ds, options, KEY)
    assert (kept.InstitutionName, kept.StationName) == ("Hospital", "CT1")
    assert kept.DeviceSerialNumber == "SN9"
    assert kept.SeriesDescription == "T1 ax post GD"


def test_safe_private_numbers_stay_where_asked() -> None:
    ds = base()
    block = ds.private_block(0x7053, "Philips PET Private Group", create=True)
    block.add_new(0x00, "DS", "1.5")
    block.add_new(0x55, "DS", "2.5")
    assert not any(item.tag.is_private for item in deidentify_dataset(ds, INGEST, KEY))
    kept = deidentify_dataset(ds, ProfileOptions(safe_private=True), KEY)
    found = kept.private_block(0x7053, "Philips PET Private Group")
    assert found[0x00].value == 1.5
    assert 0x55 not in found


def test_codes_of_public_schemes_stay_without_their_words() -> None:
    ds, items = base(), [Dataset() for _ in range(3)]
    for item, (code, scheme) in zip(
        items, [("39607008", "SCT"), ("L77", "99LOCAL"), ("DOE", "DCM")], strict=True
    ):
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, scheme, "of Mrs Doe"
    ds.AnatomicRegionSequence = items
    clean = deidentify_dataset(ds, INGEST, KEY).AnatomicRegionSequence
    assert [item.get("CodeValue") for item in clean] == ["39607008", None, None]
    assert [item.get("CodeMeaning") for item in clean] == ["39607008", None, None]


def test_without_strictness_the_standard_alone_is_followed() -> None:
    ds = base()
    ds.Manufacturer, ds.SoftwareVersions, ds.ImageType = "ACME of Doe", "v1", ["ORIGINAL", "ODD"]
    loose = deidentify_dataset(ds, ProfileOptions(strict=False), KEY)
    assert (loose.Manufacturer, loose.SoftwareVersions) == ("ACME of Doe", "v1")
    strict = deidentify_dataset(ds, ProfileOptions(), KEY)
    assert "SoftwareVersions" not in strict
    assert strict.ImageType == "ORIGINAL"
    assert strict.Manufacturer.startswith("maker-")


def test_text_in_a_number_is_left_out() -> None:
    ds = base()
    ds.SliceThickness, ds.SpacingBetweenSlices = "123456", "654321"
    data = dataset_bytes(ds).replace(b"123456", b"PLANTX")
    clean = deidentify_dataset(pydicom.dcmread(io.BytesIO(data)), INGEST, KEY)
    assert "SliceThickness" not in clean
    assert clean.SpacingBetweenSlices == 654321
    assert b"PLANTX" not in deidentify_file(data, INGEST, KEY)
