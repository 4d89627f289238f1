"""Batch normalisation by the statistics of a site's own scans, in a copy of the encoder."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.blocks import batch_laid_out
from latentdx.features.extract import batches_of
from latentdx.features.kinds import KINDS, FeatureKind

Floats = NDArray[np.float32]

PRIOR = 16
"""Scans of the source that the site's stand beside: few scans say little, and count little."""
_MOST_SCANS = 256  # that statistics are taken of; every channel of every scan has many places
_LEAST = 1e-6  # of a variance
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def has_statistics(network: Autoencoder) -> bool:
    """Whether a layer normalises by statistics of the scans that it learned from."""
    return bool(_norms_of(network))


def statistics_of(network: Autoencoder, pixels: Floats, kind: FeatureKind) -> Floats | None:
    """(2, W): means and variances of all channels before normalisation, layer after layer.

    Of scans (N, C, *spatial), in the layers that features of this `kind` come from; 256 of them,
    evenly drawn, where there are more. None where no such layer keeps statistics.
    """
    seen = _seen(network, pixels, kind)
    if not seen:
        return None
    found: Floats = torch.cat(list(seen.values()), dim=1).float().cpu().numpy()
    return found


@torch.no_grad()
def renormalised(
    network: Autoencoder, source: Floats, pixels: Floats, kind: FeatureKind
) -> Autoencoder:
    """A copy whose normalisation makes of a site's scans what it made of the source's.

    `source` are the source's `statistics_of`. Of each layer in turn, those before it changed
    already, means move by w (m_site - m_source), and variances are scaled by (v_site /
    v_source)^w; w = N / (N + 16). Weights stay.

    Li and others, "Revisiting batch normalization for practical domain adaptation", ICLR workshops
    2017; the 16 after Schneider and others, NeurIPS 2020. By differences, as what layers remember
    is of augmented views: the source's own plain scans change nothing. Raises ValueError where
    `source` does not fit the network.

    Examples
    --------
    >>> from latentdx.autoencoder.family import build
    >>> network = build("invariant", {"channels": 1, "size": 28, "widths": (8, 16)})
    >>> scans = np.random.default_rng(0).random((32, 1, 28, 28), np.float32)
    >>> own = statistics_of(network, scans, "pooled")
    >>> there = renormalised(network, own, 0.5 * scans, "pooled")
    >>> bool(np.allclose(statistics_of(there, scans, "pooled")[:, :8], own[:, :8]))
    True
    """
    found = copy.deepcopy(network).eval()
    names = list(_seen(found, pixels[:1], kind))
    norms = dict(found.named_modules())
    widths = [int(norms[name].num_features) for name in names]
    if source.shape != (2, sum(widths)):
        raise ValueError(f"statistics of {source.shape} for layers of {sum(widths)} channels")
    parts = np.split(source, np.cumsum(widths)[:-1], axis=1)
    share = len(pixels) / (len(pixels) + PRIOR)
    for name, own in zip(names, parts, strict=True):
        norm: Any = norms[name]
        mean, variance = _seen(found, pixels, kind)[name].to(norm.running_mean)
        before = torch.from_numpy(own).to(norm.running_mean)
        norm.running_mean.add_(share * (mean - before[0]))
        ratio = variance.clamp(min=_LEAST) / before[1].clamp(min=_LEAST)
        norm.running_var.mul_(ratio**share)
    return found


def _norms_of(network: Autoencoder) -> dict[str, Any]:
    return {
        name: part
        for name, part in network.named_modules()
        if isinstance(part, _NORMS) and part.track_running_stats
    }


@torch.no_grad()
def _seen(network: Autoencoder, pixels: Floats, kind: FeatureKind) -> dict[str, Tensor]:
    """(2, channels) of each layer that is reached, in the order in which scans reach them."""
    network.eval()
    sums: dict[str, Tensor] = {}

    def looking(name: str) -> Any:
        def look(_: nn.Module, given: tuple[Tensor, ...]) -> None:
            maps = given[0].double().transpose(0, 1).flatten(1)
            count = torch.full_like(maps[:, 0], maps.shape[1])
            told = torch.stack([count, maps.sum(dim=1), maps.square().sum(dim=1)])
            sums[name] = sums[name] + told if name in sums else told

        return look

    hooks = [
        norm.register_forward_pre_hook(looking(name)) for name, norm in _norms_of(network).items()
    ]
    try:
        device = next(network.parameters()).device
        rows = np.linspace(0, len(pixels) - 1, min(_MOST_SCANS, len(pixels))).round().astype(int)
        drawn = pixels[rows]
        for part in batches_of(drawn.shape) if hooks else ():
            KINDS[kind](network, batch_laid_out(torch.from_numpy(drawn[part]).to(device)))
    finally:
        for hook in hooks:
            hook.remove()
    found = {}
    for name, (count, total, squares) in sums.items():
        mean = total / count
        found[name] = torch.stack([mean, (squares / count - mean.square()).clamp(min=0)])
    return found
