"""A training as a `Checkpoint`, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from latentdx.autoencoder.engine.checkpoint import Checkpoint
from latentdx.autoencoder.engine.optimizer import restore_state, state_numbers, state_tensors
from latentdx.autoencoder.engine.plan import Plan
from latentdx.autoencoder.engine.processes import like, whole
from latentdx.core.errors import IntegrityError

if TYPE_CHECKING:
    from latentdx.autoencoder.engine.loop import Training


def snapshot(training: Training) -> Checkpoint:
    """Everything that the next step depends on; every process has to ask where weights are
    sharded."""
    tensors = {
        "model": {name: whole(held) for name, held in training.model.state_dict().items()},
        "best": training.best,
        "optimizer": state_tensors(training.model, training.optimizer),
    }
    if training.average is not None:
        tensors["average"] = {name: whole(held) for name, held in training.average.tensors.items()}
    position = {
        "done": training.done,
        "sums": training.sums,
        "seconds": training.seconds(),
        "plan": training.plan._asdict(),
        "optimizer": state_numbers(training.optimizer),
    }
    return Checkpoint(tensors, tuple(training.history), position)


def restore(training: Training, checkpoint: Checkpoint, path: Path) -> None:
    """Go on from a snapshot.

    Raises `IntegrityError` ``E_CHECKPOINT`` where it is of another network.
    """
    try:
        held = training.model.state_dict()
        told = checkpoint.tensors["model"]
        if told.keys() != held.keys():
            raise KeyError
        training.model.load_state_dict({key: like(told[key], held[key]) for key in held})
        restore_state(training.model, training.optimizer, checkpoint)
        if training.average is not None:
            for name, value in checkpoint.tensors["average"].items():
                held_average = training.average.tensors[name]
                held_average.copy_(like(value, held_average))
        training.plan = Plan(**checkpoint.position["plan"])
    except (RuntimeError, KeyError, TypeError):
        found = "it is of another network"
        fix = "remove it: training then starts again"
        raise IntegrityError("E_CHECKPOINT", found, fix=fix, path=path) from None
    training.best = dict(checkpoint.tensors["best"])
    training.history = list(checkpoint.history)
    training.done = checkpoint.position["done"]
    training.sums = dict(checkpoint.position["sums"])
    training.spent = checkpoint.position["seconds"]
