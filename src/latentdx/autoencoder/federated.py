"""Federated averaging: weights that several sites have learned, each from its own scans, as one.

    w  =  sum_k n_k w_k / sum_k n_k         n_k: scans that site k learned from

in 64 bits and in the order given, so that whoever computes it from the same numbers gets the same
bits. Of batch normalisation the means are averaged so, and the variances are those of all scans
around the common mean; counters (whole numbers) are the greatest.

McMahan et al., "Communication-efficient learning of deep networks from decentralized data"
(FedAvg), AISTATS 2017.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from latentdx.autoencoder.quantiser import Quantiser
from latentdx.core.errors import StopError
from latentdx.core.hashing import hash_array, hash_bytes

State = Mapping[str, Tensor]

_MEAN, _VARIANCE = "running_mean", "running_var"


def average_states(states: Sequence[State], counts: Sequence[int]) -> dict[str, Tensor]:
    """Weights by name of all `states`, averaged by the `counts` of scans that they learned from.

    Examples
    --------
    >>> one, other = ({"w": torch.tensor([value])} for value in (1.0, 5.0))
    >>> average_states([one, other], [300, 100])
    {'w': tensor([2.])}
    """
    shares = _shares(counts)
    found = {}
    for name, first in states[0].items():
        each = [state[name] for state in states]
        if not first.is_floating_point():
            found[name] = torch.stack(each).amax(dim=0)
            continue
        mean = _mean([held.double().numpy() for held in each], shares)
        if name.endswith(_VARIANCE):
            centre = name.removesuffix(_VARIANCE) + _MEAN
            mean = mean + _between([state[centre].double().numpy() for state in states], shares)
        found[name] = torch.from_numpy(np.asarray(mean)).to(first.dtype)
    return found


def pooled_moments(
    moments: Sequence[tuple[Sequence[float], Sequence[float]]], counts: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (C,) of all scans from those of each site, all of one size.

    Examples
    --------
    >>> mean, std = pooled_moments([([0.2], [0.1]), ([0.6], [0.1])], [50, 50])
    >>> round(float(mean), 3), round(float(std), 3)
    (0.4, 0.224)
    """
    shares = _shares(counts)
    means = [np.asarray(mean, np.float64) for mean, _ in moments]
    squares = [np.square(np.asarray(std, np.float64)) for _, std in moments]
    mean, variance = _mean(means, shares), _mean(squares, shares) + _between(means, shares)
    return torch.from_numpy(mean).float(), torch.from_numpy(np.sqrt(variance)).float()


def state_of(network: nn.Module) -> dict[str, Tensor]:
    """A copy of all weights and statistics by name, on the processor."""
    held = network.state_dict().items()
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in held}


def state_hash(state: State) -> str:
    """SHA-256 (hex) of names, types, shapes and values: how sites see that they have the same."""
    parts = [f"{name} {hash_array(state[name].numpy())}".encode() for name in sorted(state)]
    return hash_bytes(*parts)


def misfit(state: State, network: State) -> str | None:
    """In words why weights cannot be averaged with those of `network`; None where they can."""
    if state.keys() != network.keys():
        return "its weights have other names than those of the network"
    for name, held in network.items():
        if state[name].shape != held.shape or state[name].dtype != held.dtype:
            return f"{name} is of another shape or type than in the network"
        if held.is_floating_point() and not bool(state[name].isfinite().all()):
            return f"{name} is not finite"
    return None


def require_averageable(network: nn.Module) -> None:
    """Raise `StopError` ``E_OPTION`` for a codebook: codes of two sites stand for unlike things."""
    if any(isinstance(part, Quantiser) for part in network.modules()):
        found = "a codebook begins with vectors of each site's own scans, and cannot be averaged"
        raise StopError("E_OPTION", found, fix="choose another --autoencoder")


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts)
    return [count / total for count in counts]


def _mean(values: Sequence[NDArray[np.float64]], shares: Sequence[float]) -> NDArray[np.float64]:
    total = np.zeros_like(values[0])
    for value, share in zip(values, shares, strict=True):
        total = total + share * value
    return total


def _between(means: Sequence[NDArray[np.float64]], shares: Sequence[float]) -> NDArray[np.float64]:
    """The variance (C,) of the sites' means around the common one."""
    common = _mean(means, shares)
    return _mean([np.square(mean - common) for mean in means], shares)
