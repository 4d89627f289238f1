"""Losses that compare pixel with pixel."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from latentdx.autoencoder.losses.exact import Images, in_32_bits
from latentdx.autoencoder.losses.windows import window_mean

_ROUNDED = 1e-3
_FAINTEST = 0.1
_AROUND = 7


@in_32_bits
def mean_squared_error(reconstruction: Images, scan: Images) -> Tensor:
    """Mean squared error over all pixels (a scalar)."""
    return functional.mse_loss(reconstruction, scan)


@in_32_bits
def mean_absolute_error(reconstruction: Images, scan: Images) -> Tensor:
    """Mean absolute error over all pixels (a scalar): the median of what is possible, not blurred
    to its mean."""
    return functional.l1_loss(reconstruction, scan)


@in_32_bits
def charbonnier(reconstruction: Images, scan: Images) -> Tensor:
    """``sqrt(d^2 + e^2) - e``, averaged: absolute error with a rounded tip, e = 0.001 (a scalar).

    Charbonnier, Blanc-Feraud, Aubert & Barlaud, "Two deterministic half-quadratic regularization
    algorithms for computed imaging", ICIP 1994; for reconstruction Lai, Huang, Ahuja & Yang, "Deep
    Laplacian pyramid networks", CVPR 2017. Shifted by e, so that it is 0 at equality.

    Examples
    --------
    >>> scan = torch.zeros(1, 1, 8, 8)
    >>> float(charbonnier(scan, scan)), round(float(charbonnier(scan + 0.5, scan)), 3)
    (0.0, 0.499)
    """
    squared = (reconstruction - scan) ** 2
    return (torch.sqrt(squared + _ROUNDED**2) - _ROUNDED).mean()


@in_32_bits
def binary_cross_entropy(reconstruction: Images, scan: Images) -> Tensor:
    """Binary cross-entropy of pixels in 0..1, read as probabilities (a scalar).

    For the scan itself it is the entropy of its pixels, not 0.
    """
    return functional.binary_cross_entropy(reconstruction.clamp(1e-6, 1 - 1e-6), scan)


@in_32_bits
def local_contrast(reconstruction: Images, scan: Images) -> Tensor:
    """Mean squared error after local contrast normalisation (a scalar): a faint structure counts
    as much as a bright one.

    Both images have the scan's local mean subtracted and are divided by the scan's local standard
    deviation (7 x 7 window) plus 0.1; so the mean falls out, and each squared error is divided by
    ``(deviation + 0.1)^2``. Not symmetric: the scan says what is faint.

    After the normalisation of Jarrett, Kavukcuoglu, Ranzato & LeCun, "What is the best multi-stage
    architecture for object recognition?", ICCV 2009.
    """
    scan = scan.detach()  # its deviation has no gradient where it is flat
    mean = window_mean(scan, _AROUND)
    deviation = window_mean((scan - mean) ** 2, _AROUND).sqrt()
    return (((reconstruction - scan) / (deviation + _FAINTEST)) ** 2).mean()
