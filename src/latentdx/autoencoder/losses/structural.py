"""Structural similarity, at one scale and at several."""

from __future__ import annotations

import torch
from torch import Tensor

from latentdx.autoencoder.losses.exact import Images, in_32_bits
from latentdx.autoencoder.losses.windows import halved, window_mean

_WINDOW = 7
_SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # from fine to coarse, as fitted by Wang et al.
_LEAST = 1e-3  # a fractional power needs a positive base


def structural_similarity(first: Images, second: Images, *, window: int = _WINDOW) -> Tensor:
    """SSIM (N,) averaged over pixels and channels, with a uniform window, for pixels in 0..1.

    Wang et al., "Image quality assessment: from error visibility to structural similarity",
    IEEE Transactions on Image Processing, 2004.
    """
    luminance, structure = _similarities(first.float(), second.float(), window)
    return (luminance * structure).flatten(1).mean(dim=1)


@in_32_bits
def structural_dissimilarity(reconstruction: Images, scan: Images) -> Tensor:
    """``1 - SSIM`` (a scalar)."""
    return 1 - structural_similarity(reconstruction, scan).mean()


def multiscale_similarity(first: Images, second: Images) -> Tensor:
    """MS-SSIM (N,): contrast and structure at each of up to five scales, SSIM at the coarsest.

        prod_j structure_j ^ w_j * SSIM_last ^ w_last,   w scaled to a sum of 1

    An axis is halved as long as 7 pixels of it are left, and there are as many scales as halvings:
    16 pixels have two, 28 have three, 64 have four, 112 have five, and for fewer than 14 it is
    SSIM. Wang, Simoncelli & Bovik, "Multiscale structural similarity for image quality
    assessment", Asilomar 2003.
    """
    first, second = first.float(), second.float()
    count = n_scales(first.shape[2:])
    factors = []
    for _ in range(count - 1):
        factors.append(_similarities(first, second, _WINDOW)[1].flatten(1).mean(dim=1))
        first, second = halved(first, _WINDOW), halved(second, _WINDOW)
    factors.append(structural_similarity(first, second))
    if count == 1:
        return factors[0]
    weights = torch.tensor(_SCALES[:count], device=first.device)
    return (torch.stack(factors, dim=1).clamp(min=_LEAST) ** (weights / weights.sum())).prod(dim=1)


@in_32_bits
def multiscale_dissimilarity(reconstruction: Images, scan: Images) -> Tensor:
    """``1 - MS-SSIM`` (a scalar)."""
    return 1 - multiscale_similarity(reconstruction, scan).mean()


def n_scales(size: tuple[int, ...]) -> int:
    """Scales of an image of this size: those at which its longest side has 7 pixels or more.

    Examples
    --------
    >>> [n_scales((side, side)) for side in (8, 14, 28, 64, 112, 512)]
    [1, 2, 3, 4, 5, 5]
    """
    return min(len(_SCALES), max(1, (max(size) // _WINDOW).bit_length()))


def _similarities(first: Tensor, second: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """The maps of luminance, and of contrast and structure together."""
    mean_1, mean_2 = window_mean(first, window), window_mean(second, window)
    variance_1 = (window_mean(first * first, window) - mean_1 * mean_1).clamp(min=0)
    variance_2 = (window_mean(second * second, window) - mean_2 * mean_2).clamp(min=0)
    covariance = window_mean(first * second, window) - mean_1 * mean_2
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean_1 * mean_2 + c1) / (mean_1**2 + mean_2**2 + c1)
    structure = (2 * covariance + c2) / (variance_1 + variance_2 + c2)
    return luminance, structure
