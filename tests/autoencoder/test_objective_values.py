"""What each objective computes, by hand: its terms, what it hides, turns and cuts out."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from family_cases import small
from torch import nn

from latentdx.autoencoder.objectives.adversarial import Adversarial, hinge
from latentdx.autoencoder.objectives.barlow import barlow_twins
from latentdx.autoencoder.objectives.base import untracked
from latentdx.autoencoder.objectives.contrastive import nt_xent
from latentdx.autoencoder.objectives.hiding import draw_blocks, hidden_pixels
from latentdx.autoencoder.objectives.latent_prediction import (
    LatentPrediction,
    hidden_error,
    standardised,
)
from latentdx.autoencoder.objectives.perceptual import feature_distance
from latentdx.autoencoder.objectives.position import Position, parts
from latentdx.autoencoder.objectives.rotation import Rotation, turned, turns_of
from latentdx.autoencoder.objectives.teacher import Teacher, risen
from latentdx.autoencoder.objectives.vicreg import vicreg

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def two_views(count: int = 16, dim: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    first = torch.randn(count, dim, generator=seeded())
    return first, first + 0.5 * torch.randn(count, dim, generator=seeded(1))


@pytest.mark.parametrize("loss", [vicreg, barlow_twins, nt_xent])
def test_losses_of_views_are_symmetric_and_computed_in_32_bits(loss: Loss) -> None:
    first, second = two_views()
    exact = loss(first, second)
    torch.testing.assert_close(loss(second, first), exact)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(loss(first, second), exact)


@pytest.mark.parametrize("loss", [vicreg, barlow_twins, nt_xent])
def test_losses_of_views_have_finite_gradients_where_all_has_collapsed(loss: Loss) -> None:
    for level in (0.0, 1.0):
        vectors = torch.full((4, 3), level, requires_grad=True)
        loss(vectors, vectors.detach()).backward()
        assert vectors.grad is not None
        assert vectors.grad.isfinite().all()
        assert vectors.grad.abs().max() < 1e3


def test_barlow_twins_is_of_the_correlations() -> None:
    first, second = two_views()
    crossed = np.corrcoef(first.double().T, second.double().T)[:6, 6:]
    agreement = np.diag(crossed)
    others = (crossed**2).sum() - (agreement**2).sum()
    expected = (((1 - agreement) ** 2).sum() + 0.005 * others) / 6
    assert barlow_twins(first, second).item() == pytest.approx(expected, rel=1e-3)
    apart = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert barlow_twins(apart, 3 * apart + 2).item() == pytest.approx(0, abs=1e-6)
    alike = apart[:, :1].repeat(1, 2)  # two dimensions that say the same
    assert barlow_twins(alike, alike).item() == pytest.approx(0.005, rel=1e-3)


def test_contrast_is_the_cross_entropy_of_finding_the_partner() -> None:
    axes = torch.eye(2)
    expected = math.log(math.exp(1 / 0.2) + 2) - 1 / 0.2  # the partner at 1, two others at 0
    assert nt_xent(axes, axes).item() == pytest.approx(expected, rel=1e-4)
    assert nt_xent(5 * axes, 0.1 * axes).item() == pytest.approx(expected, rel=1e-3)
    swapped = math.log(math.exp(1 / 0.2) + 2)
    assert nt_xent(axes, axes.flip(0)).item() == pytest.approx(swapped, rel=1e-4)


@pytest.mark.parametrize("dims", [2, 3])
def test_blocks_are_of_the_asked_sizes_and_lie_inside(dims: int) -> None:
    blocks = draw_blocks(200, dims, seeded())
    assert blocks.low.min() >= 0
    assert blocks.high.max() <= 1 + 1e-6
    volumes = (blocks.high - blocks.low).prod(dim=2)
    assert volumes.min() > 0.049
    assert volumes.max() < 0.251
    assert volumes.max() > 0.24
    hidden = hidden_pixels(blocks, (16,) * dims).float().flatten(1).mean(dim=1)
    assert 0.25 < hidden.mean() < 0.5
    assert hidden.min() > 0
    assert hidden.max() < 0.9


@pytest.mark.parametrize("size", [(9, 12), (6, 7, 8)], ids=str)
def test_hidden_pixels_are_those_whose_middle_lies_in_a_block(size: tuple[int, ...]) -> None:
    blocks = draw_blocks(3, len(size), seeded())
    found = hidden_pixels(blocks, size)
    assert found.shape == (3, 1, *size)
    for scan in range(3):
        for place in np.ndindex(*size):
            middle = (torch.tensor(place) + 0.5) / torch.tensor(size)
            inside = (middle >= blocks.low[scan]) & (middle < blocks.high[scan])
            assert found[scan, 0][place] == inside.all(dim=1).any()


def test_the_student_sees_the_mean_where_the_scan_is_hidden_and_the_teacher_sees_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = small("convolutional", channels=2)
    pixels = 0.1 + torch.rand(4, 2, 16, 16, generator=seeded())
    network.fit_normalisation(pixels)
    task = LatentPrediction(network)
    seen: dict[str, torch.Tensor] = {}

    def spied(who: str, layers: Any) -> Any:
        return lambda shown: seen.update({who: shown}) or layers(shown)

    monkeypatch.setattr(network, "layers", spied("student", network.layers))
    monkeypatch.setattr(task.teacher, "layers", spied("teacher", task.teacher.layers))
    task.losses(network, pixels, seeded(5))
    hidden = hidden_pixels(draw_blocks(4, 2, seeded(5)), (16, 16))
    assert torch.equal(seen["teacher"], pixels)
    assert torch.equal(seen["student"], torch.where(hidden, network.mean, pixels))


def test_targets_are_standardised_by_channel_and_errors_count_where_hidden() -> None:
    maps = 3 + 2 * torch.randn(5, 3, 4, 4, generator=seeded())
    maps[:, 2] = 7.0
    found = standardised(maps)
    torch.testing.assert_close(found.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    deviations = found.std(dim=(0, 2, 3), correction=0)
    torch.testing.assert_close(deviations, torch.tensor([1.0, 1.0, 0.0]), atol=1e-3, rtol=0)
    target, share = torch.zeros(1, 1, 1, 3), torch.tensor([[[[1.0, 0.5, 0.0]]]])
    predicted = torch.tensor([[[[0.5, 3.0, 99.0]]]])
    expected = (0.5 * 0.5**2 * 1.0 + (3.0 - 0.5) * 0.5) / 1.5
    assert hidden_error(predicted, target, share).item() == pytest.approx(expected)


def test_turns_keep_the_size_and_are_all_different() -> None:
    for size in [(6, 6), (6, 8), (5, 5, 5), (5, 5, 4), (4, 5, 6)]:
        scan = torch.rand(1, 2, *size, generator=seeded())
        turns = turns_of(size)
        made = [turned(scan, torch.tensor([number]), turns) for number in range(len(turns))]
        assert all(found.shape == scan.shape for found in made)
        assert torch.equal(made[0], scan)
        assert all(not torch.equal(a, b) for i, a in enumerate(made) for b in made[:i])


def test_each_scan_is_turned_by_its_own_number() -> None:
    pixels = torch.rand(5, 1, 6, 6, generator=seeded())
    which = torch.tensor([3, 0, 1, 1, 2])
    found = turned(pixels, which, turns_of((6, 6)))
    for scan, number, original in zip(found, which.tolist(), pixels, strict=True):
        assert torch.equal(scan, torch.rot90(original, number, (1, 2)))


class Straight(nn.Module):
    """Logits that are the first `count` of what is pooled, made sure."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def forward(self, pooled: torch.Tensor) -> torch.Tensor:
        return 100 * pooled[:, : self.count]


