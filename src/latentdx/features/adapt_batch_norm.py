"""Batch normalisation by the statistics of a site's own scans, in a copy of the encoder."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.blocks import batch_laid_out
from latentdx.features.extract import batches_of
from latentdx.features.kinds import KINDS, FeatureKind

Floats = NDArray[np.float32]

PRIOR = 16
"""Scans of the source that the site's stand beside: few scans say little, and count little."""
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def has_statistics(network: Autoencoder) -> bool:
    """Whether a layer normalises by statistics of the scans that it learned from."""
    return bool(_norms_of(network))


def _norms_of(network: Autoencoder) -> list[Any]:
    return [
        part for part in network.modules() if isinstance(part, _NORMS) and part.track_running_stats
    ]


@torch.no_grad()
def renormalised(network: Autoencoder, pixels: Floats, kind: FeatureKind) -> Autoencoder | None:
    """A copy whose normalisation knows scans (N, C, *spatial) of a site; weights stay.

    Means and variances are (N m_site + 16 m_source) / (N + 16), of every layer that features of
    this `kind` come from. Li and others, "Revisiting batch normalization for practical domain
    adaptation", ICLR workshops 2017; the 16 after Schneider and others, NeurIPS 2020. None where no
    such layer keeps statistics.

    Examples
    --------
    >>> from latentdx.autoencoder.family import build
    >>> network = build("invariant", {"channels": 1, "size": 28, "widths": (8, 16)})
    >>> scans = np.random.default_rng(0).random((32, 1, 28, 28), np.float32)
    >>> renormalised(network, scans, "pooled") is None
    False
    """
    found = copy.deepcopy(network).eval()
    norms = _norms_of(found)
    before = [
        (norm.running_mean.clone(), norm.running_var.clone(), norm.momentum) for norm in norms
    ]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over batches
        norm.train()
    _show(found, pixels, kind)
    reached = [int(norm.num_batches_tracked) > 0 for norm in norms]
    share = len(pixels) / (len(pixels) + PRIOR)
    for norm, (mean, variance, momentum), seen in zip(norms, before, reached, strict=True):
        back = 1 - share if seen else 1.0
        norm.running_mean.lerp_(mean, back)
        norm.running_var.lerp_(variance, back)
        norm.momentum = momentum
    return found.eval() if any(reached) else None


def _show(network: Autoencoder, pixels: Floats, kind: FeatureKind) -> None:
    """In batches of about one size, as each counts alike."""
    device = next(network.parameters()).device
    n_batches = len(batches_of(pixels.shape))
    for rows in np.array_split(np.arange(len(pixels)), n_batches):
        batch = torch.from_numpy(pixels[rows[0] : rows[-1] + 1])
        KINDS[kind](network, batch_laid_out(batch.to(device)))
