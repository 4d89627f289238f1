"""One process or many: what each does of a batch, and what they agree upon."""

from __future__ import annotations

import atexit
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed, nn

from latentdx.autoencoder.engine.settings import Sharding

_WAIT = 20  # seconds for the others at the end


@dataclass(frozen=True)
class Processes:
    """This process's number among those that train together, and where it computes."""

    device: torch.device
    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """The one that writes checkpoints and tells of progress."""
        return self.rank == 0

    def wrap(self, model: nn.Module, sharding: Sharding) -> nn.Module:
        """The model that synchronises gradients (DDP), or shards all of itself (FSDP)."""
        if self.count == 1:
            return model
        if sharding == "full":
            from torch.distributed.fsdp import fully_shard

            for parameter in model.parameters():  # it takes no other layout
                parameter.data = parameter.data.contiguous()
            fully_shard(model)
            return model
        from torch.nn.parallel import DistributedDataParallel

        return DistributedDataParallel(model)

    def mean(self, value: Tensor) -> Tensor:
        """The mean over processes."""
        if self.count > 1:
            value = value.clone()
            distributed.all_reduce(value)
            value = value / self.count
        return value

    def agree(self, value: Any) -> Any:
        """What the first process says."""
        if self.count == 1:
            return value
        told = [value]
        distributed.broadcast_object_list(told, src=0)
        return told[0]

    @torch.no_grad()
    def agree_on_buffers(self, model: nn.Module) -> None:
        """Running statistics are those of the first process."""
        if self.count > 1:
            for buffer in model.buffers():
                distributed.broadcast(buffer, src=0)


def is_first() -> bool:
    """Whether this process is the first of those that ``torchrun`` started, or alone."""
    return os.environ.get("RANK", "0") == "0"


def best_device() -> torch.device:
    """The GPU where there is one (that of this process among many), else the processor."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))


def join() -> Processes:
    """The processes started by ``torchrun`` (or `--processes`), or this one alone.

    Gloo on the processor, NCCL on GPUs. What `torch.distributed` was set up with before is used.
    """
    device = best_device()
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if "WORLD_SIZE" in os.environ and not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        atexit.register(_leave)  # not now: a second training goes on with the group
    if distributed.is_initialized():
        return Processes(device, distributed.get_rank(), distributed.get_world_size())
    return Processes(device)


def _leave() -> None:
    """Together: a process that is left alone with open connections is aborted by Gloo."""
    if distributed.get_backend() == "gloo":
        with suppress(RuntimeError):  # another has failed: torchrun ends them all
            distributed.monitored_barrier(timeout=timedelta(seconds=_WAIT))
    distributed.destroy_process_group()


def whole(tensor: Tensor) -> Tensor:
    """A sharded tensor put together (every process has to ask); another as it is."""
    put_together = getattr(tensor, "full_tensor", None)
    found: Tensor = tensor if put_together is None else put_together()
    return found


def like(value: Tensor, held: Any) -> Tensor:
    """`value` on the device, in the layout and, where `held` is sharded, in the shards of it."""
    if hasattr(held, "device_mesh"):
        from torch.distributed.tensor import distribute_tensor

        return distribute_tensor(value.to(held.device), held.device_mesh, held.placements)
    found: Tensor = torch.empty_like(held, dtype=value.dtype).copy_(value)
    return found
