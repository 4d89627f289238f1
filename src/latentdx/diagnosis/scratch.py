"""`learn_from_scratch`: a residual network, trained end to end on labelled scans alone.

    every step:   cross-entropy of augmented scans, each class weighing the same
    AdamW, one cycle of the rate (Smith & Topin, 2019); as many steps as `Recipe.steps` says

It is what an autoencoder's features have to be better than. Its length is known before it begins:
nothing is held out to stop it, and no scan of another part is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from latentdx.autoencoder.blocks import batch_laid_out
from latentdx.autoencoder.engine.processes import best_device
from latentdx.collection.augment import apply, draw
from latentdx.diagnosis.fine_tuned import log_odds
from latentdx.diagnosis.scratch_network import scratch_network
from latentdx.diagnosis.scratch_recipe import Recipe
from latentdx.features.extract import batches_of
from latentdx.features.table import flipped

Pixels = NDArray[np.float32]
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class FromScratch:
    """A trained network, and the mean and deviation by which pixels are scaled."""

    network: nn.Module
    mean: float
    deviation: float

    @torch.inference_mode()
    def logits(self, pixels: Pixels) -> Floats:
        """Logits (N, K) of pixels (N, C, *spatial), in 32 bits."""
        device = next(self.network.parameters()).device
        found = [
            self._of(torch.from_numpy(pixels[rows]).to(device)).cpu().numpy()
            for rows in batches_of(pixels.shape)
        ]
        return np.concatenate(found)

    def log_odds(self, pixels: Pixels) -> Floats:
        """Log-odds (N, 1) of the second of two classes, of more (N, K); see `log_odds`."""
        return log_odds(self.logits(pixels))

    def _of(self, pixels: Tensor, *, low_precision: bool = False) -> Tensor:
        scaled = batch_laid_out((pixels - self.mean) / self.deviation)
        with torch.autocast(pixels.device.type, torch.bfloat16, enabled=low_precision):
            found: Tensor = self.network(scaled)
        return found.float()


def learn_from_scratch(
    pixels: Pixels,
    labels: Ints,
    *,
    n_classes: int,
    recipe: Recipe,
    seed: int,
    tell: Tell = lambda done, total: None,
) -> FromScratch:
    """A network for scans like pixels (N, C, *spatial) in 0..1 with labels (N,) in 0..K-1.

    The same seed gives the same network; the caller's generators are left as they were. `tell`
    hears of steps done, of how many in all.

    Examples
    --------
    >>> pixels = np.random.default_rng(0).random((8, 1, 16, 16), np.float32)
    >>> labels = np.arange(8) % 2
    >>> recipe = Recipe(widths=(4, 8), fewest_steps=2, most_steps=2)
    >>> found = learn_from_scratch(pixels, labels, n_classes=2, recipe=recipe, seed=0)
    >>> found.logits(pixels).shape
    (8, 2)
    """
    device = best_device()
    with _seeded(seed, device):
        network = scratch_network(
            recipe, dims=pixels.ndim - 2, channels=pixels.shape[1], n_classes=n_classes
        )
        learner = FromScratch(
            network.to(device), float(pixels.mean()), max(float(pixels.std()), 1e-3)
        )
        weights = _class_weights(labels, n_classes).to(device)
        _train(
            learner,
            (torch.from_numpy(pixels), torch.from_numpy(labels), weights),
            recipe,
            seed,
            tell,
        )
    network.eval().requires_grad_(False)
    return learner


def scores(
    pixels: Pixels, labels: Ints, tested: Pixels, *, recipe: Recipe, seed: int
) -> NDArray[np.float64]:
    """Logits (M, K) of `tested` (M, C, *spatial) by a network for `pixels` and `labels`.

    Averaged over mirror images, unless the recipe has none.
    """
    n_classes = int(labels.max()) + 1
    learned = learn_from_scratch(pixels, labels, n_classes=n_classes, recipe=recipe, seed=seed)
    views = [tested, flipped(tested)] if recipe.augmentation.flip else [tested]
    found = [learned.logits(view) for view in views]
    return (sum(found[1:], found[0]) / len(found)).astype(np.float64)


def without_flips(recipe: Recipe) -> Recipe:
    """The recipe where left and right are the diagnosis."""
    return replace(recipe, augmentation=replace(recipe.augmentation, flip=0.0))


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """First weights and dropout by the seed; on a GPU convolutions that repeat to the bit."""
    devices = [device] if device.type == "cuda" else []
    flags = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)
    with torch.random.fork_rng(devices=devices), flags:
        torch.manual_seed(seed)
        yield


def _train(
    learner: FromScratch,
    known: tuple[Tensor, Tensor, Tensor],
    recipe: Recipe,
    seed: int,
    tell: Tell,
) -> None:
    network, device = learner.network, next(learner.network.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    pixels, labels, weights = known
    steps = recipe.steps(len(labels))
    optimizer = _optimizer(network, recipe)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, total_steps=steps)
    network.train()
    for done, rows in enumerate(_batches(len(labels), steps, recipe.batch, generator), 1):
        drawn = draw(len(rows), recipe.augmentation, generator, dims=pixels.ndim - 2)
        views = apply(pixels[rows].to(device), drawn)
        logits = learner._of(views, low_precision=recipe.low_precision)
        loss = functional.cross_entropy(logits, labels[rows].to(device), weight=weights)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        tell(done, steps)


def _batches(n_scans: int, steps: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Rows of each step, all scans in turn, in a new order each time."""
    waiting = torch.empty(0, dtype=torch.long)
    for _ in range(steps):
        while len(waiting) < size:
            waiting = torch.cat([waiting, torch.randperm(n_scans, generator=generator)])
        yield waiting[:size]
        waiting = waiting[size:]


def _optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW, without decay of norms and biases."""
    groups: list[dict[str, Any]] = [
        {"params": [p for p in network.parameters() if p.ndim > 1], "weight_decay": recipe.decay},
        {"params": [p for p in network.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.rate)


def _class_weights(labels: Ints, n_classes: int) -> Tensor:
    """(K,): every class weighs the same."""
    counts = np.maximum(np.bincount(labels, minlength=n_classes), 1)
    return torch.from_numpy((len(labels) / (len(counts) * counts)).astype(np.float32))
