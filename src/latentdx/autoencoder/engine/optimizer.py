"""The optimizer, its schedule, and its state as tensors by name."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from latentdx.autoencoder.engine.checkpoint import Tensors
from latentdx.autoencoder.engine.processes import like, whole
from latentdx.autoencoder.engine.settings import FitSettings


def build_optimizer(model: nn.Module, settings: FitSettings, rate: float) -> torch.optim.Optimizer:
    """AdamW (Loshchilov & Hutter, ICLR 2019), which is Adam where weight decay is 0."""
    return torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=settings.weight_decay)


def rate_at(step: int, steps: int, settings: FitSettings) -> float:
    """Share of the highest learning rate: a linear warm-up, then half a cosine or a constant."""
    warm = max(1, int(steps * settings.warmup))
    if step < warm:
        return (step + 1) / warm
    if settings.schedule != "cosine":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def state_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> Tensors:
    """The optimizer's state by parameter name: ``exp_avg:network.down.weight``."""
    return {
        f"{kind}:{name}": whole(value)
        for name, parameter in model.named_parameters()
        for kind, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, Tensor)
    }


def restore_state(model: nn.Module, optimizer: torch.optim.Optimizer, tensors: Tensors) -> None:
    """Undo `state_tensors`."""
    parameters = dict(model.named_parameters())
    for key, tensor in tensors.items():
        kind, name = key.split(":", 1)
        parameter: Any = parameters[name]
        held = tensor if kind == "step" else like(tensor, parameter)
        optimizer.state[parameter][kind] = held.clone(memory_format=torch.preserve_format)
