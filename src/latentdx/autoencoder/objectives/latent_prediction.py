"""Prediction in latent space: what do the deepest maps look like where the scan is hidden?

    student: maps of the scan with blocks hidden, h(x_seen)
    teacher: maps of the whole scan by a copy that follows slowly, h'(x)
    loss:    smooth L1 between predictor(h(x_seen), hidden) and standardised h'(x), where hidden

Nothing is drawn in pixels, so what cannot be known (noise) need not be predicted.

Assran et al., "Self-supervised learning from images with a joint-embedding predictive
architecture", CVPR 2023 (I-JEPA); Baevski et al., "data2vec", ICML 2022.
"""

from __future__ import annotations

from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from latentdx.autoencoder.base import Autoencoder, Images
from latentdx.autoencoder.blocks import convolution, convolution_block
from latentdx.autoencoder.objectives.base import Objective, untracked
from latentdx.autoencoder.objectives.hiding import draw_blocks, hidden_pixels
from latentdx.autoencoder.objectives.teacher import Teacher, risen

Maps = Float[Tensor, "batch channel *spatial"]
Share = Float[Tensor, "batch 1 *spatial"]

_MOMENTUM = 0.98  # at first: trainings are some hundreds to thousands of steps
_NARROWEST = 32


@final
class LatentPrediction(Objective):
    """A small convolutional predictor fills in the teacher's deepest maps.

    Hidden pixels have the mean of the training part. The predictor sees, as one channel more, how
    much of each position is hidden; errors count by that share, so that any size of maps will do.
    """

    weight: ClassVar[float] = 1.0

    def __init__(self, network: Autoencoder) -> None:
        super().__init__()
        channels, dims = self.deepest_shape(network)[0], network.dims
        width = max(channels // 2, _NARROWEST)
        self.teacher = Teacher(network)
        self.predictor = nn.Sequential(
            convolution_block(dims, channels + 1, width),
            convolution_block(dims, width, width),
            convolution_block(dims, width, width),
            convolution(dims, width, channels, 1),
        )

    @override
    def losses(
        self, network: Autoencoder, pixels: Images, generator: torch.Generator
    ) -> dict[str, Tensor]:
        blocks = draw_blocks(len(pixels), network.dims, generator).to(pixels.device)
        hidden = hidden_pixels(blocks, network.size)
        with untracked(network):
            maps = network.layers(torch.where(hidden, network.mean, pixels))[-1]
        with torch.no_grad():
            target = standardised(self.teacher.layers(pixels)[-1])
        share = functional.interpolate(hidden.float(), size=maps.shape[2:], mode="area")
        predicted = self.predictor(torch.cat([maps, share], dim=1))
        return {"latent-prediction": hidden_error(predicted, target, share)}

    @override
    @torch.no_grad()
    def after_step(self, network: Autoencoder) -> None:
        self.teacher.follow(network, risen(_MOMENTUM, network.progress))


def standardised(maps: Maps) -> Maps:
    """Each channel with mean 0 and deviation 1 over the batch and all positions, in 32 bits.

    What is the same everywhere is taken out: predicting it would be no feat; and a constant map,
    to which teacher and student might agree to collapse, does not become easier for being small.
    """
    maps = maps.float()
    axes = (0, *range(2, maps.ndim))
    centred = maps - maps.mean(dim=axes, keepdim=True)
    return centred / torch.sqrt(centred.pow(2).mean(dim=axes, keepdim=True) + 1e-6)


def hidden_error(predicted: Maps, target: Maps, share: Share) -> Tensor:
    """Smooth L1 error, positions weighted by the `share` of them that is hidden.

    Examples
    --------
    >>> target, share = torch.zeros(1, 2, 1, 2), torch.tensor([[[[0.0, 1.0]]]])
    >>> float(hidden_error(torch.tensor([[[[9.0, 2.0]], [[9.0, 1.0]]]]), target, share))
    1.0
    """
    error = functional.smooth_l1_loss(predicted.float(), target.float(), reduction="none")
    return (error.mean(dim=1, keepdim=True) * share).sum() / share.sum().clamp(min=1e-6)
