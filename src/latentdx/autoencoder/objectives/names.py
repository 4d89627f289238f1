"""The objectives by name: what `--objective` accepts."""

from __future__ import annotations

from typing import Literal, get_args

import torch

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.objectives.base import Objective
from latentdx.autoencoder.objectives.vicreg import VicReg
from latentdx.core.errors import StopError
from latentdx.core.seeds import derive_seed

ObjectiveName = Literal["vicreg"]

OBJECTIVES: dict[ObjectiveName, type[Objective]] = {"vicreg": VicReg}
assert set(OBJECTIVES) == set(get_args(ObjectiveName))


def build_objective(name: str, network: Autoencoder, *, seed: int = 0) -> Objective:
    """An objective for `network` with fresh weights drawn from `seed`.

    Raises `StopError` ``E_NAME`` for an unknown name.
    """
    for known, kind in OBJECTIVES.items():
        if known == name:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(derive_seed(seed, "objective", name))
                return kind(network)
    found = f"no objective is called {name!r}"
    raise StopError("E_NAME", found, fix=f"choose from {', '.join(OBJECTIVES)}")
