"""Regions, grey levels by the body, the bias field, several windows: made scans and real ones."""

from __future__ import annotations

import doctest
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.data import get_testdata_file

from latentdx.core.errors import InputError, StopError
from latentdx.scans import measures, presets, regions
from latentdx.scans import prepared as prepared_module
from latentdx.scans.open import open_scan
from latentdx.scans.policy import WINDOWS, Policy
from latentdx.scans.prepared import prepared
from latentdx.scans.presets import PRESETS, preset_values
from latentdx.scans.regions import region_box, region_mask
from latentdx.scans.scan import Scan

DATA = Path(__file__).parents[2].parent / "shared" / "data"
FIELD = np.linspace(0.5, 1.5, 96)[None, :]


@pytest.mark.parametrize("module", [regions, measures, presets, prepared_module])
def test_the_examples_in_the_docstrings_run(module) -> None:
    found = doctest.testmod(module)
    assert found.attempted > 1
    assert not found.failed


def disc(side: int, radius: float, *, at: tuple[float, ...] | None = None) -> NDArray[np.bool_]:
    centre = at or (side / 2 - 0.5,) * 2
    axes = np.ogrid[tuple(slice(side) for _ in centre)]
    return sum((a - c) ** 2 for a, c in zip(axes, centre, strict=True)) < radius**2


def overlap(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    return float((first & second).sum() / (first | second).sum())


def chest(side: int = 96) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A bright body on black with two darker lungs, and noise."""
    body = disc(side, 0.42 * side)
    lungs = disc(side, 0.13 * side, at=(0.48 * side, 0.32 * side))
    lungs |= disc(side, 0.13 * side, at=(0.48 * side, 0.68 * side))
    image = np.random.default_rng(0).normal(0, 0.02, (side, side)) + 0.7 * body - 0.35 * lungs
    return image.clip(0, 1).astype(np.float32), lungs


def test_each_region_is_where_it_was_drawn() -> None:
    image, lungs = chest()
    assert overlap(region_mask(image, "body"), disc(96, 0.42 * 96)) > 0.95
    assert overlap(region_mask(image, "lung"), lungs) > 0.8
    inside = region_mask(image, "brain")
    assert overlap(inside, disc(96, 0.35 * 96)) > 0.9
    framed = np.pad(image + 0.3, ((0, 20), (30, 10)))
    ends = [end for part in region_box(framed, "field") for end in (part.start, part.stop)]
    assert ends == pytest.approx([0, 96, 30, 126], abs=1)


def test_volumes_too() -> None:
    ball = disc(40, 14, at=(20, 18, 22))
    volume = ball.astype(np.float32)
    assert overlap(region_mask(volume, "body"), ball) > 0.9
    box = region_box(volume, "body")
    assert [part.stop - part.start for part in box] == pytest.approx([31, 31, 31], abs=3)


@pytest.mark.parametrize("region", ["field", "body", "lung", "brain"])
@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (40, 40), (8, 9, 1)])
def test_what_is_not_there_is_all_of_it(region, shape) -> None:
    flat = np.full(shape, 0.5, np.float32)
    assert region_mask(flat, region).all()
    assert region_box(flat, region) == tuple(slice(0, side) for side in shape)


def test_grey_levels_by_the_body_do_not_depend_on_the_scanner() -> None:
    image, _ = chest()
    weak = Scan(0.4 * image[None] + 0.05, image.shape)
    strong = Scan(image[None], image.shape)
    policy = Policy(scale="body")
    first, second = (prepared(scan, policy).pixels for scan in (weak, strong))
    np.testing.assert_allclose(first, second, atol=1e-4)
    inside = region_mask(image, "body")
    assert second[0][inside].mean() == pytest.approx(0.5, abs=0.01)
    same = Scan(np.full((1, 9, 9), 0.5, np.float32), (9, 9))
    assert prepared(same, policy) is same


def test_the_bias_field_is_divided_out(monkeypatch: pytest.MonkeyPatch) -> None:
    image, _ = chest()
    biased = Scan((image * FIELD * 0.7).clip(0, 1)[None].astype(np.float32), image.shape)
    flat = prepared(biased, Policy(bias_field=True))
    inside = region_mask(image, "body")
    alike = [
        np.corrcoef(pixels[0][inside], image[inside])[0, 1]
        for pixels in (biased.pixels, flat.pixels)
    ]
    assert alike[0] < 0.9
    assert alike[1] > 0.95
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(InputError, match=r"E_EXTRA.*latentdx\[mr\]"):
        prepared(biased, Policy(bias_field=True))


def test_three_windows_are_three_channels() -> None:
    path = get_testdata_file("CT_small.dcm")
    names = ("lung", "soft-tissue", "bone")
    several = open_scan(path, policy=Policy(windows=tuple(WINDOWS[name] for name in names)))
    alone = [open_scan(path, policy=Policy(window=WINDOWS[name])).pixels for name in names]
    np.testing.assert_array_equal(several.pixels, np.concatenate(alone))
    assert [text for text in several.conversions if "window" in text] == [
        "window -600, 1500 LINEAR_EXACT applied",
        "window 40, 400 LINEAR_EXACT applied",
        "window 400, 1800 LINEAR_EXACT applied",
    ]


def test_three_windows_of_a_volume(tmp_path: Path) -> None:
    values = np.linspace(-1000, 1000, 6 * 5 * 4).reshape(6, 5, 4).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "ct.nii")
    windows = ((0.0, 2000.0), (40.0, 400.0), (400.0, 1800.0))
    scan = open_scan(tmp_path / "ct.nii", policy=Policy(dims=3, windows=windows))
    wanted = [(values - (c - w / 2)) / w for c, w in windows]
    np.testing.assert_allclose(scan.pixels, np.clip(wanted, 0, 1), atol=1e-6)


def test_a_policy_comes_back_from_a_bundle_s_words() -> None:
    import json
    from dataclasses import asdict

    for name in PRESETS:
        policy = Policy(**preset_values(name))
        assert Policy.from_json(json.loads(json.dumps(asdict(policy)))) == policy
    assert Policy.from_json({"window": [40, 400]}) == Policy(window=(40, 400))
    with pytest.raises(StopError, match="give one of ct-chest"):
        preset_values("ct")


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the real scans are not here")
def test_lungs_and_heads_of_real_scans() -> None:
    """Both lungs are found in most chests, in the middle of the picture; a head stays whole."""
    chests = sorted((DATA / "cxr_nih_pneumonia_224").rglob("*.png"))[::40]
    masks = [region_mask(_grey(path), "lung") for path in chests]
    found = [mask for mask in masks if not mask.all()]
    assert len(found) >= 0.65 * len(masks)
    assert 0.1 < np.mean([mask.mean() for mask in found]) < 0.3
    middle = np.mean(found, axis=0)
    assert middle[80:150, 50:90].mean() > 0.4 > middle[:40].mean()
    heads = sorted((DATA / "brain_mri_tumor_yesno").rglob("*.jpg"))[::16]
    for path in heads:
        grey = _grey(path)
        inside = region_mask(grey, "brain")
        assert 0.15 < inside.mean() < 0.85
        assert not (inside & ~region_mask(grey, "body")).any()


def _grey(path: Path) -> NDArray[np.float32]:
    return np.asarray(Image.open(path).convert("L").resize((224, 224)), np.float32) / 255
