"""Arrays: nothing is allocated, and nothing is run, on a header's word."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_files import KEY

from latentdx.core.errors import InputError
from latentdx.scans.arrays import open_npz_arrays
from latentdx.scans.limits import Limits
from latentdx.scans.open import open_scans
from latentdx.scans.policy import Policy
from latentdx.scans.scan import Scan

Read = Callable[..., Scan]
Refuse = Callable[..., InputError]


def npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def lying(shape: tuple[int, ...]) -> bytes:
    """Sixteen values under a header that announces `shape`."""
    buffer = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue() + bytes(16)


def archive(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def refused(path: Path, limits: Limits | None = None) -> str:
    with pytest.raises(InputError) as caught:
        open_npz_arrays(path, limits)
    assert caught.value.path == str(path)
    return caught.value.code


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (4, 5, 3), (1, 4, 5), (3, 4, 5)])
def test_bytes_are_exact_in_every_layout(shape: tuple[int, ...], read: Read) -> None:
    values = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    scan = read(npy(values))
    assert scan.native_shape == (4, 5)
    assert scan.pixels.shape[1:] == (4, 5)
    assert scan.pixels.ravel().sum() == pytest.approx(values.sum() / 255)


def test_fractions_stay_and_other_numbers_are_scaled(read: Read) -> None:
    fractions = np.linspace(0, 1, 20, dtype=np.float64).reshape(4, 5)
    assert np.array_equal(read(npy(np.asfortranarray(fractions))).pixels[0], np.float32(fractions))
    scan = read(npy(np.arange(-500, 500, dtype=np.int16).reshape(20, 50)))
    assert (scan.pixels.min(), scan.pixels.max()) == (0, 1)
    assert any("percentiles" in done for done in scan.conversions)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (npy(np.array([[{"a": 1}]])), "E_PICKLE"),
        (npy(np.full((4, 4), np.inf)), "E_NAN"),
        (npy(np.zeros((2, 3, 4, 5))), "E_NDIM"),
        (npy(np.zeros(7)), "E_NDIM"),
        (npy(np.array([["text"]])), "E_FORMAT"),
        (npy(np.zeros((0, 4))), "E_SIZE"),
        (npy(np.zeros((8, 8)))[:-9], "E_TRUNCATED"),
        (lying((8 << 30, 1)), "E_SIZE"),
        (lying((100, 100)), "E_TRUNCATED"),
        (b"\x93NUMPY\x01\x00\x05\x00{[(}\n", "E_FORMAT"),
    ],
)
def test_bad_arrays(data: bytes, code: str, refuse: Refuse) -> None:
    assert refuse(data).code == code


def test_npz_comes_back_by_name(tmp_path: Path) -> None:
    arrays = {
        "train_images": np.arange(60, dtype=np.uint8).reshape(5, 3, 4),
        "deep": np.arange(4, dtype=">u2"),
        "floats": np.asfortranarray(np.random.default_rng(0).random((3, 4))),
    }
    np.savez_compressed(tmp_path / "set.npz", **arrays)
    found = open_npz_arrays(tmp_path / "set.npz")
    assert list(found) == list(arrays)
    for name, values in arrays.items():
        assert np.array_equal(found[name], values)


def test_bad_archives(tmp_path: Path) -> None:
    good, path = npy(np.zeros(4)), tmp_path / "a.npz"
    assert refused(archive(path, {"a.npy": npy(np.array([None]))})) == "E_PICKLE"
    assert refused(archive(path, {"a.npy": lying((8 << 30,))})) == "E_SIZE"
    assert refused(archive(path, {"a.npy": good}), Limits(archive_bytes=64)) == "E_SIZE"
    assert refused(archive(path, {"../a.npy": good})) == "E_ARCHIVE"
    assert refused(archive(path, {"/a.npy": good})) == "E_ARCHIVE"
    assert refused(archive(path, {"..\\a.npy": good})) == "E_ARCHIVE"
    assert refused(archive(path, {"run.py": b"print()"})) == "E_ARCHIVE"
    assert refused(archive(path, {})) == "E_ARCHIVE"
    assert refused(archive(path, {f"{n}.npy": good for n in range(1001)})) == "E_ARCHIVE"
    assert refused(tmp_path / "none.npz") == "E_IO"


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    bomb = npy(np.zeros(32 << 20, np.uint8))
    path = archive(tmp_path / "bomb.npz", {"a.npy": bomb}, zipfile.ZIP_DEFLATED)
    assert refused(path) == "E_BOMB"


def test_double_names_and_links(tmp_path: Path) -> None:
    path = tmp_path / "double.npz"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.npy", npy(np.zeros(1)))
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("a.npy", npy(np.ones(1)))
    assert refused(path) == "E_ARCHIVE"
    link = zipfile.ZipInfo("a.npy")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(link, "/etc/passwd")
    assert refused(path) == "E_ARCHIVE"


@pytest.mark.parametrize("kept", [0.3, 0.7, 0.99])
def test_truncated_archive(tmp_path: Path, kept: float) -> None:
    np.savez(tmp_path / "whole.npz", a=np.arange(1000), b=np.arange(1000))
    data = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(data[: int(len(data) * kept)])
    assert refused(tmp_path / "cut.npz") == "E_ARCHIVE"


def test_flipped_bit_in_an_archive(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.arange(1000))
    data = bytearray((tmp_path / "a.npz").read_bytes())
    data[3000] ^= 1
    (tmp_path / "a.npz").write_bytes(bytes(data))
    assert refused(tmp_path / "a.npz") == "E_ARCHIVE"


def test_real_medmnist(shared: Path) -> None:
    arrays = open_npz_arrays(shared / "medmnist" / "pneumoniamnist.npz")
    assert arrays["train_images"].shape == (4708, 28, 28)
    assert arrays["test_labels"].shape[0] == 624


def read_volumes(path: Path, data: bytes, **policy: Any) -> list[Scan]:
    path.write_bytes(data)
    return list(open_scans([path], key=KEY, policy=Policy(**policy)))


@pytest.mark.parametrize("shape", [(6, 7, 8), (1, 6, 7, 8), (6, 7, 8, 1)])
def test_a_volume_comes_whole_or_in_slices(shape: tuple[int, ...], tmp_path: Path) -> None:
    values = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    (scan,) = read_volumes(tmp_path / "a.npy", npy(values), dims=3)
    assert np.allclose(scan.pixels, values.reshape(1, 6, 7, 8) / 255, atol=1e-6)
    assert scan.spacing_mm is None
    assert scan.orientation == "RAS"
    slices = read_volumes(tmp_path / "a.npy", npy(values), every=4)
    assert [scan.dims for scan in slices] == [2] * len(slices)
    assert len(slices) == 2


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3), (3, 4, 5), (2, 3, 4, 5)])
def test_an_image_is_no_volume(shape: tuple[int, ...], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="E_NDIM"):
        read_volumes(tmp_path / "a.npy", npy(np.zeros(shape)), dims=3)


def test_nan_is_replaced_on_purpose(tmp_path: Path) -> None:
    for shape, policy in (((4, 5), {}), ((4, 5, 6), {"dims": 3})):
        values = np.linspace(0.25, 1, np.prod(shape)).reshape(shape)
        values.flat[3], values.flat[4] = np.nan, np.inf
        (scan,) = read_volumes(tmp_path / "a.npy", npy(values), nan="impute", **policy)
        assert scan.pixels.flat[3] == scan.pixels.flat[4] == scan.pixels.min()
        assert any("2 NaN" in done for done in scan.conversions)
        with pytest.raises(InputError, match="E_NAN"):
            read_volumes(tmp_path / "a.npy", npy(values), **policy)


def test_an_empty_volume(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="E_SIZE"):
        read_volumes(tmp_path / "a.npy", npy(np.zeros((4, 0, 5))), dims=3)
