"""The reconstruction losses by name, and their weighted sum: how far from its scan is it?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import torch
from torch import Tensor

from latentdx.autoencoder.losses.exact import Images, Loss
from latentdx.autoencoder.losses.focus import FOCUSES, Focus, Inside, focused
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


def reconstruction_loss(asked: Reconstruction, own: Inside | None = None) -> Loss:
    """The weighted sum of the losses asked for, a function of (reconstruction, scan).

    ``body:NAME`` or ``lung:NAME`` lets errors outside that part count less, ``mask:NAME`` those
    outside the scans' own masks `own` (see `focused`).

    Raises `StopError` ``E_NAME`` for an unknown one.

    Examples
    --------
    >>> loss = reconstruction_loss({"mse": 10, "gradient": 1})
    >>> float(loss(torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)))
    0.0
    """
    weights = {asked: 1.0} if isinstance(asked, str) else dict(asked)
    chosen = [(_named(name, own), weight) for name, weight in weights.items()]

    def loss(reconstruction: Images, scan: Images) -> Tensor:
        return torch.stack([weight * term(reconstruction, scan) for term, weight in chosen]).sum()

    return loss


def _named(asked: str, own: Inside | None) -> Loss:
    before, mark, name = asked.rpartition(":")
    known = next((loss for each, loss in RECONSTRUCTION.items() if each == name), None)
    focus = next((each for each in FOCUSES if each == before), None)
    if known is None or (mark and focus is None):
        found = f"no reconstruction loss is called {asked!r}"
        *before_last, last = FOCUSES
        parts = f"{', '.join(before_last)} or {last}:NAME"
        fix = f"choose from {', '.join(RECONSTRUCTION)}, or {parts}"
        raise StopError("E_NAME", found, fix=fix)
    return known if focus is None else focused(known, focus, own)


def with_focus(asked: Reconstruction, focus: Focus) -> Reconstruction:
    """The same losses, each on this part in place of any other.

    Examples
    --------
    >>> with_focus("mse", "body"), with_focus({"mse": 10, "ssim": 0.5}, "lung")
    ('body:mse', {'lung:mse': 10, 'lung:ssim': 0.5})
    """
    if isinstance(asked, str):
        return f"{focus}:{asked.rpartition(':')[2]}"
    return {f"{focus}:{name.rpartition(':')[2]}": weight for name, weight in asked.items()}


def goes_by_masks(asked: object) -> bool:
    """Whether a member's reconstruction loss, as it is written, needs the scans' own masks.

    Examples
    --------
    >>> goes_by_masks("mask:mse"), goes_by_masks({"lung:mse": 1.0}), goes_by_masks(None)
    (True, False, False)
    """
    names = asked if isinstance(asked, Mapping) else [asked]
    return any(str(name).startswith("mask:") for name in names)
