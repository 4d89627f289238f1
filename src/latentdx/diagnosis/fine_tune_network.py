"""`LabelledNetwork`: an encoder with a linear layer on its pooled features, as it learns.

    z = W (f(x) - m) / s + b

f are the pooled maps of all layers (mean and deviation), m and s their means and deviations over
the training side as the encoder was before: the layer sees columns of one size and the classifier
starts where the frozen encoder's would.
"""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn
from typing_extensions import override

from latentdx.autoencoder.base import Autoencoder, Images
from latentdx.autoencoder.blocks import batch_laid_out
from latentdx.autoencoder.pooling import mean_and_deviation
from latentdx.features.whiten import Standardiser


class LabelledNetwork(nn.Module):
    """Pixels (N, C, *spatial) to logits (N, K); only the parameters `names` of `encoder` learn."""

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        encoder: Autoencoder,
        names: tuple[str, ...],
        standardiser: Standardiser,
        n_classes: int,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.names = names
        for name, parameter in encoder.named_parameters():
            parameter.requires_grad_(name in names)
        self.register_buffer("mean", torch.from_numpy(standardiser.mean))
        self.register_buffer("scale", torch.from_numpy(standardiser.scale))
        # zeros: nothing is drawn, and a scan belongs to all classes alike
        self.linear = nn.utils.skip_init(nn.Linear, len(standardiser.mean), n_classes)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)
        self.to(encoder.mean.device)

    def features(self, pixels: Images) -> Tensor:
        """Standardised pooled features (N, D)."""
        maps = self.encoder.layers(batch_laid_out(pixels))
        pooled = torch.cat([mean_and_deviation(each) for each in maps], dim=1)
        return (pooled - self.mean) / self.scale

    @override
    def forward(self, pixels: Images) -> Tensor:
        logits: Tensor = self.linear(self.features(pixels))
        return logits

    @override
    def train(self, mode: bool = True) -> Self:
        """The encoder stays in evaluation mode.

        Batch statistics of few labelled scans would shift its features, and what a scan scores
        must not depend on its batch.
        """
        super().train(mode)
        self.encoder.eval()
        return self

    def learning(self) -> dict[str, nn.Parameter]:
        """The parameters that learn, by name."""
        return {name: each for name, each in self.named_parameters() if each.requires_grad}
