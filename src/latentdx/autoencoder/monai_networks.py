"""Networks of MONAI by name: its architectures, trained and saved like the family's own.

Sides are padded to what an architecture divides by. What MONAI is: Cardoso et al., "MONAI: an
open-source framework for deep learning in healthcare", 2022.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, final

import torch
from typing_extensions import override

from latentdx.autoencoder.adapters import KL_WEIGHT, Variational
from latentdx.autoencoder.base import Images, Size, spatial_size
from latentdx.autoencoder.losses.reconstruction import Reconstruction
from latentdx.autoencoder.monai_base import MonaiNetwork, whole
from latentdx.autoencoder.patches import padded

_GROUPS = 8  # of group norm, at most: groups of one channel magnify rounding


@final
class MonaiAutoencoder(MonaiNetwork):
    """MONAI's AutoEncoder: residual units with stride 2, transposed convolutions back.

    Parameters
    ----------
    channels, size: of the scans, (C, *size).
    widths: channels of the stages, each at half of the resolution before.
    latent_dim: channels of the latent map at the last stage's resolution.
    reconstruction: the reconstruction loss by name, or weights by name.
    residual_units: convolutions of each residual unit, 0 for plain convolutions.

    Norms are batch norms: MONAI's own instance norms fail where a map has a single pixel.
    """

    def __init__(
        self,
        *,
        channels: int = 1,
        size: Size = 64,
        widths: Sequence[int] = (32, 64, 128),
        latent_dim: int = 8,
        reconstruction: Reconstruction = "mse",
        residual_units: int = 2,
    ) -> None:
        super().__init__(
            lambda nets: nets.AutoEncoder(
                spatial_dims=len(spatial_size(size)),
                in_channels=channels,
                out_channels=channels,
                channels=(*widths, latent_dim),
                strides=(*(2 for _ in widths), 1),
                num_res_units=residual_units,
                norm="batch",
            ),
            {
                "channels": channels,
                "size": size,
                "widths": list(widths),
                "latent_dim": latent_dim,
                "reconstruction": reconstruction,
                "residual_units": residual_units,
            },
            multiple=2 ** len(widths),
        )


@final
class MonaiVarAutoencoder(MonaiNetwork):
    """MONAI's VarAutoEncoder: a latent vector with a normal prior; in use it is the mean.

    Parameters
    ----------
    channels, size: of the scans, (C, *size).
    widths: channels of the stages, each at half of the resolution before.
    latent_dim: length of the latent vector.
    reconstruction: the reconstruction loss by name, or weights by name.
    residual_units: convolutions of each residual unit, 0 for plain convolutions.
    kl_weight: of the KL divergence a pixel.

    Kingma & Welling, "Auto-encoding variational Bayes", ICLR 2014. Batch norms, as above.
    """

    def __init__(
        self,
        *,
        channels: int = 1,
        size: Size = 64,
        widths: Sequence[int] = (32, 64, 128),
        latent_dim: int = 32,
        reconstruction: Reconstruction = "mse",
        residual_units: int = 2,
        kl_weight: float = KL_WEIGHT,
    ) -> None:
        multiple = 2 ** len(widths)
        super().__init__(
            lambda nets: nets.VarAutoEncoder(
                spatial_dims=len(spatial_size(size)),
                in_shape=(channels, *whole(size, multiple)),
                out_channels=channels,
                latent_size=latent_dim,
                channels=tuple(widths),
                strides=tuple(2 for _ in widths),
                num_res_units=residual_units,
                norm="batch",
                use_sigmoid=False,
            ),
            {
                "channels": channels,
                "size": size,
                "widths": list(widths),
                "latent_dim": latent_dim,
                "reconstruction": reconstruction,
                "residual_units": residual_units,
                "kl_weight": kl_weight,
            },
            multiple=multiple,
        )
        _weigh(self, kl_weight)


@final
class MonaiVqVae(MonaiNetwork):
    """MONAI's VQVAE: the latent map is made of codes, moved by averages of what they stand for.

    Parameters
    ----------
    channels, size: of the scans, (C, *size).
    widths: channels of the stages, each at half of the resolution before.
    latent_dim: length of a code.
    reconstruction: the reconstruction loss by name, or weights by name.
    residual_layers: residual units a stage.
    codes: number of codes.

    Van den Oord et al., "Neural discrete representation learning", NeurIPS 2017; the architecture
    is that of Tudosiu et al., "Morphology-preserving autoregressive 3D generative modelling of the
    brain", 2022.
    """

    def __init__(
        self,
        *,
        channels: int = 1,
        size: Size = 64,
        widths: Sequence[int] = (64, 128),
        latent_dim: int = 16,
        reconstruction: Reconstruction = "mse",
        residual_layers: int = 2,
        codes: int = 256,
    ) -> None:
        stages = len(widths)
        super().__init__(
            lambda nets: nets.VQVAE(
                spatial_dims=len(spatial_size(size)),
                in_channels=channels,
                out_channels=channels,
                channels=tuple(widths),
                num_res_layers=residual_layers,
                num_res_channels=tuple(widths),
                downsample_parameters=((2, 4, 1, 1),) * stages,
                upsample_parameters=((2, 4, 1, 1, 0),) * stages,
                num_embeddings=codes,
                embedding_dim=latent_dim,
            ),
            {
                "channels": channels,
                "size": size,
                "widths": list(widths),
                "latent_dim": latent_dim,
                "reconstruction": reconstruction,
                "residual_layers": residual_layers,
                "codes": codes,
            },
            multiple=2**stages,
        )

    @override
    def measures(self, pixels: Images) -> dict[str, float]:
        filled = padded(pixels, self.multiple)
        module: Any = self.module
        counts = torch.bincount(
            module.index_quantize(filled).flatten(), minlength=self.told["codes"]
        )
        shares = counts / counts.sum()
        entropy = -(shares * shares.clamp(min=1e-12).log()).sum()
        return {
            "codebook_use": float((counts > 0).float().mean()),
            "perplexity": float(entropy.exp()),
        }


@final
class MonaiAutoencoderKl(MonaiNetwork):
    """MONAI's AutoencoderKL, the first stage of latent diffusion: residual blocks, group norm.

    Parameters
    ----------
    channels, size: of the scans, (C, *size).
    widths: channels of the stages; the first works at full resolution, each later one at half of
        the one before.
    latent_dim: channels of the latent map; in use it is the mean.
    reconstruction: the reconstruction loss by name, or weights by name.
    residual_blocks: a stage.
    kl_weight: of the KL divergence a pixel: small, since the latent is a map.

    There is no attention and no adversarial term. Rombach et al., "High-resolution image synthesis
    with latent diffusion models", CVPR 2022.
    """

    def __init__(
        self,
        *,
        channels: int = 1,
        size: Size = 64,
        widths: Sequence[int] = (32, 64, 64, 64),
        latent_dim: int = 4,
        reconstruction: Reconstruction = "mse",
        residual_blocks: int = 1,
        kl_weight: float = 0.001,
    ) -> None:
        super().__init__(
            lambda nets: nets.AutoencoderKL(
                spatial_dims=len(spatial_size(size)),
                in_channels=channels,
                out_channels=channels,
                channels=tuple(widths),
                num_res_blocks=residual_blocks,
                attention_levels=(False,) * len(widths),
                latent_channels=latent_dim,
                norm_num_groups=math.gcd(_GROUPS, *widths),
                with_encoder_nonlocal_attn=False,
                with_decoder_nonlocal_attn=False,
            ),
            {
                "channels": channels,
                "size": size,
                "widths": list(widths),
                "latent_dim": latent_dim,
                "reconstruction": reconstruction,
                "residual_blocks": residual_blocks,
                "kl_weight": kl_weight,
            },
            multiple=2 ** (len(widths) - 1),
        )
        _weigh(self, kl_weight)


def _weigh(network: MonaiNetwork, kl_weight: float) -> None:
    assert isinstance(network.adapter, Variational)
    network.adapter.kl_weight = kl_weight
