"""Perceptual: the reconstruction looks like its scan to the network's own, earlier encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

import torch
from torch import Tensor
from typing_extensions import override

from latentdx.autoencoder.base import Autoencoder, Images
from latentdx.autoencoder.objectives.base import Objective, untracked
from latentdx.autoencoder.objectives.teacher import Teacher

_MOMENTUM = 0.99


@final
class Perceptual(Objective):
    """`feature_distance` of the maps that a copy of the encoder makes of reconstruction and scan.

    The usual judge is a network trained on photographs; here it is the encoder itself as it was
    about a hundred steps ago. It is not trained, only looked through.

    Johnson, Alahi & Fei-Fei, "Perceptual losses for real-time style transfer and
    super-resolution", ECCV 2016; Hou, Shen, Sun & Qiu, "Deep feature consistent variational
    autoencoder", WACV 2017.
    """

    weight: ClassVar[float] = 0.5

    def __init__(self, network: Autoencoder) -> None:
        super().__init__()
        self.teacher = Teacher(network)

    @override
    def losses(
        self, network: Autoencoder, pixels: Images, generator: torch.Generator
    ) -> dict[str, Tensor]:
        with untracked(network):
            rebuilt = network(pixels)
        with torch.no_grad():
            wanted = self.teacher.layers(pixels)
        return {"perceptual": feature_distance(self.teacher.layers(rebuilt.float()), wanted)}

    @override
    @torch.no_grad()
    def after_step(self, network: Autoencoder) -> None:
        self.teacher.follow(network, _MOMENTUM)


def feature_distance(maps: Sequence[Tensor], others: Sequence[Tensor]) -> Tensor:
    """Squared distance of the channels' directions, averaged over positions and layers: 0..4.

    At each position the channels are scaled to unit length, so that strong and weak layers count
    alike: LPIPS without its fitted weights. Zhang, Isola, Efros, Shechtman & Wang, "The
    unreasonable effectiveness of deep features as a perceptual metric", CVPR 2018.

    Examples
    --------
    >>> up, right = torch.tensor([[[[0.0]], [[3.0]]]]), torch.tensor([[[[2.0]], [[0.0]]]])
    >>> round(float(feature_distance([up], [right])), 3), float(feature_distance([up], [up]))
    (2.0, 0.0)
    """
    pairs = zip(maps, others, strict=True)
    squares = [(_directions(one) - _directions(two)).pow(2).sum(dim=1).mean() for one, two in pairs]
    return torch.stack(squares).mean()


def _directions(maps: Tensor) -> Tensor:
    maps = maps.float()
    # the small number keeps the gradient finite where a position is dark in all channels
    return maps / torch.sqrt(maps.pow(2).sum(dim=1, keepdim=True) + 1e-4)
