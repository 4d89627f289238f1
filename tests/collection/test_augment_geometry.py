"""Places: turns, shifts, flips, shears and deformations, on images and volumes of any sides."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from latentdx.collection.augment import AugmentSettings, Draw, apply, draw
from latentdx.collection.augment_fields import smooth_field
from latentdx.collection.augment_geometry import from_view_to_view, moved

NOTHING = AugmentSettings(rotation=0.0, shift=0.0, zoom=(1.0, 1.0), flip=0.0)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=seeded(5))


def close(found: Tensor, expected: Tensor, atol: float = 1e-5) -> None:
    torch.testing.assert_close(found, expected, atol=atol, rtol=0)


def turned(degrees: float, *, dims: int = 2) -> Draw:
    """One scan's draw, turned in the plane by just so much."""
    angle = torch.tensor([degrees * math.pi / 180])
    cos, sin = torch.cos(angle), torch.sin(angle)
    none, one = torch.zeros(1), torch.ones(1)
    if dims == 2:
        rows = [[cos, -sin, none], [sin, cos, none]]
    else:
        rows = [[one, none, none, none], [none, cos, sin, none], [none, -sin, cos, none]]
    theta = torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)
    return replace(draw(1, NOTHING, seeded(), dims=dims), theta=theta)


SHAPES = [(3, 2, 16, 16), (3, 1, 9, 14), (3, 1, 8, 8, 8), (3, 2, 7, 10, 9)]
ids = ["square", "oblong", "cube", "uneven"]


@pytest.mark.parametrize("shape", SHAPES, ids=ids)
def test_without_any_change_asked_for_the_scans_come_back_exactly(shape: tuple[int, ...]) -> None:
    pixels = noise(*shape)
    drawn = draw(3, NOTHING, seeded(), dims=len(shape) - 2)
    found = apply(pixels, drawn)
    assert torch.equal(found, pixels)
    assert found is not pixels


def test_a_quarter_turn_is_rot90() -> None:
    pixels = noise(1, 2, 15, 15)
    close(apply(pixels, turned(90)), torch.rot90(pixels, 1, (2, 3)))
    volume = noise(1, 1, 9, 9, 6)
    close(apply(volume, turned(90, dims=3)), torch.rot90(volume, -1, (2, 3)))


