"""A masked autoencoder of patches: a transformer that encodes only what it is allowed to see.

    encode:  patch -> linear + sine-cosine position, [attention -> MLP] x depth, linear -> z
    decode:  z (in training a learned token at hidden patches) -> linear + position,
             [attention -> MLP] x decoder_depth, linear -> patch of pixels -> sigmoid
    loss:    R over hidden patches + w R over visible ones + w R over whole scans

In training most patches are left out before the encoder: attention over a quarter of the tokens
costs a sixteenth. In use all patches are seen; since the decoder would then be a stranger to its
input, an eighth of the scans is seen whole in training, too. Positions are fixed, for grids of
images and of volumes. There is no dropout.

He et al., "Masked autoencoders are scalable vision learners", CVPR 2022; the transformer is that
of Dosovitskiy et al., ICLR 2021, with normalisation first.
"""

from __future__ import annotations

import math
from typing import ClassVar, final

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from latentdx.autoencoder.base import Autoencoder, Images, Size
from latentdx.autoencoder.losses.reconstruction import Reconstruction
from latentdx.autoencoder.masking import MaskedLoss, draw_visible, spread
from latentdx.autoencoder.patches import from_patches, padded, patch_side, sine_cosine, to_patches
from latentdx.core.errors import StopError

_TOLD = 3  # depths whose maps `layers` returns
_WHOLE = 8  # of so many scans of a batch one is also seen whole
_HEAD = 32  # channels of an attention head, at least


