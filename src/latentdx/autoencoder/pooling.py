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
    mean = flat.mean(dim=2, keepdim=True)
    # `Tensor.var` takes more than twice as long on maps that are laid out channels last
    deviation = torch.sqrt((flat - mean).square().mean(dim=2) + 1e-6)
    return torch.cat([mean.squeeze(2), deviation], dim=1)
