"""Position-free pooling of feature maps: what is in the scan, wherever it is."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def mean_and_deviation(
    maps: Float[Tensor, "batch channel *spatial"],
) -> Float[Tensor, "batch two_channel"]:
    """Global mean and standard deviation of each channel, joined: (N, C, ...) -> (N, 2C)."""
    flat = maps.float().flatten(2)
    deviation = torch.sqrt(flat.var(dim=2, correction=0) + 1e-6)
    return torch.cat([flat.mean(dim=2), deviation], dim=1)