@pytest.mark.parametrize("size", [(15, 31), (31, 15)])
def test_a_turned_disc_stays_a_disc_in_an_oblong_image(size: tuple[int, int]) -> None:
    rows, columns = (torch.arange(side) - (side - 1) / 2 for side in size)
    disc = ((rows[:, None] ** 2 + columns[None] ** 2) < 5.5**2).float()[None, None]
    bar = torch.zeros(1, 1, *size)
    bar[..., 7 if size[0] == 15 else 15, size[1] // 2 - 5 : size[1] // 2 + 6] = 1
    upright = torch.zeros(1, 1, *size)
    upright[..., size[0] // 2 - 5 : size[0] // 2 + 6, size[1] // 2] = 1
    found = apply(disc, turned(45))
    assert (found - disc).abs().mean() < 0.03
    close(apply(bar, turned(90)), upright)


def test_a_volume_turned_in_its_plane_is_its_slices_turned() -> None:
    volume = noise(1, 2, 12, 10, 5)
    found = apply(volume, turned(33, dims=3))
    for number in range(5):
        # an image's rows go down, X goes along them
        image = volume[..., number].transpose(2, 3)
        close(found[..., number].transpose(2, 3), apply(image, turned(33)))


def test_drawn_volumes_turn_in_their_plane_unless_they_tilt() -> None:
    flat = replace(NOTHING, rotation=40.0)
    volume = noise(6, 1, 10, 10, 4)
    slab = volume.clone()
    slab[..., 2] = 0
    for settings, stays in ((flat, True), (replace(flat, tilt=20.0), False)):
        drawn = draw(6, settings, seeded(), dims=3)
        torch.testing.assert_close(torch.linalg.det(drawn.theta[:, :, :3]), torch.ones(6))
        found, other = apply(volume, drawn), apply(slab, drawn)
        assert torch.equal(found[..., [0, 1, 3]], other[..., [0, 1, 3]]) is stays


@pytest.mark.parametrize(
    ("settings", "axis"), [({"shift": 3}, 3), ({"shift": 3}, 2)], ids=["columns", "rows"]
)
def test_a_shift_moves_by_pixels(settings: dict[str, int], axis: int) -> None:
    pixels = noise(1, 1, 12, 20)
    drawn = draw(1, NOTHING, seeded())
    theta = drawn.theta.clone()
    theta[0, 3 - axis, 2] = 2 * settings["shift"] / pixels.shape[axis]
    found = apply(pixels, replace(drawn, theta=theta))
    expected = torch.roll(pixels, -3, axis)
    expected.narrow(axis, pixels.shape[axis] - 3, 3).zero_()
    close(found, expected)


FLIPS = [
    ("flip", 2, 3),
    ("flip_rows", 2, 2),
    ("flip", 3, 2),
    ("flip_rows", 3, 3),
    ("flip_slices", 3, 4),
]


@pytest.mark.parametrize(("name", "dims", "axis"), FLIPS)
def test_a_sure_flip_is_torch_flip(name: str, dims: int, axis: int) -> None:
    pixels = noise(4, 2, *(9, 7, 8)[:dims])
    drawn = draw(4, replace(NOTHING, **{name: 1.0}), seeded(), dims=dims)
    close(apply(pixels, drawn), pixels.flip(axis))


@pytest.mark.parametrize("name", ["flip", "flip_rows", "flip_slices"])
def test_half_of_the_volumes_are_flipped_where_the_chance_is_a_half(name: str) -> None:
    drawn = draw(1000, replace(NOTHING, **{name: 0.5}), seeded(), dims=3)
    negative = torch.linalg.det(drawn.theta[:, :, :3]) < 0
    assert negative.float().mean().item() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("dims", [2, 3])
def test_a_shear_moves_rows_and_keeps_areas(dims: int) -> None:
    drawn = draw(300, replace(NOTHING, shear=0.2), seeded(), dims=dims)
    torch.testing.assert_close(torch.linalg.det(drawn.theta[:, :, :dims]), torch.ones(300))
    others = drawn.theta[:, :, :dims] - torch.eye(dims)
    [moved] = others.abs().amax(dim=0).flatten().nonzero().tolist()
    assert 0.18 < others.abs().max() <= 0.2
    right, front = (0, 1) if dims == 2 else (2, 1)
    assert moved == [right * dims + front]


@pytest.mark.parametrize("size", [(24, 24), (17, 30), (12, 9, 14)])
def test_a_deformation_moves_pixels_within_its_limit_and_folds_nothing(
    size: tuple[int, ...],
) -> None:
    drawn = draw(20, replace(NOTHING, elastic=0.1), seeded(), dims=len(size))
    assert drawn.bend is not None
    field = smooth_field(drawn.bend, size)
    assert 0.03 < field.abs().max() <= 0.1
    for number, side in enumerate(reversed(size)):
        axis = len(size) + 1 - number
        steps = field[:, number].diff(dim=axis - 1) * side
        assert steps.min() > -1  # neighbours never swap


def test_a_deformation_follows_the_order_of_axes() -> None:
    pixels = noise(1, 1, 10, 20)
    drawn = draw(1, NOTHING, seeded())
    bend = torch.zeros(1, 2, 7, 7)
    bend[:, 0] = 0.1  # of 20 columns
    expected = torch.roll(pixels, -2, 3)
    expected[..., -2:] = 0
    close(apply(pixels, replace(drawn, bend=bend)), expected)


def test_a_smooth_field_is_constant_for_constant_points_and_linear_for_linear_ones() -> None:
    points = torch.arange(7.0).expand(1, 1, 7, 7)
    close(smooth_field(torch.full((2, 3, 4, 4), 0.7), (9, 12)), torch.full((2, 3, 9, 12), 0.7))
    found = smooth_field(points, (6, 16))
    # the middle points are four cells apart, and the field's ends lie on the second and the last
    expected = 1 + (torch.arange(16) + 0.5) / 16 * 4
    close(found, expected.expand(1, 1, 6, 16))


def test_a_draw_is_for_its_own_number_and_kind_of_scans() -> None:
    with pytest.raises(ValueError, match="drawn for 3 scans of 2 axes, found 4 scans of 2 axes"):
        apply(noise(4, 1, 8, 8), draw(3, NOTHING, seeded()))
    with pytest.raises(ValueError, match="found 3 scans of 3 axes"):
        apply(noise(3, 1, 8, 8, 8), draw(3, NOTHING, seeded()))


def test_places_in_one_view_are_found_in_the_other() -> None:
    """A spot of the scan, seen in both views: where the first has it the second is looked up."""
    size = (48, 32)
    scan = torch.zeros(1, 1, *size)
    scan[0, 0, 28:31, 12:15] = 1.0
    settings = AugmentSettings(rotation=20.0, shift=0.1, zoom=(0.9, 1.3), flip=0.5)
    for seed in range(20):
        drawn = draw(2, settings, seeded(seed))
        first, second = moved(scan.repeat(2, 1, 1, 1), drawn).split(1)
        there, in_scan = from_view_to_view(drawn.theta, size)
        place = _centre(first)
        assert there.shape == in_scan.shape == (1, 2, 3)
        for theta, picture in ((there, second), (in_scan, scan)):
            found = theta[0, :, :2] @ place + theta[0, :, 2]
            torch.testing.assert_close(found, _centre(picture), atol=0.04, rtol=0)


def _centre(picture: torch.Tensor) -> torch.Tensor:
    """Of the brightness of (1, 1, H, W): x and y in -1..1."""
    weights = picture[0, 0] / picture.sum()
    height, width = weights.shape
    rows = (torch.arange(height) + 0.5) * 2 / height - 1
    columns = (torch.arange(width) + 0.5) * 2 / width - 1
    return torch.stack([weights.sum(0) @ columns, weights.sum(1) @ rows])
