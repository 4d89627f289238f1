"""Crop and resampling: points stay in their places, and nothing aliases or bleeds."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import SimpleITK
from scipy import ndimage
from volume_files import LPS, itk_image, itk_values, ramp

from latentdx.core.errors import InputError
from latentdx.scans.body import body_box, crop_to_body
from latentdx.scans.limits import Limits
from latentdx.scans.memory_order import inverse_axes, memory_axes, slabs
from latentdx.scans.policy import Policy
from latentdx.scans.resample import resample_axes, to_spacing
from latentdx.scans.scan import Scan
from latentdx.scans.volume import Volume
from latentdx.scans.volume_scans import scans_of


def one(volume: Volume, **policy: Any) -> Scan:
    (scan,) = scans_of(volume, Policy(**{"dims": 3, **policy}))
    return scan


def blob(shape: tuple[int, ...], low: Any, high: Any) -> np.ndarray:
    """Noise of air, and a bright body between `low` and `high`."""
    values = np.random.default_rng(0).normal(-1000, 20, size=shape)
    values[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] += 1040
    return values.astype("i2")


def test_crop_keeps_the_body_and_its_place() -> None:
    low, high = (30, 10, 5), (90, 60, 35)
    volume = Volume(blob((128, 100, 40), low, high), LPS @ np.diag([0.5, 0.6, 2, 1.0]))
    cropped = crop_to_body(volume)
    corner = np.linalg.inv(volume.affine) @ cropped.affine[:, 3]
    for axis in range(3):
        start, stop = round(corner[axis]), round(corner[axis]) + cropped.values.shape[axis]
        assert 0 <= low[axis] - start <= 8
        assert 0 <= stop - high[axis] <= 8
        assert corner[axis] == pytest.approx(start)
    assert cropped.conversions[-1].startswith("cropped to the body: ")
    scan = one(volume, crop=True)
    assert scan.native_shape == (128, 100, 40)
    assert scan.pixels.shape[1:] == cropped.values.shape


def test_crop_ignores_a_table_and_noise() -> None:
    values = blob((96, 96, 48), (30, 30, 8), (70, 60, 40))
    values[10:86, 88:90, :] = 300  # a thin table behind the patient
    box = body_box(values)
    assert box[1].stop < 75
    assert box[0].start > 20


@pytest.mark.parametrize("value", [0, 5])
def test_nothing_to_crop(value: int) -> None:
    volume = Volume(np.full((20, 20, 20), value, "i2"), np.eye(4))
    assert crop_to_body(volume) is volume


@pytest.mark.parametrize(
    ("sizes", "off"), [((1.0, 2.0, 3.0), 1e-4), ((0.5, 0.25, 3.0), 1e-4), ((0.5, 0.8, 3.0), 0.1)]
)
def test_resampling_keeps_every_point_in_place(sizes: tuple[float, ...], off: float) -> None:
    """A field that rises by 1 a voxel shows by how many voxels a point has moved."""
    index = np.stack(np.indices((20, 24, 16)), axis=-1)
    affine = LPS @ np.diag([*sizes, 1.0])
    affine[:3, 3] = 7, 8, 9
    for axis in range(3):
        resampled = to_spacing(Volume(index[..., axis].astype(float), affine), 1.0)
        assert resampled.values.shape == tuple(np.rint(np.multiply((20, 24, 16), sizes)))
        np.testing.assert_allclose(np.linalg.norm(resampled.affine[:3, :3], axis=0), 1)
        text = "resampled from {:g} x {:g} x {:g} to 1 mm voxels".format(*sizes)
        assert resampled.conversions == (text,)
        native = np.linalg.inv(affine) @ resampled.affine
        place = np.stack(np.indices(resampled.values.shape), axis=-1) @ native[:3, :3].T
        expected = place[..., axis] + native[axis, 3]
        inner = (slice(2, -2),) * 3  # outside, the edge goes on as it is
        np.testing.assert_allclose(resampled.values[inner], expected[inner], atol=off)


def test_finer_grids_equal_simpleitk() -> None:
    values = np.random.default_rng(2).normal(size=(12, 10, 8)).astype("f4")
    volume = Volume(values, LPS @ np.diag([1.0, 2, 3, 1.0]))
    resampled = to_spacing(volume, 0.5)
    grid = itk_image(np.zeros(resampled.values.shape, "f4"), resampled.affine)
    expected = SimpleITK.Resample(
        itk_image(values, volume.affine), grid, SimpleITK.Transform(), SimpleITK.sitkLinear,
        0.0, SimpleITK.sitkFloat32, True,
    )  # fmt: skip
    np.testing.assert_allclose(resampled.values, itk_values(expected), atol=1e-4)


def test_coarser_grids_do_not_alias() -> None:
    stripes = np.tile([0.0, 1.0], 64)[:, None, None] * np.ones((128, 4, 4))
    coarse = resample_axes(stripes, (37, 4, 4), (128 / 37, 1, 1))
    assert np.abs(coarse[1:-1] - 0.5).max() < 0.12
    assert ndimage.zoom(stripes, (37 / 128, 1, 1), order=1).std() > 0.2  # what would else come out


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_coarser_grids_keep_the_mean(factor: int) -> None:
    values = np.random.default_rng(0).random((64, 32, 16))
    steps = (float(factor),) * 3
    coarse = resample_axes(values, tuple(side // factor for side in values.shape), steps)
    assert coarse.mean() == pytest.approx(values.mean(), abs=0.01)


@pytest.mark.parametrize("axes", list(itertools.permutations(range(3))))
def test_any_order_in_memory_is_walked_as_it_lies(axes: tuple[int, ...]) -> None:
    for flip in (1, -1):
        values = ramp((40, 17, 33)).transpose(axes)[::flip, :, ::flip]
        seen = np.zeros(values.shape, int)
        for slab in slabs(values):
            seen[slab] += 1
        assert (seen == 1).all()
        scan = one(Volume(values, np.eye(4)), window=(5000.0, 10000.0))
        assert scan.pixels.flags.c_contiguous
        np.testing.assert_allclose(scan.pixels[0], np.clip(values / 10000, 0, 1), atol=1e-6)
        walked = values.transpose(memory_axes(values))
        assert sorted(map(abs, walked.strides), reverse=True) == list(map(abs, walked.strides))
        np.testing.assert_array_equal(walked.transpose(inverse_axes(memory_axes(values))), values)


def test_memory_order_changes_nothing() -> None:
    values = ramp((9, 8, 7))
    arguments = ((5, 16, 7), (9 / 5, 0.5, 1.0))
    np.testing.assert_allclose(
        resample_axes(values, *arguments),
        resample_axes(np.asfortranarray(values), *arguments),
        rtol=1e-6,
    )


def test_padding_does_not_bleed_into_resampled_edges() -> None:
    values = np.full((20, 20, 20), 100.0)
    valid = np.ones(values.shape, bool)
    valid[:10], values[:10] = False, -2000
    resampled = to_spacing(Volume(values, np.eye(4), valid), 2.0)
    assert resampled.values.min() == 100
    assert resampled.valid is not None
    assert resampled.valid.mean() == 0.5


def test_spacing_that_lies_costs_no_memory() -> None:
    volume = Volume(ramp((10, 10, 10)), np.diag([1000.0, 1000, 1000, 1]))
    with pytest.raises(InputError) as caught:
        to_spacing(volume, 1.0)
    assert caught.value.code == "E_SIZE"
    with pytest.raises(InputError):
        to_spacing(Volume(ramp((10, 10, 10)), np.eye(4)), 0.5, Limits(file_bytes=1000))


def test_spacing_that_fits_already_is_left_alone() -> None:
    volume = Volume(ramp((4, 4, 4)), np.diag([1.0002, 1, 1, 1]))
    assert to_spacing(volume, 1.0) is volume
