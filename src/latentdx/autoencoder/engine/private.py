"""`pretrain_private`: differentially private training (DP-SGD), a patient being the unit.

    of every patient, with probability q:   g_p = mean over their scans of the gradient of the loss
    gradient of the step:                   ( sum_p g_p / (|g_p| + 0.01)  +  sigma N(0, 1) ) / (q P)

No patient's part is longer than 1, whatever their scans are, and the noise hides parts of that
length: see `budget` for sigma and what it guarantees. Gradients are taken scan by scan, so no layer
and no loss may join scans: no batch norm, no term that compares them.

Draws and noise come from the operating system's entropy, not from the seed: who knows the noise can
take it away. So such a training does not repeat to the bit. The generators are numpy's and torch's,
which are not cryptographic ones. It runs on the processor.

Abadi et al., "Deep learning with differential privacy", CCS 2016. Scaling in place of clipping: Bu
et al., "Automatic clipping", NeurIPS 2023.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.engine.budget import Spent, plan_privacy
from latentdx.autoencoder.engine.checkpoint import Checkpoint, CheckpointFolder, Epoch
from latentdx.autoencoder.engine.data import Source
from latentdx.autoencoder.engine.judge import Judge
from latentdx.autoencoder.engine.model import TrainingModel
from latentdx.autoencoder.engine.optimizer import rate_at, restore_state, state_tensors
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.engine.watch import Progress, Watch
from latentdx.core.errors import IntegrityError

_SCALE = 0.01
_MOST_SCANS = 4  # of a patient in a step
_TOGETHER = 64  # scans whose gradients are held at once


def pretrain_private(
    network: Autoencoder,
    scans: tuple[Source, Source],
    units: NDArray[np.int64],
    settings: FitSettings,
    *,
    checkpoints: Path | None,
    watch: Watch,
) -> list[Epoch]:
    """Train `network` in place on the first of `scans`; the second (tune) is only looked at.

    units: (N,), the patient of each scan, 0..P-1. The last weights are kept: none is chosen by a
    loss, which would tell of patients. It goes on from the folder `checkpoints`: what was spent
    is not spent again.
    """
    spent = plan_privacy(settings, units, scans[0].shape)
    run = _Private(network, scans, units, settings, spent)
    folder = None if checkpoints is None else CheckpointFolder(checkpoints)
    run.restore(folder)
    per_epoch = math.ceil(1 / spent.rate)
    network.train()
    while run.step < run.steps:
        started, before = time.perf_counter(), run.seen
        losses = []
        for _ in range(per_epoch):
            losses.append(run.take_step())
            speed = (run.seen - before) / (time.perf_counter() - started)
            left = (run.steps - run.step) * spent.rate * len(units) / max(speed, 1e-9)
            watch.progress(Progress(run.step, run.steps, losses[-1], speed, left))
        run.finish_epoch(float(np.nanmean(losses)), speed, folder)
        watch.epoch(len(run.history), run.history[-1])
    network.eval()
    return run.history


class _Loss(nn.Module):
    """The member's loss as a module, so that it can be asked for with other weights."""

    def __init__(self, network: Autoencoder) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        """The sum of its terms, which draw nothing."""
        return torch.stack(list(self.network.losses(pixels, torch.Generator()).values())).sum()


