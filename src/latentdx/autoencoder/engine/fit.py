"""`pretrain`: the one training loop, without labels, resumable to the same weights."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.blocks import batch_laid_out, laid_out
from latentdx.autoencoder.engine.averaging import WeightAverage
from latentdx.autoencoder.engine.checkpoint import Checkpoint, CheckpointFolder, Epoch, Tensors
from latentdx.autoencoder.engine.data import Rows, Source, as_source
from latentdx.autoencoder.engine.health import findings
from latentdx.autoencoder.engine.model import TrainingModel
from latentdx.autoencoder.engine.optimizer import (
    build_optimizer,
    rate_at,
    restore_state,
    state_tensors,
)
from latentdx.autoencoder.engine.plan import Plan, make_plan
from latentdx.autoencoder.engine.processes import Processes, joined, like, whole
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.core.errors import IntegrityError, StopError
from latentdx.core.seeds import derive_seed

_PROBED = 128
_JUDGED_FROM = 8  # scans of a batch of the tune part: fewer make no batch statistics
_TOLD_EVERY = 4
_EXPLODED = 10


@dataclass(frozen=True)
class Progress:
    """What a progress bar shows: `step` of `steps`, the running loss, the speed, the time left."""

    step: int
    steps: int
    loss: float
    images_per_second: float
    seconds_left: float


class Pool(NamedTuple):
    """Scans (N, C, *size) to learn from, and those on which the best epoch is chosen."""

    train: Source | NDArray[Any]
    tune: Source | NDArray[Any]


@dataclass(frozen=True)
class Watch:
    """Who is told of a training: of its progress, and of each finished epoch by number."""

    progress: Callable[[Progress], None] = lambda _: None
    epoch: Callable[[int, Epoch], None] = lambda _, __: None


def pretrain(
    network: Autoencoder,
    pool: Pool,
    settings: FitSettings,
    *,
    seed: int,
    checkpoints: Path | None = None,
    watch: Watch | None = None,
) -> list[Epoch]:
    """Train `network` in place on `pool.train`; the epoch that is best on `pool.tune` is kept.

    Everything random derives from `seed` and the step's number, so a run continued from the folder
    `checkpoints` ends with the same weights, bit for bit, as one that was never stopped. Started
    by ``torchrun`` it trains in all of its processes together.

    Raises `StopError` ``E_DIVERGED`` where a loss is no longer finite or explodes and
    ``E_TOO_FEW`` for fewer than 8 scans, `IntegrityError` ``E_CHECKPOINT``.
    """
    train, tune = as_source(pool.train), as_source(pool.tune)
    if len(train) < 8:
        raise StopError("E_TOO_FEW", f"{len(train)} scans to learn from", fix="add scans")
    with joined() as processes, _exact(settings):
        run = _Run(network, train, tune, settings, seed=seed, processes=processes)
        run.watch = watch or Watch()
        if checkpoints is not None:
            run.folder = CheckpointFolder(checkpoints)
        run.begin()
        while not run.is_over():
            run.train_epoch()
        network.load_state_dict(run.best)
        network.eval()
        return run.history


class _Run:
    """One training at work."""

    def __init__(
        self,
        network: Autoencoder,
        train: Source,
        tune: Source,
        settings: FitSettings,
        *,
        seed: int,
        processes: Processes,
    ) -> None:
        self.processes, self.settings, self.seed = processes, settings, seed
        self.device = processes.device
        self.network: Autoencoder = laid_out(network.to(self.device))
        self.train, self.tune = train, tune
        self.model = TrainingModel(network, settings, seed=seed)
        self.wrapped: nn.Module = processes.wrap(self.model, settings.sharding)
        self.rate = settings.learning_rate or network.learning_rate
        self.optimizer = build_optimizer(self.model, settings, self.rate)
        self.average = None if settings.ema is None else WeightAverage(network, settings.ema)
        self.history: list[Epoch] = []
        self.best: Tensors = self._judged_weights()
        self.done = 0  # steps of the epoch that is under way
        self.sums: dict[str, float] = {}
        self.spent = 0.0
        self.folder: CheckpointFolder | None = None
        self.watch = Watch()
        self.plan: Plan

    def begin(self) -> None:
        """Take up the newest checkpoint, or settle how to train."""
        self.started = self.saved = time.monotonic()
        found = None if self.folder is None else self.folder.load()
        if found is not None:
            self._restore(*found)
        else:
            plan = make_plan(self.model, self.train, self.settings, self.processes)
            self.plan = self.processes.agree(plan)

    def train_epoch(self) -> None:
        """One pass over the scans in drawn order, from where it was left, then ``tune``."""
        epoch, plan = len(self.history), self.plan
        self.network.train()
        begun, first = time.perf_counter(), self.done
        batches = self._batches(epoch)
        recent: list[Tensor] = []
        for pixels in self.train.batches(batches[first:], self.device):
            step = epoch * plan.n_batches + self.done
            recent.append(self.step(pixels, step))
            self.done += 1
            if len(recent) == _TOLD_EVERY or self.done == plan.n_batches:
                speed = (self.done - first) * plan.batch / (time.perf_counter() - begun)
                self._tell(recent, step + 1, speed)
                recent = []
                self._save_if_due(step + 1)
        spent = time.perf_counter() - begun
        self._finish_epoch((self.done - first) * plan.batch / max(spent, 1e-9))

    def step(self, pixels: Tensor, step: int) -> Tensor:
        """One step of the optimizer; returns each term's mean, stacked."""
        self.network.progress = step / max(1, self.plan.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * rate_at(step, self.plan.steps, self.settings)
        self.optimizer.zero_grad(set_to_none=True)
        parts = pixels.chunk(self.settings.accumulate)
        totals = [
            self._backward(part, step, number, len(part) / len(pixels))
            for number, part in enumerate(parts)
        ]
        if self.settings.clip:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip)
        self.optimizer.step()
        self.model.after_step()
        if self.average is not None:
            self.average.follow(self.network)
        return torch.stack(totals).sum(dim=0)

    def _backward(self, pixels: Tensor, step: int, part: int, share: float) -> Tensor:
        """Gradients of one part of a batch, weighted by its share; returns its weighted terms."""
        seed = derive_seed(self.seed, "step", step, part, self.processes.rank)
        torch.manual_seed(seed)  # of dropout in a network; the caller's own state comes back
        terms = self._terms(pixels, torch.Generator().manual_seed(seed))
        self.names = tuple(terms)
        stacked = share * torch.stack([term.float() for term in terms.values()])
        stacked.sum().backward()
        return stacked.detach()

    def _terms(self, pixels: Tensor, generator: torch.Generator | None) -> dict[str, Any]:
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.plan.bf16):
            found: dict[str, Any] = self.wrapped(batch_laid_out(pixels), generator)
        return found

    def _tell(self, recent: list[Tensor], step: int, speed: float) -> None:
        """Add the last steps' terms to the epoch's sums; stop where one is not finite."""
        terms = self.processes.mean(torch.stack(recent)).double().cpu()
        for name, total in zip(self.names, terms.sum(dim=0).tolist(), strict=True):
            if not math.isfinite(total):
                raise _diverged(f"the term {name!r} of the loss is no longer finite", step)
            self.sums[name] = self.sums.get(name, 0.0) + total
        if self.processes.is_first:
            left = (self.plan.steps - step) * self.plan.batch / speed
            loss = float(terms.sum(dim=1).mean())
            self.watch.progress(Progress(step, self.plan.steps, loss, speed, left))

    def _finish_epoch(self, speed: float) -> None:
        step = (len(self.history) + 1) * self.plan.n_batches
        terms = {name: total / self.plan.n_batches for name, total in self.sums.items()}
        self.processes.agree_on_buffers(self.model)
        with self._judged():
            tune_loss, health = self._tune_loss(), self._health()
        epoch = Epoch(sum(terms.values()), tune_loss, speed, terms, health)
        if len(self.tune) >= _JUDGED_FROM and not math.isfinite(tune_loss):
            raise _diverged("the loss on the tune part is no longer finite", step)
        if self.history and epoch.judged > _EXPLODED * abs(self.history[0].judged) + 1:
            raise _diverged(f"the loss grew from {self.history[0].judged:.3g}", step)
        if not self.history or epoch.judged < min(entry.judged for entry in self.history):
            self.best = self._judged_weights()
        self.history.append(epoch)
        self.done, self.sums = 0, {}
        self._save(step)
        if self.processes.is_first:
            self.watch.epoch(len(self.history), epoch)

    def _batches(self, epoch: int) -> list[Rows]:
        """This process's rows of each batch; full batches only: what is left over in one epoch
        is in another's."""
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "epoch", epoch))
        order = torch.randperm(len(self.train), generator=generator).numpy()
        rank, count = self.processes.rank, self.processes.count
        starts = range(0, self.plan.n_batches * self.plan.batch, self.plan.batch)
        return [order[start : start + self.plan.batch][rank::count] for start in starts]

    @torch.no_grad()
    def _tune_loss(self) -> float:
        """The same views of the same scans after every epoch; NaN for fewer than 8 scans."""
        if len(self.tune) < _JUDGED_FROM:
            return math.nan
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "tune"))
        torch.manual_seed(derive_seed(self.seed, "tune"))
        rows, size = np.arange(len(self.tune)), max(_JUDGED_FROM, self.settings.batch_size)
        groups = [rows[start : start + size] for start in range(0, len(rows), size)]
        groups = [group for group in groups if len(group) >= _JUDGED_FROM]
        losses = []
        for pixels in self.tune.batches(groups, self.device):
            terms = self._terms(pixels, generator)
            losses.append(float(torch.stack([term.float() for term in terms.values()]).sum()))
        return float(np.average(losses, weights=[len(group) for group in groups]))

    @torch.no_grad()
    def _health(self) -> dict[str, float]:
        """The latent's measures, some twenty times in a training."""
        number = len(self.history) + 1
        if number % max(1, self.plan.epochs // 20) and number != self.plan.epochs:
            return {}
        source = self.tune if len(self.tune) >= _PROBED else self.train
        rows = [np.arange(min(_PROBED, len(source)))]
        (pixels,) = source.batches(rows, self.device)
        return self._terms(pixels, None)

    @contextmanager
    def _judged(self) -> Iterator[None]:
        """Evaluation mode, with the weights that are judged."""
        self.network.eval()
        if self.average is None:
            yield
        else:
            with self.average.in_place(self.network):
                yield

    def _judged_weights(self) -> Tensors:
        weights = self.network if self.average is None else self.average.network
        return {name: whole(value).detach().clone() for name, value in weights.state_dict().items()}

    def is_over(self) -> bool:
        """All epochs are done, no better loss for `patience`, or time is up."""
        if not self.history:
            return self.plan.epochs < 1
        judged = [entry.judged for entry in self.history]
        waited = len(judged) - 1 - int(np.argmin(judged))
        done = len(judged) >= self.plan.epochs
        bored = waited > max(3, self.settings.patience * self.plan.epochs)
        return bool(self.processes.agree(done or bored or self._is_late()))

    def _is_late(self) -> bool:
        minutes = self.settings.minutes
        return minutes is not None and self.seconds() > 60 * minutes

    def seconds(self) -> float:
        """Wall time of this training, before an interruption and since."""
        return self.spent + time.monotonic() - self.started

    def notes(self) -> list[str]:
        """What the last measured health says is wrong."""
        measured = [entry.health for entry in self.history if entry.health]
        return findings(dict(measured[-1])) if measured else []

    def _save_if_due(self, step: int) -> None:
        if time.monotonic() - self.saved > self.settings.checkpoint_seconds:
            self._save(step)

    def _save(self, step: int) -> None:
        if self.folder is None:
            return
        self.saved = time.monotonic()
        checkpoint = self.snapshot()
        if self.processes.is_first:
            self.folder.save(checkpoint, step)

    def snapshot(self) -> Checkpoint:
        """Everything that the next step depends on."""
        tensors = {
            "model": {name: whole(held) for name, held in self.model.state_dict().items()},
            "best": self.best,
            "optimizer": state_tensors(self.model, self.optimizer),
            **({} if self.average is None else {"average": self.average.network.state_dict()}),
        }
        position = {
            "done": self.done,
            "sums": self.sums,
            "seconds": self.seconds(),
            "plan": self.plan._asdict(),
        }
        return Checkpoint(tensors, tuple(self.history), position)

    def _restore(self, checkpoint: Checkpoint, path: Path) -> None:
        """Go on from a saved snapshot."""
        try:
            held = self.model.state_dict()
            told = checkpoint.tensors["model"]
            if told.keys() != held.keys():
                raise KeyError
            self.model.load_state_dict({key: like(told[key], held[key]) for key in held})
            restore_state(self.model, self.optimizer, checkpoint.tensors.get("optimizer", {}))
            if self.average is not None:
                self.average.network.load_state_dict(checkpoint.tensors["average"])
            self.plan = Plan(**checkpoint.position["plan"])
        except (RuntimeError, KeyError, TypeError):
            found = "it is of another network"
            fix = "remove it: training then starts again"
            raise IntegrityError("E_CHECKPOINT", found, fix=fix, path=path) from None
        self.best = dict(checkpoint.tensors["best"])
        self.history = list(checkpoint.history)
        self.done = checkpoint.position["done"]
        self.sums = dict(checkpoint.position["sums"])
        self.spent = checkpoint.position["seconds"]


@contextmanager
def _exact(settings: FitSettings) -> Iterator[None]:
    """The caller's generators come back; deterministic algorithms only, where asked for."""
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    before = torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng(devices=devices):
        torch.use_deterministic_algorithms(settings.deterministic or before)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before)


def _diverged(found: str, step: int) -> StopError:
    fix = "lower the learning rate, or train with --precision fp32"
    return StopError("E_DIVERGED", f"{found} (step {step})", fix=fix)
