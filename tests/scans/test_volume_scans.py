"""Volumes to scans: turned, cropped, resampled, scaled and cut, each against a second way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
from dicom_files import KEY
from volume_files import LPS, VOLUMES, itk_values, nifti_bytes, ramp, series_paths

from latentdx.core.errors import InputError
from latentdx.scans.open import open_scan, open_scans
from latentdx.scans.orientation import to_ras
from latentdx.scans.policy import Policy
from latentdx.scans.scan import Scan
from latentdx.scans.slices import first_slice
from latentdx.scans.volume import Volume
from latentdx.scans.volume_scans import scans_of


def one(volume: Volume, **policy: Any) -> Scan:
    (scan,) = scans_of(volume, Policy(**{"dims": 3, **policy}))
    return scan


def slices(volume: Volume, **policy: Any) -> list[Scan]:
    return list(scans_of(volume, Policy(**{"every": 1, **policy})))


def blob(shape: tuple[int, ...], low: Any, high: Any) -> np.ndarray:
    """Noise of air, and a bright body between `low` and `high`."""
    values = np.random.default_rng(0).normal(-1000, 20, size=shape)
    values[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] += 1040
    return values.astype("i2")


def test_whole_volumes() -> None:
    values = ramp((3, 4, 5))
    volume = Volume(
        values, LPS @ np.diag([0.5, 1, 3, 1.0]), identity={"patient": "p", "modality": "MR"},
        conversions=("before",), warnings=("W_GAP",),
    )  # fmt: skip
    scan = one(volume)
    assert scan.pixels.shape == (1, *scan.native_shape) == (1, 3, 4, 5)
    assert scan.spacing_mm == (0.5, 1.0, 3.0)
    assert (scan.orientation, scan.frame, scan.dims) == ("RAS", "", 3)
    assert (scan.patient, scan.modality, scan.warnings) == ("p", "MR", ("W_GAP",))
    assert scan.conversions == (
        "before", "reoriented LPS to RAS", "scaled by percentiles 0.5..99.5 of the scan",
    )  # fmt: skip
    low, high = np.percentile(values, (0.5, 99.5))
    expected = np.clip((values[::-1, ::-1] - low) / (high - low), 0, 1)
    np.testing.assert_allclose(scan.pixels[0], expected, atol=1e-6)
    assert scan.pixels.flags.c_contiguous


def test_windows_and_padding() -> None:
    values = np.array([-2000, -100, 0, 50, 100, 3000], "i2").reshape(6, 1, 1)
    valid = values > -2000
    scan = one(Volume(values, np.eye(4), valid, window=(0, 100)))
    assert scan.pixels.ravel().tolist() == [0, 0, 0, 0.5, 1, 1]
    assert scan.conversions == ("0..100 scaled to 0..1", "padding set to 0")
    scan = one(Volume(values, np.eye(4)), window=(50.0, 200.0))
    assert scan.conversions == ("-50..150 scaled to 0..1",)
    np.testing.assert_allclose(scan.pixels.ravel(), [0, 0, 0.25, 0.5, 0.75, 1])
    bright = Volume(np.where(valid, values, 9999), np.eye(4), valid)
    assert one(bright).pixels[0, 0, 0, 0] == 0
    assert one(bright).pixels.max() == 1


def test_unknown_spacing_is_not_told() -> None:
    volume = Volume(ramp((3, 4, 5)), np.eye(4), has_spacing=False)
    assert one(volume).spacing_mm is None
    assert slices(volume)[0].spacing_mm is None
    with pytest.raises(InputError) as caught:
        one(volume, spacing_mm=1.0)
    assert caught.value.code == "E_AFFINE"


def test_nan_and_unwanted_volumes_are_refused() -> None:
    values = np.ones((2, 2, 2))
    values[0, 0, 0] = np.nan
    for policy in ({}, {"window": (0.0, 1.0)}):
        with pytest.raises(InputError, match="E_NAN"):
            one(Volume(values, np.eye(4)), **policy)
    with pytest.raises(InputError, match="E_NDIM"):
        next(scans_of(Volume(ramp((2, 2, 2)), np.eye(4)), Policy()))


def marked(side: str) -> Volume:
    """An RAS+ volume whose one bright half lies on one side of the patient."""
    axis, upper = {"R": (0, 1), "L": (0, 0), "A": (1, 1), "P": (1, 0), "S": (2, 1), "I": (2, 0)}[
        side
    ]
    values = np.zeros((8, 10, 12), "i2")
    half = [slice(None)] * 3
    half[axis] = slice(values.shape[axis] // 2, None) if upper else slice(values.shape[axis] // 2)
    values[tuple(half)] = 100
    return Volume(values, np.eye(4))


def bright_edge(image: np.ndarray) -> str:
    height, width = image.shape
    halves = {
        "top": image[: height // 2], "bottom": image[height // 2 :],
        "left": image[:, : width // 2], "right": image[:, width // 2 :],
    }  # fmt: skip
    return max(halves, key=lambda name: halves[name].mean())


@pytest.mark.parametrize(
    ("thick", "where"),
    [
        (None, {"A": "top", "P": "bottom", "R": "left", "L": "right"}),
        (2, {"A": "top", "P": "bottom", "R": "left", "L": "right"}),
        (1, {"S": "top", "I": "bottom", "R": "left", "L": "right"}),
        (0, {"S": "top", "I": "bottom", "A": "left", "P": "right"}),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_slices_hang_as_radiologists_hang_them(
    thick: int | None, where: dict[str, str], turned: bool
) -> None:
    sizes = np.ones(4)
    if thick is not None:
        sizes[thick] = 4
    for side, expected in where.items():
        values = marked(side).values
        affine = np.diag(sizes)
        if turned:  # the same patient in a file whose axes run the other way
            values, affine = values[::-1, ::-1], affine @ LPS
        image = slices(Volume(values, affine))[3]
        assert bright_edge(image.pixels[0]) == expected
        plane = ("sagittal", "coronal", "axial")[2 if thick is None else thick]
        assert image.conversions[-1].startswith(f"{plane} slice 3 of")


def test_slices_keep_the_volumes_scale_and_record() -> None:
    volume = Volume(ramp((4, 5, 6)), np.diag([0.5, 0.7, 3, 1.0]), identity={"patient": "p"})
    whole, cut = one(volume), slices(volume)
    assert [image.frame for image in cut] == [f"slice/{k}" for k in range(6)]
    for k, image in enumerate(cut):
        assert image.pixels.shape == (1, 5, 4)
        assert image.native_shape == (5, 4)
        assert image.spacing_mm == (0.7, 0.5)
        assert (image.orientation, image.patient, image.dims) == ("", "p", 2)
        assert image.conversions == (*whole.conversions, f"axial slice {k} of 6")
        np.testing.assert_array_equal(image.pixels[0], whole.pixels[0, ::-1, ::-1, k].T)


@pytest.mark.parametrize("count", range(1, 30))
@pytest.mark.parametrize("every", [1, 2, 3, 7, 100])
def test_every_nth_slice_is_centred(count: int, every: int) -> None:
    index = list(range(first_slice(count, every), count, every))
    before, after = index[0], count - 1 - index[-1]
    assert 0 <= after - before <= 1
    assert len(index) == -(-count // every)


def test_spacing_a_little_thicker_is_no_slice_axis() -> None:
    volume = Volume(ramp((4, 5, 6)), np.diag([1.4, 1, 1, 1.0]))
    assert slices(volume)[0].conversions[-1] == "axial slice 0 of 6"
    volume = Volume(ramp((4, 5, 6)), np.diag([1.6, 1, 1, 1.0]))
    assert slices(volume)[0].conversions[-1] == "sagittal slice 0 of 4"


def test_empty_slices_are_scans_too() -> None:
    values = np.zeros((4, 4, 6), "i2")
    values[:, :, 2] = ramp((4, 4))
    assert [bool(image.pixels.any()) for image in slices(Volume(values, np.eye(4)))] == [
        False, False, True, False, False, False,
    ]  # fmt: skip


def test_turning_takes_the_padding_along() -> None:
    valid = ramp((2, 3, 4)) > 3
    volume = to_ras(Volume(ramp((2, 3, 4)), np.diag([-1.0, 1, -1, 1]), valid))
    np.testing.assert_array_equal(volume.valid, volume.values > 3)


def test_a_series_end_to_end(shared: Path) -> None:
    """Through the DICOM reader: the same voxels as SimpleITK's, in 0..1."""
    pytest.importorskip(
        "latentdx.scans.dicom_frames", reason="the DICOM reader gives no frames yet"
    )
    folder = shared / "dicom" / "mr_series_t1_datalad"
    (scan,) = open_scans(series_paths(folder)[::-1], key=KEY, policy=VOLUMES)
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    values = itk_values(SimpleITK.DICOMOrient(reader.Execute(), "RAS"))
    low, high = np.percentile(values, (0.5, 99.5))
    expected = np.clip((values - low) / (high - low), 0, 1)
    np.testing.assert_allclose(scan.pixels[0], expected, atol=1e-5)
    assert scan.spacing_mm == pytest.approx((0.69999, 0.66667, 0.66667), abs=1e-4)
    assert scan.patient is not None
    cut = list(open_scans(series_paths(folder), key=KEY, policy=Policy(every=16)))
    assert [image.frame for image in cut] == [f"slice/{k}" for k in (7, 23, 39, 55)]
    assert {image.patient for image in cut} == {scan.patient}


def test_one_file_end_to_end(tmp_path: Path) -> None:
    path = tmp_path / "named.txt"
    path.write_bytes(
        nifti_bytes(blob((64, 48, 20), (20, 10, 4), (50, 40, 16)), np.diag([1.0, 1, 3, 1]))
    )
    policy = Policy(dims=3, crop=True, spacing_mm=2.0, window=(40.0, 400.0))
    scan = open_scan(path, key=KEY, policy=policy)
    assert scan.spacing_mm == pytest.approx((2.0, 2.0, 2.0))
    assert scan.native_shape == (64, 48, 20)
    assert [text.split(" ")[0] for text in scan.conversions] == [
        "cropped",
        "resampled",
        "-160..240",
    ]
    assert scan.content_hash
    assert 0.2 < scan.pixels.mean() < 0.5
