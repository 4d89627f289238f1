"""The reconstruction losses by name, and their weighted sum: how far from its scan is it?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import torch
from torch import Tensor

from latentdx.autoencoder.losses.exact import Images, Loss
from latentdx.autoencoder.losses.frequency import focal_frequency
from latentdx.autoencoder.losses.gradient import gradient_error
from latentdx.autoencoder.losses.pixel import (
    binary_cross_entropy,
    charbonnier,
    local_contrast,
    mean_absolute_error,
    mean_squared_error,
)
from latentdx.autoencoder.losses.structural import (
    multiscale_dissimilarity,
    structural_dissimilarity,
)
from latentdx.core.errors import StopError

ReconstructionName = Literal[
    "mse",
    "bce",
    "l1",
    "charbonnier",
    "ssim",
    "ms-ssim",
    "gradient",
    "frequency",
    "local-contrast",
    "ssim-gradient",
]
Reconstruction = str | Mapping[str, float]
"""A loss's name, or weights by name: ``{"mse": 10, "ssim": 0.5, "gradient": 1}``."""


def ssim_gradient(reconstruction: Images, scan: Images) -> Tensor:
    """``10 MSE + (1 - SSIM) / 2 + gradient error``: level, structure and edges together."""
    squared = mean_squared_error(reconstruction, scan)
    structure = structural_dissimilarity(reconstruction, scan) / 2
    return 10 * squared + structure + gradient_error(reconstruction, scan)


RECONSTRUCTION: dict[ReconstructionName, Loss] = {
    "mse": mean_squared_error,
    "bce": binary_cross_entropy,
    "l1": mean_absolute_error,
    "charbonnier": charbonnier,
    "ssim": structural_dissimilarity,
    "ms-ssim": multiscale_dissimilarity,
    "gradient": gradient_error,
    "frequency": focal_frequency,
    "local-contrast": local_contrast,
    "ssim-gradient": ssim_gradient,
}
assert set(RECONSTRUCTION) == set(get_args(ReconstructionName))


def reconstruction_loss(asked: Reconstruction) -> Loss:
    """The weighted sum of the losses asked for, a function of (reconstruction, scan).

    Raises `StopError` ``E_NAME`` for an unknown one.

    Examples
    --------
    >>> loss = reconstruction_loss({"mse": 10, "gradient": 1})
    >>> float(loss(torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)))
    0.0
    """
    weights = {asked: 1.0} if isinstance(asked, str) else dict(asked)
    for name in weights:
        if name not in RECONSTRUCTION:
            found = f"no reconstruction loss is called {name!r}"
            raise StopError("E_NAME", found, fix=f"choose from {', '.join(RECONSTRUCTION)}")
    chosen = [(RECONSTRUCTION[name], weight) for name, weight in weights.items()]  # type: ignore[index]

    def loss(reconstruction: Images, scan: Images) -> Tensor:
        return torch.stack([weight * term(reconstruction, scan) for term, weight in chosen]).sum()

    return loss
