"""NIfTI: equal to nibabel and SimpleITK where sound, refused by its header where not."""

from __future__ import annotations

import gzip
import itertools
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK
from dicom_files import KEY
from volume_files import LIMITS, VOLUMES, itk_affine, itk_values, nifti_bytes, ramp

from latentdx.core.errors import InputError
from latentdx.scans.limits import Limits
from latentdx.scans.nifti import read_nifti
from latentdx.scans.open import open_scan, open_scans
from latentdx.scans.orientation import to_ras
from latentdx.scans.policy import Policy
from latentdx.scans.volume import Volume

SIGNED_PERMUTATIONS = [
    (order, signs)
    for order in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]


def volume_of(data: bytes, **policy: Any) -> Volume:
    return read_nifti(data, LIMITS, Policy(**{"dims": 3, **policy}))


def refused(data: bytes, limits: Limits = LIMITS, **policy: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        read_nifti(data, limits, Policy(**{"dims": 3, **policy}))
    return caught.value


def canonical(data: bytes) -> Any:
    return nibabel.as_closest_canonical(nibabel.Nifti1Image.from_bytes(data))


@pytest.mark.parametrize(("order", "signs"), SIGNED_PERMUTATIONS)
def test_all_48_orientations_as_nibabel_turns_them(
    order: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[:, order] * np.multiply(signs, (0.5, 2.0, 3.0))
    affine[:3, 3] = 10, -20, 30
    data = nifti_bytes(ramp((3, 4, 5)), affine)
    turned, expected = to_ras(volume_of(data)), canonical(data)
    np.testing.assert_array_equal(turned.values, np.asarray(expected.dataobj))
    np.testing.assert_allclose(turned.affine, expected.affine)
    assert nibabel.aff2axcodes(turned.affine) == ("R", "A", "S")
    letters = "".join(nibabel.aff2axcodes(affine))
    assert turned.conversions == (() if letters == "RAS" else (f"reoriented {letters} to RAS",))


def test_oblique_affines_as_nibabel_turns_them() -> None:
    draw = np.random.default_rng(7)
    for _ in range(20):
        affine = np.eye(4)
        affine[:3, :3] = np.linalg.qr(draw.normal(size=(3, 3)))[0] * (1.0, 2.0, 3.0)
        data = nifti_bytes(ramp((3, 4, 5)), affine)
        turned, expected = to_ras(volume_of(data)), canonical(data)
        np.testing.assert_array_equal(turned.values, np.asarray(expected.dataobj))
        np.testing.assert_allclose(turned.affine, expected.affine, atol=1e-5)


def test_real_volumes_equal_nibabel_and_simpleitk(shared: Path) -> None:
    paths = sorted((shared / "mri_hippocampus_nifti").rglob("*.nii*"))
    paths = [path for path in paths if not path.name.startswith(".")]
    assert len(paths) > 400
    for path in paths[:: len(paths) // 30][:30]:
        turned = to_ras(volume_of(path.read_bytes()))
        expected = nibabel.as_closest_canonical(nibabel.load(path))
        np.testing.assert_array_equal(turned.values, expected.get_fdata())
        np.testing.assert_allclose(turned.affine, expected.affine)
        other = SimpleITK.DICOMOrient(SimpleITK.ReadImage(str(path)), "RAS")
        np.testing.assert_array_equal(turned.values, itk_values(other))
        np.testing.assert_allclose(turned.affine, itk_affine(other), atol=1e-4)


def test_a_real_file_ends_as_a_scan(shared: Path) -> None:
    path = next(iter(sorted((shared / "mri_hippocampus_nifti").rglob("hippocampus_*.nii*"))))
    scan = open_scan(path, key=KEY, policy=VOLUMES)
    assert scan.dims == 3
    assert scan.native_shape == scan.pixels.shape[1:]
    assert scan.orientation == "RAS"
    assert scan.pixels.dtype == np.float32
    assert (scan.pixels.min(), scan.pixels.max()) == (0, 1)
    with pytest.raises(InputError, match="E_NDIM"):
        open_scan(path, key=KEY)
    images = list(open_scans([path], key=KEY, policy=Policy(every=10)))
    assert [image.dims for image in images] == [2] * len(images)
    assert len({image.frame for image in images}) == len(images) > 1


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
@pytest.mark.parametrize("version", [1, 2])
def test_every_type_version_and_packing(dtype: str, version: int) -> None:
    values = ramp((3, 4, 5), dtype)
    data = nifti_bytes(values, np.eye(4), version=version)
    for form in (data, gzip.compress(data), gzip.compress(data[:400]) + gzip.compress(data[400:])):
        volume = volume_of(form)
        np.testing.assert_array_equal(volume.values, values)
        assert volume.values.dtype == np.dtype(dtype)


def test_big_endian() -> None:
    image = nibabel.Nifti1Image(ramp((3, 4, 5), "i2"), np.diag([1, 2, 3, 1]))
    header = image.header.as_byteswapped(">")
    header["vox_offset"] = 352
    data = header.binaryblock + bytes(4) + ramp((3, 4, 5)).astype(">i2").tobytes(order="F")
    volume = volume_of(data)
    np.testing.assert_array_equal(volume.values, ramp((3, 4, 5)))
    assert volume.values.dtype.isnative
    np.testing.assert_array_equal(volume.affine, image.affine)


@pytest.mark.parametrize(
    ("slope", "inter", "expected"),
    [(2.0, -5.0, 2.0 * 7 - 5), (0.0, 9.0, 7), (np.nan, np.nan, 7), (1.0, 0.0, 7), (1.0, 3.0, 10)],
)
def test_slope_and_intercept(slope: float, inter: float, expected: float) -> None:
    volume = volume_of(
        nifti_bytes(np.full((2, 2, 2), 7, "i2"), np.eye(4), scl_slope=slope, scl_inter=inter)
    )
    assert set(volume.values.ravel().tolist()) == {expected}
    assert bool(volume.conversions) == (expected != 7)


def test_sform_wins_and_says_so_where_qform_differs() -> None:
    image = nibabel.Nifti1Image(ramp((4, 5, 6)), None)
    image.set_sform(np.diag([2.0, 2, 2, 1]), 1)
    image.set_qform(np.diag([2.0, 2, 2, 1]), 1)
    same = volume_of(image.to_bytes())
    assert (same.warnings, same.conversions) == ((), ())
    image.set_qform(np.diag([2.0, 2, 5, 1]), 1)
    volume = volume_of(image.to_bytes())
    assert volume.warnings == ("W_AFFINE",)
    assert volume.conversions == ("sform taken, though qform differs",)
    np.testing.assert_array_equal(volume.affine, np.diag([2.0, 2, 2, 1]))


def test_qform_alone() -> None:
    affine = nibabel.affines.from_matvec(np.diag([-1.0, 2, 3]), [5, 6, 7])
    image = nibabel.Nifti1Image(ramp((4, 5, 6)), None)
    image.set_qform(affine, 1)
    np.testing.assert_allclose(volume_of(image.to_bytes()).affine, affine, atol=1e-6)


def test_missing_affine_is_assumed_and_recorded() -> None:
    data = nifti_bytes(ramp((3, 4, 5)))
    volume = volume_of(data)
    assert not volume.has_spacing
    assert "no affine" in volume.conversions[0]
    turned, expected = to_ras(volume), canonical(data)
    np.testing.assert_array_equal(turned.values, np.asarray(expected.dataobj))
    told = volume_of(nifti_bytes(ramp((3, 4, 5)), pixdim=[1, 0.5, 0.5, 3, 0, 0, 0, 0]))
    assert told.has_spacing
    assert np.linalg.norm(told.affine[:3, :3], axis=0).tolist() == [0.5, 0.5, 3]


@pytest.mark.parametrize(("unit", "factor"), [(1, 1000.0), (2, 1.0), (3, 0.001), (0, 1.0)])
def test_positions_are_in_mm(unit: int, factor: float) -> None:
    volume = volume_of(nifti_bytes(ramp((3, 4, 5)), np.diag([1.0, 2, 3, 1]), xyzt_units=unit))
    np.testing.assert_allclose(volume.affine, np.diag([factor, 2 * factor, 3 * factor, 1]))


def test_four_dimensions_need_an_index() -> None:
    values = ramp((3, 4, 5, 6))
    data = nifti_bytes(values, np.eye(4))
    assert refused(data).code == "E_NDIM"
    assert refused(data, volume_index=6).code == "E_NDIM"
    volume = volume_of(gzip.compress(data), volume_index=2)
    np.testing.assert_array_equal(volume.values, values[..., 2])
    assert volume.conversions == ("volume 2 of 6 taken",)


def test_images_and_trailing_dimensions() -> None:
    assert volume_of(nifti_bytes(ramp((3, 4)), np.eye(4))).values.shape == (3, 4, 1)
    assert volume_of(nifti_bytes(ramp((3, 4, 5, 1, 1)), np.eye(4))).values.shape == (3, 4, 5)
    assert volume_of(nifti_bytes(ramp((3, 4, 1)), np.eye(4))).values.shape == (3, 4, 1)
    vectors = nifti_bytes(ramp((3, 4, 5, 1, 3)), np.eye(4))
    assert refused(vectors).code == "E_NDIM"
    assert volume_of(vectors, volume_index=1).values.shape == (3, 4, 5)


def test_nan_is_refused_or_imputed() -> None:
    values = ramp((3, 4, 5), "f4") - 7
    values[0, 0, 0], values[1, 1, 1], values[2, 2, 2] = np.nan, np.inf, -np.inf
    data = nifti_bytes(values, np.eye(4))
    assert refused(data).code == "E_NAN"
    volume = volume_of(data, nan="impute")
    lowest = values[np.isfinite(values)].min()
    assert volume.values[0, 0, 0] == volume.values[1, 1, 1] == volume.values[2, 2, 2] == lowest
    assert volume.conversions == ("3 NaN or infinite values set to the lowest finite value",)
    nothing = nifti_bytes(np.full((2, 2, 2), np.nan, "f4"), np.eye(4))
    assert refused(nothing, nan="impute").code == "E_NAN"


def test_no_text_of_the_header_reaches_the_volume() -> None:
    image = nibabel.Nifti1Image(ramp((3, 4, 5)), np.eye(4))
    for field in ("descrip", "aux_file", "intent_name"):
        image.header[field] = b"PLANTED"
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension(6, b"PLANTED^PATIENT"))
    data = image.to_bytes()
    assert b"PLANTED^PATIENT" in data
    volume = volume_of(data)
    np.testing.assert_array_equal(volume.values, ramp((3, 4, 5)))
    assert "PLANTED" not in repr(volume)
