"""`Recipe`: how a network is built and trained that learns from labelled scans alone.

Tried on training parts alone (fold 0 of `benchmarks.worth`, its learned scans split again), with a
tenth of the labels and with all: a rate of 1e-3, stronger views, 900 steps, a deeper network that
keeps 32 x 32 pixels in its first stage. None was better on the whole but longer training with all
labels of the phantoms (.861 to .897; NIH .870 to .855): hence 60 epochs instead of 30.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from latentdx.collection.augment import GEOMETRIC, AugmentSettings


@dataclass(frozen=True)
class Recipe:
    """How it is built and trained.

    Attributes
    ----------
    widths: channels of the stem (kernel 3, stride 2) and of the residual stages, each of which
        halves the side, but the first where `first_stride` is 1.
    epochs: over the labelled scans, within `fewest_steps` and `most_steps` steps.
    rate: the highest of a one-cycle schedule (Smith and Topin, 2019).
    augmentation: of every scan at every step; scores are averaged over mirror images unless its
        `flip` is 0.
    low_precision: convolutions in bfloat16 while it trains, as the autoencoder's.
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
        """How many, known before training begins.

        Examples
        --------
        >>> [Recipe().steps(n_scans) for n_scans in (4, 320, 5000)]
        [300, 600, 1500]
        """
        wanted = math.ceil(self.epochs * n_scans / self.batch)
        return min(max(wanted, self.fewest_steps), self.most_steps)
