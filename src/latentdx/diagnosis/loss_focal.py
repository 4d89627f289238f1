"""Focal loss: cross-entropy that counts less what is already right.

    L = -(1 - p_y)^g log p_y,   p = softmax(z)

Made for detectors, in which the easy background outnumbers all else; g = 0 is cross-entropy. Lin,
Goyal, Girshick, He & Dollár, "Focal loss for dense object detection", ICCV 2017.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def focal(logits: Tensor, labels: Tensor, gamma: float) -> Tensor:
    """Losses (B,) of logits (B, K) and labels (B,); `gamma` is g.

    Examples
    --------
    >>> import torch
    >>> logits = torch.tensor([[0.0, 0.0], [0.0, 9.0]])
    >>> [round(each, 4) for each in focal(logits, torch.tensor([1, 1]), 2.0).tolist()]
    [0.1733, 0.0]
    """
    log_p = functional.log_softmax(logits, dim=1).gather(1, labels[:, None])[:, 0]
    return -((1 - log_p.exp()) ** gamma) * log_p
