"""Position: where does one part of a scan lie, seen from another?"""

from __future__ import annotations

from typing import ClassVar, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from latentdx.autoencoder.base import Autoencoder, Images
from latentdx.autoencoder.objectives.base import Objective, untracked
from latentdx.autoencoder.pooling import mean_and_deviation

Cells = Int[Tensor, "batch axis"]

_PART = 0.4  # of each side
_WIDTH = 128


@final
class Position(Objective):
    """Two parts of a scan, each enlarged to a whole scan's size; from their pooled deepest maps it
    has to be told, for each axis, whether the second lies before, beside or after the first.

    The parts lie in halves along each axis (quadrants, octants), with a gap between those of
    different halves, so that no edge runs from one to the other.

    Doersch, Gupta & Efros, "Unsupervised visual representation learning by context prediction",
    ICCV 2015, with eight relations in 2-D; here three for each axis, in any number of axes.
    """

    weight: ClassVar[float] = 0.1

    def __init__(self, network: Autoencoder) -> None:
        super().__init__()
        width = 2 * self.pooled_width(network)
        self.head = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, _WIDTH),
            nn.ReLU(),
            nn.Linear(_WIDTH, 3 * network.dims),
        )

    @override
    def losses(
        self, network: Autoencoder, pixels: Images, generator: torch.Generator
    ) -> dict[str, Tensor]:
        count, dims = len(pixels), network.dims
        cells = torch.randint(2, (2 * count, dims), generator=generator)
        moved = torch.rand(2 * count, dims, generator=generator)
        pair = pixels.repeat(2, *(1,) * (pixels.ndim - 1))
        with untracked(network):
            pooled = mean_and_deviation(network.layers(parts(pair, cells, moved))[-1])
        logits = self.head(torch.cat(pooled.chunk(2), dim=1)).float().unflatten(1, (3, dims))
        first, second = cells.to(pixels.device).chunk(2)
        return {"position": functional.cross_entropy(logits, second - first + 1)}


def parts(pixels: Images, cells: Cells, moved: Float[Tensor, "batch axis"]) -> Images:
    """The part of each scan in its cell, enlarged to the scan's size.

    ``cells`` (N, dims): 0 for the half of an axis at its beginning, 1 for that at its end;
    ``moved`` (N, dims): 0..1, where in its half the part lies.
    """
    middles = (cells - 0.5) + (2 * moved - 1) * (0.5 - _PART)
    dims = cells.shape[1]
    zoom = _PART * torch.eye(dims).expand(len(cells), dims, dims)
    # affine_grid counts axes from the last one
    theta = torch.cat([zoom, middles.flip(1).unsqueeze(2)], dim=2).to(pixels.device)
    grid = functional.affine_grid(theta, list(pixels.shape), align_corners=False)
    return functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
