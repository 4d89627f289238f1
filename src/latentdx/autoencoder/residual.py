"""A deep autoencoder of residual blocks, with attention to channels and to places by option.

    block:   r(x) = s(a) + g(conv 3 (relu norm (conv 3 (a)))),   a = relu norm (x)
    encode:  pixel-unshuffle 2, conv 3, [r x depth] per stage, stride 2 between stages,
             self-attention, norm -> ReLU, 1x1 conv -> latent map z
    decode:  1x1 conv, [nearest 2 -> r x depth] per stage, norm -> ReLU, conv 3, pixel-shuffle 2
             -> sigmoid
    loss:    R(x, decode(encode(x)))

s is x itself, or a 1x1 convolution of a where the shape changes; g is the identity, or channel
attention. What is added to x leaves a straight path for the gradient through any depth.

He, Zhang, Ren & Sun, "Identity mappings in deep residual networks", ECCV 2016. Attention: see
`attention`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, final, get_args

import torch
from torch import Tensor, nn
from typing_extensions import override

from latentdx.autoencoder.attention import ChannelAttention, SpatialAttention
from latentdx.autoencoder.base import Autoencoder, Images, Size, halved_sizes
from latentdx.autoencoder.blocks import batch_norm, convolution, enlarged, shuffled, unshuffled
from latentdx.autoencoder.losses.reconstruction import Reconstruction, reconstruction_loss
from latentdx.core.errors import StopError

Attention = Literal["none", "channel", "spatial", "both"]


class ResidualBlock(nn.Module):
    """r of the formula: maps (N, inputs, *size) to (N, outputs, *size / stride, rounded up)."""

    def __init__(
        self, dims: int, inputs: int, outputs: int, *, stride: int = 1, gated: bool = False
    ) -> None:
        super().__init__()
        self.active = _activation(dims, inputs)
        self.branch = nn.Sequential(
            convolution(dims, inputs, outputs, stride=stride, bias=False),
            _activation(dims, outputs),
            convolution(dims, outputs, outputs),
        )
        self.gate = ChannelAttention(outputs) if gated else nn.Identity()
        same = inputs == outputs and stride == 1
        self.shortcut = None if same else convolution(dims, inputs, outputs, 1, stride=stride)

    def forward(self, maps: Tensor) -> Tensor:
        """The maps, or their shortcut, and what the branch adds."""
        active = self.active(maps)
        kept = maps if self.shortcut is None else self.shortcut(active)
        added: Tensor = self.gate(self.branch(active))
        return kept + added


@final
class ResidualAutoencoder(Autoencoder):
    """Pre-activation residual blocks down and up around a latent map.

    Parameters
    ----------
    channels, size: of the scans, (C, *size).
    widths: channels of the stages; the first works at half the resolution of the scan, each
        later one at half of the one before.
    depth: residual blocks a stage, in the encoder and in the decoder.
    attention: ``channel`` gates every block's branch, ``spatial`` adds self-attention after the
        encoder's deepest stage (to 1024 places at most, see `SpatialAttention`), or ``both``.
    latent_dim: channels of the latent map z at the last stage's resolution.
    reconstruction: the reconstruction loss by name, or weights by name.

    Shapes
    ------
    pixels (N, C, *size) -> latent (N, latent_dim, *deepest) -> reconstruction (N, C, *size)

    Raises
    ------
    StopError: ``E_NAME`` for an unknown kind of attention.

    Examples
    --------
    >>> network = ResidualAutoencoder(channels=1, size=(20, 24, 16), widths=(8, 16))
    >>> network.encode(torch.rand(2, 1, 20, 24, 16)).shape
    torch.Size([2, 8, 5, 6, 4])
    """

    def __init__(
        self,
        *,
        channels: int = 1,
        size: Size = 64,
        widths: Sequence[int] = (32, 64, 128),
        depth: int = 2,
        attention: Attention = "both",
        latent_dim: int = 8,
        reconstruction: Reconstruction = "ssim-gradient",
    ) -> None:
        super().__init__(channels=channels, size=size)
        if attention not in get_args(Attention):
            fix = f"choose one of {', '.join(get_args(Attention))}"
            raise StopError("E_NAME", f"no attention is called {attention!r}", fix=fix)
        self.widths = tuple(widths)
        self.depth = depth
        self.attention: Attention = attention
        self.latent_dim = latent_dim
        self.reconstruction = reconstruction
        self.sizes = halved_sizes(self.size, len(self.widths))[1:]
        deepest, shallowest, cell = self.widths[-1], self.widths[0], channels * 2**self.dims
        self.stem = convolution(self.dims, cell, shallowest)
        down = pairwise((shallowest, *self.widths))
        self.down = nn.ModuleList(
            self._stage(i, o, stride=min(number, 1) + 1) for number, (i, o) in enumerate(down)
        )
        self.look = SpatialAttention(deepest) if attention in ("spatial", "both") else None
        self.active = _activation(self.dims, deepest)
        self.to_latent = convolution(self.dims, deepest, latent_dim, 1)
        self.from_latent = convolution(self.dims, latent_dim, deepest, 1)
        up = pairwise((deepest, *self.widths[::-1]))
        self.up = nn.ModuleList(self._stage(i, o) for i, o in up)
        self.to_pixels = nn.Sequential(
            _activation(self.dims, shallowest), convolution(self.dims, shallowest, cell)
        )

    def _stage(self, inputs: int, outputs: int, *, stride: int = 1) -> nn.Sequential:
        gated = self.attention in ("channel", "both")
        first = ResidualBlock(self.dims, inputs, outputs, stride=stride, gated=gated)
        later = [
            ResidualBlock(self.dims, outputs, outputs, gated=gated) for _ in range(self.depth - 1)
        ]
        return nn.Sequential(first, *later)

    @override
    def layers(self, pixels: Images) -> list[Tensor]:
        hidden = self.stem(unshuffled(self.normalise(pixels)))
        maps = []
        for stage in self.down:
            hidden = stage(hidden)
            maps.append(hidden)
        if self.look is not None:
            hidden = self.look(hidden)
        return [*maps[:-1], self.active(hidden)]

    @override
    def encode(self, pixels: Images) -> Tensor:
        latent: Tensor = self.to_latent(self.layers(pixels)[-1])
        return latent

    @override
    def decode(self, latent: Tensor) -> Images:
        hidden = self.from_latent(latent)
        for stage, side in zip(self.up, self.sizes[::-1], strict=True):
            hidden = stage(enlarged(hidden, side))
        return torch.sigmoid(shuffled(self.to_pixels(hidden), self.size))

    @override
    def losses(self, pixels: Images, generator: torch.Generator) -> dict[str, Tensor]:
        error = reconstruction_loss(self.reconstruction, self.inside)
        return {"reconstruction": error(self(pixels), pixels)}


def _activation(dims: int, channels: int) -> nn.Sequential:
    return nn.Sequential(batch_norm(dims, channels), nn.ReLU())
