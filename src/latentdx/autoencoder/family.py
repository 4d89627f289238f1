"""The family by name: what `--autoencoder` accepts, and a network from its name and settings."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import Any, Final, Literal, get_args

import torch
from torch import nn

from latentdx.autoencoder.adversarial import AdversarialAutoencoder
from latentdx.autoencoder.base import Autoencoder, spatial_size
from latentdx.autoencoder.blocks import laid_out
from latentdx.autoencoder.contractive import ContractiveAutoencoder
from latentdx.autoencoder.convolutional import ConvolutionalAutoencoder
from latentdx.autoencoder.denoising import DenoisingAutoencoder
from latentdx.autoencoder.invariant import InvariantAutoencoder
from latentdx.autoencoder.masked import MaskedAutoencoder
from latentdx.autoencoder.masked_vit import MaskedVitAutoencoder
from latentdx.autoencoder.monai_networks import (
    MonaiAutoencoder,
    MonaiAutoencoderKl,
    MonaiVarAutoencoder,
    MonaiVqVae,
)
from latentdx.autoencoder.monai_vit import MonaiMaeVit
from latentdx.autoencoder.own_module import as_network, redrawn, restored
from latentdx.autoencoder.residual import ResidualAutoencoder
from latentdx.autoencoder.sparse import SparseAutoencoder
from latentdx.autoencoder.vae_gan import VaeGanAutoencoder
from latentdx.autoencoder.variational import VariationalAutoencoder
from latentdx.autoencoder.vector_quantised import VectorQuantisedAutoencoder
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
    "monai-autoencoder",
    "monai-varautoencoder",
    "monai-vqvae",
    "monai-autoencoderkl",
    "monai-mae-vit",
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
    "monai-autoencoder": MonaiAutoencoder,
    "monai-varautoencoder": MonaiVarAutoencoder,
    "monai-vqvae": MonaiVqVae,
    "monai-autoencoderkl": MonaiAutoencoderKl,
    "monai-mae-vit": MonaiMaeVit,
}
assert set(FAMILY) == set(get_args(AutoencoderName))

BUILT_IN = tuple(name for name in FAMILY if not name.startswith("monai-"))
"""The family's own, which need no other package."""

OWN: Final = "own"
"""What a user's own module goes by where a name is written down."""

AnyName = AutoencoderName | Literal["own"]


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
    if name == OWN:
        found = "a module of your own is not built by its name"
        raise StopError("E_CONFIG", found, fix="give it in Python: autoencoder=module")
    raise StopError(
        "E_NAME",
        f"no autoencoder is called {name!r}",
        fix=f"choose one of {', '.join(FAMILY)}",
    )


def network_for(
    given: str | nn.Module, settings: Mapping[str, Any], *, seed: int = 0
) -> Autoencoder:
    """A network by name, or a copy of a user's own module for scans of that shape.

    Raises the errors of `build` and `as_network`, and `StopError` ``E_CONFIG`` for a setting that
    the member does not have; a module has none but `channels` and `size`.
    """
    if isinstance(given, str):
        _require_known(given, settings)
        return build(given, settings, seed=seed)
    if more := sorted(settings.keys() - {"channels", "size"}):
        found = f"{more[0]} is set, but the autoencoder is a module of your own"
        raise StopError("E_CONFIG", found, fix="leave it out, and make the module so")
    shape = (settings["channels"], *spatial_size(settings["size"]))
    network: Autoencoder = laid_out(as_network(given, shape))
    return network


def _require_known(name: str, settings: Mapping[str, Any]) -> None:
    """Raise `StopError` ``E_CONFIG`` for a setting that a member does not have."""
    for known, kind in FAMILY.items():
        own = signature(kind).parameters
        if known == name and (wrong := sorted(settings.keys() - own.keys())):
            found = f"{name} has no setting {wrong[0]!r}"
            raise StopError("E_CONFIG", found, fix=f"its settings are {', '.join(own)}")


def name_of(network: Autoencoder) -> AnyName:
    """The name under which a network is built again; ``own`` for a user's."""
    return next((name for name, kind in FAMILY.items() if type(network) is kind), OWN)


def rebuild(name: str, settings: Mapping[str, Any], module: nn.Module | None = None) -> Autoencoder:
    """The network that saved weights belong to, before they are loaded.

    `module`: the user's own, where the name is ``own``. Raises the errors of `build`, `StopError`
    ``E_CONFIG`` where it is missing, or given for a network that needs none, and ``E_SHAPE`` where
    it is another one.
    """
    if name == OWN:
        network: Autoencoder = laid_out(restored(settings, module))
        return network
    if module is not None:
        found = f"a module was given for weights of {name!r}, which is built by its name"
        raise StopError("E_CONFIG", found, fix="leave `autoencoder` out")
    return build(name, settings)


def untrained(network: Autoencoder, *, seed: int) -> Autoencoder:
    """The same architecture with fresh weights."""
    name = name_of(network)
    if name == OWN:
        return redrawn(network, seed=seed)
    return build(name, network.settings(), seed=seed)
