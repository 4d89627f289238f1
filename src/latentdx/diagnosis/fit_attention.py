"""Fitting an `AttentionPool` on cases: every class weighs the same, patients held out say when.

The number of steps is the one after which cases of held-out patients were told best, on average
over folds; then all are learned from for so long.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from latentdx.collection.cases import Cases
from latentdx.core.seeds import derive_seed
from latentdx.diagnosis.attention_pool import AttentionPool
from latentdx.diagnosis.folds import patient_folds
from latentdx.diagnosis.task import Task

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_UNITS = 32
_FOLDS = 3
_STEPS, _EVERY = 300, 10
_RATE, _DECAY, _DROPOUT = 2e-3, 0.1, 0.25


@dataclass(frozen=True)
class Bags:
    """N scans in M cases, to be learned from.

    Attributes
    ----------
    features: float32 (N, D), reduced; case: int (N,), the number of each scan's case.
    targets: float32 (M, Q), 1 where the answer to a question is yes; weights: (M, Q).
    """

    features: Tensor
    case: Tensor
    targets: Tensor
    weights: Tensor

    @classmethod
    def of(cls, features: Floats, cases: Cases, task: Task) -> Bags:
        """`task` holds the labels (N,) of the scans; every answer to a question weighs the same."""
        asked = np.stack([target[cases.first] for target in task.questions()], axis=1)
        share = np.clip(asked.mean(axis=0), 1e-6, 1 - 1e-6)
        weights = np.where(asked == 1, 0.5 / share, 0.5 / (1 - share))
        return cls(
            torch.from_numpy(features),
            torch.from_numpy(cases.number),
            torch.from_numpy(asked.astype(np.float32)),
            torch.from_numpy(weights.astype(np.float32)),
        )


class AttentionNetwork(nn.Module):
    """What is trained; see `AttentionPool`."""

    def __init__(self, width: int, n_questions: int, generator: torch.Generator) -> None:
        super().__init__()
        self.values = nn.Linear(width, _UNITS)
        self.gates = nn.Linear(width, _UNITS)
        self.mix = nn.Linear(_UNITS, 1, bias=False)
        self.linear = nn.Linear(width, n_questions)
        with torch.no_grad():
            for layer in (self.values, self.gates, self.mix):
                spread = layer.in_features**-0.5
                layer.weight.normal_(0, spread, generator=generator)
                if layer.bias is not None:
                    layer.bias.zero_()
            self.linear.weight.zero_()
            self.linear.bias.zero_()

    def pool(self) -> AttentionPool:
        """What was trained, as arrays."""

        def joined(layer: nn.Linear) -> Floats:
            found = torch.cat([layer.weight, layer.bias[:, None]], dim=1)
            return np.ascontiguousarray(found.detach().numpy())

        return AttentionPool(
            joined(self.values),
            joined(self.gates),
            self.mix.weight.detach().numpy()[0].copy(),
            joined(self.linear),
        )

    def forward(self, features: Tensor, case: Tensor, n_cases: int) -> Tensor:
        """Logits (M, Q) of the cases of features (N, D)."""
        hidden = torch.tanh(self.values(features)) * torch.sigmoid(self.gates(features))
        raised = torch.exp(self.mix(hidden)[:, 0])  # bounded: hidden units lie within -1..1
        total = raised.new_zeros(n_cases).index_add(0, case, raised)
        weighed = (raised / total[case])[:, None] * self.linear(features)
        found: Tensor = weighed.new_zeros(n_cases, weighed.shape[1]).index_add(0, case, weighed)
        return found


def fit_attention(table: Floats, cases: Cases, task: Task, *, seed: int) -> AttentionPool:
    """By reduced features (C * N, D): N scans in their cases, and behind them their copies.

    `task` holds labels and patients of the N scans; its own features are not looked at.
    """
    scans = table.reshape(-1, len(cases.number), table.shape[1])
    steps = _best_steps(scans, cases, task, seed=seed)
    network = _fresh(scans.shape[-1], len(task.questions()), seed)
    for _ in _trained(network, scans, cases, task, steps, seed=seed):
        pass
    return network.pool()


def _best_steps(scans: Floats, cases: Cases, task: Task, *, seed: int) -> int:
    labels, patients = task.labels[cases.first], task.groups[cases.first]
    folds = patient_folds(labels, patients, _FOLDS, seed=derive_seed(seed, "attention"))
    if not folds:
        return _STEPS // 4
    losses = [_losses(scans, cases, task, fold, seed=seed) for fold in folds]
    weights = np.array([len(out) for _, out in folds], np.float64)
    return _EVERY * (1 + int(np.average(losses, axis=0, weights=weights).argmin()))


def _losses(
    scans: Floats, cases: Cases, task: Task, fold: tuple[Ints, Ints], *, seed: int
) -> list[float]:
    """Of held-out cases, after every few steps."""
    parts = [_of_cases(scans, cases, task, kept) for kept in fold]
    (learned, own, own_task), (held, others, other_task) = parts
    network = _fresh(scans.shape[-1], len(task.questions()), seed)
    asked = Bags.of(held[0], others, other_task)
    found = []
    for _ in _trained(network, learned, own, own_task, _STEPS, seed=seed):
        with torch.no_grad():
            found.append(float(_loss(network, asked)))
    return found


def _of_cases(scans: Floats, cases: Cases, task: Task, kept: Ints) -> tuple[Floats, Cases, Task]:
    rows = np.flatnonzero(np.isin(cases.number, kept))
    return scans[:, rows], Cases.of(cases.number[rows].astype(str)), task.take(rows)


def _fresh(width: int, n_questions: int, seed: int) -> AttentionNetwork:
    generator = torch.Generator().manual_seed(derive_seed(seed, "attention", "first"))
    return AttentionNetwork(width, n_questions, generator)


def _trained(
    network: AttentionNetwork, scans: Floats, cases: Cases, task: Task, steps: int, *, seed: int
) -> Iterator[None]:
    """Learn, a copy of all cases at a step; stops by after every few steps."""
    bags = [Bags.of(copy, cases, task) for copy in scans]
    generator = torch.Generator().manual_seed(derive_seed(seed, "attention", "steps"))
    optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_DECAY)
    for step in range(steps):
        number = int(torch.randint(len(bags), (1,), generator=generator))
        kept = torch.rand(bags[number].features.shape, generator=generator) >= _DROPOUT
        bag = replace(bags[number], features=bags[number].features * kept / (1 - _DROPOUT))
        optimizer.zero_grad(set_to_none=True)
        loss = _loss(network, bag)
        loss.backward()
        optimizer.step()
        if (step + 1) % _EVERY == 0:
            yield


def _loss(network: AttentionNetwork, bags: Bags) -> Tensor:
    logits = network(bags.features, bags.case, len(bags.targets))
    return nn.functional.binary_cross_entropy_with_logits(logits, bags.targets, weight=bags.weights)
