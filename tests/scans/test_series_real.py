"""Real series: SimpleITK reads the same voxels to the same places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
from volume_files import (
    frames_of_dicom,
    itk_affine,
    itk_values,
    series_paths,
)

from latentdx.scans.frames import Frames
from latentdx.scans.orientation import to_ras
from latentdx.scans.policy import Policy
from latentdx.scans.series import assemble
from latentdx.scans.volume import Volume


def volume_of(frames: list[Frames], **policy: Any) -> Volume:
    return assemble(frames, Policy(**{"dims": 3, **policy}))


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
