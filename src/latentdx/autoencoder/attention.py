"""Attention blocks for feature maps: which channels matter, and which places belong together."""

from __future__ import annotations

import math
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

Maps = Float[Tensor, "batch channel *spatial"]

_LEAST_HIDDEN = 8
_MOST_PLACES = 1024


@final
class ChannelAttention(nn.Module):
    """Each channel times a gate in 0..1 that the whole scan decides (squeeze-and-excitation).

        g = sigmoid(W_2 relu(W_1 mean(x))),   y = g * x

    Hu, Shen & Sun, "Squeeze-and-excitation networks", CVPR 2018.

    Parameters
    ----------
    channels: of the maps.
    reduction: by which the hidden layer is narrower than `channels`; it has 8 units at least.

    Examples
    --------
    >>> ChannelAttention(16)(torch.rand(2, 16, 7, 7)).shape
    torch.Size([2, 16, 7, 7])
    """

    def __init__(self, channels: int, *, reduction: int = 4) -> None:
        super().__init__()
        hidden = max(channels // reduction, _LEAST_HIDDEN)
        self.squeeze = nn.Linear(channels, hidden)
        self.excite = nn.Linear(hidden, channels)

    def gates(self, maps: Maps) -> Float[Tensor, "batch channel"]:
        """g of the formula."""
        means = maps.mean(dim=tuple(range(2, maps.ndim)))
        return torch.sigmoid(self.excite(torch.relu(self.squeeze(means))))

    @override
    def forward(self, maps: Maps) -> Maps:
        gates = self.gates(maps)
        return maps * gates.reshape(*gates.shape, *(1,) * (maps.ndim - 2))


@final
class SpatialAttention(nn.Module):
    """Each place takes from all others what it asks for: multi-head self-attention, residual.

        y = x + W_o softmax(q k' / sqrt(c)) v,   q = W_q n(x),   k, v = W_k n(x'), W_v n(x')

    n is layer normalisation and c the channels of a head. x' is x where it has at most `places`
    places, else its average over cells: P places cost at most P * `places` products a head, so the
    cost of a large volume grows with its size and not with the square of it. No places are
    encoded: what the order of the places tells, the convolutions around it have to tell.

    Vaswani et al., NeurIPS 2017; on maps, Wang et al., "Non-local neural networks", CVPR 2018; with
    averaged keys, Wang et al., "Pyramid vision transformer", ICCV 2021.

    Parameters
    ----------
    channels: of the maps.
    heads: at most; the largest common divisor with `channels` is taken.
    places: whose keys and values are looked at, at most.

    Examples
    --------
    >>> SpatialAttention(16)(torch.rand(2, 16, 4, 4, 5)).shape
    torch.Size([2, 16, 4, 4, 5])
    """

    def __init__(self, channels: int, *, heads: int = 4, places: int = _MOST_PLACES) -> None:
        super().__init__()
        self.heads = math.gcd(channels, heads)
        self.places = places
        self.norm = nn.LayerNorm(channels)
        self.to_query = nn.Linear(channels, channels, bias=False)
        self.to_key = nn.Linear(channels, channels, bias=False)
        self.to_value = nn.Linear(channels, channels, bias=False)
        self.to_maps = nn.Linear(channels, channels)

    @override
    def forward(self, maps: Maps) -> Maps:
        asking = self.norm(_tokens(maps))
        seen = self.norm(_tokens(averaged(maps, self.places)))
        query = self._split(self.to_query(asking))
        key, value = self._split(self.to_key(seen)), self._split(self.to_value(seen))
        taken = functional.scaled_dot_product_attention(query, key, value)
        joined: Tensor = self.to_maps(taken.transpose(1, 2).flatten(2))
        return maps + joined.transpose(1, 2).reshape(maps.shape)

    def _split(self, tokens: Tensor) -> Tensor:
        """(N, P, C) -> (N, heads, P, C / heads)."""
        heads: Tensor = tokens.unflatten(2, (self.heads, -1))
        return heads.transpose(1, 2)


def averaged(maps: Maps, places: int) -> Maps:
    """The maps averaged over the smallest cells that leave at most `places` places.

    Examples
    --------
    >>> averaged(torch.rand(1, 8, 64, 64), 1024).shape
    torch.Size([1, 8, 32, 32])
    """
    cell, size = 1, maps.shape[2:]
    while math.prod(-(-side // cell) for side in size) > places:
        cell += 1
    if cell == 1:
        return maps
    kind = nn.AvgPool2d if maps.ndim == 4 else nn.AvgPool3d
    found: Tensor = kind(cell, ceil_mode=True)(maps)
    return found


def _tokens(maps: Tensor) -> Tensor:
    """(N, C, *spatial) -> (N, P, C)."""
    return maps.flatten(2).transpose(1, 2)
