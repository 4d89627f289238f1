"""`Judge`: the loss on ``tune`` and the health of the latent, the same scans after every epoch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latentdx.autoencoder.engine.beside import Beside, Known
from latentdx.autoencoder.engine.data import Source
from latentdx.core.seeds import derive_seed

Terms = Callable[[Tensor, torch.Generator | None, Beside], dict[str, Any]]

_LEAST = 8  # scans of a batch: fewer make no batch statistics
_PROBED = 128
_TIMES = 20


class Judge:
    """Judges weights in evaluation mode; draws the same views of the same scans each time.

    `known`: what is known of the scans of tune.
    """

    def __init__(
        self,
        train: Source,
        tune: Source,
        *,
        batch_size: int,
        seed: int,
        known: Known | None = None,
    ) -> None:
        self.train, self.tune, self.known = train, tune, known or Known()
        self.seed = derive_seed(seed, "tune")
        rows, size = np.arange(len(tune)), max(_LEAST, batch_size)
        groups = [rows[start : start + size] for start in range(0, len(rows), size)]
        self.groups = [group for group in groups if len(group) >= _LEAST]

    @torch.no_grad()
    def loss(self, terms: Terms, device: torch.device) -> float:
        """Mean loss over ``tune``; NaN where it has fewer than 8 scans."""
        if not self.groups:
            return math.nan
        generator = torch.Generator().manual_seed(self.seed)
        torch.manual_seed(self.seed)
        losses = []
        for rows, pixels in zip(self.groups, self.tune.batches(self.groups, device), strict=True):
            found = terms(pixels, generator, self.known.of(rows, device))
            losses.append(float(torch.stack([term.float() for term in found.values()]).sum()))
        return float(np.average(losses, weights=[len(group) for group in self.groups]))

    @torch.no_grad()
    def health(self, terms: Terms, device: torch.device) -> dict[str, float]:
        """Measures of the latent on some scans of ``tune``, or of train where it has too few."""
        source = self.tune if len(self.tune) >= _PROBED else self.train
        (pixels,) = source.batches([np.arange(min(_PROBED, len(source)))], device)
        return terms(pixels, None, Beside())


def is_measured(epoch: int, epochs: int) -> bool:
    """Health is measured some twenty times in a training, and at its end."""
    return epoch % max(1, epochs // _TIMES) == 0 or epoch == epochs
