"""Logit adjustment: what is seen more often has to be shown more clearly.

    L = -log softmax(z + t log pi)_y,   pi_k the share of class k among the scans that are seen

The margin between two classes becomes t log(pi_a / pi_b) while it learns; without it, at
prediction, z itself is what is best for balanced accuracy (t = 1). Menon, Jayasumana, Rawat, Jain,
Veit & Kumar, "Long-tail learning via logit adjustment", ICLR 2021.
"""

from __future__ import annotations

from torch import Tensor

from latentdx.diagnosis.loss_cross_entropy import cross_entropy


def logit_adjusted(logits: Tensor, labels: Tensor, shares: Tensor, tau: float) -> Tensor:
    """Losses (B,) of logits (B, K), labels (B,) and shares (K,) of the classes; `tau` is t.

    Examples
    --------
    >>> import torch
    >>> seen = torch.tensor([0.9, 0.1])
    >>> rare = logit_adjusted(torch.zeros(1, 2), torch.tensor([1]), seen, 1.0)
    >>> round(float((-rare).exp()), 3)
    0.1
    """
    return cross_entropy(logits + tau * shares.log(), labels)
