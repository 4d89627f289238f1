"""DICOM with several frames: each a scan of its own, or all of them with their places."""

from __future__ import annotations

import io
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from dicom_files import KEY, dataset_bytes, dicom_bytes, pydicom_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.sequence import Sequence
from pydicom.uid import JPEGLSLossless, RLELossless

from latentdx.core.errors import InputError
from latentdx.scans.dicom import read_dicom
from latentdx.scans.dicom_frames import read_frames
from latentdx.scans.frames import Frames, Window
from latentdx.scans.limits import Limits
from latentdx.scans.open import open_scans
from latentdx.scans.policy import Policy
from latentdx.scans.scan import Scan

EACH = Policy(frames="each")
RAMPS = np.stack([np.arange(64, dtype=np.int16).reshape(8, 8) * step for step in (1, 2, 5)])


def each(data: bytes, policy: Policy = EACH, limits: Limits | None = None) -> list[Scan]:
    return list(read_dicom(data, limits or Limits(), key=KEY, policy=policy))


def frames_of(data: bytes, limits: Limits | None = None, policy: Policy | None = None) -> Frames:
    return read_frames(data, limits or Limits(), key=KEY, policy=policy or Policy(dims=3))


def refused(call: Callable[..., Any], *args: Any, **options: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        call(*args, **options)
    return caught.value


def several(**tags: Any) -> bytes:
    return dicom_bytes(RAMPS[0], NumberOfFrames=str(len(RAMPS)), PixelData=RAMPS.tobytes(), **tags)


def item(**tags: Any) -> Sequence:
    ds = Dataset()
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    return Sequence([ds])


def enhanced(modality: str = "CT", **tags: Any) -> bytes:
    """Three frames, each with its own slope, window and place; orientation and spacing shared."""
    per_frame = []
    for index in range(len(RAMPS)):
        group = Dataset()
        group.PlanePositionSequence = item(ImagePositionPatient=["1", "2", str(3.0 - index)])
        group.PixelValueTransformationSequence = item(
            RescaleSlope=str(index + 1), RescaleIntercept="-10", RescaleType="HU"
        )
        group.FrameVOILUTSequence = item(WindowCenter=str(10 + index), WindowWidth=str(20 + index))
        per_frame.append(group)
    shared = Dataset()
    shared.PlaneOrientationSequence = item(
        ImageOrientationPatient=["1", "0", "0", "0", "0.6", "0.8"]
    )
    shared.PixelMeasuresSequence = item(
        PixelSpacing=["0.5", "0.25"], SliceThickness="2", SpacingBetweenSlices="1.5"
    )
    return several(
        Modality=modality,
        SharedFunctionalGroupsSequence=Sequence([shared]),
        PerFrameFunctionalGroupsSequence=Sequence(per_frame),
        **tags,
    )


# Each frame a scan


def test_every_frame_is_a_scan_of_the_same_patient() -> None:
    scans = each(several(Modality="US"))
    assert [scan.frame for scan in scans] == ["frame/0", "frame/1", "frame/2"]
    assert len({(scan.patient, scan.study, scan.series) for scan in scans}) == 1
    assert scans[0].patient is not None
    for scan, ramp in zip(scans, RAMPS, strict=True):
        (alone,) = each(dicom_bytes(ramp, Modality="US"))
        assert alone.frame == ""
        assert np.array_equal(scan.pixels, alone.pixels)


def test_percentiles_are_of_the_frame() -> None:
    assert all(scan.pixels.max() == 1 for scan in each(several(Modality="MR")))


def test_rescale_and_window_of_every_frame() -> None:
    for index, scan in enumerate(each(enhanced())):
        units = RAMPS[index] * (index + 1.0) - 10
        expected = np.clip((units - (10 + index - 0.5)) / (20 + index - 1) + 0.5, 0, 1)
        assert np.allclose(scan.pixels[0], expected, atol=1e-6)
        assert f"rescaled by {index + 1}, -10" in scan.conversions
        assert scan.spacing_mm == (0.5, 0.25)


def test_frames_are_refused_unless_asked_for() -> None:
    for policy in (Policy(), Policy(frames="refuse"), Policy(frames="volume")):
        error = refused(each, several(), policy)
        assert error.code == "E_NDIM"
        assert "--frames each" in error.fix
        assert "--dims 3" in error.fix


@pytest.mark.parametrize(
    "name", ["SC_rgb_2frame.dcm", "color3d_jpeg_baseline.dcm", "OBXXXX1A_rle_2frame.dcm"]
)
def test_frames_in_colour(name: str) -> None:
    path = pydicom_file(name)
    scans = [
        scan for scan, _ in zip(open_scans([path], key=KEY, policy=EACH), range(2), strict=False)
    ]
    assert [scan.pixels.shape[0] for scan in scans] == [3, 3]
    assert [scan.frame for scan in scans] == ["frame/0", "frame/1"]


@pytest.mark.parametrize(
    "name",
    ["emri_small_RLE.dcm", "emri_small_big_endian.dcm", "emri_small_jpeg_2k_lossless.dcm",
     "emri_small_jpeg_ls_lossless.dcm"],
)  # fmt: skip
def test_frames_are_the_same_in_every_encoding(name: str) -> None:
    plain = each(pydicom_file("emri_small.dcm").read_bytes())
    coded = each(pydicom_file(name).read_bytes())
    assert len(plain) == len(coded) == 10
    for one, other in zip(plain, coded, strict=True):
        assert np.array_equal(one.pixels, other.pixels)


def test_frames_come_one_by_one() -> None:
    """Of many frames one at a time is in memory, whatever they are together."""
    side, count = 512, 40
    frame = np.zeros((side, side), np.uint16)
    ds = pydicom.dcmread(io.BytesIO(dicom_bytes(frame)))
    ds.compress(RLELossless)
    stream = next(generate_frames(ds.PixelData, number_of_frames=1))
    ds.NumberOfFrames, ds.PixelData = count, encapsulate([stream] * count)
    packed = dataset_bytes(ds)
    tracemalloc.start()
    for scan in read_dicom(packed, Limits(), key=KEY, policy=EACH):
        assert scan.pixels.shape == (1, side, side)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * side * side * 4


def test_too_many_frames() -> None:
    tiny = np.zeros((1, 1), np.uint8)
    data = dicom_bytes(tiny, NumberOfFrames="4001", PixelData=bytes(4002))
    for call in (each, frames_of):
        error = refused(call, data)
        assert error.code == "E_SIZE"
        assert "4001" in error.found


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless])
def test_frames_that_are_not_there(syntax: str) -> None:
    ds = pydicom.dcmread(io.BytesIO(several()))
    ds.compress(syntax)
    streams = list(generate_frames(ds.PixelData, number_of_frames=3))
    ds.PixelData = encapsulate(streams[:2])
    assert refused(each, dataset_bytes(ds)).code in ("E_TRUNCATED", "E_DECODE")
    assert refused(each, several(Rows=9)).code == "E_SIZE"


