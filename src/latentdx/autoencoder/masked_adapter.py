"""`MaskedPatches`: MONAI's MaskedAutoEncoderViT as an autoencoder that can also just encode."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from latentdx.autoencoder.adapters import Adapter
from latentdx.autoencoder.masking import draw_visible, spread
from latentdx.autoencoder.patches import from_patches

_TOLD = 3  # depths whose maps are told


class MaskedPatches(Adapter):
    """The module's parts, put together so that nothing is hidden in use.

    The module's own `forward` always hides patches, by torch's global generator; here they are
    drawn from the generator that is given. The class token takes part in the encoder and ends
    there, so that a latent map is all that is decoded. He et al., CVPR 2022.
    """

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        if len(set(module.patch_size)) > 1:
            raise ValueError(f"patches of {module.patch_size} pixels: they have to be cubes")
        for name, weight in module.named_parameters():
            if (
                ".norm_cross_attn." in name
            ):  # of attention to a second input, which there is none of
                weight.requires_grad_(False)
        self.patch = int(module.patch_size[0])
        self.grid = tuple(side // self.patch for side in module.img_size)
        self.channels = module.decoder_pred.out_features // self.patch ** len(self.grid)

    def _encoded(self, tokens: Tensor) -> list[Tensor]:
        """Tokens (N, T, width) after each block; the last is normalised."""
        hidden = torch.cat([self.module.cls_token.expand(len(tokens), -1, -1), tokens], dim=1)
        *blocks, norm = self.module.blocks
        found = []
        for block in blocks:
            hidden = block(hidden)
            found.append(hidden)
        return [held[:, 1:] for held in (*found[:-1], norm(hidden))]

    def _as_map(self, tokens: Tensor) -> Tensor:
        maps: Tensor = tokens.transpose(1, 2).unflatten(2, self.grid)
        return maps

    def encode(self, pixels: Tensor) -> Tensor:
        """Tokens of all patches, (N, width, *grid)."""
        return self._as_map(self._encoded(self.module.patch_embedding(pixels))[-1])

    def layers(self, pixels: Tensor) -> list[Tensor]:
        """Maps of three depths."""
        found = self._encoded(self.module.patch_embedding(pixels))
        told = sorted({math.ceil(len(found) * part / _TOLD) for part in range(1, _TOLD + 1)})
        return [self._as_map(found[number - 1]) for number in told]

    def decode(self, latent: Tensor) -> Tensor:
        """Of a latent map."""
        return self._decoded(self.module.decoder_embed(latent.flatten(2).transpose(1, 2)))

    def _decoded(self, tokens: Tensor) -> Tensor:
        hidden = self.module.decoder_blocks(tokens + self.module.decoder_pos_embedding)
        shape = (self.channels, *(side * self.patch for side in self.grid))
        return from_patches(self.module.decoder_pred(hidden), self.patch, shape)

    def fill_in(self, pixels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Pixels rebuilt from visible patches, and which pixels were visible (N, 1, *size)."""
        tokens = self.module.patch_embedding(pixels)
        count, total, width = tokens.shape
        visible = draw_visible(count, total, self.module.masking_ratio, generator)
        places = visible.nonzero()[:, 1].reshape(count, -1, 1).to(tokens.device)
        seen = tokens.gather(1, places.expand(-1, -1, width))
        known = self.module.decoder_embed(self._encoded(seen)[-1])
        filled = self.module.mask_tokens.to(known.dtype).expand(count, total, -1)
        filled = filled.scatter(1, places.expand(-1, -1, known.shape[2]), known)
        mask = visible.reshape(count, 1, *self.grid).to(tokens.device)
        return self._decoded(filled), spread(mask, self.patch, pixels.shape[2:])
