"""The loss that compares edges."""

from __future__ import annotations

import torch
from torch import Tensor

from latentdx.autoencoder.losses.exact import Images, in_32_bits


@in_32_bits
def gradient_error(reconstruction: Images, scan: Images) -> Tensor:
    """Mean absolute difference of the finite differences, summed over axes (a scalar).

    Mathieu, Couprie & LeCun, "Deep multi-scale video prediction beyond mean square error",
    ICLR 2016.
    """
    axes = range(2, scan.ndim)
    return torch.stack(
        [(reconstruction.diff(dim=axis) - scan.diff(dim=axis)).abs().mean() for axis in axes]
    ).sum()
