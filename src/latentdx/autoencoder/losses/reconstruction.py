"""Reconstruction losses: how far a reconstruction is from its scan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from latentdx.core.errors import StopError

Images = Float[Tensor, "batch channel *spatial"]
ReconstructionName = Literal["mse", "bce", "ssim", "gradient", "ssim-gradient"]
Reconstruction = str | Mapping[str, float]
"""A loss's name, or weights by name: ``{"mse": 10, "ssim": 0.5, "gradient": 1}``."""


def mean_squared_error(reconstruction: Images, scan: Images) -> Tensor:
    """Mean squared error over all pixels (a scalar)."""
    return functional.mse_loss(reconstruction, scan)


def binary_cross_entropy(reconstruction: Images, scan: Images) -> Tensor:
    """Binary cross-entropy of pixels in 0..1, read as probabilities (a scalar)."""
    # autocast refuses BCE in half precision: 32-bit is what it needs
    with torch.autocast(scan.device.type, enabled=False):
        clipped = reconstruction.float().clamp(1e-6, 1 - 1e-6)
        return functional.binary_cross_entropy(clipped, scan.float())


def structural_similarity(first: Images, second: Images, *, window: int = 7) -> Tensor:
    """SSIM (N,) averaged over pixels and channels, with a uniform window, for pixels in 0..1.

    Wang et al., "Image quality assessment: from error visibility to structural similarity",
    IEEE Transactions on Image Processing, 2004.
    """
    first, second = first.float(), second.float()
    kind = torch.nn.AvgPool2d if first.ndim == 4 else torch.nn.AvgPool3d
    pool = kind(window, stride=1, padding=window // 2, count_include_pad=False)
    mean_1, mean_2 = pool(first), pool(second)
    variance_1 = (pool(first * first) - mean_1 * mean_1).clamp(min=0)
    variance_2 = (pool(second * second) - mean_2 * mean_2).clamp(min=0)
    covariance = pool(first * second) - mean_1 * mean_2
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean_1 * mean_2 + c1) / (mean_1**2 + mean_2**2 + c1)
    structure = (2 * covariance + c2) / (variance_1 + variance_2 + c2)
    similarity: Tensor = luminance * structure
    return similarity.flatten(1).mean(dim=1)


def gradient_error(reconstruction: Images, scan: Images) -> Tensor:
    """Mean absolute difference of the finite differences, summed over axes (a scalar)."""
    axes = range(2, scan.ndim)
    return torch.stack(
        [(reconstruction.diff(dim=axis) - scan.diff(dim=axis)).abs().mean() for axis in axes]
    ).sum()


def structural_dissimilarity(reconstruction: Images, scan: Images) -> Tensor:
    """``1 - SSIM`` (a scalar)."""
    return 1 - structural_similarity(reconstruction, scan).mean()


def ssim_gradient(reconstruction: Images, scan: Images) -> Tensor:
    """``10 MSE + (1 - SSIM) / 2 + gradient error``: level, structure and edges together."""
    structure = (1 - structural_similarity(reconstruction, scan).mean()) / 2
    squared = mean_squared_error(reconstruction, scan)
    return 10 * squared + structure + gradient_error(reconstruction, scan)


RECONSTRUCTION: dict[ReconstructionName, Callable[[Images, Images], Tensor]] = {
    "mse": mean_squared_error,
    "bce": binary_cross_entropy,
    "ssim": structural_dissimilarity,
    "gradient": gradient_error,
    "ssim-gradient": ssim_gradient,
}
assert set(RECONSTRUCTION) == set(get_args(ReconstructionName))


def reconstruction_loss(asked: Reconstruction) -> Callable[[Images, Images], Tensor]:
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
