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
from latentdx.autoencoder.objectives.deep_coral import DeepCoral
from latentdx.autoencoder.objectives.domain_adversarial import DomainAdversarial
from latentdx.autoencoder.objectives.domains import DomainObjective
from latentdx.autoencoder.objectives.latent_prediction import LatentPrediction
from latentdx.autoencoder.objectives.local_vicreg import LocalVicReg
from latentdx.autoencoder.objectives.mmd import MeanDiscrepancy
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

VIEWED: tuple[ObjectiveName, ...] = ("vicreg", "local-vicreg", "barlow", "contrastive")
"""They learn from two views of every scan."""

DomainObjectiveName = Literal["domain-adversarial", "deep-coral", "mmd"]

DOMAIN_OBJECTIVES: dict[DomainObjectiveName, type[DomainObjective]] = {
    "domain-adversarial": DomainAdversarial,
    "deep-coral": DeepCoral,
    "mmd": MeanDiscrepancy,
}
"""They need to know which place each scan is from."""
assert set(DOMAIN_OBJECTIVES) == set(get_args(DomainObjectiveName))


def own_weight(name: str) -> float:
    """The weight of an objective where none is given. Raises `StopError` ``E_NAME``."""
    return (_domain_kind(name) or _kind(name)).weight


def build_objective(name: str, network: Autoencoder, *, seed: int = 0) -> Objective:
    """An objective for `network` with fresh weights drawn from `seed`.

    Raises `StopError` ``E_NAME`` for an unknown name.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "objective", name))
        objective: Objective = laid_out(_kind(name)(network))
        return objective


def build_domain_objective(
    name: str, network: Autoencoder, n_domains: int, *, seed: int = 0
) -> DomainObjective | None:
    """As `build_objective`, of those that need domains; None where `name` is none of them."""
    kind = _domain_kind(name)
    if kind is None:
        return None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "objective", name))
        objective: DomainObjective = laid_out(kind(network, n_domains))
        return objective


def _domain_kind(name: str) -> type[DomainObjective] | None:
    return next((kind for known, kind in DOMAIN_OBJECTIVES.items() if known == name), None)


def _kind(name: str) -> type[Objective]:
    for known, kind in OBJECTIVES.items():
        if known == name:
            return kind
    found = f"no objective is called {name!r}"
    raise StopError(
        "E_NAME", found, fix=f"choose from {', '.join((*OBJECTIVES, *DOMAIN_OBJECTIVES))}"
    )