def test_who_sees_the_turn_is_right_about_it(monkeypatch: pytest.MonkeyPatch) -> None:
    network = small("convolutional")
    task = Rotation(network)
    bright = torch.zeros(16, 1, 16, 16)
    bright[:, :, :8, :8] = 1  # a quarter turn takes it down, then right, then up

    def quadrants(shown: torch.Tensor) -> list[torch.Tensor]:
        upper, lower = shown.chunk(2, dim=2)
        corners = [*upper.chunk(2, dim=3), *lower.chunk(2, dim=3)]
        return [torch.cat([corners[i] for i in (0, 2, 3, 1)], dim=1)]

    monkeypatch.setattr(network, "layers", quadrants)
    task.head = Straight(4)  # type: ignore[assignment]
    assert task.losses(network, bright, seeded())["rotation"] < 1e-3


def coordinates(count: int, size: tuple[int, ...]) -> torch.Tensor:
    """Scans (count, dims, *size) whose channels tell where a pixel's middle lies, 0..1."""
    axes = torch.meshgrid(*((torch.arange(side) + 0.5) / side for side in size), indexing="ij")
    return torch.stack(axes).expand(count, -1, *size).clone()


@pytest.mark.parametrize("size", [(20, 30), (20, 25, 30)], ids=str)
def test_parts_lie_in_their_halves(size: tuple[int, ...]) -> None:
    dims = len(size)
    cells = torch.randint(2, (12, dims), generator=seeded())
    moved = torch.rand(12, dims, generator=seeded(1))
    found = parts(coordinates(12, size), cells, moved).flatten(2)
    low = 0.5 * cells + 0.1 * moved
    torch.testing.assert_close(found.mean(dim=2), low + 0.2, atol=2e-3, rtol=0)
    half = torch.tensor([0.2 / side for side in size])  # of a pixel of the part
    torch.testing.assert_close(found.amin(dim=2), low + half, atol=0.02, rtol=0)
    torch.testing.assert_close(found.amax(dim=2), low + 0.4 - half, atol=0.02, rtol=0)


