"""Pictures of scans side by side, pixel by pixel."""

from __future__ import annotations

import doctest
import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from latentdx.report import grid
from latentdx.report.grid import picture_grid


def opened(data: bytes) -> tuple[str, NDArray[np.uint8], dict[str, str]]:
    """Mode, levels and texts of a PNG."""
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        return picture.mode, np.asarray(picture), dict(picture.text)  # type: ignore[attr-defined]


def flat(*levels: float, side: int = 96) -> NDArray[np.float32]:
    """Scans (N, 1, side, side) of one level each."""
    return np.array(levels, np.float32)[:, None, None, None] * np.ones((1, 1, side, side))


def test_scans_lie_in_rows_with_white_between_and_behind() -> None:
    mode, levels, _ = opened(picture_grid(flat(0.0, 0.2, 0.4, 0.6, 0.8), columns=3))
    assert mode == "L"
    assert levels.shape == (96 + 2 + 96, 3 * 96 + 2 * 2)
    places = [(10 + 98 * row, 10 + 98 * column) for row in range(2) for column in range(3)]
    assert [int(levels[place]) for place in places] == [0, 51, 102, 153, 204, 255]
    assert (levels[96:98] == 255).all()
    assert (levels[:, 96:98] == 255).all()
    assert (levels[:96, :96] == 0).all()


@pytest.mark.parametrize(("count", "shape"), [(1, (1, 1)), (5, (2, 3)), (16, (4, 4))])
def test_images_make_a_square_by_default(count: int, shape: tuple[int, int]) -> None:
    _, levels, _ = opened(picture_grid(flat(*[0.5] * count)))
    assert levels.shape == (98 * shape[0] - 2, 98 * shape[1] - 2)


def test_small_scans_are_enlarged_by_a_whole_factor_and_large_ones_left() -> None:
    scan = np.random.default_rng(0).random((1, 1, 28, 40)).astype(np.float32)
    _, levels, _ = opened(picture_grid(scan))
    assert levels.shape == (28 * 4, 40 * 4)
    assert np.array_equal(levels[::4, ::4], np.rint(scan[0, 0] * 255))
    assert np.array_equal(levels[3::4, 1::4], levels[::4, ::4])
    _, levels, _ = opened(picture_grid(np.zeros((1, 1, 97, 130))))
    assert levels.shape == (97, 130)


def test_three_channels_are_colour_and_of_others_the_first_is_grey() -> None:
    scan = np.zeros((1, 3, 96, 96))
    scan[:, 1] = 1
    mode, levels, _ = opened(picture_grid(scan))
    assert mode == "RGB"
    assert levels[5, 5].tolist() == [0, 255, 0]
    two = np.stack([np.full((96, 96), 0.4), np.ones((96, 96))])[None]
    mode, levels, _ = opened(picture_grid(two))
    assert mode == "L"
    assert (levels == 102).all()


def test_a_volume_is_a_row_of_axial_slices_from_the_feet_up_front_up() -> None:
    volume = np.zeros((2, 1, 96, 100, 16), np.float32)
    volume[0, 0] = np.arange(16) / 255  # the level tells the height
    volume[1, 0, 0, -1] = 1.0  # left, in front
    _, levels, _ = opened(picture_grid(volume))
    assert levels.shape == (2 * 100 + 2, 8 * 96 + 7 * 2)
    assert [int(levels[50, 98 * k + 40]) for k in range(8)] == [1, 3, 5, 7, 9, 11, 13, 15]
    second = levels[102:]
    assert second[0, 0] == 255
    assert second[1:, :96].max() == 0
    flat_one = np.zeros((1, 1, 96, 96, 3))
    assert opened(picture_grid(flat_one))[1].shape == (96, 3 * 96 + 2 * 2)


def test_values_that_are_none_or_beyond_are_drawn_within() -> None:
    scan = np.zeros((1, 1, 96, 96), np.float32)
    scan[0, 0, 0, :4] = [np.nan, np.inf, -2, 3]
    _, levels, _ = opened(picture_grid(scan))
    assert levels[0, :4].tolist() == [0, 255, 0, 255]


def test_the_description_is_in_the_file_and_equal_scans_make_equal_files() -> None:
    first = picture_grid(flat(0.3), told="Synthetic")
    assert opened(first)[2] == {"Description": "Synthetic"}
    assert opened(picture_grid(flat(0.3)))[2] == {}
    assert picture_grid(flat(0.3), told="Synthetic") == first


def test_the_example_runs() -> None:
    found = doctest.testmod(grid)
    assert found.attempted > 0
    assert found.failed == 0
