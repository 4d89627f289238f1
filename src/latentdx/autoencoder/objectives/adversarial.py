"""Adversarial: a discriminator of patches learns to tell reconstructions from scans.

    its own:        max(0, 1 - D(scan)) + max(0, 1 + D(reconstruction))
    the network's:  max(0, 1 - D(reconstruction)) + feature error

Both are terms of one sum and one backward pass: D's own sees the reconstruction without gradient,
the network's sees D with constant weights (`frozen`).
"""

from __future__ import annotations

from typing import ClassVar, final

import torch
from torch import Tensor
from typing_extensions import override

from latentdx.autoencoder.base import Autoencoder, Images
from latentdx.autoencoder.discriminator import PixelDiscriminator, feature_error
from latentdx.autoencoder.frozen import frozen
from latentdx.autoencoder.objectives.base import Objective, untracked


@final
class Adversarial(Objective):
    """Reconstructions that a `PixelDiscriminator` takes for scans: sharp where MSE would blur.

    Its terms are a game: they do not have to fall while both sides learn.

    Hinge loss: Lim & Ye, "Geometric GAN", 2017; patches: Isola, Zhu, Zhou & Efros, "Image-to-image
    translation with conditional adversarial networks", CVPR 2017; feature error: Wang et al.,
    "High-resolution image synthesis with conditional GANs", CVPR 2018.
    """

    weight: ClassVar[float] = 0.05

    def __init__(self, network: Autoencoder) -> None:
        super().__init__()
        self.discriminator = PixelDiscriminator(network.channels, dims=network.dims)

    @override
    def losses(
        self, network: Autoencoder, pixels: Images, generator: torch.Generator
    ) -> dict[str, Tensor]:
        with untracked(network):
            rebuilt = network.normalise(network(pixels))
        scans = network.normalise(pixels)
        seen = self.discriminator(torch.cat([scans, rebuilt.detach()]))
        true, made = seen.logits.chunk(2)
        judged = frozen(self.discriminator)(rebuilt)
        wanted = [maps.detach()[: len(pixels)] for maps in seen.maps]
        return {
            "patch-adversarial": hinge(judged.logits) + feature_error(judged.maps, wanted),
            "patch-discriminator": hinge(true) + hinge(-made),
        }


def hinge(logits: Tensor) -> Tensor:
    """Mean of ``max(0, 1 - logit)``: 0 where all are taken for true by a margin.

    Also for the network, whose term is often -D alone: that has no lower bound, and the loss by
    which the best epoch is chosen would depend on how loud D is.

    Examples
    --------
    >>> float(hinge(torch.tensor([2.0, 1.0, 0.0, -1.0])))
    0.75
    """
    return torch.relu(1 - logits.float()).mean()
