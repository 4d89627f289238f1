"""Is the latent alive? Rank, dead units and the measures of a member, after an epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.engine.checkpoint import Epoch
from latentdx.autoencoder.pooling import mean_and_deviation

Measures = dict[str, float]

_DEAD = 0.5
_AT_LEAST = (
    ("latent_rank", 1.5, "the latent has collapsed: its effective rank is {:.1f}"),
    ("feature_rank", 2.0, "the features have collapsed: their effective rank is {:.1f}"),
    ("active_units", 0.1, "posterior collapse: {:.0%} of the latent's units are used"),
    ("codebook_use", 0.1, "{:.0%} of the codebook is used"),
)


@torch.no_grad()
def measure(network: Autoencoder, pixels: Tensor) -> Measures:
    """Health of a network in eval mode on a batch (N, C, *size): see `findings`.

    ``latent_rank`` and ``feature_rank``: effective rank of the latent and of the pooled deepest
    layer; ``dead_units``: share of the latent's units that do not vary between scans.
    """
    latent = network.encode(pixels).float().flatten(1)
    features = mean_and_deviation(network.layers(pixels)[-1])
    return {
        "latent_rank": effective_rank(latent),
        "feature_rank": effective_rank(features),
        "dead_units": float((latent.std(dim=0) < 1e-4).float().mean()),
        **network.measures(pixels),
    }


def effective_rank(vectors: Tensor) -> float:
    """exp of the entropy of the normalised singular values of centred vectors (N, D).

    Roy & Vetterli, EUSIPCO 2007; as a measure of representations: Garrido et al., "RankMe", 2023.

    Examples
    --------
    >>> round(effective_rank(torch.eye(4)), 1)
    3.0
    """
    values = torch.linalg.svdvals((vectors - vectors.mean(dim=0)).double())
    total = values.sum()
    if total < 1e-9:
        return 0.0
    shares = values / total
    shares = shares[shares > 1e-12]
    return float(torch.exp(-(shares * shares.log()).sum()))


def health_notes(history: Sequence[Epoch]) -> list[str]:
    """What the last measured health of a training says is wrong."""
    measured = [entry.health for entry in history if entry.health]
    return findings(measured[-1]) if measured else []


def findings(measures: Mapping[str, float]) -> list[str]:
    """What is wrong, in words; empty for a healthy network."""
    found = [
        text.format(measures[name])
        for name, least, text in _AT_LEAST
        if name in measures and measures[name] < least
    ]
    if measures.get("dead_units", 0.0) > _DEAD:
        found.append(f"{measures['dead_units']:.0%} of the latent's units do not vary")
    return found
