"""DICOM: right pixels, told by real files and by files made for one trait each."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pydicom
import pytest
from dicom_files import KEY, NAME, dicom_bytes, pydicom_file
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless

from latentdx.core.errors import InputError
from latentdx.scans.deidentify import pseudonym
from latentdx.scans.dicom import peek_dicom
from latentdx.scans.limits import Limits
from latentdx.scans.open import open_scan
from latentdx.scans.scan import Scan

Read = Callable[..., Scan]
Refuse = Callable[..., InputError]

DEEP = np.arange(4096, dtype=np.uint16).reshape(64, 64)


def pixels_of(name: str) -> np.ndarray:
    return open_scan(pydicom_file(name), key=KEY).pixels


# Pixels


@pytest.mark.parametrize(
    "name",
    ["MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_expb.dcm", "MR_small_implicit.dcm",
     "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_padded.dcm"],
)  # fmt: skip
def test_one_image_in_every_encoding_is_one_image(name: str) -> None:
    assert np.array_equal(pixels_of(name), pixels_of("MR_small.dcm"))


@pytest.mark.parametrize(
    "name",
    ["SC_rgb_rle.dcm", "SC_rgb_expb.dcm", "SC_rgb_16bit.dcm", "SC_rgb_32bit.dcm",
     "SC_rgb_gdcm2k_uncompressed.dcm", "SC_ybr_full_uncompressed.dcm",
     "SC_rgb_dcmtk_+eb+cr.dcm", "SC_rgb_jpeg_dcmtk.dcm", "SC_rgb_jls_lossy_sample.dcm"],
)  # fmt: skip
def test_colour_in_every_encoding_is_the_same_colour(name: str) -> None:
    assert np.abs(pixels_of(name) - pixels_of("SC_rgb.dcm")).max() < 0.03


@pytest.mark.parametrize("name", ["OBXXXX1A_expb.dcm", "OBXXXX1A_rle.dcm"])
def test_palettes_in_either_byte_order(name: str) -> None:
    plain = pixels_of("OBXXXX1A.dcm")
    assert plain.shape[0] == 3
    assert plain.max() > 0.9
    assert np.array_equal(pixels_of(name), plain)


def test_planar_configuration_does_not_matter() -> None:
    assert np.array_equal(pixels_of("color-pl.dcm"), pixels_of("color-px.dcm"))


def test_grey_modality_is_scaled_by_its_percentiles(read: Read) -> None:
    scan = read(dicom_bytes(DEEP, RescaleSlope="2", RescaleIntercept="-5"))
    low, high = np.percentile(DEEP, (0.5, 99.5))
    assert np.allclose(scan.pixels[0], np.clip((DEEP - low) / (high - low), 0, 1), atol=1e-5)
    assert "rescaled by 2, -5" in scan.conversions
    assert "scaled by percentiles 0.5..99.5 of the scan" in scan.conversions


def test_monochrome1_is_inverted(read: Read) -> None:
    plain = read(dicom_bytes(DEEP))
    inverted = read(dicom_bytes(DEEP, PhotometricInterpretation="MONOCHROME1"))
    assert np.allclose(inverted.pixels, 1 - plain.pixels)
    assert "MONOCHROME1 inverted" in inverted.conversions


# Metadata


def test_what_the_header_says(read: Read) -> None:
    scan = read(
        dicom_bytes(
            DEEP,
            Modality="DX",
            PatientAge="045Y",
            PatientSex="F",
            ViewPosition="PA",
            Manufacturer="ACME  Imaging",
            InstitutionName="Hospital",
            PixelSpacing=["0.5", "0.25"],
        )
    )
    assert scan.patient == pseudonym("4711", KEY, "patient")
    assert scan.study == pseudonym("1.2.3", KEY, "study")
    assert scan.series == pseudonym("1.2.3.5", KEY, "series")
    assert scan.site == pseudonym("Hospital", KEY, "site")
    assert scan.spacing_mm == (0.5, 0.25)
    assert scan.modality == "DX"
    told = {"age_years": "45", "sex": "F", "view": "PA"}
    assert told.items() <= scan.covariates.items()
    assert NAME not in repr(scan)
    assert "4711" not in repr(scan)


@pytest.mark.parametrize(
    ("tags", "age"),
    [({"PatientAge": "095Y"}, "90"), ({"PatientAge": "018M"}, "1"), ({"PatientAge": "012W"}, "0"),
     ({"PatientBirthDate": "19600615", "StudyDate": "20200614"}, "59"),
     ({"PatientBirthDate": "19100101", "StudyDate": "20200614"}, "90"),
     ({"PatientBirthDate": "nonsense", "StudyDate": "20200614"}, None), ({}, None)],
)  # fmt: skip
def test_age(tags: dict[str, str], age: str | None, read: Read) -> None:
    with pydicom.config.disable_value_validation():
        data = dicom_bytes(DEEP, **tags)
    assert read(data).covariates.get("age_years") == age


def test_a_look_at_the_header_alone(read: Read) -> None:
    data = dicom_bytes(DEEP, NumberOfFrames="1")
    assert peek_dicom(data, Limits(), key=KEY) == (read(data).series, 1)
    frames = pydicom_file("rtdose.dcm").read_bytes()
    assert peek_dicom(frames, Limits(), key=KEY)[1] == 15


def test_free_text_in_coded_tags_is_dropped(read: Read) -> None:
    with pydicom.config.disable_value_validation():
        data = dicom_bytes(DEEP, ViewPosition=NAME, PatientSex=NAME, PatientID="", Modality=NAME)
    scan = read(data)
    assert scan.patient is None
    assert scan.covariates == {}
    assert scan.modality == ""


# Refusals


@pytest.mark.parametrize(
    "name",
    ["rtplan.dcm", "rtstruct.dcm", "test-SR.dcm", "reportsi.dcm", "DICOMDIR", "waveform_ecg.dcm"],
)
def test_objects_without_pixels(name: str) -> None:
    with pytest.raises(InputError) as caught:
        open_scan(pydicom_file(name), key=KEY)
    assert caught.value.code == "N_NOT_IMAGE"
    assert "nothing is to be done" in caught.value.fix


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("test-SR.dcm", "SR, Comprehensive SR Storage"),
        ("rtplan.dcm", "RTPLAN, RT Plan Storage"),
        ("DICOMDIR", "Media Storage Directory Storage"),
    ],
)
def test_an_object_without_pixels_is_called_by_its_name(name: str, told: str) -> None:
    with pytest.raises(InputError, match=re.escape(f"a DICOM object ({told}) without pixel data")):
        open_scan(pydicom_file(name), key=KEY)


def test_image_without_pixel_data(refuse: Refuse) -> None:
    refused = refuse(dicom_bytes(DEEP, PixelData=None))
    assert refused.code == "N_NOT_IMAGE"
    assert "export it again" in refused.fix


@pytest.mark.parametrize("told", ["Smith^John", "1.2.840.99"])
def test_a_class_that_is_not_the_standard_s_is_not_told(refuse: Refuse, told: str) -> None:
    whole = dicom_bytes(DEEP, PixelData=None, SOPClassUID="1.2.840.98")
    refused = refuse(whole.replace(b"1.2.840.98", told.encode()))
    assert refused.code == "N_NOT_IMAGE"
    assert told not in refused.found


@pytest.mark.parametrize(
    "name", ["emri_small.dcm", "SC_rgb_2frame.dcm", "color3d_jpeg_baseline.dcm"]
)
def test_several_frames(name: str) -> None:
    with pytest.raises(InputError) as caught:
        open_scan(pydicom_file(name), key=KEY)
    assert caught.value.code == "E_NDIM"


def test_contradictory_colour(refuse: Refuse) -> None:
    assert refuse(dicom_bytes(DEEP, PhotometricInterpretation="RGB")).code == "E_PI"
    assert refuse(dicom_bytes(DEEP, SamplesPerPixel=3)).code == "E_PI"
    assert refuse(dicom_bytes(DEEP, PhotometricInterpretation="HSV")).code == "E_PI"
    assert refuse(dicom_bytes(DEEP, PhotometricInterpretation=None)).code == "E_PI"


def test_garbage_in_place_of_a_codestream(refuse: Refuse) -> None:
    data = dicom_bytes(DEEP, syntax=JPEG2000Lossless, PixelData=encapsulate([bytes(300)]))
    assert refuse(data).code == "E_DECODE"


def test_no_message_names_the_patient(refuse: Refuse, caplog: pytest.LogCaptureFixture) -> None:
    whole = dicom_bytes(DEEP, PatientComments=NAME, InstitutionName=NAME)
    with pydicom.config.disable_value_validation():
        broken = [
            whole[:900],
            dicom_bytes(DEEP, NumberOfFrames=None, PhotometricInterpretation=NAME),
            dicom_bytes(DEEP, PixelData=None, Modality=NAME),
            dicom_bytes(DEEP, RescaleSlope=None, Rows=999),
            whole.replace(b"US\x02\x00\x40\x00", b"DS\x02\x00xx"),
            dicom_bytes(DEEP, syntax=JPEG2000Lossless, PixelData=encapsulate([b"Planted" * 9])),
        ]
    for data in broken:
        error = refuse(data, name="scan.dcm")
        assert error.path is not None
        assert error.path in str(error)
        assert "Planted" not in repr(error) + str(error) + caplog.text
