"""VICReg place by place: what lies at one place of a scan looks alike in both views of it.

    x_1, x_2: two views by affine maps A_1 and A_2, from places in the view to places in the scan
    h(x):     the deepest maps, p a projection of each place's numbers (two 1 x 1 convolutions)
    loss:     VICReg between p(h(x_1)) at c and p(h(x_2)) at A_2^-1 A_1 c, where both see the scan

The term on pooled maps asks only what the scan shows; this one also where.

Bardes, Ponce & LeCun, "VICRegL: self-supervised learning of local visual features", NeurIPS 2022
(its matches by location).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from latentdx.autoencoder.base import Autoencoder, Images
from latentdx.autoencoder.blocks import batch_norm, convolution
from latentdx.autoencoder.objectives.base import Objective, untracked
from latentdx.autoencoder.objectives.vicreg import WEIGHTS, spread
from latentdx.collection.augment import apply, draw
from latentdx.collection.augment_geometry import from_view_to_view

Maps = Float[Tensor, "two_batch channel *spatial"]

_WIDTH = 256


@final
class LocalVicReg(Objective):
    """The deepest layer's places in two augmented views, projected, under `local_vicreg`."""

    weight: ClassVar[float] = 0.1

    def __init__(self, network: Autoencoder) -> None:
        super().__init__()
        self.projection = local_projection(network.dims, self.deepest_shape(network)[0])

    @override
    def losses(
        self, network: Autoencoder, pixels: Images, generator: torch.Generator
    ) -> dict[str, Tensor]:
        pair = pixels.repeat(2, *(1,) * (pixels.ndim - 1))
        drawn = draw(len(pair), network.views, generator, dims=network.dims)
        with untracked(network):
            maps = network.layers(apply(pair, drawn))[-1]
        projected = self.projection(maps)
        return {"local-vicreg": local_vicreg(projected, drawn.theta, network.size)}


def local_projection(dims: int, channels: int) -> nn.Sequential:
    """Two 1 x 1 convolutions, the first normalised: used in training only."""
    return nn.Sequential(
        convolution(dims, channels, _WIDTH, 1, bias=False),
        batch_norm(dims, _WIDTH),
        nn.ReLU(inplace=True),
        convolution(dims, _WIDTH, _WIDTH, 1),
    )


def local_vicreg(projected: Maps, theta: Tensor, size: Sequence[int]) -> Tensor:
    """VICReg of the places of views i and N + i of scan i; in 32 bits.

    projected (2N, C, *spatial); theta (2N, dims, dims + 1) as `Draw` has it, of views of scans of
    `size`. Elastic bends are not followed: they move less than a place of the deepest maps.

    Examples
    --------
    >>> still = torch.eye(2, 3).repeat(8, 1, 1)
    >>> maps = torch.randn(4, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    >>> same = local_vicreg(torch.cat([maps, maps]), still, (16, 16))
    >>> bool(same < local_vicreg(torch.cat([maps, maps.flip(-1)]), still, (16, 16)))
    True
    """
    invariance, variance, covariance = WEIGHTS
    with torch.autocast(projected.device.type, enabled=False):
        first, second = projected.float().chunk(2)
        there, in_scan = from_view_to_view(theta.to(first), size)
        shape = list(first.shape)
        places = functional.affine_grid(there, shape, align_corners=False)
        scan = functional.affine_grid(in_scan, shape, align_corners=False)
        seen = ((places.abs() <= 1) & (scan.abs() <= 1)).all(dim=-1)[:, None].to(first)
        found = functional.grid_sample(second, places, padding_mode="border", align_corners=False)
        error = ((first - found).square() * seen).sum() / (seen.sum() * shape[1]).clamp(min=1)
        loss = invariance * error
        for maps in (first, second):
            varied, repeated = spread(maps.movedim(1, -1).flatten(0, -2))
            loss = loss + variance / 2 * varied + covariance * repeated
    return loss