def test_each_frame_s_stream_is_checked_against_the_header() -> None:
    ds = pydicom.dcmread(io.BytesIO(several()))
    ds.compress(JPEGLSLossless)
    streams = list(generate_frames(ds.PixelData, number_of_frames=3))
    wide = pydicom.dcmread(io.BytesIO(dicom_bytes(np.zeros((8, 9), np.int16))))
    wide.compress(JPEGLSLossless)
    streams[1] = next(generate_frames(wide.PixelData, number_of_frames=1))
    ds.PixelData = encapsulate(streams)
    reading = read_dicom(dataset_bytes(ds), Limits(), key=KEY, policy=EACH)
    assert next(reading).frame == "frame/0"
    assert refused(next, reading).code == "E_SIZE"


@pytest.mark.parametrize("frames", ["1A", "-3"])
def test_a_number_of_frames_that_is_none(frames: str) -> None:
    data = several().replace(b"IS\x02\x003 ", b"IS\x02\x00" + frames.encode())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's
        assert refused(each, data).code in ("E_DECODE", "E_SIZE")


# All frames with their places


def test_places_of_enhanced_frames() -> None:
    found = frames_of(enhanced())
    assert found.values.shape == (3, 8, 8)
    for index in range(3):
        assert np.array_equal(found.values[index], RAMPS[index] * (index + 1.0) - 10)
    assert found.positions is not None
    assert found.orientations is not None
    assert found.positions.tolist() == [[1, 2, 3], [1, 2, 2], [1, 2, 1]]
    assert found.orientations.tolist() == [[1, 0, 0, 0, 0.6, 0.8]] * 3
    assert found.spacing_mm == (0.5, 0.25)
    assert found.spacing_between_mm == 1.5
    assert found.window == Window(10, 20)
    assert "window of the first frame" in found.conversions
    assert found.identity["modality"] == "CT"
    assert found.identity["series"] is not None


