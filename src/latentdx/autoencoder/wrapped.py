"""`WrappedAutoencoder`: a network that was made elsewhere, as a member of the family."""

from __future__ import annotations

from abc import ABC
from typing import Any, Literal

import torch
from torch import Tensor, nn
from typing_extensions import override

from latentdx.autoencoder.adapters import Adapter, Intermediate, Quantised, Variational
from latentdx.autoencoder.base import Autoencoder, Images, Size
from latentdx.autoencoder.losses.reconstruction import Reconstruction, reconstruction_loss
from latentdx.autoencoder.masked_adapter import MaskedPatches
from latentdx.autoencoder.masking import MaskedLoss
from latentdx.autoencoder.patches import padded

Output = Literal["clamp", "sigmoid"]
"""How reconstructions come to lie in 0..1: cut off (in use alone, so that training keeps its
gradients), or by a sigmoid."""

_VISIBLE_WEIGHT = 0.2
_WHOLE = 8  # of so many scans of a batch a masked network sees one whole

_MONAI: dict[str, type[Adapter]] = {
    "VarAutoEncoder": Variational,
    "AutoencoderKL": Variational,
    "VQVAE": Quantised,
    "MaskedAutoEncoderViT": MaskedPatches,
    "AutoEncoder": Intermediate,
}


class WrappedAutoencoder(Autoencoder, ABC):
    """A `torch.nn.Module` that does the work, by an adapter to its convention.

    The module sees pixels in 0..1 as they are: `mean` and `std` are not used.

    Attributes
    ----------
    module: the network.
    output: how reconstructions come to lie in 0..1.
    multiple: sides are padded to multiples of it before, and cut after the module.
    """

    module: nn.Module

    def __init__(
        self,
        *,
        channels: int,
        size: Size,
        module: nn.Module,
        reconstruction: Reconstruction = "mse",
        output: Output = "clamp",
        multiple: int = 1,
    ) -> None:
        super().__init__(channels=channels, size=size)
        self.module = module
        self.adapter = adapter_for(module)
        self.reconstruction = reconstruction
        self.output = output
        self.multiple = multiple

    @override
    def layers(self, pixels: Images) -> list[Tensor]:
        return self.adapter.layers(padded(pixels, self.multiple))

    @override
    def encode(self, pixels: Images) -> Tensor:
        return self.adapter.encode(padded(pixels, self.multiple))

    @override
    def decode(self, latent: Tensor) -> Images:
        return self._in_range(self._cut(self.adapter.decode(latent)))

    def _in_range(self, pixels: Tensor) -> Tensor:
        if self.output == "sigmoid":
            return torch.sigmoid(pixels)
        return pixels if self.training else pixels.clamp(0, 1)

    def _cut(self, pixels: Tensor) -> Tensor:
        if self.multiple > 1:
            for axis, side in enumerate(self.size, 2):
                pixels = pixels.narrow(axis, 0, side)
        return pixels

    @override
    def losses(self, pixels: Images, generator: torch.Generator) -> dict[str, Tensor]:
        own: Any = getattr(self.module, "losses", None)
        if callable(own) and not isinstance(own, nn.Module):
            return dict(own(pixels, generator))
        whole = padded(pixels, self.multiple)
        if isinstance(self.adapter, MaskedPatches):
            rebuilt, visible = self.adapter.fill_in(whole, generator)
            loss = MaskedLoss(self.reconstruction, _VISIBLE_WEIGHT, self.adapter.patch, False)
            rebuilt, own = self._in_range(self._cut(rebuilt)), self.inside
            terms = loss(rebuilt, pixels, self._cut(visible), own)
            few = pixels[: -(-len(pixels) // _WHOLE)]
            whole_own = None if own is None else own[: len(few)]
            return {**terms, "whole": loss.whole(self(few), few, whole_own)}
        latent, extra = self.adapter.learn(whole, generator)
        error = reconstruction_loss(self.reconstruction, self.inside)(self.decode(latent), pixels)
        return {"reconstruction": error, **extra}


def adapter_for(module: nn.Module) -> Adapter:
    """MONAI's networks have adapters of their own; any other has `encode` and `decode`."""
    return (known_adapter(module) or Adapter)(module)


def known_adapter(module: nn.Module) -> type[Adapter] | None:
    """That of one of MONAI's networks, or of a class made from one."""
    for kind in type(module).__mro__:
        if kind.__module__.startswith("monai.") and kind.__name__ in _MONAI:
            return _MONAI[kind.__name__]
    return None
