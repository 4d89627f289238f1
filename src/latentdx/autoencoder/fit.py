"""`pretrain`: the one training loop, without labels, resumable to the same weights."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.checkpoint import Checkpoint, Epoch
from latentdx.autoencoder.device import Precision, best_device, uses_bf16
from latentdx.core.errors import IntegrityError, StopError
from latentdx.core.seeds import derive_seed

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class FitSettings:
    """How long and how fast an autoencoder learns.

    Attributes
    ----------
    epochs: passes over the scans, or None for `scans_seen` in all.
    scans_seen: where `epochs` is None: scans seen over all epochs at 28 x 28 pixels; larger scans
        are seen fewer times (see `choose_epochs`).
    batch_size: at most; small collections use smaller batches.
    learning_rate: the highest, None for the network's own; warm-up over the first tenth of the
        steps, then a cosine to zero.
    weight_decay: of AdamW, which is Adam where it is 0.
    patience: fraction of the epochs without a better loss on ``tune`` after which training ends.
    minutes: wall time after which it ends, or None; a run ended by time is not reproducible.
    """

    epochs: int | None = None
    scans_seen: int = 56_000
    batch_size: int = 256
    learning_rate: float | None = None
    weight_decay: float = 1e-4
    patience: float = 0.3
    minutes: float | None = None
    precision: Precision = "auto"


@dataclass(frozen=True)
class Progress:
    """What a progress bar shows: `step` of `steps`, the running loss, and the speed."""

    step: int
    steps: int
    loss: float
    images_per_second: float


def choose_epochs(settings: FitSettings, n_scans: int, size: int) -> int:
    """Epochs for `n_scans` of `size` pixels: the same work for any number of scans.

    Cost grows with the area, so larger scans are seen fewer times.

    Examples
    --------
    >>> choose_epochs(FitSettings(), 4700, 28)
    12
    """
    if settings.epochs is not None:
        return settings.epochs
    seen = settings.scans_seen * min(1.0, 28 / size) ** 1.25
    return int(np.clip(round(seen / n_scans), 6, 200))


class Pool(NamedTuple):
    """Pixels (N, C, S, S) to learn from, and those on which the best epoch is chosen."""

    train: Pixels
    tune: Pixels


def pretrain(
    network: Autoencoder,
    pool: Pool,
    settings: FitSettings,
    *,
    seed: int,
    checkpoint: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> list[Epoch]:
    """Train `network` in place on `pool.train`; the epoch that is best on `pool.tune` is kept.

    Everything random in an epoch derives from `seed` and the epoch's number, so a run continued
    from `checkpoint` (a file, written after epochs) ends with the same weights as one that was
    never stopped. Raises `StopError` ``E_DIVERGED`` where a loss is no longer finite and
    ``E_TOO_FEW`` for fewer than 8 scans, `IntegrityError` ``E_CHECKPOINT``.
    """
    if len(pool.train) < 8:
        raise StopError("E_TOO_FEW", f"{len(pool.train)} scans to learn from", fix="add scans")
    run = _Run(network, pool, settings, seed=seed)
    if checkpoint is not None and checkpoint.exists():
        run.restore(checkpoint)
    while not run.is_over():
        run.train_epoch(len(run.history), progress or (lambda _: None))
        if checkpoint is not None:
            run.snapshot().save(checkpoint)
    network.load_state_dict(run.best)
    network.eval()
    return run.history


class _Run:
    """One training at work."""

    def __init__(
        self, network: Autoencoder, pool: Pool, settings: FitSettings, *, seed: int
    ) -> None:
        self.device = best_device()
        self.network = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.train = torch.from_numpy(pool.train).to(self.device)
        self.tune = torch.from_numpy(pool.tune).to(self.device)
        self.settings, self.seed = settings, seed
        self.epochs = choose_epochs(settings, len(pool.train), pool.train.shape[-1])
        self.batch = min(settings.batch_size, max(8, len(pool.train) // 6))
        self.steps = self.epochs * (len(pool.train) // self.batch)
        self.history: list[Epoch] = []
        self.best: dict[str, Tensor] = _copied(network.state_dict())
        self.rate = settings.learning_rate or network.learning_rate
        self.optimizer = torch.optim.AdamW(
            network.parameters(), lr=self.rate, weight_decay=settings.weight_decay
        )
        self.started = time.monotonic()
        self.bf16 = uses_bf16(settings.precision, self.device)

    def train_epoch(self, epoch: int, progress: Callable[[Progress], None]) -> None:
        """One pass over the scans in drawn order, then the loss on ``tune``."""
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "epoch", epoch))
        self.network.train()
        started, losses = time.perf_counter(), []
        n_batches = len(self.train) // self.batch
        for number, rows in enumerate(self._batches(generator)):
            step = epoch * n_batches + number
            losses.append(self._step(self.train[rows], step, generator))
            if number % 4 == 3 or number == n_batches - 1:
                speed = (number + 1) * self.batch / (time.perf_counter() - started)
                recent = float(torch.stack(losses[-4:]).mean())
                progress(Progress(step + 1, self.steps, recent, speed))
        loss = float(torch.stack(losses).mean())
        self._finish_epoch(loss, n_batches * self.batch / (time.perf_counter() - started))

    def _finish_epoch(self, loss: float, speed: float) -> None:
        tune_loss = self._tune_loss()
        judged = tune_loss if self._has_tune() else loss
        if not (math.isfinite(loss) and math.isfinite(judged)):
            raise StopError(
                "E_DIVERGED",
                f"the loss is no longer finite in epoch {len(self.history) + 1}",
                fix="lower the learning rate, or train with --precision fp32",
            )
        if not self.history or judged < min(entry.judged for entry in self.history):
            self.best = _copied(self.network.state_dict())
        self.history.append(Epoch(loss, tune_loss, speed))

    def _batches(self, generator: torch.Generator) -> Iterator[Tensor]:
        """Full batches only: what is left over is in another epoch's batches."""
        order = torch.randperm(len(self.train), generator=generator)
        for start in range(0, len(order) - self.batch + 1, self.batch):
            yield order[start : start + self.batch].to(self.device)

    def _step(self, pixels: Tensor, step: int, generator: torch.Generator) -> Tensor:
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * _schedule(step, self.steps)
        loss = self._loss(pixels, generator)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        return loss.detach()

    def _loss(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bf16):
            terms = self.network.losses(pixels, generator)
        return torch.stack([term.float() for term in terms.values()]).sum()

    @torch.no_grad()
    def _tune_loss(self) -> float:
        """The same views of the same scans after every epoch; NaN for fewer than 8 scans."""
        if not self._has_tune():
            return math.nan
        self.network.eval()
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "tune"))
        batches = self.tune.split(max(8, self.settings.batch_size))
        weights = [len(batch) for batch in batches if len(batch) >= 8]
        losses = [float(self._loss(batch, generator)) for batch in batches if len(batch) >= 8]
        return float(np.average(losses, weights=weights))

    def _has_tune(self) -> bool:
        return len(self.tune) >= 8

    def is_over(self) -> bool:
        """All epochs are done, no better loss for `patience`, or time is up."""
        if not self.history:
            return self.epochs < 1
        judged = [entry.judged for entry in self.history]
        waited = len(judged) - 1 - int(np.argmin(judged))
        minutes = self.settings.minutes
        late = minutes is not None and time.monotonic() - self.started > 60 * minutes
        done = len(judged) >= self.epochs
        return done or late or waited > max(3, self.settings.patience * self.epochs)

    def snapshot(self) -> Checkpoint:
        """Everything that the next epoch depends on."""
        return Checkpoint(
            self.network.state_dict(),
            self.best,
            Checkpoint.optimizer_tensors(self.network, self.optimizer),
            tuple(self.history),
        )

    def restore(self, path: Path) -> None:
        """Go on from a saved snapshot."""
        checkpoint = Checkpoint.load(path)
        try:
            self.network.load_state_dict(checkpoint.weights)
            checkpoint.restore_optimizer(self.network, self.optimizer)
        except (RuntimeError, KeyError):
            found = "it is of another network"
            fix = "remove it: training then starts again"
            raise IntegrityError("E_CHECKPOINT", found, fix=fix, path=path) from None
        self.best = checkpoint.best
        self.history = list(checkpoint.history)


def _schedule(step: int, steps: int) -> float:
    """Linear warm-up over a tenth of the steps, then half a cosine."""
    warm = max(1, steps // 10)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def _copied(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in weights.items()}
