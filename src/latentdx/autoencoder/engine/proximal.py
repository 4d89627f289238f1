"""`Proximal`: weights are held near those that a training began with.

    gradient of the step:  grad L(w)  +  mu (w - w_0)

which is that of ``L(w) + mu / 2 |w - w_0|^2``. Of sites that train by turns apart and together it
keeps each from running away to a place that is good for its own scans alone. Here AdamW makes the
step of both together, so that mu is not the strength that it has with plain gradient descent.

Li et al., "Federated optimization in heterogeneous networks" (FedProx), MLSys 2020.
"""

from __future__ import annotations

import torch
from torch import nn


class Proximal:
    """The pull of a network towards its weights at this moment; `weight` is mu, 0 for none."""

    def __init__(self, network: nn.Module, weight: float) -> None:
        self.weight = weight
        learned = [each for each in network.parameters() if each.requires_grad] if weight else []
        self.held = [(each, each.detach().clone()) for each in learned]

    @torch.no_grad()
    def pull(self) -> None:
        """Add to the gradients of a step."""
        for parameter, before in self.held:
            if parameter.grad is not None:
                parameter.grad.add_(parameter.detach() - before, alpha=self.weight)
