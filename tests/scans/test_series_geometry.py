"""A linear field of the patient: whatever is interpolated must find it exactly."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from volume_files import (
    AXIAL,
    VOLUMES,
    ramp,
    slice_frames,
)

from latentdx.core.errors import InputError
from latentdx.scans.frames import Frames
from latentdx.scans.orientation import to_ras
from latentdx.scans.policy import Policy
from latentdx.scans.series import assemble
from latentdx.scans.volume import Volume
from latentdx.scans.volume_scans import scans_of

SLICES = ramp((6, 3, 4))  # six slices of 3 rows and 4 columns


def volume_of(frames: list[Frames], **policy: Any) -> Volume:
    return assemble(frames, Policy(**{"dims": 3, **policy}))


def refused(frames: list[Frames]) -> str:
    with pytest.raises(InputError) as caught:
        assemble(frames, VOLUMES)
    assert caught.value.code == "E_SERIES"
    return caught.value.found


def field(grid: np.ndarray) -> np.ndarray:
    """A linear field of the patient's space: linear interpolation must find it exactly."""
    return grid @ np.array([1.0, 2.0, 3.0]) + 100


def world(frames: Frames) -> np.ndarray:
    """(F, H, W, 3), where each pixel lies, by PS3.3 C.7.6.2.1.1."""
    assert frames.positions is not None
    assert frames.orientations is not None
    assert frames.spacing_mm is not None
    row, column = np.indices(frames.values.shape[1:])
    across, down = frames.orientations[0, :3], frames.orientations[0, 3:]
    inside = (
        column[..., None] * across * frames.spacing_mm[1]
        + row[..., None] * down * frames.spacing_mm[0]
    )
    return frames.positions[:, None, None] + inside


def of_field(positions: Any, orientation: Any = AXIAL, shape: Any = (8, 9)) -> list[Frames]:
    empty = slice_frames(
        np.zeros((len(positions), *shape)), positions, orientation, spacing_mm=(0.5, 2.0)
    )
    return [replace(part, values=field(world(part))) for part in empty]


def require_field(volume: Volume) -> None:
    """Each voxel that is not padding holds the field's value at its place."""
    index = np.stack(np.indices(volume.values.shape), axis=-1)
    ras = index @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    expected = field(ras * (-1, -1, 1))
    known = np.ones(volume.values.shape, bool) if volume.valid is None else volume.valid
    assert known.mean() > 0.3
    np.testing.assert_allclose(volume.values[known], expected[known], rtol=1e-5)


def test_the_affine_puts_every_pixel_where_dicom_does() -> None:
    draw = np.random.default_rng(1)
    for _ in range(10):
        axes = np.linalg.qr(draw.normal(size=(3, 3)))[0].T
        normal = np.cross(axes[0], axes[1])
        start = draw.normal(size=3) * 50
        positions = [start + 2.5 * k * normal for k in range(5)]
        volume = volume_of(of_field(positions, axes[:2].ravel()))
        assert volume.values.shape == (9, 8, 5)
        assert volume.warnings == ()
        require_field(volume)
        require_field(to_ras(volume))


