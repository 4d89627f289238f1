"""The objectives by name: what `--objective` accepts."""

from __future__ import annotations

from typing import Literal, get_args

import torch

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.blocks import laid_out
from latentdx.autoencoder.objectives.adversarial import Adversarial
from latentdx.autoencoder.objectives.barlow import BarlowTwins
from latentdx.autoencoder.objectives.base import Objective
from latentdx.autoencoder.objectives.contrastive import Contrastive
from latentdx.autoencoder.objectives.latent_prediction import LatentPrediction
from latentdx.autoencoder.objectives.local_vicreg import LocalVicReg
from latentdx.autoencoder.objectives.perceptual import Perceptual
from latentdx.autoencoder.objectives.position import Position
from latentdx.autoencoder.objectives.rotation import Rotation
from latentdx.autoencoder.objectives.vicreg import VicReg
from latentdx.core.errors import StopError
from latentdx.core.seeds import derive_seed

ObjectiveName = Literal[
    "vicreg",
    "local-vicreg",
    "barlow",
    "contrastive",
    "latent-prediction",
    "rotation",
    "position",
    "perceptual",
    "adversarial",
]

OBJECTIVES: dict[ObjectiveName, type[Objective]] = {
    "vicreg": VicReg,
    "local-vicreg": LocalVicReg,
    "barlow": BarlowTwins,
    "contrastive": Contrastive,
    "latent-prediction": LatentPrediction,
    "rotation": Rotation,
    "position": Position,
    "perceptual": Perceptual,
    "adversarial": Adversarial,
}
assert set(OBJECTIVES) == set(get_args(ObjectiveName))


def own_weight(name: str) -> float:
    """The weight of an objective where none is given. Raises `StopError` ``E_NAME``."""
    return _kind(name).weight


def build_objective(name: str, network: Autoencoder, *, seed: int = 0) -> Objective:
    """An objective for `network` with fresh weights drawn from `seed`.

    Raises `StopError` ``E_NAME`` for an unknown name.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "objective", name))
        objective: Objective = laid_out(_kind(name)(network))
        return objective


def _kind(name: str) -> type[Objective]:
    for known, kind in OBJECTIVES.items():
        if known == name:
            return kind
    found = f"no objective is called {name!r}"
    raise StopError("E_NAME", found, fix=f"choose from {', '.join(OBJECTIVES)}")
