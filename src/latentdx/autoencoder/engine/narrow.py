"""Where a processor must not compute in bfloat16: convolutions of maps a few pixels wide.

On processors torch 2.13's bfloat16 gradients of such convolutions read memory that nobody wrote:
of 3-D maps a side of two voxels, of 2-D maps a side of one pixel. They differ from run to run, and
are NaN at times. In 32 bits, and on wider maps, they do not.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from latentdx.autoencoder.blocks import batch_laid_out

_NARROWEST = {2: 2, 3: 3}  # pixels, by the number of axes


@torch.no_grad()
def rounds_well(model: nn.Module, pixels: Tensor) -> bool:
    """Whether no convolution that a training step uses has a map too narrow for bfloat16.

    `model` maps (pixels, generator) to a loss's terms; a copy of it is run. True on a GPU.
    """
    if pixels.device.type != "cpu":
        return True
    narrow: list[bool] = []

    def watch(module: nn.Module, given: tuple[Any, ...], found: Tensor) -> None:
        if max(module.kernel_size) > 1:  # type: ignore[arg-type]
            sides = (*given[0].shape[2:], *found.shape[2:])
            narrow.append(min(sides) < _NARROWEST[found.ndim - 2])

    trial = copy.deepcopy(model).train()
    for module in trial.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            module.register_forward_hook(watch)
    trial(batch_laid_out(pixels), torch.Generator().manual_seed(0))
    return not any(narrow)
