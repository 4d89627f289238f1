"""The loop that trains a `LabelledNetwork`, epoch by epoch; the averaged weights are what counts.

    every step:   L(z(views of labelled scans))  +  weight * agreement(unlabelled scans)
    AdamW, a rate for the linear layer and a lower one for the encoder: linear warm-up, then cosine

The schedule is that of the most epochs, whatever epoch is kept in the end, so that trainings of
different scans can be compared epoch by epoch. Averages of weights: Polyak & Juditsky, 1992.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentdx.autoencoder.engine.averaging import WeightAverage
from latentdx.collection.augment import AugmentSettings, apply, draw
from latentdx.core.seeds import derive_seed, numpy_generator
from latentdx.diagnosis.consistency import PER_LABELLED, agreement, strong
from latentdx.diagnosis.fine_tune_network import LabelledNetwork
from latentdx.diagnosis.fine_tune_settings import FineTuneSettings
from latentdx.diagnosis.sampling import class_shares, shown

Pixels = NDArray[np.float32]
Ints = NDArray[np.int64]

_CLIP = 5.0  # largest norm of a step's gradient


@dataclass(frozen=True)
class Lessons:
    """Labelled scans (N, C, *spatial) with labels (N,) in 0..K-1, and unlabelled ones (M, ...)."""

    pixels: Pixels
    labels: Ints
    n_classes: int
    unlabelled: Pixels


def train_epochs(
    network: LabelledNetwork, lessons: Lessons, settings: FineTuneSettings, *, seed: int
) -> Iterator[LabelledNetwork]:
    """The network after each epoch, with averaged weights; it goes on with its own afterwards."""
    steps = settings.n_steps(len(lessons.labels))
    optimizer = _optimizer(network, settings)
    best = [group["lr"] for group in optimizer.param_groups]
    average = WeightAverage(network, settings.average)
    teacher = copy.deepcopy(network).eval() if settings.consistency else None
    lots = torch.Generator().manual_seed(derive_seed(seed, "views"))
    shares = class_shares(lessons.labels, lessons.n_classes, settings.sampling)
    device = network.mean.device
    for epoch in range(settings.epochs):
        network.train()
        generator = numpy_generator(seed, "epoch", epoch)
        batches = _batches(lessons, settings, steps, generator)
        for number, (rows, others) in enumerate(batches):
            done = epoch * steps + number
            for group, rate in zip(optimizer.param_groups, best, strict=True):
                group["lr"] = rate * _rate_at(done, steps * settings.epochs, settings.warmup)
            labels = torch.from_numpy(lessons.labels[rows]).to(device)
            logits = network(_viewed(lessons.pixels[rows], settings.views(), lots, device))
            loss = settings.loss(logits, labels, torch.from_numpy(shares).to(logits))
            if teacher is not None and len(others):
                loss = loss + settings.consistency * _agreement(
                    network, teacher, lessons.unlabelled[others], settings.views(), lots
                )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.learning().values(), _CLIP)
            optimizer.step()
            average.decay = min(settings.average, (1 + done) / (10 + done))
            average.follow(network)
            if teacher is not None:
                _follow(teacher, average)
        with average.in_place(network):
            yield network.eval()


def _optimizer(network: LabelledNetwork, settings: FineTuneSettings) -> torch.optim.Optimizer:
    learning = network.learning()
    head = [each for name, each in learning.items() if name.startswith("linear.")]
    encoder = [each for name, each in learning.items() if not name.startswith("linear.")]
    groups = [{"params": head, "lr": settings.head_rate}]
    groups += [{"params": encoder, "lr": settings.rate}] if encoder else []
    return torch.optim.AdamW(groups, weight_decay=settings.weight_decay)


def _rate_at(step: int, steps: int, warmup: float) -> float:
    """Share of the highest rate.

    Examples
    --------
    >>> [round(_rate_at(step, 10, 0.2), 2) for step in (0, 1, 2, 6, 10)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    rise = max(1, round(warmup * steps))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


def _batches(
    lessons: Lessons, settings: FineTuneSettings, steps: int, generator: np.random.Generator
) -> Iterator[tuple[Ints, Ints]]:
    """For each step rows of labelled and of unlabelled scans."""
    size = settings.n_batch(len(lessons.labels))
    rows = shown(lessons.labels, lessons.n_classes, steps * size, settings.sampling, generator)
    n_others = PER_LABELLED * size if settings.consistency and len(lessons.unlabelled) else 0
    for step in range(steps):
        others = generator.integers(max(1, len(lessons.unlabelled)), size=n_others)
        yield rows[step * size : (step + 1) * size], others


def _viewed(
    pixels: Pixels, views: AugmentSettings, lots: torch.Generator, device: torch.device
) -> Tensor:
    drawn = draw(len(pixels), views, lots, dims=pixels.ndim - 2)
    return apply(torch.from_numpy(pixels).to(device), drawn)


def _agreement(
    network: LabelledNetwork,
    teacher: LabelledNetwork,
    pixels: Pixels,
    views: AugmentSettings,
    lots: torch.Generator,
) -> Tensor:
    device = network.mean.device
    with torch.no_grad():
        taught = teacher(_viewed(pixels, views, lots, device))
    return agreement(taught, network(_viewed(pixels, strong(views), lots, device)))


@torch.no_grad()
def _follow(teacher: LabelledNetwork, average: WeightAverage) -> None:
    for name, held in teacher.named_parameters():
        held.copy_(average.tensors[name])
