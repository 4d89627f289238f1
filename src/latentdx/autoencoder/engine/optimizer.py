"""The optimizer, its schedule, and its state as tensors and numbers by name."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from latentdx.autoencoder.engine.checkpoint import Checkpoint, Tensors
from latentdx.autoencoder.engine.processes import like, whole
from latentdx.autoencoder.engine.settings import FitSettings

_OWN_NUMBERS = ("k", "weight_sum", "lr_max", "train_mode")  # those of the schedule-free optimizer


def build_optimizer(model: nn.Module, settings: FitSettings, rate: float) -> torch.optim.Optimizer:
    """AdamW (Loshchilov & Hutter, ICLR 2019), which is Adam where weight decay is 0.

    ``schedule-free``: AdamW on an average of weights instead of a falling rate (Defazio et al.,
    "The road less scheduled", NeurIPS 2024).
    """
    if settings.schedule == "schedule-free":
        from schedulefree import AdamWScheduleFree

        free: torch.optim.Optimizer = AdamWScheduleFree(
            model.parameters(), lr=rate, weight_decay=settings.weight_decay, foreach=False
        )
        free.train()  # type: ignore[attr-defined]
        return free
    fused = settings.sharding == "none"
    return torch.optim.AdamW(
        model.parameters(), lr=rate, weight_decay=settings.weight_decay, fused=fused
    )


@contextmanager
def averaged(optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """The weights that a schedule-free optimizer averages, for a while; of others the same."""
    if not hasattr(optimizer, "eval"):
        yield
        return
    held = [(p, p.detach().clone()) for group in optimizer.param_groups for p in group["params"]]
    optimizer.eval()
    try:
        yield
    finally:
        optimizer.train()  # type: ignore[attr-defined]
        for parameter, before in held:  # its own way back rounds
            parameter.detach().copy_(before)


def rate_at(step: int, steps: int, settings: FitSettings) -> float:
    """Share of the highest learning rate: a linear warm-up, then half a cosine or a constant.

    Of the rounds of one whole training (`FitSettings.round_of`) the schedule is that of the whole.
    """
    number, count = settings.round_of
    step, steps = step + number * steps, count * steps
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


def state_numbers(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """What an optimizer counts for all parameters together."""
    (group,) = optimizer.param_groups
    return {name: group[name] for name in _OWN_NUMBERS if name in group}


def restore_state(
    model: nn.Module, optimizer: torch.optim.Optimizer, checkpoint: Checkpoint
) -> None:
    """Undo `state_tensors` and `state_numbers`. Raises KeyError for those of another model."""
    parameters = dict(model.named_parameters())
    for key, tensor in checkpoint.tensors.get("optimizer", {}).items():
        kind, name = key.split(":", 1)
        parameter: Any = parameters[name]
        # the fused optimizer takes its state to lie in memory as the parameter does
        held = tensor.clone() if kind == "step" else like(tensor, parameter.detach())
        optimizer.state[parameter][kind] = held
    numbers: Mapping[str, Any] = checkpoint.position.get("optimizer", {})
    optimizer.param_groups[0].update(numbers)
