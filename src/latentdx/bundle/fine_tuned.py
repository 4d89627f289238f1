"""A fine-tuned network as arrays: of its encoder only the weights that differ are written."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from latentdx.autoencoder.base import Autoencoder
from latentdx.diagnosis.fine_tuned import FineTuned, FineTuneFacts
from latentdx.diagnosis.machines import to_arrays
from latentdx.diagnosis.machines_linear import Linear
from latentdx.features.whiten import Standardiser

Arrays = Mapping[str, NDArray[Any]]
_WEIGHT = "encoder."


def tuned_arrays(tuned: FineTuned) -> dict[str, NDArray[Any]]:
    """Its arrays by name; ``encoder.NAME`` are weights that were trained."""
    held = dict(tuned.encoder.named_parameters())
    found = {f"{_WEIGHT}{name}": held[name].detach().cpu().numpy() for name in tuned.names}
    found.update({f"standardiser.{k}": each for k, each in to_arrays(tuned.standardiser).items()})
    found.update({f"linear.{k}": each for k, each in to_arrays(tuned.linear).items()})
    return found


def tuned_from(encoder: Autoencoder, arrays: Arrays, facts: FineTuneFacts) -> FineTuned:
    """Undo `tuned_arrays`: `encoder`, as it was before, is copied and the weights put in.

    Raises KeyError where an array is missing, or is none of the encoder's.
    """
    own = copy.deepcopy(encoder)
    held = dict(own.named_parameters())
    weights = {
        name.removeprefix(_WEIGHT): array
        for name, array in arrays.items()
        if name.startswith(_WEIGHT)
    }
    with torch.no_grad():
        for name, array in weights.items():
            held[name].copy_(torch.from_numpy(np.array(array)).reshape(held[name].shape))
    return FineTuned(
        own.eval().requires_grad_(False),
        tuple(weights),
        Standardiser(arrays["standardiser.mean"], arrays["standardiser.scale"]),
        Linear(arrays["linear.weights"], arrays["linear.intercepts"]),
        facts,
    )
