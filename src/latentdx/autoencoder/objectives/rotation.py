"""Rotation: by how many quarter turns has the scan been turned?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import ClassVar, NamedTuple, final

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from latentdx.autoencoder.base import Autoencoder, Images
from latentdx.autoencoder.objectives.base import Objective, untracked
from latentdx.autoencoder.pooling import mean_and_deviation


class Turn(NamedTuple):
    """`quarters` quarter turns in the plane of two axes."""

    first: int
    second: int
    quarters: int


@final
class Rotation(Objective):
    """Every scan is turned by one of `turns_of` its size; a dense layer on the pooled deepest maps
    has to tell by which.

    Gidaris, Singh & Komodakis, "Unsupervised representation learning by predicting image
    rotations", ICLR 2018. It asks for nothing where scans look alike when turned (cells, say).
    """

    weight: ClassVar[float] = 0.1

    def __init__(self, network: Autoencoder) -> None:
        super().__init__()
        self.turns = turns_of(network.size)
        width = self.pooled_width(network)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, len(self.turns)))

    @override
    def losses(
        self, network: Autoencoder, pixels: Images, generator: torch.Generator
    ) -> dict[str, Tensor]:
        which = torch.randint(len(self.turns), (len(pixels),), generator=generator)
        with untracked(network):
            maps = network.layers(turned(pixels, which, self.turns))[-1]
        logits = self.head(mean_and_deviation(maps)).float()
        return {"rotation": functional.cross_entropy(logits, which.to(pixels.device))}


def turns_of(size: Sequence[int]) -> list[Turn]:
    """The turns about one axis that keep the size, the first of them none at all.

    Four for a square, two for another image; ten for a cube, four to six for another volume.

    Examples
    --------
    >>> [turn.quarters for turn in turns_of((28, 28))], len(turns_of((29, 31)))
    ([0, 1, 2, 3], 2)
    >>> len(turns_of((16, 16, 16))), len(turns_of((16, 16, 9))), len(turns_of((7, 8, 9)))
    (10, 6, 4)
    """
    turns = [Turn(0, 1, 0)]
    for first, second in combinations(range(len(size)), 2):
        quarters = (1, 2, 3) if size[first] == size[second] else (2,)
        turns += [Turn(first, second, number) for number in quarters]
    return turns


def turned(pixels: Images, which: Tensor, turns: Sequence[Turn]) -> Images:
    """Each scan (N, C, *size) turned by the one of `turns` whose number `which` (N,) gives."""
    found = torch.empty_like(pixels)
    for number, turn in enumerate(turns):
        rows = (which == number).nonzero().flatten().to(pixels.device)
        plane = (turn.first + 2, turn.second + 2)
        found[rows] = torch.rot90(pixels[rows], turn.quarters, plane)
    return found
