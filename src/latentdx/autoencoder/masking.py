"""Masks for autoencoders that learn by filling in: drawn cells, and the error where they hide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from latentdx.autoencoder.losses.focus import Inside
from latentdx.autoencoder.losses.reconstruction import Reconstruction, reconstruction_loss
from latentdx.autoencoder.patches import padded
from latentdx.core.errors import StopError

_FLAT = 0.05  # deviation below which a patch is taken as flat: noise there is not magnified


def draw_visible(count: int, cells: int, mask_ratio: float, generator: torch.Generator) -> Tensor:
    """Which cells stay visible, (count, cells) booleans: the same number in every scan.

    At least one cell is visible and at least one is hidden.

    Examples
    --------
    >>> draw_visible(3, 10, 0.6, torch.Generator().manual_seed(0)).sum(dim=1).tolist()
    [4, 4, 4]
    """
    hidden = min(max(round(mask_ratio * cells), 1), cells - 1)
    return torch.rand(count, cells, generator=generator).argsort(dim=1).argsort(dim=1) >= hidden


def spread(mask: Tensor, factor: int, size: Sequence[int]) -> Tensor:
    """Enlarge (N, 1, *grid) so that each cell has `factor` pixels a side; cut to `size`.

    Examples
    --------
    >>> spread(torch.tensor([[[[1, 0]]]]), 2, (1, 3)).tolist()
    [[[[1, 1, 0]]]]
    """
    for axis, side in enumerate(size, 2):
        mask = mask.repeat_interleave(factor, dim=axis).narrow(axis, 0, side)
    return mask


@dataclass(frozen=True)
class MaskedLoss:
    """What a masked autoencoder is asked for.

    Attributes
    ----------
    reconstruction: the reconstruction loss by name, or weights by name.
    visible_weight: of the error on what was visible, beside that on what was hidden.
    patch: side in pixels of the patches by which errors are scaled where `normalised` is set.
    normalised: the error of each patch is divided by the patch's own deviation, so that faint
        structure counts as much as strong edges. He et al. (2022) predict pixels normalised by
        patch; here the prediction stays in pixels and the error is normalised, which weighs the
        patches alike and leaves the reconstruction in 0..1.
    """

    reconstruction: Reconstruction
    visible_weight: float
    patch: int
    normalised: bool

    def __post_init__(self) -> None:
        if self.normalised and self.reconstruction != "mse":
            found = f"normalised_target together with reconstruction={self.reconstruction!r}"
            raise StopError("E_CONFIG", found, fix="use reconstruction='mse' with it")

    def __call__(
        self, rebuilt: Tensor, scan: Tensor, visible: Tensor, own: Inside | None = None
    ) -> dict[str, Tensor]:
        """Terms by name of (N, C, *size) each; `visible` (N, 1, *size) tells seen pixels.

        `own`: masks of the scans, where the loss goes by them (see `reconstruction_loss`).

        Where a pixel does not count it is replaced by the scan's own, so that any reconstruction
        loss, of pixels or of structure, sees errors at the others alone.
        """
        error = reconstruction_loss(self.reconstruction, own)
        if self.normalised:
            rebuilt, scan = locally_normalised(rebuilt, scan, self.patch)
        share = visible.float().mean()
        terms = {"masked": error(torch.where(visible, scan, rebuilt), scan) / (1 - share)}
        if self.visible_weight:
            seen = error(torch.where(visible, rebuilt, scan), scan) / share
            terms["visible"] = self.visible_weight * seen
        return terms

    def whole(self, rebuilt: Tensor, scan: Tensor, own: Inside | None = None) -> Tensor:
        """The term of scans of which nothing was hidden."""
        error = reconstruction_loss(self.reconstruction, own)
        if self.normalised:
            rebuilt, scan = locally_normalised(rebuilt, scan, self.patch)
        return self.visible_weight * error(rebuilt, scan)


def locally_normalised(rebuilt: Tensor, scan: Tensor, patch: int) -> tuple[Tensor, Tensor]:
    """Both centred and scaled by the mean and deviation of the scan's patches, by channel."""
    kind = torch.nn.AvgPool2d if scan.ndim == 4 else torch.nn.AvgPool3d
    pool = kind(patch, stride=patch)
    whole = padded(scan.float(), patch)
    mean = pool(whole)
    deviation = (pool(whole * whole) - mean * mean).clamp(min=_FLAT**2).sqrt()
    mean, deviation = (spread(held, patch, scan.shape[2:]) for held in (mean, deviation))
    return (rebuilt.float() - mean) / deviation, (scan.float() - mean) / deviation
