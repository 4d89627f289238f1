"""What unlabelled scans teach a network: a changed scan is what the scan itself surely is.

    L = mean over u of  1[max q > c] * H(argmax q, p(strong view of u)),   q = p~(weak view of u)

p~ is the network with averaged weights, a steadier teacher than the one that learns (Tarvainen &
Valpola, "Mean teachers are better role models", NeurIPS 2017); weak views are moved and mirrored,
strong ones change in grey values and lose a box, too. Sohn et al., "FixMatch", NeurIPS 2020.
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor
from torch.nn import functional

from latentdx.collection.augment import VIEWS, AugmentSettings

SURE = 0.95
PER_LABELLED = 2
"""Unlabelled scans a step beside each labelled one."""


def strong(weak: AugmentSettings) -> AugmentSettings:
    """`VIEWS` with a black box at times, mirrored as often as the weak views."""
    return replace(VIEWS, flip=weak.flip, cutout=0.4, sometimes=0.7)


def agreement(taught: Tensor, logits: Tensor) -> Tensor:
    """The loss of logits (B, K) of strong views, by logits (B, K) of the weak ones.

    Examples
    --------
    >>> import torch
    >>> taught = torch.tensor([[0.0, 9.0], [0.0, 0.5]])
    >>> round(float(agreement(taught, torch.zeros(2, 2))), 3)  # half of log 2
    0.347
    """
    sure, labels = taught.detach().softmax(dim=1).max(dim=1)
    losses = functional.cross_entropy(logits, labels, reduction="none")
    return (losses * (sure >= SURE)).mean()
