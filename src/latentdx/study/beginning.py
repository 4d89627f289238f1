"""The network that a training begins with: first weights, or those that were learned elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.engine.data import Source
from latentdx.autoencoder.family import network_for
from latentdx.autoencoder.transfer import Taken, take_over
from latentdx.core.seeds import derive_seed, numpy_generator
from latentdx.diagnosis.adapted_head import without_statistics
from latentdx.features.adapt_batch_norm import has_statistics
from latentdx.report.baselines import settle_statistics
from latentdx.study.ancestor import Ancestor, load_ancestor
from latentdx.study.encoder import Descent
from latentdx.study.focus import focused_settings
from latentdx.study.private import set_usual_normalisation
from latentdx.study.settings import RunSettings

_SETTLED = 4096  # scans that are looked at to settle statistics, at most


@dataclass(frozen=True)
class Beginning:
    """A network before its training, and what it has from others."""

    network: Autoencoder
    descent: Descent


def first_network(
    settings: RunSettings, scans: Source, autoencoder: nn.Module | None = None
) -> Beginning:
    """The network of the settings, with the statistics of the scans that it is to learn from.

    Where it is to learn privately, usual ones in their place: theirs would tell of patients.
    Its weights are drawn, or taken from what the settings say to begin from as far as they fit. See
    `load_ancestor`, `network_for` and `take_over` for what is refused; besides `StopError`
    ``E_ADAPT`` of one that could not be adapted as asked.
    """
    ancestor = None if settings.start is None else load_ancestor(settings.start, autoencoder)
    network = network_for(
        settings.autoencoder if autoencoder is None else autoencoder,
        network_settings(settings, scans.shape, ancestor if autoencoder is None else None),
        seed=settings.seed,
    )
    if settings.adapt == "batch-norm" and not has_statistics(network):
        raise without_statistics()  # now, and not after it has learned
    if settings.epsilon is not None:
        set_usual_normalisation(network)
    elif len(scans):
        network.set_normalisation(*scans.moments())
    if ancestor is None:
        return Beginning(network, Descent())
    taken = take_over(network, ancestor.weights, ancestor.channels)
    record = _record(ancestor, taken, settings)
    descent = Descent(ancestor.seen, ancestor.seen_all, (record, *ancestor.ancestry))
    return Beginning(network, descent)


def network_settings(
    settings: RunSettings, shape: tuple[int, ...], ancestor: Ancestor | None = None
) -> dict[str, Any]:
    """The arguments that build the run's network for scans (C, *size).

    What the settings leave open is as in the `ancestor` whose weights it is to take.
    """
    before = {} if ancestor is None else dict(ancestor.settings or {})
    found = {**before, "channels": shape[0], "size": list(shape[1:])}
    if settings.latent_dim is not None:
        found["latent_dim"] = settings.latent_dim
    return focused_settings(settings, {**found, **settings.network})


def settle(network: Autoencoder, scans: Source, *, seed: int) -> None:
    """Let batch normalisation see the scans, of very many some; no weight is changed."""
    count = min(len(scans), _SETTLED)
    rows = np.sort(
        numpy_generator(derive_seed(seed, "settle"), "rows").permutation(len(scans))[:count]
    )
    (pixels,) = scans.batches([rows], torch.device("cpu"))
    settle_statistics(network, pixels)


def _record(ancestor: Ancestor, taken: Taken, settings: RunSettings) -> dict[str, Any]:
    """What is told of the beginning, wherever the encoder goes."""
    return {
        "from": ancestor.told,
        "sha256": ancestor.sha256,
        "taken": len(taken.same),
        "adapted": list(taken.adapted),
        "left": list(taken.left),
        "frozen": settings.freeze,
        "low_rank": settings.low_rank,
        "trained": settings.epochs != 0,
        "seen": len(ancestor.seen),
        "seen_all": ancestor.seen_all,
        "learned_from": list(ancestor.learned_from),
        **({"federated": dict(ancestor.federated)} if ancestor.federated else {}),
    }
