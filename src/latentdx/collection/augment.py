"""Augmentation by batch, drawn first and then applied, so that a draw can be recorded and replayed.

The geometry of all images of a batch is one affine grid and one ``grid_sample``; the intensity
changes are a few element-wise operations. Both run on the device of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class AugmentSettings:
    """How far a draw may go. Angles in degrees, shifts as a fraction of the side.

    ``zoom`` is the range of magnification: (0.9, 1.1) keeps the body part in view, (1.0, 1.8)
    crops. ``flip`` is the chance of a left-right flip: set 0 where laterality is the diagnosis.
    """

    rotation: float = 8.0
    shift: float = 0.06
    zoom: tuple[float, float] = (0.9, 1.1)
    flip: float = 0.5
    contrast: float = 0.0
    brightness: float = 0.0
    gamma: float = 0.0
    noise: float = 0.0


GEOMETRIC = AugmentSettings()
"""Copies for the classifier: small rotation, shift, scale, flip."""

VIEWS = AugmentSettings(
    rotation=15.0,
    shift=0.08,
    zoom=(0.9, 1.6),
    contrast=0.3,
    brightness=0.15,
    gamma=0.4,
    noise=0.03,
)
"""Two views of a scan for an invariance objective: stronger, with exposure changes and noise."""


@dataclass(frozen=True)
class Draw:
    """The random numbers of one augmented batch: `theta` (N, 2, 3), the others (N, 1, 1, 1)."""

    theta: Float[Tensor, "batch 2 3"]
    contrast: Float[Tensor, "batch 1 1 1"]
    brightness: Float[Tensor, "batch 1 1 1"]
    gamma: Float[Tensor, "batch 1 1 1"]
    noise: float
    noise_seed: int


def draw(
    count: int, settings: AugmentSettings, generator: torch.Generator, *, dims: int = 2
) -> Draw:
    """Draw the parameters for ``count`` images, or volumes (`dims` 3)."""

    def spread(limit: float) -> Tensor:
        return (torch.rand(count, generator=generator) * 2 - 1) * limit

    angle = spread(settings.rotation) * torch.pi / 180
    low, high = settings.zoom
    scale = 1 / (low + (high - low) * torch.rand(count, generator=generator))
    flip = 1 - 2 * (torch.rand(count, generator=generator) < settings.flip).float()
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    # a zoomed-in view may look anywhere in the image, not only at its middle
    room = settings.shift * 2 + (1 - scale).clamp(min=0)
    if dims == 2:
        rows = [cos * flip, -sin, spread(1.0) * room, sin * flip, cos, spread(1.0) * room]
    else:
        none = torch.zeros(count)
        rows = [cos * flip, -sin, none, spread(1.0) * room]
        rows += [sin * flip, cos, none, spread(1.0) * room]
        rows += [none, none, scale, spread(1.0) * room]
    column = (count, *(1,) * (dims + 1))
    return Draw(
        theta=torch.stack(rows, dim=1).reshape(count, dims, dims + 1),
        contrast=torch.exp(spread(settings.contrast)).reshape(column),
        brightness=spread(settings.brightness).reshape(column),
        gamma=torch.exp(spread(settings.gamma)).reshape(column),
        noise=settings.noise,
        noise_seed=int(torch.randint(2**31, (1,), generator=generator)),
    )


def apply(
    pixels: Float[Tensor, "batch channel height width"], drawn: Draw
) -> Float[Tensor, "batch channel height width"]:
    """Apply a draw to pixels in 0..1; what comes from outside the image is black.

    Examples
    --------
    >>> generator = torch.Generator().manual_seed(0)
    >>> pixels = torch.rand(2, 1, 28, 28)
    >>> apply(pixels, draw(2, GEOMETRIC, generator)).shape
    torch.Size([2, 1, 28, 28])
    """
    device = pixels.device
    size = list(pixels.shape)
    grid = functional.affine_grid(drawn.theta.to(device), size, align_corners=False)
    moved = functional.grid_sample(pixels, grid, align_corners=False)
    return _change_intensity(moved, drawn)


def _change_intensity(pixels: Tensor, drawn: Draw) -> Tensor:
    device = pixels.device
    if not torch.equal(drawn.gamma, torch.ones_like(drawn.gamma)):
        pixels = pixels.clamp(min=1e-4).pow(drawn.gamma.to(device))
    pixels = (pixels - 0.5) * drawn.contrast.to(device) + 0.5 + drawn.brightness.to(device)
    if drawn.noise:
        generator = torch.Generator(device).manual_seed(drawn.noise_seed)
        pixels = pixels + drawn.noise * torch.randn(
            pixels.shape, generator=generator, device=device
        )
    return pixels.clamp(0, 1)
