"""The gate of one scan: what is refused, what is marked, and that real scans pass."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from latentdx.core.errors import InputError
from latentdx.scans.arrays import read_npy
from latentdx.scans.limits import Limits
from latentdx.scans.open import open_scan
from latentdx.scans.policy import Policy
from latentdx.scans.quality import check_quality

KEY = b"a key for tests only".ljust(32)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, dtype=np.float32)


def codes(pixels: np.ndarray, modality: str = "") -> tuple[str, ...]:
    return check_quality(pixels.astype(np.float32), pixels.shape[1:], modality=modality)


def refused(pixels: np.ndarray, native: tuple[int, ...] | None = None) -> str:
    with pytest.raises(InputError) as caught:
        check_quality(pixels, native or pixels.shape[1:])
    assert caught.value.fix
    return caught.value.code


@pytest.mark.parametrize("shape", [(1, 40, 30), (3, 40, 30), (1, 20, 20, 20), (1, 2000, 1500)])
@pytest.mark.parametrize("level", [0.0, 0.4, 1.0])
def test_a_constant_scan_is_refused(shape: tuple[int, ...], level: float) -> None:
    assert refused(np.full(shape, level, np.float32)) == "E_CONSTANT"


def test_one_plain_colour_is_constant_and_two_are_not() -> None:
    red = np.zeros((3, 20, 20), np.float32)
    red[0] = 1
    assert refused(red) == "E_CONSTANT"
    red[1, :, 10:] = noise(20, 10)
    assert codes(red) == ()


@pytest.mark.parametrize(
    ("native", "is_refused"),
    [((1, 1), True), ((7, 500), True), ((8, 8), False), ((28, 28), False),
     ((64, 64, 3), False), ((64, 7, 3), True)],
)  # fmt: skip
def test_the_second_longest_side_decides_what_is_tiny(
    native: tuple[int, ...], is_refused: bool
) -> None:
    pixels = noise(1, *native)
    if is_refused:
        assert refused(pixels) == "E_TINY"
    else:
        assert check_quality(pixels, native) == ()


def test_an_icon_that_was_enlarged_is_still_tiny() -> None:
    assert refused(noise(1, 64, 64), (4, 4)) == "E_TINY"


def test_a_mask_is_binary_whatever_its_two_levels() -> None:
    mask = (noise(1, 64, 64) > 0.8).astype(np.float32)
    assert codes(mask) == codes(0.2 + 0.1 * mask) == ("W_BINARY",)
    softened = np.where(noise(1, 64, 64) < 0.04, 0.5, mask)
    assert codes(softened) == ("W_BINARY",)
    assert codes(np.where(noise(1, 64, 64) < 0.08, 0.5, mask)) == ()


def test_white_is_saturated_and_black_is_air() -> None:
    clipped = np.clip(noise(1, 64, 64) * 2.5, 0, 1)
    assert codes(clipped) == ("W_SATURATED",)
    assert codes(1 - clipped) == ()
    assert codes(np.clip(noise(1, 64, 64) * 1.8, 0, 1)) == ()


@pytest.mark.parametrize("ground", [0.0, 0.5, 1.0])
def test_almost_one_level_is_nearly_empty(ground: float) -> None:
    pixels = np.full((1, 100, 100), ground, np.float32) + 0.01 * (noise(1, 100, 100) - 0.5)
    pixels[0, :9, :10] = 1 - ground if ground != 0.5 else 1.0
    assert "W_NEAR_EMPTY" in codes(pixels.clip(0, 1))
    pixels[0, :20, :20] = noise(20, 20)
    assert "W_NEAR_EMPTY" not in codes(pixels.clip(0, 1))


def test_hot_spots_are_the_picture_of_nuclear_medicine() -> None:
    spots = np.zeros((1, 100, 100), np.float32)
    spots[0, 40:48, 40:50] = 0.5 + 0.5 * noise(8, 10)
    spots[0, :, :] += 0.01 * noise(100, 100)
    assert codes(spots) == codes(spots, "CT") == ("W_NEAR_EMPTY",)
    assert codes(spots, "NM") == codes(spots, "PT") == ()


def test_one_bright_pixel_that_the_sample_misses_is_no_constant() -> None:
    large = np.zeros((1, 2001, 2001), np.float32)
    large[0, 1001, 1000] = 1
    assert codes(large) == ("W_NEAR_EMPTY",)


def test_large_and_small_copies_are_judged_alike() -> None:
    mask = (noise(1, 100, 100) > 0.5).astype(np.float32)
    assert codes(mask.repeat(20, 1).repeat(20, 2)) == codes(mask) == ("W_BINARY",)


REAL = (
    "cxr_nih_pneumonia_224",
    "cxr_pneumonia_kermany_small",
    "brain_mri_tumor_yesno",
    "mednist_64_subset",
)


@pytest.mark.slow
def test_real_scans_pass_but_those_that_are_black(shared: Path) -> None:
    """Every 20th picture of four public sets; of MedNIST's HeadCT some are truly constant."""
    found: Counter[str] = Counter()
    for name in REAL:
        paths = sorted(p for p in (shared / name).rglob("*.*") if p.suffix in (".png", ".jpeg"))
        for path in paths[::20]:
            scan = open_scan(path, key=KEY)
            found["scans"] += 1
            try:
                found.update(check_quality(scan.pixels, scan.native_shape))
            except InputError as error:
                assert "HeadCT" in str(path)
                found[error.code] += 1
    assert found["scans"] > 500
    assert not [code for code in found if code.startswith("W_")]


def test_real_masks_are_binary_and_real_volumes_pass(shared: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    folder = shared / "mri_hippocampus_nifti"
    kinds = {"images": (), "labels": ("W_BINARY",)}
    for kind, expected in kinds.items():
        paths = sorted((folder / kind).glob("*.nii.gz"))[:10]
        assert paths
        for path in paths:
            values = np.asarray(nibabel.load(path).dataobj, np.float32)
            values = values > 0 if kind == "labels" else values / values.max()
            assert codes(values[None].astype(np.float32)) == expected


def test_the_layout_of_public_sets_passes(shared: Path) -> None:
    import io

    with np.load(shared / "medmnist" / "pneumoniamnist.npz") as arrays:
        images = arrays["test_images"]
    for image in images[::10]:
        file = io.BytesIO()
        np.save(file, image)
        scan = next(iter(read_npy(file.getvalue(), Limits(), Policy())))
        assert check_quality(scan.pixels, scan.native_shape) == ()
