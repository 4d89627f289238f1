"""What reports say of their images: read from real files, and refused where it would be wrong."""

from __future__ import annotations

import doctest
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_files import NAME, dicom_bytes, pydicom_file

from latentdx.core.errors import InputError
from latentdx.scans import source_header
from latentdx.scans.limits import Limits
from latentdx.scans.sandbox import Sandbox
from latentdx.scans.source_header import SourceHeader, read_source_header

UIDS = {
    "SOPInstanceUID": "1.2.3.4", "StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.4",
}  # fmt: skip


def test_examples() -> None:
    assert doctest.testmod(source_header).failed == 0


@pytest.fixture
def header(tmp_path: Path) -> Callable[..., SourceHeader]:
    def read(**tags: Any) -> SourceHeader:
        path = tmp_path / "scan.dcm"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom warns of what is invalid, and writes it
            path.write_bytes(dicom_bytes(np.zeros((8, 8), np.uint8), **{**UIDS, **tags}))
        return read_source_header(path, Limits())

    return read


def test_of_real_files_from_their_own_process() -> None:
    names = ("CT_small.dcm", "MR_small_bigendian.dcm", "image_dfl.dcm", "JPEGLSNearLossless_08.dcm")
    paths = [str(pydicom_file(name)) for name in names]
    with Sandbox(1) as sandbox:
        scan, big, deflated, nameless = sandbox.headers(paths)
    assert isinstance(scan, SourceHeader)
    assert isinstance(big, SourceHeader)
    assert isinstance(deflated, SourceHeader)
    assert scan.person["PatientName"] == "CompressedSamples^CT1"
    assert (scan.date, scan.time, scan.person["StudyDate"]) == ("19970430", "112936", "20040119")
    assert big.person["PatientID"] == "4MR1"
    assert isinstance(nameless, InputError)
    assert (nameless.code, nameless.path) == ("E_SR", paths[3])
    assert "StudyInstanceUID and SeriesInstanceUID" in nameless.found


def test_names_in_their_own_characters(header: Callable[..., SourceHeader]) -> None:
    told = header(SpecificCharacterSet="ISO_IR 100", PatientName="Äneas^Jürg")
    assert told.person["PatientName"] == "Äneas^Jürg"
    assert "Jürg" not in repr(told)


def test_what_is_broken_is_left_out(header: Callable[..., SourceHeader]) -> None:
    told = header(PatientSex="X", PatientBirthDate="1940.3.5", StudyID="4\n2", AccessionNumber="")
    assert not {"PatientSex", "PatientBirthDate", "StudyID", "AccessionNumber"} & set(told.person)
    assert (told.date, told.time, told.series_number) == ("", "", 0)


@pytest.mark.parametrize(
    "tags",
    [{"PatientID": "7" * 65}, {"PatientName": "Alice\x1b[2J"}, {"StudyInstanceUID": "a1b2"},
     {"SOPInstanceUID": "1.02.3"}, {"SeriesInstanceUID": ""}],
)  # fmt: skip
def test_what_would_be_of_somebody_else_is_refused(
    header: Callable[..., SourceHeader], tags: dict[str, str]
) -> None:
    with pytest.raises(InputError) as caught:
        header(**tags)
    assert caught.value.code == "E_SR"
    assert next(iter(tags)) in caught.value.found
    assert NAME not in str(caught.value)
    assert not any(value and value in str(caught.value) for value in tags.values())


def test_a_picture_is_no_dicom(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    with pytest.raises(InputError, match="E_FORMAT"):
        read_source_header(tmp_path / "a.png", Limits())
