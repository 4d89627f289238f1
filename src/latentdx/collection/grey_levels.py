"""Grey levels of scans as a few landmarks, and the curve that brings one set onto another.

    landmarks   m = percentiles 1, 10, 20, ..., 90, 99 of what is not black
    curve       piecewise linear through (0, 0), (m_k, m'_k), (1, 1)

Nyul, Udupa & Zhang, "New variants of a method of MRI scale standardization", IEEE TMI 2000; there
the curve runs straight on beyond the last landmarks, here to black and to white.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

SHARES = (0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99)
BLACK = 0.02
"""What is at most so bright is no part of the body: padding, air."""

_LOOKED_AT = 1024  # pixels of a scan: a histogram does not want more
_APART = 1e-4  # landmarks that fall together, and the curve is a step there


def landmarks(pixels: Float[Tensor, "batch channel *spatial"]) -> Float[Tensor, "batch landmark"]:
    """Of every scan in 0..1, over its channels together; of one that is all black: black.

    Of large scans some 1000 pixels spread over the scan are looked at.

    Examples
    --------
    >>> ramp = torch.linspace(0.021, 1, 64).reshape(1, 1, 8, 8)
    >>> [round(float(value), 1) for value in landmarks(ramp)[0, [0, 5, 10]]]
    [0.0, 0.5, 1.0]
    """
    flat = pixels.flatten(1)
    ordered = flat[:, :: _step(flat.shape[1])].sort(dim=1).values
    last = ordered.shape[1] - 1
    n_black = (ordered <= BLACK).sum(dim=1, keepdim=True)
    shares = torch.tensor(SHARES, device=pixels.device)
    place = (n_black + shares * (last - n_black)).clamp(max=last)
    low = place.floor().long()
    below, above = ordered.gather(1, low), ordered.gather(1, (low + 1).clamp(max=last))
    return below + (place - low).to(pixels) * (above - below)


def regraded(
    pixels: Float[Tensor, "batch channel *spatial"],
    own: Float[Tensor, "batch landmark"],
    onto: Float[Tensor, "batch landmark"],
) -> Float[Tensor, "batch channel *spatial"]:
    """Scans in 0..1 with landmarks `own` brought to those of `onto`: never the order of two pixels.

    Examples
    --------
    >>> dim = torch.linspace(0.021, 0.5, 64).reshape(1, 1, 8, 8)
    >>> bright = regraded(dim, landmarks(dim), landmarks(2 * dim))
    >>> bool((bright - 2 * dim).abs().max() < 0.03)
    True
    """
    places, values = _ends(own), _ends(onto)
    steps = _APART * torch.arange(places.shape[1], device=pixels.device).to(pixels)
    places = (places - steps).cummax(dim=1).values + steps
    flat = pixels.flatten(1).contiguous()
    above = torch.searchsorted(places.detach().contiguous(), flat.detach(), right=True)
    above = above.clamp(1, places.shape[1] - 1)
    left, right = places.gather(1, above - 1), places.gather(1, above)
    low, high = values.gather(1, above - 1), values.gather(1, above)
    return (low + (flat - left) / (right - left) * (high - low)).reshape(pixels.shape)


def _ends(found: Tensor) -> Tensor:
    """With black before the landmarks, and white behind them."""
    ends = found.new_zeros(len(found), 1)
    return torch.cat([ends, found, ends + 1], dim=1)


def _step(n_pixels: int) -> int:
    """Coprime with every side: a multiple of one would look at a single column."""
    step = max(1, n_pixels // _LOOKED_AT)
    while math.gcd(step, n_pixels) > 1:
        step += 1
    return step
