"""DICOM display: windows, look-up tables, padding, and what header and pixels disagree on."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pydicom
import pytest
from dicom_files import KEY, dicom_bytes, pydicom_file
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_windowing
from pydicom.pixels.processing import convert_color_space
from pydicom.sequence import Sequence

from latentdx.core.errors import InputError
from latentdx.scans.dicom import read_dicom
from latentdx.scans.limits import Limits
from latentdx.scans.policy import Policy
from latentdx.scans.scan import Scan

Read = Callable[..., Scan]
Refuse = Callable[..., InputError]

DEEP = np.arange(4096, dtype=np.uint16).reshape(64, 64)


def read_with(data: bytes, **policy: Any) -> Scan:
    (scan,) = read_dicom(data, Limits(), key=KEY, policy=Policy(**policy))
    return scan


# Windows and look-up tables


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_windows_agree_with_pydicom(function: str, read: Read) -> None:
    data = dicom_bytes(
        DEEP, Modality="CT", RescaleSlope="1", RescaleIntercept="-1024", BitsStored=12, HighBit=11,
        WindowCenter=["40", "500"], WindowWidth=["400", "9"], VOILUTFunction=function,
    )  # fmt: skip
    ds = pydicom.dcmread(io.BytesIO(data))
    reference = apply_windowing(apply_modality_lut(ds.pixel_array, ds), ds)
    reference = (reference + 1024) / 4095
    assert np.allclose(read(data).pixels[0], reference, atol=1e-5)


def test_window_is_for_projections_and_ct_only(read: Read) -> None:
    window: dict[str, Any] = {"WindowCenter": "1000", "WindowWidth": "10"}
    for modality, windowed in {
        "CR": True,
        "DX": True,
        "MG": True,
        "MR": False,
        "US": False,
    }.items():
        scan = read(dicom_bytes(DEEP, Modality=modality, **window))
        assert any("window" in done for done in scan.conversions) is windowed


@pytest.mark.parametrize("window", [{}, {"WindowCenter": "40", "WindowWidth": "0"}])
def test_ct_without_a_usable_window_is_shown_as_every_other_ct(
    window: dict[str, str], read: Read
) -> None:
    hu = dicom_bytes(DEEP, Modality="CT", RescaleSlope="1", RescaleIntercept="-1024", **window)
    scan = read(hu)
    assert "default CT window 40, 400" in scan.conversions
    expected = np.clip((DEEP - 1024.0 - 39.5) / 399 + 0.5, 0, 1)
    assert np.allclose(scan.pixels[0], expected, atol=1e-5)


def test_broken_window_falls_back_to_percentiles(read: Read) -> None:
    scan = read(dicom_bytes(DEEP, Modality="CR", WindowCenter="40", WindowWidth="0"))
    assert any("percentiles" in done for done in scan.conversions)


def test_voi_lut(read: Read) -> None:
    lut = Dataset()
    lut.LUTDescriptor, lut.LUTData = [4096, 0, 16], (65535 - 16 * np.arange(4096)).tolist()
    lut["LUTDescriptor"].VR = "US"
    lut["LUTData"].VR = "US"
    scan = read(dicom_bytes(DEEP, Modality="DX", VOILUTSequence=Sequence([lut])))
    assert np.allclose(scan.pixels[0], (65535 - 16.0 * DEEP) / 65535, atol=1e-6)


# The window asked for


@pytest.mark.parametrize("modality", ["CT", "MR", "US", "DX"])
def test_a_window_asked_for_is_used_for_every_modality(modality: str) -> None:
    data = dicom_bytes(
        DEEP, Modality=modality, RescaleSlope="2", RescaleIntercept="-1024",
        WindowCenter="1", WindowWidth="3",
    )  # fmt: skip
    scan = read_with(data, window=(500.0, 401.0))
    expected = np.clip((2.0 * DEEP - 1024 - 500) / 401 + 0.5, 0, 1)
    assert np.allclose(scan.pixels[0], expected, atol=1e-6)
    assert "the window asked for, in place of the file's" in scan.conversions
    assert "window 500, 401 LINEAR_EXACT applied" in scan.conversions


def test_the_first_of_several_windows(read: Read) -> None:
    window = {"WindowCenter": ["1000", "9"], "WindowWidth": ["100", "3"]}
    scan = read(dicom_bytes(DEEP, Modality="CR", **window))
    assert "first of 2 windows" in scan.conversions
    assert "window 1000, 100 LINEAR applied" in scan.conversions


@pytest.mark.parametrize("width", ["0", "0.5", "-400", "1e300"])
def test_windows_that_cannot_be(width: str, read: Read) -> None:
    scan = read(dicom_bytes(DEEP, Modality="DX", WindowCenter="40", WindowWidth=width))
    assert any("percentiles" in done for done in scan.conversions)
    assert np.isfinite(scan.pixels).all()


def test_a_falling_rescale_turns_percentiles_over(read: Read) -> None:
    rising = read(dicom_bytes(DEEP, Modality="MR"))
    falling = read(dicom_bytes(DEEP, Modality="MR", RescaleSlope="-1", RescaleIntercept="0"))
    assert np.allclose(falling.pixels, 1 - rising.pixels, atol=1e-6)


def test_a_modality_lut_packed_in_words(read: Read) -> None:
    item = Dataset()
    item.LUTDescriptor, item.ModalityLUTType = [4096, 0, 16], "US"
    item["LUTDescriptor"].VR = "US"
    item.LUTData = (DEEP.ravel() * 3).astype("<u2").tobytes()
    item["LUTData"].VR = "OW"
    scan = read(dicom_bytes(DEEP, Modality="MR", ModalityLUTSequence=Sequence([item])))
    assert "modality LUT applied" in scan.conversions
    assert np.allclose(scan.pixels, read(dicom_bytes(DEEP, Modality="MR")).pixels, atol=1e-6)


# Numbers that cannot be


@pytest.mark.parametrize(
    "line", [{"RescaleSlope": "0"}, {"RescaleSlope": "1e300"}, {"RescaleSlope": "1e-300"},
             {"RescaleSlope": "1", "RescaleIntercept": "1e300"}],
)  # fmt: skip
def test_a_rescale_that_cannot_be(line: dict[str, str], refuse: Refuse) -> None:
    error = refuse(dicom_bytes(DEEP, Modality="CT", **line))
    assert error.code == "E_DECODE"
    assert "slope" in error.found


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_values_that_are_no_numbers(modality: str, refuse: Refuse) -> None:
    values = DEEP.astype(np.float32)
    values[3, 4] = np.nan
    data = dicom_bytes(DEEP, Modality=modality, PixelData=None, FloatPixelData=values.tobytes(),
                       BitsAllocated=32)  # fmt: skip
    assert refuse(data).code == "E_NAN"
    assert np.isfinite(read_with(data, nan="impute").pixels).all()


def test_two_elements_of_pixels(refuse: Refuse) -> None:
    floats = DEEP.astype(np.float32).tobytes()
    assert refuse(dicom_bytes(DEEP, FloatPixelData=floats)).code == "E_DECODE"


# What header and pixels disagree on


@pytest.mark.parametrize("padding", [63536, -2000])
def test_padding_read_with_the_sign_of_the_pixels(padding: int, read: Read) -> None:
    values = DEEP.astype(np.int16)
    values[:32] = -2000
    data = dicom_bytes(values)
    element = b"\x28\0\x20\x01US\x02\0" + (padding % 65536).to_bytes(2, "little")
    at = data.index(b"\xe0\x7f\x10\0")
    scan = read(data[:at] + element + data[at:])
    assert "padding set to 0" in scan.conversions
    assert (scan.pixels[0, :32] == 0).all()
    assert scan.pixels[0, 32:].max() == 1


def test_pixels_that_are_not_square(read: Read) -> None:
    scan = read(dicom_bytes(DEEP, PixelAspectRatio=["2", "1"]))
    assert "pixels are not square: 2 high, 1 wide" in scan.conversions
    assert scan.spacing_mm is None
    square = read(dicom_bytes(DEEP, PixelAspectRatio=["1", "1"]))
    assert not any("square" in done for done in square.conversions)


def test_the_sign_is_the_header_s_where_the_stream_says_another() -> None:
    data = pydicom_file("J2K_pixelrep_mismatch.dcm").read_bytes()
    scan = read_with(data, window=(-1000.0, 3000.0))
    ds = pydicom.dcmread(io.BytesIO(data))
    expected = np.clip((ds.pixel_array + 1000) / 3000 + 0.5, 0, 1)
    assert ds.pixel_array.min() == -2000
    assert np.allclose(scan.pixels[0], expected, atol=1e-5)
    assert "sign as in the header, not as in the stream" in scan.conversions


def test_half_of_the_chrominance_where_all_is_there(read: Read) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (10, 8, 3), np.uint8)
    whole = read(dicom_bytes(rgb, PhotometricInterpretation="YBR_FULL"))
    claimed = read(dicom_bytes(rgb, PhotometricInterpretation="YBR_FULL_422"))
    assert np.array_equal(whole.pixels, claimed.pixels)
    expected = convert_color_space(rgb, "YBR_FULL", "RGB") / 255
    assert np.abs(whole.pixels.transpose(1, 2, 0) - expected).max() < 1.01 / 255


@pytest.mark.parametrize("interpretation", ["YBR_RCT", "YBR_ICT", "YBR_PARTIAL_420"])
def test_colours_that_only_codecs_know(interpretation: str, refuse: Refuse) -> None:
    rgb = np.zeros((8, 8, 3), np.uint8)
    assert refuse(dicom_bytes(rgb, PhotometricInterpretation=interpretation)).code == "E_PI"


def test_an_odd_width_with_half_the_chrominance(refuse: Refuse) -> None:
    data = dicom_bytes(
        np.zeros((3, 5, 3), np.uint8), PhotometricInterpretation="YBR_FULL_422",
        PixelData=bytes(30),
    )  # fmt: skip
    assert refuse(data).code == "E_PI"


def test_palettes_that_are_missing(refuse: Refuse) -> None:
    index = np.zeros((4, 4), np.uint8)
    assert refuse(dicom_bytes(index, PhotometricInterpretation="PALETTE COLOR")).code == "E_PI"


# Bits


def test_bits_above_the_stored_ones_are_masked(read: Read) -> None:
    values = DEEP | np.uint16(0xA000)
    scan = read(dicom_bytes(values, BitsStored=12, HighBit=11))
    assert np.array_equal(scan.pixels, read(dicom_bytes(DEEP)).pixels)
    assert "masked to 12 stored bits" in scan.conversions
    shifted = read(dicom_bytes(DEEP << np.uint16(4), BitsStored=12, HighBit=15))
    assert np.array_equal(shifted.pixels, scan.pixels)


def test_signed_values_in_twelve_bits(read: Read) -> None:
    values = DEEP.astype(np.int16) - 2048
    dirty = (values & 0x0FFF).astype(np.uint16)  # the sign bit of 12, not copied up to 16
    scan = read(dicom_bytes(dirty, BitsStored=12, HighBit=11, PixelRepresentation=1))
    assert np.array_equal(scan.pixels, read(dicom_bytes(values)).pixels)
    # The same ramp from 0 up: equal but for float32's rounding of the two pairs of percentiles.
    assert np.allclose(scan.pixels, read(dicom_bytes(DEEP)).pixels, rtol=0, atol=1e-6)


def test_padding_counts_for_nothing(read: Read) -> None:
    values = DEEP.astype(np.int16)
    values[:32] = -2000
    scan = read(dicom_bytes(values, PixelPaddingValue=-2000))
    low, high = np.percentile(values[32:], (0.5, 99.5))
    assert (scan.pixels[0, :32] == 0).all()
    expected = np.clip((values[32:] - low) / (high - low), 0, 1)
    assert np.allclose(scan.pixels[0, 32:], expected, atol=1e-5)


def test_constant_image_is_black(read: Read) -> None:
    scan = read(dicom_bytes(np.full((8, 8), 77, np.uint16)))
    assert not scan.pixels.any()
    assert any("constant" in done for done in scan.conversions)