class Compass(nn.Module):
    """Before, beside or after, from the mean coordinates of both parts."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, pooled: torch.Tensor) -> torch.Tensor:
        first, second = (half[:, : self.dims] for half in pooled.chunk(2, dim=1))
        way = 100 * (second - first)
        return torch.cat([-way, torch.full_like(way, 25.0), way], dim=1)


@pytest.mark.parametrize("size", [(20, 30), (20, 25, 30)], ids=str)
def test_who_sees_the_places_is_right_about_the_relation(
    size: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    network = small("convolutional", channels=len(size), size=size)
    task = Position(network)
    monkeypatch.setattr(network, "layers", lambda shown: [shown])
    task.head = Compass(len(size))  # type: ignore[assignment]
    assert task.losses(network, coordinates(16, size), seeded())["position"] < 1e-3


def test_feature_distance_is_of_directions_and_averaged_over_layers() -> None:
    first = torch.tensor([[[[1.0, 5.0]], [[0.0, 0.0]]]])  # two positions, both along channel 0
    second = torch.tensor([[[[0.0, 2.0]], [[3.0, 2.0]]]])  # at a right angle, at half of one
    expected = (2 + (2 - math.sqrt(2))) / 2
    assert feature_distance([first], [second]).item() == pytest.approx(expected, rel=1e-3)
    assert feature_distance([second], [first]).item() == pytest.approx(expected, rel=1e-3)
    same = feature_distance([first, first], [second, 7 * first])
    assert same.item() == pytest.approx(expected / 2, rel=1e-3)


def test_feature_distance_has_a_bounded_gradient_where_maps_are_dark() -> None:
    dark = torch.zeros(1, 3, 2, 2, requires_grad=True)
    feature_distance([dark], [torch.ones(1, 3, 2, 2)]).backward()
    assert dark.grad is not None
    assert dark.grad.abs().max() < 1e3


def test_hinge_by_hand() -> None:
    assert hinge(torch.tensor([3.0, 1.0, 0.5, -2.0])).item() == pytest.approx((0.5 + 3.0) / 4)


def test_each_side_of_the_game_has_its_own_gradient() -> None:
    network = small("convolutional").train()
    pixels = torch.rand(4, 1, 16, 16, generator=seeded())
    task = Adversarial(network)
    terms = task.losses(network, pixels, seeded())
    terms["patch-discriminator"].backward()
    assert all(held.grad is None for held in network.parameters())
    assert all(held.grad is not None for held in task.parameters())
    task.zero_grad()
    terms["patch-adversarial"].backward()
    assert all(held.grad is None for held in task.parameters())
    assert all(held.grad is not None and held.grad.any() for held in network.parameters())


def test_untracked_normalises_by_the_batch_without_remembering_it() -> None:
    norm = nn.BatchNorm2d(2)
    maps = torch.randn(4, 2, 3, 3, generator=seeded())
    before = {key: held.clone() for key, held in norm.state_dict().items()}
    with untracked(nn.Sequential(norm)):
        found = norm(maps)
    assert all(torch.equal(held, before[key]) for key, held in norm.state_dict().items())
    torch.testing.assert_close(found, norm(maps))
    assert norm.num_batches_tracked == 1
    with pytest.raises(RuntimeError, match="stop"), untracked(norm):
        raise RuntimeError("stop")
    assert norm.track_running_stats
    with untracked(norm.eval()):
        torch.testing.assert_close(norm(maps)[:1], norm(maps[:1]))


def test_a_teacher_stays_in_evaluation_mode() -> None:
    teacher = Teacher(small("invariant").train())
    assert not any(module.training for module in teacher.train().modules())


def test_momentum_rises_to_one() -> None:
    found = [risen(0.9, progress) for progress in (0.0, 0.25, 0.5, 1.0)]
    assert found == pytest.approx([0.9, 1 - 0.1 * (1 + math.sqrt(0.5)) / 2, 0.95, 1.0])
