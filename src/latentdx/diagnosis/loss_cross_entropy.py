"""Cross-entropy: the log-loss of a softmax.

L = -log p_y,   p = softmax(z)
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Losses (B,) of logits (B, K) and labels (B,).

    Examples
    --------
    >>> import torch
    >>> cross_entropy(torch.zeros(1, 4), torch.tensor([2])).exp().round().tolist()
    [4.0]
    """
    return functional.cross_entropy(logits, labels, reduction="none")
