"""How networks that were made elsewhere encode, decode and learn: one adapter a convention.

    Adapter        encode(x) is the latent, or (latent, ...): the first; decode(z) the pixels
    Intermediate   MONAI's AutoEncoder: its `intermediate` blocks end the encoder
    Variational    MONAI's VarAutoEncoder and AutoencoderKL: the latent is the mean; in training it
                   is drawn, and a KL term joins the loss
    Quantised      MONAI's VQVAE: the latent is the quantised map; its commitment joins the loss
    MaskedPatches  MONAI's MaskedAutoEncoderViT: see `latentdx.autoencoder.masked_adapter`

MONAI's classes are known by their names: nothing here imports MONAI.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

KL_WEIGHT = 0.02
"""Of the KL a pixel beside the mean squared error: as if pixels had noise of deviation 0.1."""

Extra = dict[str, Tensor]


class Adapter:
    """A module with `encode` and `decode`."""

    def __init__(self, module: Any) -> None:
        self.module = module

    def encode(self, pixels: Tensor) -> Tensor:
        """The latent in use."""
        return first_tensor(self.module.encode(pixels))

    def decode(self, latent: Tensor) -> Tensor:
        """Pixels, of whatever range."""
        return first_tensor(self.module.decode(latent))

    def learn(self, pixels: Tensor, generator: torch.Generator) -> tuple[Tensor, Extra]:
        """The latent to decode in training, and weighted terms beside the reconstruction."""
        return self.encode(pixels), {}

    def traced(self, pixels: Tensor) -> Tensor:
        """The part of the module whose maps are its layers."""
        return self.encode(pixels)

    def layers(self, pixels: Tensor) -> list[Tensor]:
        """The module's own `layers`, else what `widest_maps` sees, else the latent as a map."""
        own = getattr(self.module, "layers", None)
        if callable(own) and not isinstance(own, nn.Module):
            return list(own(pixels))
        maps, latent = widest_maps(self, pixels)
        return maps or [latent.flatten(1).reshape(len(pixels), -1, *(1,) * (pixels.ndim - 2))]


class Intermediate(Adapter):
    """`encode`, then `intermediate`."""

    def encode(self, pixels: Tensor) -> Tensor:
        """The intermediate blocks' output."""
        return first_tensor(self.module.intermediate(self.module.encode(pixels)))


class Variational(Adapter):
    """Mean and spread of a normal distribution a latent unit.

    Kingma & Welling, "Auto-encoding variational Bayes", ICLR 2014.
    """

    kl_weight = KL_WEIGHT

    def posterior(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance."""
        if hasattr(self.module, "encode_forward"):
            # not called: it takes views, which maps with channels last in memory do not have
            flat = self.module.intermediate(self.module.encode(pixels)).flatten(1)
            return self.module.mu(flat), self.module.logvar(flat)
        mean, deviation = self.module.encode(pixels)
        return mean, 2 * deviation.clamp(min=1e-12).log()

    def encode(self, pixels: Tensor) -> Tensor:
        """The mean."""
        return self.posterior(pixels)[0]

    def decode(self, latent: Tensor) -> Tensor:
        """With the sigmoid that the module was made with, if any."""
        if hasattr(self.module, "decode_forward"):
            return first_tensor(self.module.decode_forward(latent, self.module.use_sigmoid))
        return first_tensor(self.module.decode(latent))

    def learn(self, pixels: Tensor, generator: torch.Generator) -> tuple[Tensor, Extra]:
        """A drawn latent, and the weighted KL a pixel."""
        mean, log_variance = (held.float() for held in self.posterior(pixels))
        noise = torch.randn(mean.shape, generator=generator).to(mean.device)
        drawn = mean + noise * (log_variance / 2).exp()
        apart = (mean.square() + log_variance.exp() - 1 - log_variance) / 2
        share = apart.flatten(1).sum(dim=1).mean() / math.prod(pixels.shape[1:])
        return drawn, {"kl": self.kl_weight * share}


class Quantised(Adapter):
    """`quantize` gives (quantised map, commitment loss); its codebook moves in training alone.

    Van den Oord et al., "Neural discrete representation learning", NeurIPS 2017.
    """

    def encode(self, pixels: Tensor) -> Tensor:
        """The quantised map; the codebook stays as it is."""
        quantizer = self.module.quantizer
        was_training = quantizer.training
        quantizer.eval()
        quantised, _ = self.module.quantize(self.module.encode(pixels))
        quantizer.train(was_training)
        return first_tensor(quantised)

    def traced(self, pixels: Tensor) -> Tensor:
        """All before the codebook."""
        return first_tensor(self.module.encode(pixels))

    def learn(self, pixels: Tensor, generator: torch.Generator) -> tuple[Tensor, Extra]:
        """The quantised map with a gradient straight through, and the commitment."""
        quantised, commitment = self.module.quantize(self.module.encode(pixels))
        return quantised, {"commitment": commitment}


def widest_maps(adapter: Adapter, pixels: Tensor) -> tuple[list[Tensor], Tensor]:
    """Maps (N, C_i, *spatial_i) that the encoder makes on its way, and what it ends with.

    Of each resolution the widest map is taken, of equally wide ones the last; resolutions that do
    not fall are left out. What is no map (tokens, vectors) is not seen: give the module a method
    `layers` to be explicit.
    """
    found: dict[tuple[int, ...], Tensor] = {}

    def note(_: nn.Module, __: Any, output: Any) -> None:
        is_map = isinstance(output, Tensor) and output.ndim == pixels.ndim
        if is_map and len(output) == len(pixels):
            held = found.get(tuple(output.shape[2:]))
            if held is None or output.shape[1] >= held.shape[1]:
                found[tuple(output.shape[2:])] = output

    handles = [part.register_forward_hook(note) for part in adapter.module.modules()]
    try:
        latent = adapter.traced(pixels)
    finally:
        for handle in handles:
            handle.remove()
    falling: list[Tensor] = []
    for size, maps in found.items():
        before = falling[-1].shape[2:] if falling else [side + 1 for side in size]
        if all(now <= then for now, then in zip(size, before, strict=True)):
            falling.append(maps)
    return falling, latent


def first_tensor(output: Any) -> Tensor:
    """A tensor as it is; of a tuple or list (latent, ...) the first."""
    found = output[0] if isinstance(output, tuple | list) and output else output
    if not isinstance(found, Tensor):
        raise TypeError(f"a tensor or (tensor, ...) was expected, found {type(found).__name__}")
    return found