@final
class MaskedVitAutoencoder(Autoencoder):
    """ViT-MAE for images and volumes of any size.

    Parameters
    ----------
    channels, size: of the scans, (C, *size); sides that patches do not divide are padded.
    patch: side of a patch in pixels, None for about eight patches along the longest side, of 16
        pixels at most.
    width, depth: channels of the tokens and number of blocks of the encoder.
    decoder_width, decoder_depth: the same of the decoder, which is small on purpose.
    latent_dim: channels of the latent map z, one position a patch.
    reconstruction: the reconstruction loss by name, or weights by name.
    mask_ratio: share of the patches that is hidden.
    visible_weight: w of the loss; 0 is the paper's, but then nothing trains the reconstruction
        of what is seen, by which strange scans are told.
    normalised_target: see `MaskedLoss`; only with the reconstruction loss ``mse``.

    Shapes
    ------
    pixels (N, C, *size) -> latent (N, latent_dim, *grid) -> reconstruction (N, C, *size)

    Examples
    --------
    >>> network = MaskedVitAutoencoder(channels=1, size=28, width=32, depth=2)
    >>> network.encode(torch.rand(2, 1, 28, 28)).shape
    torch.Size([2, 16, 7, 7])
    """

    learning_rate: ClassVar[float] = 1e-3
    positions: Tensor
    decoder_positions: Tensor

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
        latent_dim: int = 16,
        reconstruction: Reconstruction = "mse",
        mask_ratio: float = 0.75,
        visible_weight: float = 0.2,
        normalised_target: bool = False,
    ) -> None:
        super().__init__(channels=channels, size=size)
        self.patch = patch_side(self.size) if patch is None else patch
        self.width, self.depth = width, depth
        self.decoder_width, self.decoder_depth = decoder_width, decoder_depth
        self.latent_dim = latent_dim
        self.reconstruction = reconstruction
        self.mask_ratio = mask_ratio
        self.visible_weight = visible_weight
        self.normalised_target = normalised_target
        self.loss = MaskedLoss(reconstruction, visible_weight, self.patch, normalised_target)
        self.grid = tuple(-(-side // self.patch) for side in self.size)
        self._check()
        numbers = channels * self.patch**self.dims
        self.to_tokens = nn.Linear(numbers, width)
        self.encoder = nn.ModuleList(_Block(width) for _ in range(depth))
        self.encoder_norm = nn.LayerNorm(width)
        self.to_latent = nn.Linear(width, latent_dim)
        self.from_latent = nn.Linear(latent_dim, decoder_width)
        self.mask_token = nn.Parameter(torch.randn(1, 1, decoder_width) * 0.02)
        self.decoder = nn.ModuleList(_Block(decoder_width) for _ in range(decoder_depth))
        self.decoder_norm = nn.LayerNorm(decoder_width)
        self.to_patches = nn.Linear(decoder_width, numbers)
        for name, side in (("positions", width), ("decoder_positions", decoder_width)):
            self.register_buffer(name, sine_cosine(self.grid, side), persistent=False)
        self.apply(_initialise)

    def _check(self) -> None:
        if math.prod(self.grid) < 2 or self.depth < 2:
            found = f"patches of {self.patch} pixels, {self.grid} of them, and {self.depth} blocks"
            fix = "two patches and two blocks are the fewest"
            raise StopError("E_CONFIG", found, fix=fix)

    @override
    def layers(self, pixels: Images) -> list[Tensor]:
        found = self._encoded(self._tokens(pixels))
        told = sorted({math.ceil(self.depth * part / _TOLD) for part in range(1, _TOLD + 1)})
        return [self._as_map(found[number - 1]) for number in told]

    def _tokens(self, pixels: Images) -> Tensor:
        """Normalised patches (N, T, width), their positions added."""
        patches = to_patches(padded(self.normalise(pixels), self.patch), self.patch)
        tokens: Tensor = self.to_tokens(patches) + self.positions
        return tokens

    def _encoded(self, tokens: Tensor) -> list[Tensor]:
        """After each block; the last is normalised."""
        found = []
        for block in self.encoder:
            tokens = block(tokens)
            found.append(tokens)
        return [*found[:-1], self.encoder_norm(tokens)]

    def _as_map(self, tokens: Tensor) -> Tensor:
        maps: Tensor = tokens.transpose(1, 2).unflatten(2, self.grid)
        return maps

    @override
    def encode(self, pixels: Images) -> Tensor:
        latent: Tensor = self.to_latent(self._encoded(self._tokens(pixels))[-1])
        return self._as_map(latent)

    @override
    def decode(self, latent: Tensor) -> Images:
        tokens: Tensor = self.from_latent(latent.flatten(2).transpose(1, 2))
        return self._decoded(tokens)

    def _decoded(self, tokens: Tensor) -> Images:
        tokens = tokens + self.decoder_positions
        for block in self.decoder:
            tokens = block(tokens)
        patches = torch.sigmoid(self.to_patches(self.decoder_norm(tokens)))
        return from_patches(patches, self.patch, self.shape)

    @override
    def losses(self, pixels: Images, generator: torch.Generator) -> dict[str, Tensor]:
        tokens = self._tokens(pixels)
        visible = draw_visible(len(tokens), tokens.shape[1], self.mask_ratio, generator)
        count = int(visible[0].sum())
        places = visible.nonzero()[:, 1].reshape(-1, count, 1).to(tokens.device)
        seen = tokens.gather(1, places.expand(-1, -1, self.width))
        known = self.from_latent(self.to_latent(self._encoded(seen)[-1]))
        filled = self.mask_token.to(known.dtype).expand(*tokens.shape[:2], -1)
        filled = filled.scatter(1, places.expand(-1, -1, self.decoder_width), known)
        mask = visible.reshape(-1, 1, *self.grid).to(tokens.device)
        seen_pixels, own = spread(mask, self.patch, self.size), self.inside
        terms = self.loss(self._decoded(filled), pixels, seen_pixels, own)
        if self.visible_weight:
            some = math.ceil(len(pixels) / _WHOLE)
            few = pixels[:some]
            terms["whole"] = self.loss.whole(self(few), few, None if own is None else own[:some])
        return terms


class _Block(nn.Module):
    """x + attention(norm(x)), then x + MLP(norm(x))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = max(1, width // _HEAD)
        while width % self.heads:
            self.heads -= 1
        self.attention_norm, self.mlp_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.to_qkv, self.joined = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (N, T, width) to tokens."""
        by_head = self.to_qkv(self.attention_norm(tokens)).unflatten(2, (3, self.heads, -1))
        query, key, value = by_head.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        tokens = tokens + self.joined(mixed.transpose(1, 2).flatten(2))
        moved: Tensor = tokens + self.mlp(self.mlp_norm(tokens))
        return moved


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
