"""A small residual network in plain PyTorch, trained end to end on the labelled scans alone.

Three stages of one residual block, 0.68 million parameters; augmented copies as latentdx makes them
(rotation, shift, scale, flip), drawn anew at every step; AdamW with one cycle of the rate, a loss
in which classes weigh the same, and scores averaged over mirror images.

Tried on training parts alone (fold 0 of `benchmarks.worth`, its learned scans split again), with a
tenth of the labels and with all: a rate of 1e-3, stronger views, 900 steps, a deeper network that
keeps 32 x 32 pixels in its first stage. None was better on the whole but longer training with all
labels of the phantoms (.861 to .897; NIH .870 to .855): hence 60 epochs instead of 30.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from latentdx.collection.augment import GEOMETRIC, AugmentSettings, apply, draw

Pixels = NDArray[np.float32]
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Recipe:
    """How it is built and trained.

    Attributes
    ----------
    widths: channels of the stem (3 x 3, stride 2) and of the residual stages, each of which halves
        the side, but the first where `first_stride` is 1.
    epochs: over the labelled scans, within `fewest_steps` and `most_steps` steps.
    rate: the highest of a one-cycle schedule (Smith and Topin, 2019).
    low_precision: convolutions in bfloat16, as the autoencoder's.
    """

    widths: tuple[int, ...] = (24, 48, 96, 192)
    first_stride: int = 2
    epochs: int = 60
    fewest_steps: int = 300
    most_steps: int = 1500
    batch: int = 32
    rate: float = 3e-3
    decay: float = 0.05
    dropout: float = 0.2
    augmentation: AugmentSettings = GEOMETRIC
    low_precision: bool = True

    def steps(self, n_scans: int) -> int:
        wanted = math.ceil(self.epochs * n_scans / self.batch)
        return min(max(wanted, self.fewest_steps), self.most_steps)


class Block(nn.Module):
    """Two convolutions with batch norm around a shortcut (He et al., 2016; He et al., 2019)."""

    def __init__(self, found: int, width: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(found, width, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(width)
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut.append(nn.AvgPool2d(stride, ceil_mode=True))
        if stride > 1 or found != width:
            self.shortcut.append(nn.Conv2d(found, width, 1, bias=False))
            self.shortcut.append(nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        inner = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(self.second_norm(self.second(inner)) + self.shortcut(x))


def network(recipe: Recipe, n_classes: int) -> nn.Sequential:
    """Pixels (N, 1, S, S), scaled, to logits (N, K)."""
    stem, *stages = recipe.widths
    layers: list[nn.Module] = [nn.Conv2d(1, stem, 3, 2, 1, bias=False), nn.BatchNorm2d(stem)]
    layers.append(nn.ReLU())
    found = stem
    for number, width in enumerate(stages):
        layers.append(Block(found, width, 2 if number else recipe.first_stride))
        found = width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(recipe.dropout)]
    return nn.Sequential(*layers, nn.Linear(found, n_classes)).to(memory_format=torch.channels_last)


def scores(
    pixels: Pixels, labels: NDArray[np.int64], tested: Pixels, *, recipe: Recipe, seed: int
) -> Scores:
    """Logits (M, K) of `tested` (M, 1, S, S), averaged over mirror images.

    Learned from pixels (N, 1, S, S) in 0..1 with labels (N,), 0 to K - 1, each class weighing the
    same. The length of training is known before it begins: nothing is held out to stop it.
    """
    generator = torch.Generator().manual_seed(seed)
    mean, deviation = float(pixels.mean()), max(float(pixels.std()), 1e-3)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        built = network(recipe, int(labels.max()) + 1)
        _fit(built, torch.from_numpy(pixels), labels, (mean, deviation), recipe, generator)
    return _score(built, torch.from_numpy(tested), (mean, deviation), recipe)


def _fit(
    built: nn.Module,
    pixels: Tensor,
    labels: NDArray[np.int64],
    scale: tuple[float, float],
    recipe: Recipe,
    generator: torch.Generator,
) -> None:
    truth = torch.from_numpy(labels)
    counts = np.bincount(labels)
    weights = torch.from_numpy((counts.sum() / (len(counts) * counts)).astype(np.float32))
    steps = recipe.steps(len(labels))
    groups: list[dict[str, Any]] = [
        {"params": [p for p in built.parameters() if p.ndim > 1], "weight_decay": recipe.decay},
        {"params": [p for p in built.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=recipe.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, total_steps=steps)
    waiting = torch.empty(0, dtype=torch.long)
    built.train()
    for _ in range(steps):
        while len(waiting) < recipe.batch:
            waiting = torch.cat([waiting, torch.randperm(len(labels), generator=generator)])
        rows, waiting = waiting[: recipe.batch], waiting[recipe.batch :]
        drawn = draw(len(rows), recipe.augmentation, generator)
        logits = _logits(built, apply(pixels[rows], drawn), scale, recipe)
        loss = functional.cross_entropy(logits, truth[rows], weight=weights)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def _logits(built: nn.Module, pixels: Tensor, scale: tuple[float, float], recipe: Recipe) -> Tensor:
    mean, deviation = scale
    scaled = ((pixels - mean) / deviation).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16, enabled=recipe.low_precision):
        found: Tensor = built(scaled)
    return found.float()


@torch.inference_mode()
def _score(built: nn.Module, tested: Tensor, scale: tuple[float, float], recipe: Recipe) -> Scores:
    built.eval()
    exact = Recipe(low_precision=False)
    found = []
    for batch in tested.split(256):
        both = [_logits(built, one, scale, exact) for one in (batch, batch.flip(3))]
        found.append(((both[0] + both[1]) / 2).double())
    return torch.cat(found).numpy()
