"""`Objective`: what else the encoder is asked to do without labels, beside reconstruction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from latentdx.autoencoder.base import Autoencoder, Images


class Objective(nn.Module, ABC):
    """A task beside reconstruction that can be added to any autoencoder.

    It owns what only the training needs (a projection, a predictor, a teacher); its parameters are
    trained and checkpointed with the network's and end with the training.

    Attributes
    ----------
    weight: by which its terms are multiplied unless the user says otherwise.
    """

    weight: ClassVar[float] = 1.0

    @abstractmethod
    def losses(
        self, network: Autoencoder, pixels: Images, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Its terms for a batch, unweighted; views are drawn by ``network.views``."""

    @torch.no_grad()
    def after_step(self, network: Autoencoder) -> None:
        """After each step of the optimizer: a teacher follows, say."""

    @staticmethod
    @torch.no_grad()
    def pooled_width(network: Autoencoder) -> int:
        """Width of `mean_and_deviation` of the network's deepest layer."""
        was_training = network.training
        blank = torch.zeros(1, *network.shape, device=network.mean.device)
        width = 2 * network.eval().layers(blank)[-1].shape[1]
        network.train(was_training)
        return int(width)


def projection(inputs: int, outputs: int) -> nn.Sequential:
    """Two dense layers, the first batch-normalised: used in training only."""
    return nn.Sequential(
        nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU(), nn.Linear(outputs, outputs)
    )
