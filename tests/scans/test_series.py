"""A series becomes one volume, or is refused with what differs; SimpleITK is the measure."""

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
from latentdx.scans.frames import Frames, Window
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


@pytest.mark.parametrize(
    "heights",
    [[0, 2, 4, 10, 12, 14], [0, 2, 6, 8, 12, 14], [0, 2, 4, 6, 8, 30], [0, 2, 8, 10, 16, 18]],
)
def test_more_missing_slices_are_refused(heights: list[float]) -> None:
    assert "missing" in refused(stacked(heights))


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
    assert window(None, None, None) == ((-160, 239), ["no window in the files: 40, 400 taken"])
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
