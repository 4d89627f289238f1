"""`Checkpoint`: a training that can go on after the process has ended; one safetensors file."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from latentdx.core.errors import IntegrityError
from latentdx.core.files import write_atomic
from latentdx.core.hashing import hash_array, hash_bytes

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Epoch:
    """Mean training loss, loss on ``tune`` (NaN where it is too small) and speed of an epoch."""

    loss: float
    tune_loss: float
    images_per_second: float

    @property
    def judged(self) -> float:
        """The loss by which the best epoch is chosen."""
        return self.loss if math.isnan(self.tune_loss) else self.tune_loss


@dataclass(frozen=True)
class Checkpoint:
    """Weights, the best weights so far, the optimizer's tensors, and the history."""

    weights: Tensors
    best: Tensors
    optimizer: Tensors
    history: tuple[Epoch, ...]

    def save(self, path: Path) -> None:
        """Write atomically: a reader finds the old file or the new one."""
        groups = {"weights": self.weights, "best": self.best, "optimizer": self.optimizer}
        tensors = {
            f"{group}/{name}": tensor.detach().cpu().contiguous().clone()
            for group, members in groups.items()
            for name, tensor in members.items()
        }
        history = json.dumps([asdict(entry) for entry in self.history])
        metadata = {"history": history, "hash": _hash(history, tensors)}
        write_atomic(path, save(tensors, metadata=metadata))

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Undo `save`. Raises `IntegrityError` ``E_CHECKPOINT`` where the file is damaged."""
        groups: dict[str, Tensors] = {"weights": {}, "best": {}, "optimizer": {}}
        try:
            with safe_open(path, "pt") as file:
                metadata = file.metadata()
                tensors = {key: file.get_tensor(key) for key in list(file.keys())}
            if _hash(metadata["history"], tensors) != metadata["hash"]:
                raise ValueError
            for key, tensor in tensors.items():
                group, name = key.split("/", 1)
                groups[group][name] = tensor
            history = tuple(Epoch(**entry) for entry in json.loads(metadata["history"]))
        except (OSError, SafetensorError, KeyError, ValueError, TypeError):
            fix = "remove it: training then starts again"
            raise IntegrityError("E_CHECKPOINT", "it is damaged", fix=fix, path=path) from None
        return cls(groups["weights"], groups["best"], groups["optimizer"], history)

    @staticmethod
    def optimizer_tensors(network: nn.Module, optimizer: torch.optim.Optimizer) -> Tensors:
        """The optimizer's state by parameter name: ``exp_avg:stage.0.weight``."""
        return {
            f"{kind}:{name}": value
            for name, parameter in network.named_parameters()
            for kind, value in optimizer.state.get(parameter, {}).items()
        }

    def restore_optimizer(self, network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Undo `optimizer_tensors`."""
        parameters = dict(network.named_parameters())
        for key, tensor in self.optimizer.items():
            kind, name = key.split(":", 1)
            parameter = parameters[name]
            held = tensor if kind == "step" else tensor.to(parameter.device)
            optimizer.state[parameter][kind] = held.clone(memory_format=torch.preserve_format)


def _hash(history: str, tensors: Tensors) -> str:
    """Over names, types, shapes and values: safetensors itself does not notice a flipped bit."""
    parts = [f"{name} {hash_array(tensor.numpy())}" for name, tensor in sorted(tensors.items())]
    return hash_bytes(history.encode(), *(part.encode() for part in parts))
