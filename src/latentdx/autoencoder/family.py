"""The family by name: what `--autoencoder` accepts, and a network from its name and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import torch

from latentdx.autoencoder.adversarial import AdversarialAutoencoder
from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.blocks import laid_out
from latentdx.autoencoder.contractive import ContractiveAutoencoder
from latentdx.autoencoder.convolutional import ConvolutionalAutoencoder
from latentdx.autoencoder.denoising import DenoisingAutoencoder
from latentdx.autoencoder.invariant import InvariantAutoencoder
from latentdx.autoencoder.masked import MaskedAutoencoder
from latentdx.autoencoder.masked_vit import MaskedVitAutoencoder
from latentdx.autoencoder.residual import ResidualAutoencoder
from latentdx.autoencoder.sparse import SparseAutoencoder
from latentdx.autoencoder.vector_quantised import VectorQuantisedAutoencoder
from latentdx.autoencoder.vae_gan import VaeGanAutoencoder
from latentdx.autoencoder.variational import VariationalAutoencoder
from latentdx.core.errors import StopError
from latentdx.core.seeds import derive_seed

AutoencoderName = Literal[
    "invariant",
    "convolutional",
    "masked",
    "masked-vit",
    "residual",
    "denoising",
    "sparse",
    "contractive",
    "vector-quantised",
    "variational",
    "adversarial",
    "vae-gan",
]

FAMILY: dict[AutoencoderName, type[Autoencoder]] = {
    "invariant": InvariantAutoencoder,
    "convolutional": ConvolutionalAutoencoder,
    "masked": MaskedAutoencoder,
    "masked-vit": MaskedVitAutoencoder,
    "residual": ResidualAutoencoder,
    "denoising": DenoisingAutoencoder,
    "sparse": SparseAutoencoder,
    "contractive": ContractiveAutoencoder,
    "vector-quantised": VectorQuantisedAutoencoder,
    "variational": VariationalAutoencoder,
    "adversarial": AdversarialAutoencoder,
    "vae-gan": VaeGanAutoencoder,
}
assert set(FAMILY) == set(get_args(AutoencoderName))


def build(name: str, settings: Mapping[str, Any], *, seed: int = 0) -> Autoencoder:
    """A network with fresh weights drawn from `seed`; torch's own generator is left alone.

    Raises `StopError` ``E_NAME`` for an unknown name.

    Examples
    --------
    >>> build("convolutional", {"channels": 1, "size": 28}).latent_dim
    32
    """
    for known, kind in FAMILY.items():
        if known == name:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(derive_seed(seed, "weights", name))
                network: Autoencoder = laid_out(kind(**settings))
                return network
    raise StopError(
        "E_NAME",
        f"no autoencoder is called {name!r}",
        fix=f"choose one of {', '.join(FAMILY)}",
    )


def name_of(network: Autoencoder) -> AutoencoderName:
    """The name under which a network is built again."""
    return next(name for name, kind in FAMILY.items() if type(network) is kind)
