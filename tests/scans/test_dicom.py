"""DICOM: right pixels, told by real files and by files made for one trait each."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_files import KEY, NAME, dataset_bytes, dicom_bytes, pydicom_dataset, pydicom_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless

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


def test_a_file_cut_anywhere_before_its_pixels_is_truncated(refuse: Refuse) -> None:
    """Also inside a header or a sequence, where no value runs past the end."""
    whole = pydicom_file("CT_small.dcm").read_bytes()
    codes = [refuse(whole[:length]).code for length in range(800, 6000, 41)]
    # Exactly between two elements a cut cannot be told from an object without pixels.
    assert set(codes) <= {"E_TRUNCATED", "N_NOT_IMAGE"}
    assert codes.count("E_TRUNCATED") > 0.95 * len(codes)


@pytest.mark.parametrize(
    "name", ["emri_small.dcm", "SC_rgb_2frame.dcm", "color3d_jpeg_baseline.dcm"]
)
def test_several_frames(name: str) -> None:
    with pytest.raises(InputError) as caught:
        open_scan(pydicom_file(name), key=KEY)
    assert caught.value.code == "E_NDIM"


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_RLE.dcm", "MR_small_jp2klossless.dcm",
                                  "MR_small_bigendian.dcm", "image_dfl.dcm"])  # fmt: skip
@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_truncated_files(name: str, kept: float, refuse: Refuse) -> None:
    data = pydicom_file(name).read_bytes()
    error = refuse(data[: int(len(data) * kept)])
    assert error.code == "E_TRUNCATED"
    assert "expected" in error.found
    assert "found" in error.found or "end after" in error.found


def test_every_cut_of_a_file_is_refused(tmp_path: Path) -> None:
    data, path = dicom_bytes(np.arange(64, dtype=np.uint8).reshape(8, 8)), tmp_path / "cut.dcm"
    for length in range(0, len(data) - 1, 3):
        path.write_bytes(data[:length])
        with pytest.raises(InputError):
            open_scan(path, key=KEY)


@pytest.mark.parametrize(
    ("name", "code"),
    [("MR_small_jp2klossless.dcm", "E_TRUNCATED"), ("SC_rgb_jpeg_dcmtk.dcm", "E_TRUNCATED"),
     ("MR_small_RLE.dcm", "E_DECODE"),
     # The decoder takes seconds to find out.
     pytest.param("MR_small_jpeg_ls_lossless.dcm", "E_TRUNCATED", marks=pytest.mark.slow)],
)  # fmt: skip
def test_compressed_data_cut_inside_a_whole_file(name: str, code: str, refuse: Refuse) -> None:
    ds = pydicom_dataset(name)
    frame = get_frame(ds.PixelData, 0, number_of_frames=1)
    ds.PixelData = encapsulate([frame[: len(frame) * 2 // 3]])
    assert refuse(dataset_bytes(ds)).code == code


def test_header_that_lies_about_its_size(refuse: Refuse) -> None:
    assert refuse(dicom_bytes(DEEP, Rows=65)).code == "E_SIZE"
    assert refuse(dicom_bytes(DEEP, Rows=60000, Columns=60000)).code == "E_SIZE"
    assert refuse(dicom_bytes(DEEP, Rows=0)).code == "E_SIZE"
    assert refuse(dicom_bytes(DEEP), limits=Limits(frame_pixels=100)).code == "E_SIZE"


def test_compressed_data_of_another_size_than_the_header(refuse: Refuse) -> None:
    ds = pydicom_dataset("MR_small_jp2klossless.dcm")
    ds.Rows = 32
    assert refuse(dataset_bytes(ds)).code == "E_SIZE"


def test_header_that_promises_a_bomb(refuse: Refuse) -> None:
    ds = pydicom_dataset("MR_small_RLE.dcm")
    ds.Rows = ds.Columns = 8000
    assert refuse(dataset_bytes(ds)).code == "E_BOMB"


def test_deflated_bomb_is_met_at_its_cap(refuse: Refuse) -> None:
    data = dicom_bytes(np.zeros((8, 8), np.uint8), syntax=DeflatedExplicitVRLittleEndian)
    (length,) = struct.unpack_from("<I", data, 140)
    start = 144 + length
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    private = b"".join(
        [zlib.decompress(data[start:], -15), b"\xe1\x7f\x10\x10OB\0\0", struct.pack("<I", 64 << 20)]
    )
    bomb = packer.compress(private) + packer.compress(bytes(64 << 20)) + packer.flush()
    error = refuse(data[:start] + bomb)
    assert error.code == "E_BOMB"


def nested(depth: int, undefined: bool) -> Sequence:
    item = Dataset()
    item.CodeMeaning = "end"
    for _ in range(depth):
        outer = Dataset()
        outer.ContentSequence = Sequence([item])
        outer["ContentSequence"].is_undefined_length = undefined
        item = outer
    return item.ContentSequence


@pytest.mark.parametrize("undefined", [True, False])
def test_nesting(undefined: bool, read: Read, refuse: Refuse) -> None:
    assert read(dicom_bytes(DEEP, ContentSequence=nested(32, undefined))).pixels.any()
    error = refuse(dicom_bytes(DEEP, ContentSequence=nested(33, undefined)))
    assert error.code == "E_DEPTH"


def test_deep_nesting_written_by_hand(refuse: Refuse) -> None:
    data = dicom_bytes(DEEP)
    at = data.index(b"\x28\0\x02\0US")
    opening = b"\x18\0\x12\0SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff" * 5000
    assert refuse(data[:at] + opening + data[at:]).code == "E_DEPTH"


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
