"""`Objective`: what else the encoder is asked to do without labels, beside reconstruction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import torch
from torch import Tensor, nn

from latentdx.autoencoder.base import Autoencoder, Images

_TRACKING = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


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
    def deepest_shape(network: Autoencoder) -> tuple[int, ...]:
        """(C, *spatial) of the network's deepest maps."""
        was_training = network.training
        blank = torch.zeros(1, *network.shape, device=network.mean.device)
        shape = network.eval().layers(blank)[-1].shape[1:]
        network.train(was_training)
        return tuple(shape)

    @staticmethod
    def pooled_width(network: Autoencoder) -> int:
        """Width of `mean_and_deviation` of the network's deepest layer."""
        return 2 * Objective.deepest_shape(network)[0]


@contextmanager
def untracked(network: nn.Module) -> Iterator[None]:
    """Batch normalisation goes by the batch but does not remember it.

    What an objective shows the network (views, scans with parts hidden, turned scans) is not what
    the network is used on: the running statistics stay those of the scans in its own loss.
    """
    tracking = [
        module
        for module in network.modules()
        if isinstance(module, _TRACKING) and module.track_running_stats
    ]
    for module in tracking:
        module.track_running_stats = False
    try:
        yield
    finally:
        for module in tracking:
            module.track_running_stats = True


def projection(inputs: int, outputs: int) -> nn.Sequential:
    """Two dense layers, the first batch-normalised: used in training only."""
    return nn.Sequential(
        nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU(), nn.Linear(outputs, outputs)
    )