class _Private:
    """One private training at work."""

    def __init__(
        self,
        network: Autoencoder,
        scans: tuple[Source, Source],
        units: NDArray[np.int64],
        settings: FitSettings,
        spent: Spent,
    ) -> None:
        self.network, self.settings, self.spent = network, settings, spent
        self.steps = spent.steps // settings.round_of[1]
        self.train = scans[0]
        self.order = np.argsort(units, kind="stable")
        self.starts = np.searchsorted(units[self.order], np.arange(spent.n_units + 1))
        self.losses, self.model = _Loss(network), TrainingModel(network, settings, seed=0)
        self.judge = Judge(*scans, batch_size=settings.batch_size, seed=0)
        self.rate = settings.learning_rate or network.learning_rate
        self.optimizer = torch.optim.Adam(network.parameters(), lr=self.rate)
        self.secret = np.random.default_rng(secrets.randbits(128))
        self.noise = torch.Generator().manual_seed(secrets.randbits(63))
        self.history: list[Epoch] = []
        self.step = self.seen = 0

    def take_step(self) -> float:
        """One step; returns the mean loss of the scans drawn, NaN of none."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * rate_at(self.step, self.steps, self.settings)
        named = dict(self.network.named_parameters())
        total = {name: torch.zeros_like(held) for name, held in named.items()}
        losses: list[Tensor] = []
        for rows, of_unit in self._drawn():
            (pixels,) = self.train.batches([rows], torch.device("cpu"))
            found, loss = self._gradients(pixels)
            losses.append(loss)
            for name, part in _bounded(found, torch.from_numpy(of_unit)).items():
                total[name] += part
        share = 1 / (self.spent.rate * self.spent.n_units)
        for name, held in named.items():
            drawn = torch.randn(held.shape, generator=self.noise) * self.spent.noise
            held.grad = (total[name] + drawn).mul_(share)
        self.optimizer.step()
        self.step += 1
        self.seen += sum(len(loss) for loss in losses)
        return float(torch.cat(losses).mean()) if losses else math.nan

    def _drawn(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Rows of the drawn patients' scans, some at a time, and which of these patients' each is.

        A patient is whole in one piece.
        """
        chosen = np.flatnonzero(self.secret.random(self.spent.n_units) < self.spent.rate)
        rows: list[NDArray[np.int64]] = []
        for unit in chosen.tolist():
            own = self.order[self.starts[unit] : self.starts[unit + 1]]
            if len(own) > _MOST_SCANS:
                own = self.secret.choice(own, _MOST_SCANS, replace=False)
            rows.append(own)
            if sum(map(len, rows)) >= _TOGETHER:
                yield _joined(rows)
                rows = []
        if rows:
            yield _joined(rows)

    def _gradients(self, pixels: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Of each scan by itself: gradients by name, (B, ...), and the loss, (B,)."""
        weights = {name: held.detach() for name, held in self.losses.named_parameters()}
        found, losses = vmap(grad_and_value(self._loss), in_dims=(None, 0))(weights, pixels)
        start = "network."
        return {name.removeprefix(start): each for name, each in found.items()}, losses

    def _loss(self, weights: dict[str, Tensor], scan: Tensor) -> Tensor:
        total: Tensor = functional_call(self.losses, weights, (scan[None],))
        return total

    def finish_epoch(self, loss: float, speed: float, folder: CheckpointFolder | None) -> None:
        """Look at tune, for the report; keep a checkpoint."""
        self.network.eval()
        tune = self.judge.loss(self.model, torch.device("cpu"))
        self.network.train()
        self.history.append(Epoch(loss, tune, speed, {"reconstruction": loss}))
        if folder is not None:
            tensors = {
                "model": dict(self.network.state_dict()),
                "optimizer": state_tensors(self.network, self.optimizer),
            }
            position = {"step": self.step, "spent": self.spent.as_json()}
            folder.save(Checkpoint(tensors, tuple(self.history), position), self.step)

    def restore(self, folder: CheckpointFolder | None) -> None:
        """Go on where a training like this one was stopped."""
        found = None if folder is None else folder.load()
        if found is None:
            return
        checkpoint, path = found
        if checkpoint.position.get("spent") != self.spent.as_json():
            fix = "remove it: training then starts again"
            raise IntegrityError("E_CHECKPOINT", "it is of another training", fix=fix, path=path)
        self.network.load_state_dict(checkpoint.tensors["model"])
        restore_state(self.network, self.optimizer, checkpoint)
        self.history, self.step = list(checkpoint.history), checkpoint.position["step"]


def _joined(
    rows: list[NDArray[np.int64]],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    counts = np.array([len(own) for own in rows])
    return np.concatenate(rows), np.repeat(np.arange(len(rows)), counts)


def _bounded(gradients: dict[str, Tensor], units: Tensor) -> dict[str, Tensor]:
    """The sum over patients of their mean gradients, each scaled to a length below 1."""
    count = torch.bincount(units).to(torch.float32)
    means = {}
    squared = torch.zeros(len(count))
    for name, each in gradients.items():
        flat = each.reshape(len(each), -1)
        summed = torch.zeros(len(count), flat.shape[1]).index_add_(0, units, flat)
        means[name] = summed / count[:, None]
        squared += means[name].square().sum(dim=1)
    scale = 1 / (squared.sqrt() + _SCALE)
    return {name: (scale @ mean).reshape(gradients[name].shape[1:]) for name, mean in means.items()}
