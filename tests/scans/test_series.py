"""A series becomes one volume, or is refused with what differs; SimpleITK is the measure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
from volume_files import (
    AXIAL,
    VOLUMES,
    frames_of_dicom,
    itk_affine,
    itk_values,
    ramp,
    series_paths,
    slice_frames,
)

from latentdx.core.errors import InputError
from latentdx.scans.frames import Frames, Window
from latentdx.scans.orientation import to_ras
from latentdx.scans.policy import Policy
from latentdx.scans.series import assemble
from latentdx.scans.volume import Volume
from latentdx.scans.volume_scans import scans_of

SLICES = ramp((6, 3, 4))  # six slices of 3 rows and 4 columns


def stacked(heights: Any, values: np.ndarray = SLICES, **options: Any) -> list[Frames]:
    """Axial slices at the heights given (mm)."""
    return slice_frames(values, [(10.0, 20.0, height) for height in heights], **options)


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


@pytest.mark.parametrize("seed", range(5))
def test_any_order_makes_the_same_volume(seed: int) -> None:
    frames = stacked([0, 2, 4, 6, 8, 10])
    shuffled = [frames[k] for k in np.random.default_rng(seed).permutation(6)]
    volume = volume_of(shuffled)
    np.testing.assert_array_equal(volume.values, SLICES.transpose(2, 1, 0))
    np.testing.assert_array_equal(np.diag(volume.affine), [-1, -1, 2, 1])
    assert volume.conversions == ("6 slices sorted by position",)


def test_reverse_order_is_recorded() -> None:
    volume = volume_of(stacked([0, 2, 4, 6, 8, 10])[::-1])
    np.testing.assert_array_equal(volume.values, SLICES.transpose(2, 1, 0))
    assert volume.conversions == ("6 slices sorted by position (they came in reverse order)",)


def test_many_frames_of_one_file_and_one_frame_of_many_are_the_same() -> None:
    frames = stacked([0, 2, 4, 6, 8, 10], spacing_mm=(0.5, 0.7))
    positions = np.concatenate([part.positions for part in frames if part.positions is not None])
    whole = Frames(SLICES, None, positions, np.array([AXIAL] * 6), (0.5, 0.7))
    first, second = volume_of(frames), volume_of([whole])
    np.testing.assert_array_equal(first.values, second.values)
    np.testing.assert_array_equal(first.affine, second.affine)


def test_copies_are_dropped_and_other_pixels_at_one_place_refused() -> None:
    frames = stacked([0, 2, 4, 6, 8, 10])
    volume = volume_of([*frames, frames[2], frames[5]])
    np.testing.assert_array_equal(volume.values, SLICES.transpose(2, 1, 0))
    assert volume.conversions[-1] == "2 copies of slices dropped"
    echo = replace(frames[3], values=frames[3].values + 1)
    assert "1 of 6 places" in refused([*frames, echo])
    assert "6 of 6 places" in refused([*frames, *stacked([0, 2, 4, 6, 8, 10], SLICES + 1)])


def test_uneven_by_less_than_a_tenth_is_even() -> None:
    volume = volume_of(stacked([0, 2.1, 4, 6, 7.9, 10]))
    assert volume.warnings == ()
    assert volume.affine[2, 2] == 2


def test_one_missing_slice_is_filled() -> None:
    volume = volume_of(stacked([0, 2, 4, 8, 10, 12]))
    assert volume.values.shape == (4, 3, 7)
    assert volume.warnings == ("W_GAP",)
    assert volume.conversions[-1] == "1 missing slice filled by linear interpolation"
    np.testing.assert_array_equal(volume.values[..., 3], (SLICES[2] + SLICES[3]).T / 2)
    np.testing.assert_array_equal(volume.values[..., 4:], SLICES[3:].transpose(2, 1, 0))
    assert volume.affine[2, 2] == 2
    require_field(volume_of(of_field([(0, 0, z) for z in (0, 2, 4, 8, 10, 12)])))


@pytest.mark.parametrize(
    "heights",
    [[0, 2, 4, 10, 12, 14], [0, 2, 6, 8, 12, 14], [0, 2, 4, 6, 8, 30], [0, 2, 8, 10, 16, 18]],
)
def test_more_missing_slices_are_refused(heights: list[float]) -> None:
    assert "missing" in refused(stacked(heights))


@pytest.mark.parametrize(
    "heights",
    [(0, 4, 8, 12, 13, 20, 27, 34, 41), (0, 5, 10, 15, 25, 35, 45, 55), (0, 3, 7, 10, 14, 17, 21)],
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


def test_what_differs_is_named() -> None:
    frames = stacked([0, 2, 4, 6, 8, 10])
    other = slice_frames(SLICES[:3], [(k, 0, 0) for k in range(3)], (0, 1, 0, 0, 0, -1))
    assert "2 orientations" in refused([*frames, *other])
    assert "2 sizes" in refused([*frames, *stacked([12], np.zeros((1, 5, 5)))])
    assert "2 pixel spacings" in refused([*frames, *stacked([12], SLICES[:1], spacing_mm=(2, 2))])
    assert "photometric" in refused([*frames, *stacked([12], SLICES[:1], inverted=True)])
    assert "with and without a place" in refused([*frames, Frames(SLICES[:1])])
    pair = [replace(part, identity={"series": f"secret{k}"}) for k, part in enumerate(frames[:2])]
    found = refused(pair)
    assert "2 series" in found
    assert "secret" not in found
    assert "no slices" in refused([])


def test_many_orientations_are_counted_in_little_time() -> None:
    axes = np.random.default_rng(0).normal(size=(4000, 6))
    frames = Frames(np.zeros((4000, 1, 1)), None, np.zeros((4000, 3)), axes, (1, 1))
    assert "orientations" in refused([frames])


def test_without_positions_the_order_given_counts() -> None:
    frames = [Frames(part[None], spacing_mm=(0.5, 2.0), spacing_between_mm=3.0) for part in SLICES]
    volume = volume_of(frames)
    np.testing.assert_array_equal(volume.values, SLICES.transpose(2, 1, 0))
    np.testing.assert_array_equal(np.diag(volume.affine), [-2, -0.5, 3, 1])
    assert volume.has_spacing
    assert any("order given" in text for text in volume.conversions)
    unknown = volume_of([replace(part, spacing_between_mm=None) for part in frames])
    assert not unknown.has_spacing
    assert any("spacing unknown" in text for text in unknown.conversions)
    assert next(scans_of(unknown, VOLUMES)).spacing_mm is None


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


def test_windows() -> None:
    wide, narrow = Window(40, 400), Window(40, 80, "LINEAR_EXACT")

    def window(*windows: Window | None, modality: str = "CT", **policy: Any) -> Any:
        frames = [
            replace(part, window=one, identity={"modality": modality})
            for part, one in zip(stacked([0, 2, 4]), windows, strict=False)
        ]
        volume = volume_of(frames, **policy)
        return volume.window, [text for text in volume.conversions if "window" in text]

    def stacked(heights: list[float]) -> list[Frames]:
        return slice_frames(SLICES[:3], [(0, 0, height) for height in heights])

    assert window(narrow, narrow, narrow) == ((0, 80), [])
    assert window(wide, wide, wide) == ((40 - 0.5 - 399 / 2, 40 - 0.5 + 399 / 2), [])
    assert window(None, None, None) == ((-160, 240), ["no window in the files: 40, 400 taken"])
    chosen, texts = window(wide, narrow, narrow)
    assert (chosen, len(texts)) == ((0, 80), 1)
    assert window(wide, wide, wide, window=(50.0, 100.0)) == ((0, 100), [])
    assert window(wide, wide, wide, modality="MR") == (None, [])


def test_monochrome1_is_negated_with_its_window() -> None:
    options: dict[str, Any] = {
        "window": Window(30, 60, "LINEAR_EXACT"),
        "identity": {"modality": "CT"},
    }
    plain = next(scans_of(volume_of(stacked(range(6), SLICES.astype("u2"), **options)), VOLUMES))
    inverse = volume_of(stacked(range(6), SLICES.astype("u2"), inverted=True, **options))
    assert "MONOCHROME1 inverted" in inverse.conversions
    np.testing.assert_allclose(next(scans_of(inverse, VOLUMES)).pixels, 1 - plain.pixels, atol=1e-6)
    lowest = np.full((6, 3, 4), -32768, "i2")
    assert volume_of(stacked(range(6), lowest, inverted=True)).values.max() == 32768


def test_padding_of_some_slices_and_the_identity_of_the_first() -> None:
    frames = stacked(range(6))
    valid = np.ones((1, 3, 4), bool)
    valid[0, 1, 2] = False
    frames[4] = replace(frames[4], valid=valid, conversions=("b", "a"))
    frames[0] = replace(frames[0], conversions=("a",), identity={"patient": "p", "site": "s"})
    frames = [replace(part, identity={"patient": "p", **part.identity}) for part in frames]
    volume = volume_of(frames)
    assert volume.valid is not None
    assert np.argwhere(~volume.valid).tolist() == [[2, 1, 4]]
    assert volume.identity == {"patient": "p", "site": "s"}
    assert volume.conversions[:2] == ("a", "b")


def test_the_real_mr_series_equals_simpleitk(shared: Path) -> None:
    folder = shared / "dicom" / "mr_series_t1_datalad"
    volume = volume_of([frames_of_dicom(path) for path in series_paths(folder)])
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    expected = reader.Execute()
    np.testing.assert_array_equal(volume.values, itk_values(expected))
    np.testing.assert_allclose(volume.affine, itk_affine(expected), atol=1e-6)
    assert volume.warnings == ()
    turned, other = to_ras(volume), SimpleITK.DICOMOrient(expected, "RAS")
    np.testing.assert_array_equal(turned.values, itk_values(other))
    np.testing.assert_allclose(turned.affine, itk_affine(other), atol=1e-6)


def test_the_real_tilted_uneven_ct_series(shared: Path) -> None:
    paths = series_paths(shared / "dicom" / "ct_series_ge")
    frames = [frames_of_dicom(path) for path in paths]
    volume = volume_of(frames[::-1])
    assert volume.warnings == ("W_TILT", "W_GAP")
    assert any("reverse order" in text for text in volume.conversions)
    assert any("tilt of 18.5 degrees" in text for text in volume.conversions)
    # The median distance is 4.22 mm along the patient, so 4.22 cos 18.5 across the slices.
    assert np.linalg.norm(volume.affine[:3, 2]) == pytest.approx(
        4.22 * np.cos(np.radians(18.5)), abs=1e-3
    )
    for part in frames[:10:3]:  # in the evenly spaced half, slices lie where they were measured
        place = np.append(part.positions[0] * (-1, -1, 1), 1)
        corner = (np.linalg.inv(volume.affine) @ place)[:3]
        assert corner[0] == pytest.approx(0, abs=1e-4)
        assert corner[2] == pytest.approx(round(corner[2]), abs=1e-4)
        down, across = round(corner[1]), round(corner[2])
        ours = volume.values[:, down + 100 : down + 400, across].T
        apart = np.abs(ours - part.values[0, 100:400])
        assert np.corrcoef(ours.ravel(), part.values[0, 100:400].ravel())[0, 1] > 0.98
        assert np.median(apart) < 5  # HU: at most half a pixel of linear interpolation


def test_the_real_ct_series_equals_simpleitk_at_its_slices(shared: Path) -> None:
    """An independent resampling of a real slice, by ITK and ours, onto the straight grid."""
    part = frames_of_dicom(series_paths(shared / "dicom" / "ct_series_ge")[4])
    frames = [frames_of_dicom(path) for path in series_paths(shared / "dicom" / "ct_series_ge")]
    volume = volume_of(frames)
    image = SimpleITK.GetImageFromArray(part.values[0])
    image.SetSpacing((1.0, 1.0))
    place = np.append(part.positions[0] * (-1, -1, 1), 1)
    corner = (np.linalg.inv(volume.affine) @ place)[:3]
    image.SetOrigin((0.0, float(corner[1])))
    grid = SimpleITK.Image(volume.values.shape[0], volume.values.shape[1], SimpleITK.sitkFloat32)
    expected = SimpleITK.GetArrayFromImage(
        SimpleITK.Resample(image, grid, SimpleITK.Transform(), SimpleITK.sitkLinear, -9999.0)
    ).T
    known = volume.valid[..., round(corner[2])]
    ours = volume.values[..., round(corner[2])]
    np.testing.assert_allclose(ours[known], expected[known], atol=0.5)


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
