"""Looks that a scan borrows from another: grey levels, amplitudes; what it shows stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from latentdx.collection.augment import VIEWS, apply, draw
from latentdx.collection.augment_borrow import borrowed, with_amplitudes
from latentdx.collection.augment_presets import STILL, borrowing
from latentdx.collection.grey_levels import BLACK, SHARES, landmarks, regraded

SHAPES = [(6, 1, 24, 20), (6, 3, 17, 16), (6, 1, 12, 10, 14)]
by_shape = pytest.mark.parametrize("shape", SHAPES, ids=["grey", "colour", "volume"])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sites(shape: tuple[int, ...]) -> Tensor:
    """Scans of which each has grey levels of its own, a fifth of them black."""
    pixels = torch.rand(*shape, generator=seeded(1))
    powers = torch.linspace(0.4, 2.5, len(pixels)).reshape(-1, *(1,) * (len(shape) - 1))
    levels = 0.1 + 0.9 * pixels**powers
    return torch.where(torch.rand(*shape, generator=seeded(2)) < 0.2, 0.0, levels)


@pytest.mark.parametrize("shape", [(3, 1, 20, 20), (2, 1, 64, 64, 16), (2, 3, 64, 64)], ids=str)
def test_landmarks_are_percentiles_of_what_is_not_black(shape: tuple[int, ...]) -> None:
    pixels = sites(shape)
    found = landmarks(pixels)
    for scan, told in zip(pixels, found, strict=True):
        inside = scan[scan > BLACK].numpy()
        expected = np.quantile(inside, SHARES)
        # large scans are sampled: the error of a share of 800 pixels
        ranks = np.searchsorted(np.sort(inside), told.numpy()) / inside.size
        assert np.abs(ranks - SHARES).max() < 0.06, (told, expected)
    assert landmarks(torch.zeros(1, 1, 8, 8)).max() <= BLACK


@by_shape
def test_grey_levels_become_the_others_and_keep_their_order(shape: tuple[int, ...]) -> None:
    pixels = sites(shape)
    levels = landmarks(pixels)
    other = levels.flip(0)
    found = regraded(pixels, levels, other)
    assert (landmarks(found) - other).abs().max() < 0.05
    order = pixels.flatten(1).argsort(dim=1)
    assert found.flatten(1).gather(1, order).diff(dim=1).min() >= 0
    assert found[pixels == 0].abs().max() == 0
    torch.testing.assert_close(regraded(pixels, levels, levels), pixels, atol=2e-3, rtol=0)


@by_shape
def test_amplitudes_become_the_donors_and_phases_stay(shape: tuple[int, ...]) -> None:
    pixels = sites(shape)
    donor, axes = torch.arange(len(pixels)).roll(1), tuple(range(2, len(shape)))
    own = torch.fft.fftn(pixels, dim=axes)
    for share in (0.0, 0.3, 1.0):
        shares = torch.full((len(pixels), *(1,) * (len(shape) - 1)), share)
        found = torch.fft.fftn(with_amplitudes(pixels, donor, shares), dim=axes)
        expected = (1 - share) * own.abs() + share * own.abs()[donor]
        clear = (own.abs() > 0.2) & (expected > 0.2)
        assert clear.float().mean() > 0.8
        ratio = found.abs()[clear] / expected[clear]
        assert float((ratio - 1).abs().max()) < 0.1
        turned = (found * own.conj()).angle()[clear]
        assert float(turned.abs().max()) < 0.05


def test_a_scan_without_texture_gets_none() -> None:
    pixels = torch.stack([torch.full((1, 16, 16), 0.5), torch.rand(1, 16, 16, generator=seeded())])
    found = with_amplitudes(pixels, torch.tensor([1, 0]), torch.ones(2, 1, 1, 1))
    assert float(found[0].std()) < 1e-3
    assert float(found[0].mean()) == pytest.approx(float(pixels[1].mean()), abs=1e-3)


def test_shares_go_up_to_the_limit_and_every_scan_lends_once() -> None:
    drawn = draw(400, borrowing(STILL, ["fourier", "style"]), seeded())
    assert drawn.donor is not None
    assert sorted(drawn.donor.tolist()) == list(range(400))
    for shares, limit in ((drawn.amplitude, 0.5), (drawn.style, 1.0)):
        assert shares is not None
        assert 0 <= float(shares.min()) < 0.05 * limit
        assert 0.95 * limit < float(shares.max()) <= limit
    assert abs(float(np.corrcoef(drawn.amplitude, drawn.style)[0, 1])) < 0.15


def test_nothing_else_is_drawn_otherwise() -> None:
    plain = draw(6, VIEWS, seeded()).as_record()
    more = draw(6, borrowing(VIEWS, ["style"]), seeded()).as_record()
    assert {name: more[name] for name in plain} == plain
    assert set(more) - set(plain) == {"donor", "style"}


def test_two_hospitals_are_harder_to_tell_apart_by_brightness(shared: Path) -> None:
    """Real scans: style narrows what lies between two hospitals, and leaves two of one alike."""
    folders = ("cxr_pneumonia_kermany_small/test/NORMAL", "cxr_nih_pneumonia_224/no_finding")
    both = [sorted((shared / folder).glob("*.*"))[:24] for folder in folders]
    pixels = torch.stack([chest(path) for paths in both for path in paths])
    drawn = draw(len(pixels), replace(STILL, style=1.0), seeded())
    whole = replace(drawn, style=torch.ones(len(pixels)), donor=torch.arange(48).roll(24))
    before, after = landmarks(pixels), landmarks(borrowed(pixels, whole))
    gap = (before[:24].mean(dim=0) - before[24:].mean(dim=0)).abs().mean()
    assert float(gap) > 0.03
    swapped = (after[:24].mean(dim=0) - before[24:].mean(dim=0)).abs().mean()
    assert float(swapped) < 0.2 * float(gap)
    found = apply(pixels, drawn)
    assert float((found - pixels).abs().mean()) > 0.01
    for one, other in zip(found, pixels, strict=True):
        ranks = [scan.flatten().argsort().argsort().double() for scan in (one, other)]
        assert float(torch.corrcoef(torch.stack(ranks))[0, 1]) > 0.98


def chest(path: Path) -> Tensor:
    with Image.open(path) as picture:
        levels = np.asarray(picture.convert("L").resize((64, 64)), np.float32) / 255
    return torch.from_numpy(levels)[None]
