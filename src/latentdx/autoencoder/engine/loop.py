"""`Training`: the loop at work, step by step; `pretrain` is its door."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.blocks import batch_laid_out, laid_out
from latentdx.autoencoder.engine.averaging import WeightAverage
from latentdx.autoencoder.engine.beside import Beside, Masks, known_of
from latentdx.autoencoder.engine.checkpoint import CheckpointFolder, Epoch, Tensors
from latentdx.autoencoder.engine.data import Rows, Source
from latentdx.autoencoder.engine.domains import Domains
from latentdx.autoencoder.engine.judge import Judge, is_measured
from latentdx.autoencoder.engine.model import TrainingModel
from latentdx.autoencoder.engine.optimizer import averaged, build_optimizer, rate_at
from latentdx.autoencoder.engine.plan import Plan, make_plan
from latentdx.autoencoder.engine.processes import Processes, whole
from latentdx.autoencoder.engine.proximal import Proximal
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.engine.snapshot import restore, snapshot
from latentdx.autoencoder.engine.watch import Progress, Watch
from latentdx.autoencoder.transfer import train_mode
from latentdx.core.errors import StopError
from latentdx.core.seeds import derive_seed

_TOLD_EVERY = 4
_EXPLODED = 10


class Training:
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
        domains: Domains | None = None,
        masks: Masks | None = None,
    ) -> None:
        self.processes, self.settings, self.seed = processes, settings, seed
        self.device = processes.device
        if settings.sharding == "full":  # the caller's own stays whole
            network = copy.deepcopy(network)
        self.network: Autoencoder = laid_out(network.to(self.device))
        self.train = train
        self.known, judged = known_of(domains, masks)
        self.judge = Judge(train, tune, batch_size=settings.batch_size, seed=seed, known=judged)
        n_domains = len(domains.names) if domains else 0
        self.model = TrainingModel(self.network, settings, seed=seed, n_domains=n_domains)
        self.wrapped: nn.Module = processes.wrap(self.model, settings.sharding)
        self.rate = settings.learning_rate or network.learning_rate
        self.optimizer = build_optimizer(self.model, settings, self.rate)
        self.proximal = Proximal(self.network, settings.proximal)
        self.average = None if settings.ema is None else WeightAverage(self.network, settings.ema)
        self.history: list[Epoch] = []
        self.best: Tensors = self._weights()
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
            restore(self, *found)
        else:
            plan = make_plan(self.model, self.train, self.settings, self.processes)
            self.plan = self.processes.agree(plan)

    def train_epoch(self) -> None:
        """One pass over the scans in drawn order, from where it was left, then ``tune``."""
        epoch, plan = len(self.history), self.plan
        train_mode(self.network)
        begun, first = time.perf_counter(), self.done
        batches = self._batches(epoch)[first:]
        recent: list[Tensor] = []
        for rows, pixels in zip(batches, self.train.batches(batches, self.device), strict=True):
            step = epoch * plan.n_batches + self.done
            recent.append(self.step(pixels, step, self.known.of(rows, self.device)))
            self.done += 1
            if len(recent) == _TOLD_EVERY or self.done == plan.n_batches:
                speed = (self.done - first) * plan.batch / (time.perf_counter() - begun)
                self._tell(recent, step + 1, speed)
                recent = []
                self._save_if_due(step + 1)
        spent = time.perf_counter() - begun
        self._finish_epoch((self.done - first) * plan.batch / max(spent, 1e-9))

    def step(self, pixels: Tensor, step: int, beside: Beside) -> Tensor:
        """One step of the optimizer; returns each term's mean, stacked."""
        number, count = self.settings.round_of
        self.network.progress = (number + step / max(1, self.plan.steps)) / count
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * rate_at(step, self.plan.steps, self.settings)
        self.optimizer.zero_grad(set_to_none=True)
        parts = pixels.chunk(self.settings.accumulate)
        known = beside.chunk(len(parts))
        totals = [
            self._backward(part, of, (step, number), len(part) / len(pixels))
            for number, (part, of) in enumerate(zip(parts, known, strict=True))
        ]
        self.proximal.pull()
        if self.settings.clip:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip)
        self.optimizer.step()
        self.model.after_step()
        if self.average is not None:
            self.average.follow(self.network)
        return torch.stack(totals).sum(dim=0)

    def _backward(
        self, pixels: Tensor, beside: Beside, at: tuple[int, int], share: float
    ) -> Tensor:
        """Gradients of one part of a batch, weighted by its share; returns its weighted terms.

        `at`: the step, and the number of the part in it.
        """
        seed = derive_seed(self.seed, "step", *at, self.processes.rank)
        torch.manual_seed(seed)  # of dropout in a network; the caller's own state comes back
        terms = self._terms(pixels, torch.Generator().manual_seed(seed), beside)
        self.names = tuple(terms)
        stacked = share * torch.stack([term.float() for term in terms.values()])
        stacked.sum().backward()
        return stacked.detach()

    def _terms(
        self, pixels: Tensor, generator: torch.Generator | None, beside: Beside
    ) -> dict[str, Any]:
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.plan.bf16):
            found: dict[str, Any] = self.wrapped(batch_laid_out(pixels), generator, beside)
        return found

    def _tell(self, recent: list[Tensor], step: int, speed: float) -> None:
        """Add the last steps' terms to the epoch's sums; stop where one is not finite."""
        terms = self.processes.mean(torch.stack(recent)).double().cpu()
        self._require_finite(terms, step)
        for name, total in zip(self.names, terms.sum(dim=0).tolist(), strict=True):
            self.sums[name] = self.sums.get(name, 0.0) + total
        if self.processes.is_first:
            left = (self.plan.steps - step) * self.plan.batch / speed
            loss = float(terms.sum(dim=1).mean())
            self.watch.progress(Progress(step, self.plan.steps, loss, speed, left))

    def _require_finite(self, terms: Tensor, step: int) -> None:
        """Of the last steps, rows of `terms`, name the first term that went wrong."""
        for back, row in enumerate(terms.isfinite().tolist()):
            if not all(row):
                name = self.names[row.index(False)]
                found = f"the term {name!r} of the loss is no longer finite"
                raise _diverged(found, step - len(terms) + 1 + back)

    def _finish_epoch(self, speed: float) -> None:
        step = (len(self.history) + 1) * self.plan.n_batches
        terms = {name: total / self.plan.n_batches for name, total in self.sums.items()}
        self.processes.agree_on_buffers(self.model)
        with self._judged():
            epoch = self._judge(terms, speed)
            self._require_sane(epoch, step)
            if self._is_kept(epoch):
                self.best = self._weights()
        self.history.append(epoch)
        self.done, self.sums = 0, {}
        self._save(step)
        if self.processes.is_first:
            self.watch.epoch(len(self.history), epoch)

    def _is_kept(self, epoch: Epoch) -> bool:
        if self.settings.keep == "last" or not self.history:
            return True
        return epoch.judged < min(entry.judged for entry in self.history)

    def _judge(self, terms: dict[str, float], speed: float) -> Epoch:
        tune_loss = self.judge.loss(self._terms, self.device)
        measured = is_measured(len(self.history) + 1, self.plan.epochs)
        health = self.judge.health(self._terms, self.device) if measured else {}
        return Epoch(sum(terms.values()), tune_loss, speed, terms, health)

    def _require_sane(self, epoch: Epoch, step: int) -> None:
        if self.judge.groups and not math.isfinite(epoch.tune_loss):
            raise _diverged("the loss on the tune part is no longer finite", step)
        if self.history and epoch.judged > _EXPLODED * abs(self.history[0].judged) + 1:
            raise _diverged(f"the loss grew from {self.history[0].judged:.3g}", step)

    def _batches(self, epoch: int) -> list[Rows]:
        """This process's rows of each batch; full batches only: what is left over in one epoch
        is in another's."""
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "epoch", epoch))
        order = torch.randperm(len(self.train), generator=generator).numpy()
        rank, count = self.processes.rank, self.processes.count
        starts = range(0, self.plan.n_batches * self.plan.batch, self.plan.batch)
        return [order[start : start + self.plan.batch][rank::count] for start in starts]

    @contextmanager
    def _judged(self) -> Iterator[None]:
        """Evaluation mode, with the weights that are judged."""
        self.network.eval()
        with averaged(self.optimizer):
            if self.average is None:
                yield
            else:
                with self.average.in_place(self.network):
                    yield

    def _weights(self) -> Tensors:
        held = self.network.state_dict()
        return {name: whole(value).detach().clone() for name, value in held.items()}

    def is_over(self) -> bool:
        """All epochs are done, no better loss for `patience`, or time is up."""
        if not self.history:
            return self.plan.epochs < 1
        judged = [entry.judged for entry in self.history]
        waited = len(judged) - 1 - int(np.argmin(judged))
        done = len(judged) >= self.plan.epochs
        bored = waited > max(3, self.settings.patience * self.plan.epochs)
        bored = bored and self.settings.keep == "best"
        return bool(self.processes.agree(done or bored or self._is_late()))

    def _is_late(self) -> bool:
        minutes = self.settings.minutes
        return minutes is not None and self.seconds() > 60 * minutes

    def seconds(self) -> float:
        """Wall time of this training, before an interruption and since."""
        return self.spent + time.monotonic() - self.started

    def _save_if_due(self, step: int) -> None:
        late = time.monotonic() - self.saved > self.settings.checkpoint_seconds
        if self.folder is not None and self.processes.agree(late):  # all put their shards together
            self._save(step)

    def _save(self, step: int) -> None:
        if self.folder is None:
            return
        self.saved = time.monotonic()
        checkpoint = snapshot(self)
        if self.processes.is_first:
            self.folder.save(checkpoint, step)


def _diverged(found: str, step: int) -> StopError:
    fix = "lower the learning rate, or train with --precision fp32"
    return StopError("E_DIVERGED", f"{found} (step {step})", fix=fix)
