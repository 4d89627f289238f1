"""`Autoencoder`: what every member of the family is and can do, on images and on volumes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from latentdx.autoencoder.losses.focus import Inside
from latentdx.collection.augment import VIEWS, AugmentSettings

Images = Float[Tensor, "batch channel *spatial"]
Size = int | Sequence[int]


class Autoencoder(nn.Module, ABC):
    """An encoder, a decoder and the loss that trains both; pixels are in 0..1.

    A member is final: it says how it encodes, decodes and learns in one file.

    Attributes
    ----------
    channels, size: of the scans, (C, *size); `size` has two entries for images, three for volumes.
    mean, std: fitted on the training part; they travel with the weights.
    learning_rate: the one that the member is trained with unless another is asked for.
    progress: share of the training that is behind it, 0..1, set by the engine: what schedules in
        `losses` (a KL weight that grows, say) read. Not saved.
    views: how augmented views of a scan are drawn where `losses` needs them; set by the engine.
    inside: of the batch that `losses` is about to see, each scan's own mask, where the loss goes
        by masks; set by the engine. Not saved.
    """

    learning_rate: ClassVar[float] = 2e-3
    mean: Tensor
    std: Tensor

    def __init__(self, *, channels: int, size: Size) -> None:
        super().__init__()
        self.channels = channels
        self.size = spatial_size(size)
        self.progress = 1.0
        self.views: AugmentSettings = VIEWS
        self.inside: Inside | None = None
        ones = (1,) * self.dims
        self.register_buffer("mean", torch.zeros(1, channels, *ones))
        self.register_buffer("std", torch.ones(1, channels, *ones))

    @property
    def dims(self) -> int:
        """2 for images, 3 for volumes."""
        return len(self.size)

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, *size) of one scan."""
        return (self.channels, *self.size)

    def normalise(self, pixels: Images) -> Images:
        """Centre and scale pixels by the training part's mean and standard deviation."""
        return (pixels - self.mean) / self.std

    def set_normalisation(self, mean: Tensor, std: Tensor) -> None:
        """Set ``mean`` and ``std`` from those of the training part, (C,) each."""
        self.mean.copy_(mean.reshape(self.mean.shape))
        self.std.copy_(std.reshape(self.std.shape).clamp(min=1e-3))

    def fit_normalisation(self, pixels: Images) -> None:
        """Set ``mean`` and ``std`` (per channel) from pixels of the training part."""
        axes = (0, *range(2, pixels.ndim))
        self.set_normalisation(pixels.mean(dim=axes), pixels.std(dim=axes))

    @abstractmethod
    def layers(self, pixels: Images) -> list[Tensor]:
        """Feature maps (N, C_i, *spatial_i) of the encoder, from shallow to deep."""

    @abstractmethod
    def encode(self, pixels: Images) -> Tensor:
        """Pixels to latent (N, latent_dim) or, for a latent map, (N, latent_dim, *spatial)."""

    @abstractmethod
    def decode(self, latent: Tensor) -> Images:
        """Latent to a reconstruction (N, C, *size) in 0..1."""

    @abstractmethod
    def losses(self, pixels: Images, generator: torch.Generator) -> dict[str, Tensor]:
        """The weighted terms of the training loss for a batch; their sum is what is minimised."""

    def settings(self) -> dict[str, Any]:
        """The JSON-able keyword arguments that build this network again.

        A member keeps each argument of its constructor as an attribute of that name.
        """
        return {name: _plain(getattr(self, name)) for name in signature(type(self)).parameters}

    def measures(self, pixels: Images) -> dict[str, float]:
        """What else tells whether the training is healthy: perplexity of a codebook, say."""
        return {}

    def forward(self, pixels: Images) -> Images:
        """Reconstruct."""
        return self.decode(self.encode(pixels))


class GenerativeAutoencoder(Autoencoder, ABC):
    """An autoencoder whose latent has a prior, so that scans can be drawn from it."""

    @abstractmethod
    def sample(self, count: int, generator: torch.Generator) -> Images:
        """Draw latents from the prior and decode them: (count, C, *size) in 0..1."""

    def interpolate(self, first: Images, second: Images, steps: int) -> Images:
        """Decode `steps` latents on the straight line between two scans (1, C, *size) each.

        Returns (steps, C, *size): the first is the reconstruction of `first`, the last of `second`.
        """
        start, end = self.encode(first), self.encode(second)
        shares = torch.linspace(0, 1, steps, device=start.device)
        return self.decode(torch.cat([torch.lerp(start, end, share) for share in shares]))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


def spatial_size(size: Size) -> tuple[int, ...]:
    """``28`` is a square image, ``(29, 31)`` an image, ``(16, 24, 20)`` a volume.

    Examples
    --------
    >>> spatial_size(28), spatial_size([16, 24, 20])
    ((28, 28), (16, 24, 20))
    """
    found = (size, size) if isinstance(size, int) else tuple(int(side) for side in size)
    if len(found) not in (2, 3) or min(found) < 1:
        raise ValueError(f"size has to be a side, or two or three sides, found {size!r}")
    return found


def halved_sizes(size: Sequence[int], times: int) -> list[tuple[int, ...]]:
    """[size, ceil(size / 2), ceil(size / 4), ...]: odd sizes are rounded up, never cut.

    Examples
    --------
    >>> halved_sizes((28, 31), 2)
    [(28, 31), (14, 16), (7, 8)]
    """
    sizes = [tuple(size)]
    for _ in range(times):
        sizes.append(tuple(-(-side // 2) for side in sizes[-1]))
    return sizes
