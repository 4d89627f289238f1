"""The denoising autoencoder: it sees a spoilt scan and has to give back the clean one.

    encode:  `Down`, 1x1 conv -> latent map z
    decode:  1x1 conv -> ReLU, `Up`
    loss:    R(x, decode(encode(x + noise)))

Noise is drawn in training only. It is one of

    gaussian         x + s e,  e ~ N(0, 1) for every pixel
    masking          a share s of the pixels is set to 0
    salt-and-pepper  a share s of the pixels is set to 0 or 1, whichever
    coarse           x + s e,  e ~ N(0, 1) drawn on a grid of 1/8 of the size, enlarged linearly
                     and rolled by a drawn offset

Coarse noise is as large as lesions are, so a network that takes it away takes away what it has
never seen: its error maps find anomalies. The first three are for features.

Vincent, Larochelle, Bengio & Manzagol, "Extracting and composing robust features with denoising
autoencoders", ICML 2008; with more noises, Vincent et al., JMLR 2010. Coarse noise: Kascenas,
Pugeault & O'Neil, "Denoising autoencoders for unsupervised anomaly detection in brain MRI",
MIDL 2022.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, final, get_args

import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from latentdx.autoencoder.base import Autoencoder, Images, Size
from latentdx.autoencoder.blocks import convolution
from latentdx.autoencoder.losses.reconstruction import Reconstruction, reconstruction_loss
from latentdx.autoencoder.trunk import Down, Up
from latentdx.core.errors import StopError

Noise = Literal["gaussian", "masking", "salt-and-pepper", "coarse"]

_COARSER = 8


@final
class DenoisingAutoencoder(Autoencoder):
    """Reconstruction of the clean scan from a spoilt one.

    Parameters
    ----------
    channels, size: of the scans, (C, *size).
    widths: channels of the stages; the first works at half the resolution of the scan, each
        later one at half of the one before.
    latent_dim: channels of the latent map z at the last stage's resolution.
    noise: its kind.
    noise_level: s of its formula: a standard deviation in units of the pixels' range 0..1, or a
        share of the pixels.
    reconstruction: the reconstruction loss by name, or weights by name.

    Shapes
    ------
    pixels (N, C, *size) -> latent (N, latent_dim, *deepest) -> reconstruction (N, C, *size)

    Raises
    ------
    StopError: ``E_NAME`` for an unknown kind of noise.

    Examples
    --------
    >>> network = DenoisingAutoencoder(channels=1, size=28, noise="coarse")
    >>> list(network.losses(torch.rand(8, 1, 28, 28), torch.Generator().manual_seed(0)))
    ['reconstruction']
    """

    def __init__(
        self,
        *,
        channels: int = 1,
        size: Size = 64,
        widths: Sequence[int] = (48, 96, 192),
        latent_dim: int = 8,
        noise: Noise = "gaussian",
        noise_level: float = 0.2,
        reconstruction: Reconstruction = "mse",
    ) -> None:
        super().__init__(channels=channels, size=size)
        if noise not in NOISES:
            fix = f"choose one of {', '.join(NOISES)}"
            raise StopError("E_NAME", f"no noise is called {noise!r}", fix=fix)
        self.widths = tuple(widths)
        self.latent_dim = latent_dim
        self.noise: Noise = noise
        self.noise_level = noise_level
        self.reconstruction = reconstruction
        deepest = self.widths[-1]
        self.down = Down(channels, self.size, self.widths)
        self.to_latent = convolution(self.dims, deepest, latent_dim, 1)
        self.from_latent = convolution(self.dims, latent_dim, deepest, 1)
        self.up = Up(channels, self.size, self.widths)

    @override
    def layers(self, pixels: Images) -> list[Tensor]:
        maps: list[Tensor] = self.down(self.normalise(pixels))
        return maps

    @override
    def encode(self, pixels: Images) -> Tensor:
        latent: Tensor = self.to_latent(self.layers(pixels)[-1])
        return latent

    @override
    def decode(self, latent: Tensor) -> Images:
        pixels: Tensor = self.up(torch.relu(self.from_latent(latent)))
        return pixels

    @override
    def losses(self, pixels: Images, generator: torch.Generator) -> dict[str, Tensor]:
        rebuilt = self(self.spoilt(pixels, generator))
        error = reconstruction_loss(self.reconstruction, self.inside)
        return {"reconstruction": error(rebuilt, pixels)}

    def spoilt(self, pixels: Images, generator: torch.Generator) -> Images:
        """The scans with noise drawn from `generator`."""
        return NOISES[self.noise](pixels, self.noise_level, generator)


def gaussian(pixels: Images, level: float, generator: torch.Generator) -> Images:
    """Add noise of standard deviation `level` to every pixel; the range 0..1 may be left."""
    return pixels + level * torch.randn(pixels.shape, generator=generator).to(pixels.device)


def masking(pixels: Images, level: float, generator: torch.Generator) -> Images:
    """Set a share `level` of the pixels to 0."""
    drawn = torch.rand(pixels.shape, generator=generator).to(pixels.device)
    return torch.where(drawn < level, 0.0, pixels)


def salt_and_pepper(pixels: Images, level: float, generator: torch.Generator) -> Images:
    """Set a share `level` of the pixels to 0 or to 1, with equal chances."""
    drawn = torch.rand(pixels.shape, generator=generator).to(pixels.device)
    return torch.where(drawn < level, (drawn < level / 2).to(pixels.dtype), pixels)


def coarse(pixels: Images, level: float, generator: torch.Generator) -> Images:
    """Add noise drawn on a grid of an eighth of the size, enlarged linearly and rolled.

    The roll, one for the batch, keeps the grid's knots from staying at the same pixels.
    """
    count, channels, *size = pixels.shape
    grid = [max(2, side // _COARSER) for side in size]
    drawn = torch.randn(count, channels, *grid, generator=generator)
    shifts = [int(torch.randint(side, (1,), generator=generator)) for side in size]
    mode = "bilinear" if len(size) == 2 else "trilinear"
    noise = functional.interpolate(drawn.to(pixels.device), size=size, mode=mode)
    return pixels + level * noise.roll(shifts, dims=tuple(range(2, pixels.ndim)))


NOISES: dict[Noise, Callable[[Images, float, torch.Generator], Images]] = {
    "gaussian": gaussian,
    "masking": masking,
    "salt-and-pepper": salt_and_pepper,
    "coarse": coarse,
}
assert set(NOISES) == set(get_args(Noise))