def test_places_of_a_single_image() -> None:
    data = dicom_bytes(
        RAMPS[1], Modality="CT", ImagePositionPatient=["1", "2", "3"], SliceThickness="3",
        ImageOrientationPatient=["1", "0", "0", "0", "1", "0"], PixelSpacing=["2", "3"],
        RescaleSlope="1", RescaleIntercept="0", WindowCenter=["40", "1"], WindowWidth=["400", "2"],
    )  # fmt: skip
    found = frames_of(data)
    assert found.values.dtype == np.int16  # no rescale: the stored integers
    assert np.array_equal(found.values[0], RAMPS[1])
    assert found.positions is not None
    assert found.positions.tolist() == [[1, 2, 3]]
    assert (found.spacing_mm, found.spacing_between_mm) == ((2, 3), 3)
    assert found.window == Window(40, 400)
    assert found.valid is None
    assert not found.inverted
    assert "first of 2 windows" in found.conversions


def test_places_of_a_dose_by_its_offsets() -> None:
    data = several(
        ImagePositionPatient=["0", "0", "5"], GridFrameOffsetVector=["0", "2", "5"],
        ImageOrientationPatient=["0", "1", "0", "0", "0", "1"],
    )  # fmt: skip
    found = frames_of(data)
    assert found.positions is not None
    assert found.positions.tolist() == [[0, 0, 5], [2, 0, 5], [5, 0, 5]]


def test_several_frames_do_not_lie_in_one_place() -> None:
    data = several(ImagePositionPatient=["0", "0", "5"])
    assert frames_of(data).positions is None
    assert frames_of(several()).orientations is None


def test_padding_and_polarity_of_frames() -> None:
    values = RAMPS.copy()
    values[1, :2] = -2000
    data = dicom_bytes(
        RAMPS[0], NumberOfFrames="3", PixelData=values.tobytes(), PixelPaddingValue=-2000,
        PhotometricInterpretation="MONOCHROME1",
    )  # fmt: skip
    found = frames_of(data)
    assert found.inverted
    assert found.valid is not None
    assert np.array_equal(found.valid, values != -2000)


def test_all_frames_together_must_fit() -> None:
    limits = Limits(file_bytes=500)
    assert refused(frames_of, several(), limits).code == "E_SIZE"
    assert len(each(several(), limits=limits)) == 3


def test_colour_makes_no_volume() -> None:
    assert refused(frames_of, pydicom_file("SC_rgb_2frame.dcm").read_bytes()).code == "E_NDIM"


def test_real_enhanced_ct() -> None:
    ds = pydicom.dcmread(pydicom_file("eCT_Supplemental.dcm"))
    found = frames_of(pydicom_file("eCT_Supplemental.dcm").read_bytes())
    groups = ds.PerFrameFunctionalGroupsSequence
    line = ds.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence[0]
    assert found.positions is not None
    for index, group in enumerate(groups):
        told = group.PlanePositionSequence[0].ImagePositionPatient
        assert np.allclose(found.positions[index], [float(part) for part in told])
        units = ds.pixel_array[index] * float(line.RescaleSlope) + float(line.RescaleIntercept)
        assert np.array_equal(found.values[index], units)


def test_a_real_series_slice(shared: Path) -> None:
    path = shared / "dicom" / "ct_series_ge" / "07.dcm"
    ds, found = pydicom.dcmread(path), frames_of(path.read_bytes())
    assert found.positions is not None
    assert np.allclose(found.positions[0], [float(part) for part in ds.ImagePositionPatient])
    assert np.array_equal(found.values[0], ds.pixel_array)
