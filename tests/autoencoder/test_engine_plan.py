"""How a training is settled before its first step: epochs, batch and precision."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from latentdx.autoencoder.engine import loop, plan, precision
from latentdx.autoencoder.engine.data import ArraySource
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.family import build

Discs = Callable[..., NDArray[np.float32]]

SMALL = {"channels": 1, "size": 16, "widths": (8, 16)}


def settled(monkeypatch: pytest.MonkeyPatch, told: dict[bool, tuple[float, float]]) -> bool:
    monkeypatch.setattr(precision, "uses_bf16", lambda *_: True)
    seconds = {bf16: each[0] for bf16, each in told.items()}
    losses = {bf16: each[1] for bf16, each in told.items()}
    monkeypatch.setattr(precision, "_timed", lambda *_: (seconds, losses))
    return precision.settle(torch.nn.Linear(1, 1), None, steps=1000, key=["x"])  # type: ignore[arg-type]


def test_both_precisions_are_tried_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(precision.time, "perf_counter", lambda: next(clock))
    order: list[bool] = []

    def step(model: torch.nn.Module, bf16: bool) -> torch.Tensor:
        order.append(bf16)
        return torch.tensor(2.0 if bf16 else 1.0)

    seconds, losses = precision._timed(torch.nn.Linear(1, 1), step)
    assert order == [False, True] * (len(order) // 2)
    assert len(order) >= 8
    assert (seconds, losses) == ({False: 1, True: 1}, {False: 1.0, True: 2.0})


@pytest.mark.parametrize(
    ("exact", "half", "expected"),
    [((2.0, 1.0), (1.0, 1.01), True), ((1.05, 1.0), (1.0, 1.0), False),
     ((2.0, 1.0), (1.0, 1.2), False), ((2.0, 1.0), (1.0, math.nan), False)],
)  # fmt: skip
def test_bfloat16_has_to_be_faster_and_close(
    exact: Any, half: Any, expected: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert settled(monkeypatch, {False: exact, True: half}) is expected
    # settled once for all: another timing does not change it
    assert settled(monkeypatch, {False: (1, 1), True: (9 if expected else 0.1, 1)}) is expected
    (kept,) = (tmp_path / "latentdx" / "precision").iterdir()
    assert json.loads(kept.read_text())["bf16"] is expected


def test_a_trial_leaves_the_network_as_it_was(
    discs: Discs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(precision, "uses_bf16", lambda *_: True)
    monkeypatch.setattr(precision, "_FASTER", 0.0)
    network = build("invariant", SMALL)
    before = {key: held.clone() for key, held in network.state_dict().items()}
    model = loop.TrainingModel(network, FitSettings(), seed=0)
    settings = FitSettings(epochs=100)
    processes = loop.Processes(torch.device("cpu"))
    found = plan.make_plan(model, ArraySource(discs(32)), settings, processes)
    assert found == (100, 8, 4, True)
    assert [
        key for key, held in network.state_dict().items() if not torch.equal(held, before[key])
    ] == []
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize(
    ("size", "expected"),
    [((16, 16), True), ((8, 8), True), ((16, 16, 16), True), ((8, 16, 16), False)], ids=str,
)  # fmt: skip
def test_maps_too_narrow_for_bfloat16_are_computed_in_32_bits(
    size: tuple[int, ...], expected: bool, discs: Discs
) -> None:
    network = build("invariant", {"channels": 1, "size": size, "widths": (8, 16)})
    model = loop.TrainingModel(network, FitSettings(), seed=0)
    source = ArraySource(discs(16, size=size))
    settings = FitSettings(epochs=1, precision="bf16")
    processes = loop.Processes(torch.device("cpu"))
    assert plan.make_plan(model, source, settings, processes).bf16 is expected


def test_granted_minutes_decide_the_epochs(discs: Discs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "_seconds_a_step", lambda *_, bf16: 0.5)
    model = loop.TrainingModel(build("convolutional", SMALL), FitSettings(), seed=0)
    processes = loop.Processes(torch.device("cpu"))

    def epochs(**given: Any) -> int:
        settings = FitSettings(scans_seen=640, precision="fp32", **given)
        return plan.make_plan(model, ArraySource(discs(64)), settings, processes).epochs

    assert epochs() == 10  # of 6 steps
    assert epochs(minutes=0.1) == 1
    assert epochs(minutes=1) == 18  # .9 x 60 s, 3 s an epoch
    assert epochs(minutes=100) == 40
    assert epochs(minutes=1, epochs=7) == 7
