"""Masks of the user's own: read from any format, cropped by, resized with their scans, refused."""

from __future__ import annotations

import doctest
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from latentdx.core.errors import InputError
from latentdx.scans import own_mask
from latentdx.scans.limits import Limits
from latentdx.scans.open import open_scans
from latentdx.scans.own_mask import LEFT_WHOLE, NO_MASK, packed, read_mask, unpacked
from latentdx.scans.policy import Policy
from latentdx.scans.request import Request
from latentdx.scans.sandbox import Sandbox
from latentdx.scans.scan import Scan
from latentdx.scans.wire import _item, _item_bytes

BY_MASK = Policy(region="mask")
INSIDE = (slice(10, 30), slice(24, 40))


def test_examples() -> None:
    found = doctest.testmod(own_mask)
    assert (found.failed, found.attempted > 3) == (0, True)


def a_mask(shape: tuple[int, ...] = (48, 64)) -> np.ndarray:
    mask = np.zeros(shape, np.uint8)
    mask[INSIDE] = 1
    return mask


def picture(path: Path, shape: tuple[int, ...] = (48, 64)) -> Path:
    values = np.random.default_rng(0).integers(1, 255, shape).astype(np.uint8)
    Image.fromarray(values).save(path)
    return path


def the_scan(path: Path, mask: Path | None, policy: Policy = BY_MASK) -> Scan:
    (scan,) = open_scans([path], key=b"k", policy=policy, mask=mask)
    return scan


@pytest.mark.parametrize(
    ("name", "value"), [("m.png", 1), ("m.png", 255), ("m.tiff", 255), ("m.bmp", 9), ("m.npy", 1)]
)
def test_whatever_is_not_0_is_inside(tmp_path: Path, name: str, value: int) -> None:
    path = tmp_path / name
    if name.endswith("npy"):
        np.save(path, a_mask().astype(bool))
    else:
        Image.fromarray(a_mask() * value).save(path)
    assert np.array_equal(read_mask(path, Limits()), a_mask() == 1)


def test_masks_of_one_bit_deep_and_coloured(tmp_path: Path) -> None:
    Image.fromarray(a_mask().astype(bool)).save(tmp_path / "bit.png")
    Image.fromarray(a_mask().astype(np.uint16) * 3).save(tmp_path / "deep.png")
    red = np.stack([a_mask() * 200, a_mask() * 0, a_mask() * 0], axis=2)
    Image.fromarray(red).save(tmp_path / "red.png")
    for path in tmp_path.iterdir():
        assert np.array_equal(read_mask(path, Limits()), a_mask() == 1), path.name


