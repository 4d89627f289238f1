"""`Checkpoint`: a training that can go on after the process has ended; safetensors files."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from latentdx.core.errors import IntegrityError
from latentdx.core.files import write_atomic
from latentdx.core.hashing import hash_array, hash_bytes

Tensors = dict[str, Tensor]

_KEPT = 2
_FIX = "remove it: training then starts again"


@dataclass(frozen=True)
class Epoch:
    """What became of an epoch.

    Attributes
    ----------
    loss: mean training loss; tune_loss: on ``tune``, NaN where that is too small.
    terms: the mean of each weighted term of the loss; health: see `health.measure`.
    """

    loss: float
    tune_loss: float
    images_per_second: float
    terms: Mapping[str, float] = field(default_factory=dict)
    health: Mapping[str, float] = field(default_factory=dict)

    @property
    def judged(self) -> float:
        """The loss by which the best epoch is chosen."""
        return self.loss if math.isnan(self.tune_loss) else self.tune_loss


@dataclass(frozen=True)
class Checkpoint:
    """Everything that the next step depends on.

    Attributes
    ----------
    tensors: by group (``weights``, ``best``, ``optimizer``, ...) and name.
    history: the epochs that are done.
    position: the epoch's number and the steps done in it, the seconds spent, and what was settled
        when training began. All generators are derived from the seed and the position.
    """

    tensors: Mapping[str, Tensors]
    history: tuple[Epoch, ...]
    position: Mapping[str, Any]

    def save(self, path: Path) -> None:
        """Write atomically: a reader finds the old file or the new one."""
        flat = {
            f"{group}/{name}": tensor.detach().cpu().contiguous().clone()
            for group, members in self.tensors.items()
            for name, tensor in members.items()
        }
        told = {"history": [asdict(entry) for entry in self.history], "position": self.position}
        text = json.dumps(told)
        write_atomic(path, save(flat, metadata={"told": text, "hash": _hash(text, flat)}))

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Undo `save`. Raises `IntegrityError` ``E_CHECKPOINT`` where the file is damaged."""
        groups: dict[str, Tensors] = {}
        try:
            with safe_open(path, "pt") as file:
                metadata = file.metadata()
                flat = {key: file.get_tensor(key) for key in list(file.keys())}
            if _hash(metadata["told"], flat) != metadata["hash"]:
                raise ValueError
            told = json.loads(metadata["told"])
            for key, tensor in flat.items():
                group, name = key.split("/", 1)
                groups.setdefault(group, {})[name] = tensor
            history = tuple(Epoch(**entry) for entry in told["history"])
            return cls(groups, history, told["position"])
        except (OSError, SafetensorError, KeyError, ValueError, TypeError):
            raise IntegrityError("E_CHECKPOINT", "it is damaged", fix=_FIX, path=path) from None


@dataclass(frozen=True)
class CheckpointFolder:
    """The last two checkpoints of a training, named by the steps done."""

    root: Path

    def save(self, checkpoint: Checkpoint, step: int) -> None:
        """Add one; those before the last two go once it is safely there."""
        self.root.mkdir(parents=True, exist_ok=True)
        checkpoint.save(self.root / f"step-{step:09}.safetensors")
        for old in self._paths()[:-_KEPT]:
            old.unlink(missing_ok=True)
        for half in self.root.glob(".*.tmp"):  # of a process that was killed while it wrote
            half.unlink(missing_ok=True)

    def load(self) -> tuple[Checkpoint, Path] | None:
        """The newest that is whole and its place; None where there is none.

        Raises `IntegrityError` ``E_CHECKPOINT`` where all are damaged.
        """
        paths = self._paths()
        for path in reversed(paths):
            try:
                return Checkpoint.load(path), path
            except IntegrityError:
                if path == paths[0]:
                    raise
        return None

    def clear(self) -> None:
        """Remove all."""
        for path in self._paths():
            path.unlink(missing_ok=True)

    def _paths(self) -> list[Path]:
        return sorted(self.root.glob("step-*.safetensors"))


def _hash(told: str, tensors: Tensors) -> str:
    """Over names, types, shapes and values: safetensors itself does not notice a flipped bit."""
    parts = [f"{name} {_hash_tensor(tensor)}" for name, tensor in sorted(tensors.items())]
    return hash_bytes(told.encode(), *(part.encode() for part in parts))


def _hash_tensor(tensor: Tensor) -> str:
    if tensor.dtype == torch.bfloat16:  # numpy has no such type
        return f"bf16 {hash_array(tensor.view(torch.uint16).numpy())}"
    return hash_array(tensor.numpy())
