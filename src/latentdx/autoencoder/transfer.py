"""Beginning from weights that were learned elsewhere: what fits is taken, channels are adapted.

A weight is taken where its name and shape agree. Where the number of channels of the scans alone
differs, kernels that read pixels become the mean over the old channels, shared out among the new,
and those that write pixels are repeated: a scan whose channels are alike is then seen as it was.
What is left keeps its first value. The statistics of the pixels are the scans' own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.blocks import laid_out
from latentdx.autoencoder.reaching import reaching
from latentdx.core.errors import StopError

_OF_PIXELS = ("mean", "std")


@dataclass(frozen=True)
class Taken:
    """Names of a network's tensors: taken as they were, adapted to channels, left as drawn."""

    same: tuple[str, ...]
    adapted: tuple[str, ...]
    left: tuple[str, ...]


@torch.no_grad()
def take_over(
    network: Autoencoder, weights: Mapping[str, Tensor], channels: int | None = None
) -> Taken:
    """Put weights of another network into this one, where they fit.

    `channels`: of the scans that the weights were learned from, or None where it is not known: then
    nothing is adapted. Raises `StopError` ``E_SHAPE`` where no layer of the encoder fits.

    Examples
    --------
    >>> from latentdx.autoencoder.family import build
    >>> grey, colour = (build("invariant", {"channels": c, "size": 16}) for c in (1, 3))
    >>> take_over(colour, grey.state_dict(), 1).adapted
    ('down.stages.0.0.0.weight', 'up.to_pixels.weight', 'up.to_pixels.bias')
    """
    same: list[str] = []
    adapted: list[str] = []
    left: list[str] = []
    for name, own in network.state_dict().items():
        if name in _OF_PIXELS:
            continue
        given = weights.get(name)
        fitting = None if given is None else _fitting(given, own, channels, network.channels)
        if fitting is None:
            left.append(name)
            continue
        own.copy_(fitting)
        (same if given is not None and given.shape == own.shape else adapted).append(name)
    taken = Taken(tuple(same), tuple(adapted), tuple(left))
    _require_some(network, taken)
    laid_out(network)
    return taken


def _fitting(given: Tensor, own: Tensor, before: int | None, now: int) -> Tensor | None:
    """The tensor in the shape of `own`, or None."""
    if given.shape == own.shape:
        return given
    if before is None or given.ndim != own.ndim or given.ndim == 0:
        return None
    differing = [axis for axis in range(own.ndim) if given.shape[axis] != own.shape[axis]]
    if len(differing) != 1 or (axis := differing[0]) > 1:
        return None
    each, odd = divmod(given.shape[axis], before)
    if odd or own.shape[axis] != each * now:
        return None
    mean = given.float().unflatten(axis, (before, each)).mean(dim=axis, keepdim=True)
    repeated = mean.repeat_interleave(now, dim=axis).flatten(axis, axis + 1)
    found: Tensor = repeated * before / now if axis == 1 else repeated
    return found


def _require_some(network: Autoencoder, taken: Taken) -> None:
    wanted = set().union(*reaching(network))
    if wanted.isdisjoint((*taken.same, *taken.adapted)):
        found = "none of the weights to begin from fits the encoder"
        fix = "begin from an encoder of the same --autoencoder and --network settings"
        raise StopError("E_SHAPE", found, fix=fix)


@contextmanager
def kept(network: Autoencoder, n_blocks: int) -> Iterator[None]:
    """Within, the first `n_blocks` of the encoder do not learn, nor what comes before them.

    Their batch normalisation goes by the statistics that they have. Raises `StopError`
    ``E_OPTION`` where there are not so many.
    """
    if n_blocks == 0:
        yield
        return
    blocks = reaching(network)
    if n_blocks > len(blocks):
        found = f"--freeze {n_blocks}: the encoder has {len(blocks)} blocks"
        raise StopError("E_OPTION", found, fix=f"give at most {len(blocks)}")
    names = blocks[n_blocks - 1]
    held = [each for name, each in network.named_parameters() if name in names]
    for parameter in held:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in held:
            parameter.requires_grad_(True)


def train_mode(network: nn.Module) -> None:
    """Training mode for all parts, but for batch normalisation whose weights are kept."""
    network.train()
    for part in network.modules():
        if isinstance(part, _BatchNorm) and not any(w.requires_grad for w in part.parameters()):
            part.eval()