def test_a_picture_is_cropped_to_its_mask(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png")
    Image.fromarray(a_mask() * 255).save(tmp_path / "m.png")
    scan = the_scan(path, tmp_path / "m.png")
    assert scan.conversions[-1] == "cropped to the mask: 8:32 of 48, 22:42 of 64"
    assert scan.mask is not None
    assert scan.mask.shape == scan.pixels.shape[1:] == (24, 20)
    whole = the_scan(path, None, Policy())
    assert np.array_equal(scan.pixels, whole.pixels[:, 8:32, 22:42])
    fitted = Request(size=12, channels=1).fit(scan)
    assert fitted.mask is not None
    assert fitted.mask.shape == (12, 12)
    assert fitted.mask[6, 6]
    assert not fitted.mask[:, 0].any()  # padding is outside


@pytest.mark.parametrize("given", [None, "empty"])
def test_without_a_mask_it_stays_whole_and_says_so(tmp_path: Path, given: str | None) -> None:
    path = picture(tmp_path / "a.png")
    Image.fromarray(a_mask() * 0).save(tmp_path / "m.png")
    scan = the_scan(path, tmp_path / "m.png" if given else None)
    assert (scan.pixels.shape[1:], scan.mask) == ((48, 64), None)
    assert (scan.conversions[-1], scan.warnings) == (LEFT_WHOLE, (NO_MASK,))


def test_what_cannot_be_used_sets_the_scan_aside(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png")
    Image.fromarray(a_mask((40, 64))).save(tmp_path / "small.png")
    Image.fromarray(a_mask() * 255).save(tmp_path / "lossy.jpg")
    (tmp_path / "text.png").write_text("no mask")
    whole = (tmp_path / "small.png").read_bytes()
    (tmp_path / "short.png").write_bytes(whole[:60])
    np.save(tmp_path / "volume.npy", np.ones((4, 4, 4), bool))
    told = {
        "small.png": "its mask has 40 x 64 pixels, and the scan 48 x 64",
        "lossy.jpg": "jpeg is no format of masks",
        "text.png": "its mask text.png cannot be used: the content is none of",
        "short.png": "its mask short.png cannot be used",
        "absent.png": "its mask absent.png cannot be used: cannot be opened: No such file",
        "volume.npy": "its mask has 4 x 4 x 4 pixels, and the scan 48 x 64",
    }
    for name, text in told.items():
        with pytest.raises(InputError) as caught:
            the_scan(path, tmp_path / name)
        assert (caught.value.code, caught.value.path) == ("E_MASK", str(path)), name
        assert text in caught.value.found, name


def test_volumes_and_their_slices(tmp_path: Path) -> None:
    values = np.random.default_rng(1).integers(1, 200, (20, 24, 12)).astype(np.int16)
    mask = np.zeros(values.shape, np.uint8)
    mask[4:12, 6:16, 2:9] = 2
    affine = np.diag([-1.0, 1.0, 1.0, 1.0])  # both are turned
    nibabel.save(nibabel.Nifti1Image(values, affine), tmp_path / "a.nii.gz")
    nibabel.save(nibabel.Nifti1Image(mask, affine), tmp_path / "m.nii.gz")
    by_mask = replace(BY_MASK, dims=3)
    scan = the_scan(tmp_path / "a.nii.gz", tmp_path / "m.nii.gz", by_mask)
    assert scan.mask is not None
    assert scan.pixels.shape[1:] == scan.mask.shape == (10, 12, 9)
    assert np.array_equal(scan.mask, (mask > 0)[::-1][7:17, 5:17, 1:10])
    coarse = the_scan(tmp_path / "a.nii.gz", tmp_path / "m.nii.gz", replace(by_mask, spacing_mm=2))
    assert coarse.mask is not None
    assert coarse.mask.shape == coarse.pixels.shape[1:]
    assert coarse.mask.sum() * 8 == pytest.approx(scan.mask.sum(), rel=0.4)
    cube = Request(size=8, channels=1).fit(scan)
    assert cube.mask is not None
    assert cube.mask.shape == (8, 8, 8)

    sliced = replace(BY_MASK, every=1)
    slices = list(
        open_scans([tmp_path / "a.nii.gz"], key=b"k", policy=sliced, mask=tmp_path / "m.nii.gz")
    )
    assert len(slices) == 9
    for number, each in enumerate(slices):
        assert each.mask is not None
        assert np.array_equal(each.mask, scan.mask[::-1, ::-1, number].T)
    nibabel.save(nibabel.Nifti1Image(values[:10], affine), tmp_path / "b.nii.gz")
    with pytest.raises(InputError, match="E_MASK"):
        the_scan(tmp_path / "b.nii.gz", tmp_path / "m.nii.gz", by_mask)


def test_it_comes_through_the_decoding_processes(tmp_path: Path) -> None:
    first, second = picture(tmp_path / "a.png"), picture(tmp_path / "b.png")
    Image.fromarray(a_mask() * 255).save(tmp_path / "m.png")
    request = Request(size=16, channels=1, key=b"k", policy=BY_MASK)
    with Sandbox(1) as sandbox:
        masks = {str(first): str(tmp_path / "m.png")}
        found = list(sandbox.read([[str(first)], [str(second)]], request, masks))
    (one,), (other,) = found[0], found[1]  # type: ignore[misc]
    assert isinstance(one, Scan)
    assert isinstance(other, Scan)
    expected = request.deliver(the_scan(first, tmp_path / "m.png"))
    assert isinstance(expected, Scan)
    assert np.array_equal(one.mask, expected.mask)
    assert np.array_equal(one.pixels, expected.pixels)
    assert (other.mask, other.warnings) == (None, (NO_MASK,))
    again = _item(_item_bytes(one, 1), "a.png")
    assert np.array_equal(again.mask, one.mask)


def test_bits_come_back() -> None:
    mask = np.random.default_rng(2).random((5, 7)) > 0.5
    assert np.array_equal(unpacked(packed(mask), (5, 7)), mask)
