"""Where a reconstruction has to be right: errors outside a part of the picture count less."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from latentdx.autoencoder.losses.exact import Images, Loss, in_32_bits
from latentdx.autoencoder.losses.windows import window_mean

FoundFocus = Literal["body", "lung"]
Focus = Literal["body", "lung", "mask"]
FOCUSES: tuple[Focus, ...] = get_args(Focus)
Inside = Float[Tensor, "batch 1 *spatial"]
"""How far each pixel lies inside its scan's own mask, 0..1; 1 everywhere where there is none."""
OUTSIDE = 0.3
"""What an error outside is multiplied by before it is measured: squared ones count 0.09."""

_AROUND = 0.5  # of the side: lungs are darker than what so wide a window holds
_FRAME = 1 / 16  # of the side: no lung reaches the border


def focused(loss: Loss, focus: Focus, own: Inside | None = None) -> Loss:
    """The same loss, of a reconstruction whose errors outside `focus` are made smaller.

    Works with any loss of (reconstruction, scan): the difference is multiplied by `OUTSIDE` where
    `inside` says no, before the loss sees it. Of ``mask`` it is `own` that says it; without it the
    loss is as it was.

    Examples
    --------
    >>> scan = torch.zeros(1, 1, 32, 32)
    >>> scan[..., 8:24, 8:24] = 1
    >>> squared = lambda first, second: ((first - second) ** 2).sum()
    >>> weighed, plain = focused(squared, "body")(scan + 0.5, scan), squared(scan + 0.5, scan)
    >>> round(float(weighed), 2), float(plain)
    (81.28, 256.0)
    """

    if focus == "mask":
        return loss if own is None else _within(loss, own)

    @in_32_bits
    def changed(reconstruction: Images, scan: Images) -> Tensor:
        with torch.no_grad():
            weights = torch.where(inside(scan, focus), 1.0, OUTSIDE).to(scan)
        return loss(scan + weights * (reconstruction - scan), scan)

    return changed


def _within(loss: Loss, own: Inside) -> Loss:
    @in_32_bits
    def changed(reconstruction: Images, scan: Images) -> Tensor:
        weights = (OUTSIDE + (1 - OUTSIDE) * own).to(scan)
        return loss(scan + weights * (reconstruction - scan), scan)

    return changed


def inside(scan: Images, focus: FoundFocus) -> Bool[Tensor, "batch 1 *spatial"]:
    """Where `focus` lies in scans (N, C, *spatial), found anew in each: views may be moved.

    ``body``: between the first and the last bright pixel along every axis; bright is above half of
    the mean, counted from the darkest. ``lung``: of that, what is darker than the mean of the
    surroundings, but for a frame. A rule of thumb for weights, not a mask to measure by.
    """
    grey = scan.mean(dim=1, keepdim=True)
    axes = tuple(range(2, grey.ndim))
    low, mean = grey.amin(dim=axes, keepdim=True), grey.mean(dim=axes, keepdim=True)
    found = _between(grey > low + (mean - low) / 2)
    if focus == "body":
        return found
    side = max(grey.shape[2:])
    around = window_mean(grey, 2 * round(_AROUND * side / 2) + 1)
    return found & (grey < around) & _framed(grey)


def _between(bright: Tensor) -> Tensor:
    """What lies between bright pixels along all axes."""
    counts = bright.to(torch.int16)
    found = torch.ones_like(bright)
    for axis in range(2, bright.ndim):
        ahead = counts.cumsum(axis) > 0
        behind = counts.flip(axis).cumsum(axis).flip(axis) > 0
        found &= ahead & behind
    return found


def _framed(grey: Tensor) -> Tensor:
    """All but a frame at the border."""
    found = torch.zeros_like(grey, dtype=torch.bool)
    slices = [slice(None), slice(None)]
    for side in grey.shape[2:]:
        width = round(_FRAME * side)
        slices.append(slice(width, side - width))
    found[tuple(slices)] = True
    return found
