"""Where the pixels of an augmented scan come from: one affine map, one deformation, one sampling.

Left-right is the last axis of an image and, as volumes are (C, X, Y, Z) in RAS+, the first of a
volume. "In the plane" of a volume is in its axial plane, X and Y.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from latentdx.collection.augment_draw import Dice, Draw
from latentdx.collection.augment_fields import smooth_field
from latentdx.collection.augment_settings import AugmentSettings

_POINTS = 7  # control points an axis of the elastic deformation: a quarter of the side apart


def draw_theta(dice: Dice, settings: AugmentSettings) -> Tensor:
    """(N, dims, dims + 1): rotation, magnification, left-right flip and shift."""
    angle = dice.spread(settings.rotation) * torch.pi / 180
    scale = 1 / dice.between(*settings.zoom)
    flip = dice.mirror(settings.flip)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    # a zoomed-in view may look anywhere in the image, not only at its middle
    room = settings.shift * 2 + (1 - scale).clamp(min=0)
    shifts = [dice.spread(1.0) * room for _ in range(dice.dims)]
    none = torch.zeros_like(scale)
    if dice.dims == 2:
        rows = [[cos * flip, -sin], [sin * flip, cos]]
    else:  # the order of axes is Z, Y, X
        rows = [[scale, none, none], [none, cos, sin * flip], [none, -sin, cos * flip]]
    whole = [torch.stack([*row, shift], 1) for row, shift in zip(rows, shifts, strict=True)]
    return torch.stack(whole, dim=1)


def draw_more_geometry(drawn: Draw, dice: Dice, settings: AugmentSettings) -> Draw:
    """The same draw with the other flips, shear, tilt and deformation, where asked for."""
    dims = dice.dims
    right, front = (0, 1) if dims == 2 else (2, 1)
    linear, shift = drawn.theta[:, :, :dims], drawn.theta[:, :, dims:]
    if settings.flip_rows:
        linear = linear @ _scaling(dice, front, dice.mirror(settings.flip_rows))
    if settings.shear:
        linear = linear @ _with(dice, (right, front), dice.spread(settings.shear))
    if dims == 3 and settings.flip_slices:
        linear = linear @ _scaling(dice, 0, dice.mirror(settings.flip_slices))
    if dims == 3 and settings.tilt:
        for axis in (right, front):
            linear = _rotation(dice, axis, dice.spread(settings.tilt) * torch.pi / 180) @ linear
    bend = None
    if settings.elastic:
        bend = dice.spread(settings.elastic, dims, *(_POINTS,) * dims)
    return replace(drawn, theta=torch.cat([linear, shift], dim=2), bend=bend)


def _with(dice: Dice, place: tuple[int, int], values: Tensor) -> Tensor:
    """Identities (N, dims, dims) but for one entry."""
    found = torch.eye(dice.dims).repeat(dice.count, 1, 1)
    found[:, place[0], place[1]] = values
    return found


def _scaling(dice: Dice, axis: int, values: Tensor) -> Tensor:
    return _with(dice, (axis, axis), values)


def _rotation(dice: Dice, axis: int, angle: Tensor) -> Tensor:
    """Rotations of an axis towards the head, which is axis 0 of a volume here."""
    found = _scaling(dice, axis, torch.cos(angle))
    found[:, 0, 0] = torch.cos(angle)
    found[:, 0, axis], found[:, axis, 0] = -torch.sin(angle), torch.sin(angle)
    return found


def moved(pixels: Tensor, drawn: Draw) -> Tensor:
    """The pixels (N, C, *spatial) from where the draw says; black from outside the scan."""
    size = pixels.shape[2:]
    if drawn.bend is None and _stays(drawn.theta):
        return pixels
    theta = _for_sides(drawn.theta, size).to(pixels)
    grid = functional.affine_grid(theta, list(pixels.shape), align_corners=False)
    if drawn.bend is not None:
        # a fraction of the side is twice as much of -1..1
        grid = grid + torch.movedim(2 * smooth_field(drawn.bend.to(pixels), size), 1, -1)
    return functional.grid_sample(pixels, grid, align_corners=False)


def from_view_to_view(theta: Tensor, size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Of views i and N + i of scan i: affine maps (N, dims, dims + 1) of places in the first view.

    To the same places in the second view, and in the scan; `theta` (2N, dims, dims + 1) is that of
    a `Draw`, the maps those of `torch.nn.functional.affine_grid` for scans of `size`.

    Examples
    --------
    >>> theta = torch.tensor([[[1.0, 0, 0.5], [0, 1, 0]], [[-1.0, 0, 0], [0, 1, 0]]])
    >>> from_view_to_view(theta, (8, 8))[0].tolist()
    [[[-1.0, 0.0, -0.5], [0.0, 1.0, 0.0]]]
    """
    dims = theta.shape[1]
    first, second = _for_sides(theta, size).chunk(2)
    back = torch.linalg.inv(second[:, :, :dims])
    shift = back @ (first[:, :, dims:] - second[:, :, dims:])
    return torch.cat([back @ first[:, :, :dims], shift], dim=2), first


def _stays(theta: Tensor) -> bool:
    return torch.equal(theta, torch.eye(*theta.shape[1:]).expand_as(theta))


def _for_sides(theta: Tensor, size: Sequence[int]) -> Tensor:
    """In units of each axis' own half side, so that rotation does not shear where sides differ."""
    if len(set(size)) == 1:
        return theta
    sides = theta.new_tensor(list(reversed(size)))
    ratios = torch.cat([sides[None, :] / sides[:, None], theta.new_ones(len(size), 1)], dim=1)
    return theta * ratios
