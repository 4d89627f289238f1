"""Losses are computed in 32 bits, also where the network is not."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import torch
from jaxtyping import Float
from torch import Tensor

Images = Float[Tensor, "batch channel *spatial"]
Loss = Callable[[Images, Images], Tensor]
"""Of (reconstruction, scan), both in 0..1: a scalar."""


def in_32_bits(loss: Loss) -> Loss:
    """The same loss of its arguments in float32, with autocast switched off.

    Examples
    --------
    >>> twice = in_32_bits(lambda reconstruction, scan: 2 * (reconstruction - scan).mean())
    >>> half = torch.full((1, 1, 8, 8), 0.5, dtype=torch.bfloat16)
    >>> twice(half, half).dtype
    torch.float32
    """

    @wraps(loss)
    def exact(reconstruction: Images, scan: Images) -> Tensor:
        with torch.autocast(scan.device.type, enabled=False):
            return loss(reconstruction.float(), scan.float())

    return exact
