"""Pictures of scans: of volumes three slices, each as a radiologist sees it."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from latentdx.report.pictures import brightest, planes, png, triple


def decoded(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))))


def test_an_image_is_its_own_picture() -> None:
    image = np.random.default_rng(0).random((3, 5, 7))
    assert planes(image) is image


@pytest.mark.parametrize(
    ("voxel", "axial", "coronal", "sagittal"),
    [
        ((3, 5, 4), (0, 0), None, None),  # right and front, at half height
        ((3, 3, 8), None, (0, 0), None),  # right and head
        ((2, 5, 8), None, None, (0, 0)),  # front and head, in the middle from left to right
        ((0, 0, 4), (5, 3), None, None),  # left and back
    ],
)
def test_each_slice_is_seen_with_head_or_front_up_and_the_right_on_the_left(
    voxel: tuple[int, ...], axial: object, coronal: object, sagittal: object
) -> None:
    """Sides 4 (right), 6 (front), 9 (head): slices of 6 x 4, 9 x 4 and 9 x 6."""
    volume = np.zeros((1, 4, 6, 9))
    volume[(0, *voxel)] = 1
    picture = planes(volume)[0]
    assert picture.shape == (9, 4 + 1 + 4 + 1 + 6)
    slices = (picture[1:7, :4], picture[:, 5:9], picture[:, 10:])
    for found, expected in zip(slices, (axial, coronal, sagittal), strict=True):
        places = [tuple(place) for place in np.argwhere(found).tolist()]
        assert places == ([] if expected is None else [expected])
    assert np.count_nonzero(picture) == 1


def test_what_is_lost_is_bright_on_one_scale_for_all() -> None:
    scan = np.zeros((1, 8, 8))
    off = scan.copy()
    off[0, 2, 3], off[0, 5, 5] = 1.0, 0.5
    found = decoded(triple(scan, off, 1.0).difference)
    assert found.shape == (8, 8, 3)
    assert np.argwhere(found.sum(axis=2)).tolist() == [[2, 3], [5, 5]]
    assert found[2, 3].sum() > found[5, 5].sum()
    assert brightest(np.stack([scan] * 3), np.stack([scan] * 3)) == 0.02
    assert brightest(np.stack([scan]), np.stack([off])) > 0.5
    assert brightest(np.zeros((0, 1, 8, 8)), np.zeros((0, 1, 8, 8))) == 1


def test_slices_side_by_side_may_be_twice_as_wide() -> None:
    assert decoded(png(np.zeros((1, 300, 300)))).shape == (192, 192)
    assert decoded(png(np.zeros((1, 64, 194)))).shape == (64, 194)
    assert decoded(png(np.zeros((3, 100, 302)))).shape[1] == 256
