"""`SpectralNorm`: a layer divided by its largest singular value, which keeps a game stable.

    y = W x / s(W) + b,   s(W) = u' W v   by one step of the power iteration a training step

W is the weight as a matrix (outputs, everything else). A layer is linear, so its output is divided
and its weight left alone: any layer will do, in any layout, and its state is plain tensors.

Miyato, Kataoka, Koyama & Yoshida, "Spectral normalization for generative adversarial networks",
ICLR 2018.
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

_FIRST = 15  # steps of the power iteration at the beginning: the estimate is good from step one


@final
class SpectralNorm(nn.Module):
    """`layer` (linear or a convolution, without a bias) under spectral normalisation, and a bias.

    The power iteration goes on in training mode only; in evaluation the layer is constant.

    Attributes
    ----------
    direction: estimate u of the left singular vector, (outputs,); saved with the weights.

    Examples
    --------
    >>> layer = SpectralNorm(nn.Linear(4, 3, bias=False))
    >>> bool(layer(torch.ones(1, 4)).norm() <= 2.01)
    True
    """

    direction: Tensor

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        assert getattr(layer, "bias", None) is None, "the bias comes after the division"
        self.layer = layer
        outputs = len(self.matrix())
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("direction", functional.normalize(torch.randn(outputs), dim=0))
        for _ in range(_FIRST):
            self.iterate()

    def matrix(self) -> Tensor:
        """The weight (outputs, inputs * kernel), in 32 bits."""
        weight: Tensor = self.layer.weight  # type: ignore[assignment]
        return weight.flatten(1).float()

    @torch.no_grad()
    def iterate(self) -> None:
        """One step of the power iteration."""
        weight = self.matrix()
        right = functional.normalize(weight.T @ self.direction, dim=0)
        self.direction.copy_(functional.normalize(weight @ right, dim=0))

    def largest(self) -> Tensor:
        """The estimate of the largest singular value (a scalar), with gradients to the weight."""
        weight, left = self.matrix(), self.direction.clone()  # it changes before the backward pass
        right = functional.normalize((weight.T @ left).detach(), dim=0)
        return torch.dot(left, weight @ right)

    @override
    def forward(self, inputs: Tensor) -> Tensor:
        with torch.autocast(inputs.device.type, enabled=False):  # a norm needs its 32 bits
            if self.training:
                self.iterate()
            largest = self.largest().clamp(min=1e-6)
        outputs: Tensor = self.layer(inputs)
        bias = self.bias.reshape(-1, *(1,) * (outputs.ndim - 2))
        return outputs / largest + bias