@pytest.mark.parametrize(
    "heights",
    [
        (0, 4, 8, 12, 13, 20, 27, 34, 41),
        (0, 5, 10, 15, 25, 35, 45, 55),
        (0, 5, 10, 15, 20, 25, 35, 45, 55),
        (0, 3, 7, 10, 14, 17, 21),
    ],
)
def test_uneven_slices_are_interpolated_to_even_ones(heights: tuple[float, ...]) -> None:
    volume = volume_of(of_field([(0, 0, height) for height in heights]))
    assert volume.warnings == ("W_GAP",)
    assert "uneven distances" in volume.conversions[-1]
    step = float(np.sort(np.diff(heights))[(len(heights) - 2) // 2])
    assert volume.affine[2, 2] == step
    assert volume.values.shape[2] == int(heights[-1] / step) + 1
    require_field(volume)


@pytest.mark.parametrize("degrees", [5.0, 18.5, -25.0])
def test_a_tilted_gantry_is_straightened(degrees: float) -> None:
    angle = np.radians(degrees)
    tilted = (1, 0, 0, 0, np.cos(angle), -np.sin(angle))
    volume = volume_of(of_field([(5, 6, 3.0 * k) for k in range(5)], tilted, (40, 9)))
    assert volume.warnings == ("W_TILT",)
    assert f"tilt of {abs(degrees):g} degrees" in volume.conversions[-1]
    axes = volume.affine[:3, :3] / np.linalg.norm(volume.affine[:3, :3], axis=0)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-9)
    assert np.linalg.norm(volume.affine[:3, 2]) == pytest.approx(3 * np.cos(angle))
    require_field(volume)
    assert volume.valid is not None
    assert volume.valid.sum() >= 0.9 * 40 * 9 * 5  # nothing but half covered pixels is lost
    scan = next(scans_of(volume, VOLUMES))
    assert (scan.pixels[0][~to_ras(volume).valid] == 0).all()


def test_tilt_and_uneven_distances_together() -> None:
    tilted = (1, 0, 0, 0, 0.8, -0.6)
    heights = (0, 4, 8, 12, 13, 20, 27, 34, 41)
    volume = volume_of(of_field([(5, 6, z) for z in heights], tilted, (80, 9)))
    assert volume.warnings == ("W_TILT", "W_GAP")
    require_field(volume)


def test_slices_side_by_side_are_refused() -> None:
    places = [(100.0 * k, 0, 0.001 * k) for k in range(6)]
    assert "beside each other" in refused(slice_frames(SLICES, places))


@pytest.mark.parametrize(
    ("positions", "orientation"),
    [([(0, 0, np.nan)], AXIAL), ([(0, 0, 1e300)], AXIAL),
     ([(0, 0, 0)], (1, 0, 0, 1, 0, 0)), ([(0, 0, 0)], (0,) * 6),
     ([(0, 0, 0)], (1, 0, 0, 0, np.nan, 0))],
)  # fmt: skip
def test_places_that_make_no_sense(positions: Any, orientation: Any) -> None:
    with pytest.raises(InputError) as caught:
        volume_of(slice_frames(SLICES[:1], positions, orientation))
    assert caught.value.code == "E_AFFINE"


def test_hostile_places_are_refused_or_read_but_never_a_crash() -> None:
    draw = np.random.default_rng(0)
    odd = [0, -1, 1e-9, 1e9, 1e308, -1e308, np.nan, np.inf, 0.5, 3, 1e-300]
    ends = {"ok": 0, "E_AFFINE": 0, "E_SERIES": 0, "E_SIZE": 0}
    with np.errstate(all="ignore"):
        for turn in range(1500):
            count = int(draw.integers(1, 7))
            places = np.zeros((count, 3))
            places[:, 2] = 2.0 * np.arange(count)
            axes = np.array(AXIAL)
            if turn % 2:
                places[draw.integers(count), draw.integers(3)] = draw.choice(odd)
            if turn % 3 == 0:
                axes[draw.integers(6)] = draw.choice(odd)
            spacing = tuple(draw.choice(odd, 2)) if turn % 5 == 0 else (1.0, 1.0)
            try:
                frames = slice_frames(SLICES[:count], places, axes, spacing_mm=spacing)
                list(scans_of(volume_of(frames), VOLUMES))
                ends["ok"] += 1
            except InputError as error:
                ends[error.code] += 1
    assert min(ends["ok"], ends["E_AFFINE"], ends["E_SERIES"]) > 50


def test_a_missing_slice_is_filled_with_the_field() -> None:
    volume = volume_of(of_field([(0, 0, z) for z in (0, 2, 4, 8, 10, 12)]))
    assert volume.values.shape[2] == 7
    require_field(volume)
