"""NRRD and MetaImage: what SimpleITK writes and reads is the measure; paths are never followed."""

from __future__ import annotations

import gzip
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
from dicom_files import KEY
from itk_files import BY_HAND, SUFFIXES, mha, nrrd
from volume_files import LIMITS, VOLUMES, itk_affine, itk_bytes, itk_image, itk_values, ramp

from latentdx.core.errors import InputError
from latentdx.scans.itk import read_itk
from latentdx.scans.limits import Limits
from latentdx.scans.open import open_scan
from latentdx.scans.orientation import to_ras
from latentdx.scans.policy import Policy
from latentdx.scans.volume import Volume

PIXEL_TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]
SPACES = ["left-posterior-superior", "LPS", "right-anterior-superior", "RAS",
          "left-anterior-superior", "LAS", "scanner-xyz"]  # fmt: skip


def volume_of(data: bytes, kind: Any, **policy: Any) -> Volume:
    return read_itk(data, kind, LIMITS, Policy(**{"dims": 3, **policy}))


def refused(data: bytes, kind: Any, limits: Limits = LIMITS, **policy: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        read_itk(data, kind, limits, Policy(**{"dims": 3, **policy}))
    return caught.value


def oblique(seed: int = 5) -> np.ndarray:
    affine = np.eye(4)
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    affine[:3, :3] = turn * (0.5, 1.0, 3.0)
    affine[:3, 3] = 10, -20, 30
    return affine


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("dtype", PIXEL_TYPES)
@pytest.mark.parametrize("packed", [False, True])
def test_round_trip_of_every_type(suffix: str, dtype: str, packed: bool) -> None:
    values = ramp((3, 4, 5), dtype)
    data = itk_bytes(itk_image(values, oblique()), suffix, packed=packed)
    volume = volume_of(data, SUFFIXES[suffix])
    np.testing.assert_array_equal(volume.values, values)
    assert volume.values.dtype == np.dtype(dtype)
    np.testing.assert_allclose(volume.affine, oblique(), atol=1e-5)
    assert volume.has_spacing
    assert volume.conversions == ()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_all_48_orientations_as_simpleitk_turns_them(suffix: str) -> None:
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            affine = np.eye(4)
            affine[:3, :3] = np.eye(3)[:, order] * np.multiply(signs, (0.5, 2.0, 3.0))
            image = itk_image(ramp((3, 4, 5)), affine)
            turned = to_ras(volume_of(itk_bytes(image, suffix), SUFFIXES[suffix]))
            expected = SimpleITK.DICOMOrient(image, "RAS")
            np.testing.assert_array_equal(turned.values, itk_values(expected))
            np.testing.assert_allclose(turned.affine, itk_affine(expected), atol=1e-6)


@pytest.mark.parametrize("space", SPACES)
def test_spaces_as_simpleitk_reads_them(space: str, tmp_path: Path) -> None:
    data = nrrd(
        space=space,
        space_directions="(0.5,0.1,0) (0,-2,0) (0,0.2,3)",
        space_origin="(7,8,9)",
    )
    (tmp_path / "a.nrrd").write_bytes(data)
    expected = SimpleITK.ReadImage(str(tmp_path / "a.nrrd"))
    volume = volume_of(data, "nrrd")
    np.testing.assert_allclose(volume.affine, itk_affine(expected), atol=1e-6)
    np.testing.assert_array_equal(volume.values, itk_values(expected))


@pytest.mark.parametrize("matrix", ["0 1 0 -1 0 0 0 0 1", "1 0 0 0 0.6 0.8 0 -0.8 0.6"])
def test_matrices_as_simpleitk_reads_them(matrix: str, tmp_path: Path) -> None:
    data = mha(TransformMatrix=matrix, Offset="7 8 9")
    (tmp_path / "a.mha").write_bytes(data)
    expected = SimpleITK.ReadImage(str(tmp_path / "a.mha"))
    np.testing.assert_allclose(volume_of(data, "metaimage").affine, itk_affine(expected), atol=1e-6)


def test_byte_order_and_line_ends() -> None:
    swapped = ramp((3, 4, 5)).astype(">i2")
    assert (volume_of(nrrd(swapped, endian="big"), "nrrd").values == swapped).all()
    data = mha(swapped, BinaryDataByteOrderMSB="True")
    assert (volume_of(data, "metaimage").values == swapped).all()
    header, pixels = nrrd().split(b"\n\n", 1)
    crlf = header.replace(b"\n", b"\r\n") + b"\r\n\r\n" + pixels
    assert (volume_of(crlf, "nrrd").values == ramp((3, 4, 5))).all()


@pytest.mark.parametrize("kind", BY_HAND)
def test_spacing_that_is_not_told(kind: str) -> None:
    data = nrrd() if kind == "nrrd" else mha(ElementSpacing=None)
    volume = volume_of(data, kind)
    assert not volume.has_spacing
    assert "no spacing" in volume.conversions[0]
    told = nrrd(spacings="1 2 3") if kind == "nrrd" else mha()
    volume = volume_of(told, kind)
    assert volume.has_spacing
    assert "no orientation" in volume.conversions[0]
    np.testing.assert_array_equal(volume.affine, np.diag([-1.0, -2, 3, 1]))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_colour_and_vectors_are_refused(suffix: str) -> None:
    image = SimpleITK.GetImageFromArray(np.zeros((5, 4, 3, 3), "u1"), isVector=True)
    data = itk_bytes(image, suffix)
    assert refused(data, SUFFIXES[suffix]).code == "E_NDIM"
    assert refused(data, SUFFIXES[suffix], volume_index=0).code == "E_NDIM"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_four_dimensions_need_an_index(suffix: str) -> None:
    values = ramp((3, 4, 5, 6))
    image = SimpleITK.GetImageFromArray(values.transpose(3, 2, 1, 0).copy(), isVector=False)
    image.SetSpacing((0.5, 2.0, 3.0, 9.0))
    data = itk_bytes(image, suffix)
    assert refused(data, SUFFIXES[suffix]).code == "E_NDIM"
    assert refused(data, SUFFIXES[suffix], volume_index=6).code == "E_NDIM"
    volume = volume_of(data, SUFFIXES[suffix], volume_index=2)
    np.testing.assert_array_equal(volume.values, values[..., 2])
    np.testing.assert_allclose(volume.affine, np.diag([-0.5, -2, 3, 1]))


@pytest.mark.parametrize("axis", [0, 3])
@pytest.mark.parametrize("told", ["space_directions", "spacings"])
def test_nrrd_with_an_axis_of_volumes_anywhere(axis: int, told: str) -> None:
    values = ramp((3, 4, 5, 6)) if axis == 3 else ramp((6, 3, 4, 5))
    kinds, steps = ["domain"] * 3, ["(1,0,0)", "(0,2,0)", "(0,0,3)"]
    kinds.insert(axis, "list")
    steps.insert(axis, "none")
    spacings = {0: "nan 1 2 3", 3: "1 2 3 nan"}[axis]
    fields = {told: " ".join(steps) if told == "space_directions" else spacings}
    volume = volume_of(nrrd(values, kinds=" ".join(kinds), **fields), "nrrd", volume_index=4)
    np.testing.assert_array_equal(volume.values, values.take(4, axis))
    np.testing.assert_array_equal(volume.affine, np.diag([-1.0, -2, 3, 1]))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_image_is_one_slice(suffix: str) -> None:
    image = SimpleITK.GetImageFromArray(ramp((4, 3)))
    image.SetSpacing((0.5, 2.0))
    volume = volume_of(itk_bytes(image, suffix), SUFFIXES[suffix])
    np.testing.assert_array_equal(volume.values[..., 0], ramp((4, 3)).T)
    assert np.linalg.norm(volume.affine[:3, :3], axis=0).tolist() == [0.5, 2.0, 1.0]


def test_nan_is_refused_or_imputed() -> None:
    values = ramp((3, 4, 5), "f4")
    values[0, 0, 0] = np.nan
    data = itk_bytes(itk_image(values, np.eye(4)), ".nrrd")
    assert refused(data, "nrrd").code == "E_NAN"
    assert volume_of(data, "nrrd", nan="impute").values[0, 0, 0] == 1


def test_no_text_of_the_header_reaches_the_volume() -> None:
    image = itk_image(ramp((3, 4, 5)), np.eye(4))
    image.SetMetaData("PatientName", "PLANTED^PATIENT")
    for suffix, kind in SUFFIXES.items():
        data = itk_bytes(image, suffix)
        assert b"PLANTED" in data
        assert "PLANTED" not in repr(volume_of(data, kind))


def test_open_scan_tells_them_by_content(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        path = tmp_path / f"scan{suffix}.bin"
        path.write_bytes(itk_bytes(itk_image(ramp((3, 4, 5)), oblique()), suffix, packed=True))
        scan = open_scan(path, key=KEY, policy=VOLUMES)
        assert scan.orientation == "RAS"
        assert sorted(scan.native_shape) == [3, 4, 5]
        assert sorted(scan.spacing_mm or ()) == pytest.approx([0.5, 1.0, 3.0])


def test_nrrd_of_several_gzip_members() -> None:
    pixels = ramp((3, 4, 5)).tobytes(order="F")
    header = nrrd(ramp((0, 0, 0)), sizes="3 4 5", encoding="gz")
    data = header + gzip.compress(pixels[:50]) + gzip.compress(pixels[50:])
    assert (volume_of(data, "nrrd").values == ramp((3, 4, 5))).all()
