"""Masks of one's own as a focus: every member goes by them, in every view, batch and training."""

from __future__ import annotations

from inspect import signature
from pathlib import Path

import numpy as np
import pytest
import torch
from family_cases import small

from latentdx.autoencoder.engine.beside import Beside, Masks
from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.model import TrainingModel
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.engine.watch import Progress, Watch
from latentdx.autoencoder.family import FAMILY
from latentdx.autoencoder.losses.focus import OUTSIDE
from latentdx.autoencoder.losses.reconstruction import reconstruction_loss
from latentdx.collection.augment import GEOMETRIC
from latentdx.collection.stored_masks import StoredMasks

SIDE = 16
FOCUSED = [
    name
    for name, kind in FAMILY.items()
    if "reconstruction" in signature(kind).parameters and not name.startswith("monai")
]

every_member = pytest.mark.parametrize("name", FOCUSED)


def left_half(count: int, side: int = SIDE) -> torch.Tensor:
    masks = torch.zeros(count, 1, side, side)
    masks[..., : side // 2] = 1
    return masks


def scans(count: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


def packed(masks: torch.Tensor) -> StoredMasks:
    flat = masks.flatten(1).numpy().astype(bool)
    return StoredMasks(np.packbits(flat, axis=1), tuple(masks.shape[2:]))


@pytest.mark.parametrize("name", ["mse", "l1", "ssim", "gradient", "ssim-gradient"])
def test_errors_outside_the_mask_count_less(name: str) -> None:
    scan, own = scans(2), left_half(2)
    focused, plain = reconstruction_loss(f"mask:{name}", own), reconstruction_loss(name)
    inner, outer = scan.clone(), scan.clone()
    inner[..., :3] += 0.2
    outer[..., -3:] += 0.2
    torch.testing.assert_close(focused(inner, scan), plain(inner, scan))
    assert focused(outer, scan) < 0.8 * plain(outer, scan)
    if name == "mse":
        ratio = float(focused(outer, scan) / plain(outer, scan))
        assert ratio == pytest.approx(OUTSIDE**2, rel=1e-4)


def test_without_a_mask_all_pixels_count_alike() -> None:
    scan, rebuilt = scans(3), scans(3, seed=1)
    plain = reconstruction_loss("ssim-gradient")(rebuilt, scan)
    for own in (None, torch.ones(3, 1, SIDE, SIDE)):
        loss = reconstruction_loss("mask:ssim-gradient", own)
        torch.testing.assert_close(loss(rebuilt, scan), plain)


def test_a_scan_without_a_mask_counts_alike_beside_one_with_a_mask() -> None:
    scan, rebuilt = scans(2), scans(2, seed=1)
    own = torch.cat([left_half(1), torch.ones(1, 1, SIDE, SIDE)])
    loss = float(reconstruction_loss("mask:mse", own)(rebuilt, scan))
    squared = (rebuilt - scan).square()
    first = squared[0, :, :, :8].sum() + OUTSIDE**2 * squared[0, :, :, 8:].sum()
    assert loss == pytest.approx(float(first + squared[1].sum()) / (2 * SIDE**2), rel=1e-5)


@every_member
def test_every_member_goes_by_the_masks(name: str) -> None:
    asked = small(name).reconstruction
    assert isinstance(asked, str)
    network = small(name, reconstruction=f"mask:{asked}").eval()
    plain = small(name).eval()
    plain.load_state_dict(network.state_dict())
    batch = scans(16)

    def terms(of: torch.nn.Module, own: torch.Tensor | None) -> dict[str, float]:
        of.inside = own  # type: ignore[assignment]
        torch.manual_seed(0)
        found = of.losses(batch, torch.Generator().manual_seed(0))  # type: ignore[operator]
        return {key: float(term.detach()) for key, term in found.items()}

    whole = terms(plain, None)
    assert terms(network, None) == whole
    assert terms(network, torch.ones(16, 1, SIDE, SIDE)) == pytest.approx(whole, rel=1e-4)
    half = terms(network, left_half(16))
    less = [key for key in whole if half[key] < 0.9 * whole[key]]
    assert less, (whole, half)
    assert all(half[key] == pytest.approx(whole[key], rel=1e-4) for key in whole.keys() - {*less})


def test_the_mask_goes_where_a_view_goes() -> None:
    """What is rebuilt wrongly outside the mask of each view alone counts 0.09."""
    network = small("invariant", reconstruction="mask:mse").train()
    own = left_half(12)
    network.inside = own
    seen: list[torch.Tensor] = []
    network.decode = lambda latent: torch.full((12, 1, SIDE, SIDE), 0.5)  # type: ignore[method-assign]
    network.layers = lambda views: (seen.append(views), [torch.rand(24, 16, 4, 4)])[1]  # type: ignore[method-assign,func-returns-value]
    pixels = torch.where(own > 0, 1.0, 0.5)  # right where it lies outside
    network.views = GEOMETRIC
    loss = float(
        network.losses(pixels, torch.Generator().manual_seed(0))["reconstruction"].detach()
    )
    (views,) = seen
    inside = views[:12] > 0.75  # outside the scan it is black, and outside the mask
    error = (0.5 - views[:12]).square()
    expected = torch.where(inside, error, OUTSIDE**2 * error).mean()
    assert loss == pytest.approx(float(expected), rel=0.1)
    assert loss < 0.95 * float(error.mean())


def test_the_mask_goes_where_an_augmented_batch_goes() -> None:
    network = small("convolutional", reconstruction="mask:mse").train()
    model = TrainingModel(network, FitSettings(augment=GEOMETRIC), seed=0)
    seen: list[torch.Tensor] = []
    network.encode = lambda views: (seen.append(views), views)[1]  # type: ignore[method-assign,func-returns-value]
    network.decode = lambda latent: torch.full((12, 1, SIDE, SIDE), 0.5)  # type: ignore[method-assign]
    own = left_half(12)
    pixels = torch.where(own > 0, 1.0, 0.5)
    generator = torch.Generator().manual_seed(0)
    loss = float(model(pixels, generator, Beside(inside=own))["reconstruction"].detach())
    (batch,) = seen
    error = (0.5 - batch).square()
    expected = torch.where(batch > 0.75, error, OUTSIDE**2 * error).mean()
    assert loss == pytest.approx(float(expected), rel=0.1)
    assert loss < 0.95 * float(error.mean())
    assert network.inside is None, "the next batch has masks of its own"


@pytest.mark.parametrize("count", [1, 3, 4, 7])
def test_a_batch_and_what_is_known_of_it_are_cut_alike(count: int) -> None:
    pixels = torch.arange(10).reshape(10, 1, 1, 1).float()
    parts = pixels.chunk(count)
    known = Beside(torch.arange(10), pixels).chunk(len(parts))
    for part, of in zip(parts, known, strict=True):
        assert of.domains is not None
        assert of.inside is not None
        assert torch.equal(of.inside, part)
        assert torch.equal(of.domains.float(), part.flatten())
    assert Beside().chunk(3) == [Beside()] * 3


class Killed(BaseException):
    """As a signal would: no `except Exception` stops it."""


def killed(at: Progress) -> None:
    if at.step >= 8:
        raise Killed


def pool(masks: Masks | None, *, seed: int = 0) -> Pool:
    """Scans of two halves, each a random grey of its own: what is learned shows in the error."""
    generator = np.random.default_rng(seed)
    greys = generator.random((144, 1, 1, 2)).repeat(SIDE // 2, axis=3).repeat(SIDE, axis=2)
    pixels = greys.astype(np.float32)
    return Pool(pixels[:128], pixels[128:], masks=masks)


def settings(**more: object) -> FitSettings:
    given = {"epochs": 4, "precision": "fp32", "patience": 1.0, **more}
    return FitSettings(**given)  # type: ignore[arg-type]


def halves(left: torch.Tensor, right: torch.Tensor) -> Masks:
    return Masks(packed(left), packed(right))


def trained(masks: Masks | None, fit: FitSettings, folder: Path | None = None, **more: object):  # type: ignore[no-untyped-def]
    network = small("convolutional", latent_dim=1, reconstruction="mask:mse")
    network.fit_normalisation(torch.from_numpy(pool(None).train))  # type: ignore[arg-type]
    pretrain(network, pool(masks), fit, seed=0, checkpoints=folder, **more)  # type: ignore[arg-type]
    return network


def errors(network: torch.nn.Module) -> tuple[float, float]:
    """Mean squared error of the left half and of the right one, of other scans."""
    pixels = torch.from_numpy(pool(None, seed=1).train)  # type: ignore[arg-type]
    with torch.no_grad():
        squared = (network(pixels) - pixels).square()
    return float(squared[..., : SIDE // 2].mean()), float(squared[..., SIDE // 2 :].mean())


def test_a_training_is_right_where_the_masks_are() -> None:
    """One number a scan cannot tell two greys: it tells that of the half that counts."""
    own, fit = left_half(128), settings(epochs=40, learning_rate=0.005)
    left = errors(trained(halves(own, own[:16]), fit))
    right = errors(trained(halves(own.flip(3), own[:16].flip(3)), fit))
    assert left[0] < 0.1 * left[1]
    assert right[1] < 0.1 * right[0]


def test_a_part_of_a_batch_has_its_own_masks() -> None:
    """Accumulated, a batch gives the same weights as at once: no part has another's masks."""
    own = left_half(128)
    own[::3] = own[::3].flip(3)
    masks = halves(own, own[:16])
    whole, parts = (trained(masks, settings(accumulate=count)) for count in (1, 2))
    for name, held in whole.state_dict().items():
        torch.testing.assert_close(parts.state_dict()[name], held, rtol=1e-3, atol=1e-4)


def test_a_killed_training_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    masks = halves(left_half(128), left_half(16))
    fit = settings(augment=GEOMETRIC, checkpoint_seconds=0.0)
    whole = trained(masks, fit)
    with pytest.raises(Killed):
        trained(masks, fit, tmp_path, watch=Watch(progress=killed))
    resumed = trained(masks, fit, tmp_path)
    for name, held in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], held), name
    other = trained(halves(left_half(128).flip(3), left_half(16)), fit)
    weights = other.state_dict()
    assert any(not torch.equal(weights[name], held) for name, held in whole.state_dict().items())
