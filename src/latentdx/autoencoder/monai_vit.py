"""MONAI's masked transformer by name."""

from __future__ import annotations

from typing import final

from latentdx.autoencoder.base import Size, spatial_size
from latentdx.autoencoder.losses.reconstruction import Reconstruction
from latentdx.autoencoder.monai_base import MonaiNetwork, whole
from latentdx.autoencoder.patches import patch_side


@final
class MonaiMaeVit(MonaiNetwork):
    """MONAI's MaskedAutoEncoderViT; `masked-vit` is the family's own. Needs `einops`, too.

    Parameters
    ----------
    channels, size: of the scans, (C, *size).
    patch: side of a patch in pixels, None for about eight patches along the longest side.
    width, depth: channels of the tokens (divisible by 4, of volumes by 6) and number of blocks;
        the latent is a map of them.
    decoder_width, decoder_depth: the same of the decoder.
    heads: attention heads of both.
    reconstruction: the reconstruction loss by name, or weights by name.
    mask_ratio: share of the patches that is hidden.

    He et al., "Masked autoencoders are scalable vision learners", CVPR 2022.
    """

    def __init__(
        self,
        *,
        channels: int = 1,
        size: Size = 64,
        patch: int | None = None,
        width: int = 192,
        depth: int = 6,
        decoder_width: int = 96,
        decoder_depth: int = 2,
        heads: int = 4,
        reconstruction: Reconstruction = "mse",
        mask_ratio: float = 0.75,
    ) -> None:
        side = patch_side(spatial_size(size)) if patch is None else patch
        super().__init__(
            lambda nets: nets.MaskedAutoEncoderViT(
                in_channels=channels,
                img_size=whole(size, side),
                patch_size=side,
                hidden_size=width,
                mlp_dim=4 * width,
                num_layers=depth,
                num_heads=heads,
                masking_ratio=mask_ratio,
                decoder_hidden_size=decoder_width,
                decoder_mlp_dim=4 * decoder_width,
                decoder_num_layers=decoder_depth,
                decoder_num_heads=heads,
                spatial_dims=len(spatial_size(size)),
            ),
            {
                "channels": channels,
                "size": size,
                "patch": side,
                "width": width,
                "depth": depth,
                "decoder_width": decoder_width,
                "decoder_depth": decoder_depth,
                "heads": heads,
                "reconstruction": reconstruction,
                "mask_ratio": mask_ratio,
            },
            multiple=side,
        )
