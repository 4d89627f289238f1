"""Averages of weights: by scans, exact, of statistics as if all scans had been together."""

from __future__ import annotations

import doctest
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from latentdx.autoencoder import federated
from latentdx.autoencoder.engine.budget import plan_privacy, require_private
from latentdx.autoencoder.engine.data import ArraySource
from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.optimizer import rate_at
from latentdx.autoencoder.engine.settings import FitSettings, Privacy
from latentdx.autoencoder.family import build
from latentdx.autoencoder.federated import (
    average_states,
    misfit,
    pooled_moments,
    require_averageable,
    state_hash,
    state_of,
)
from latentdx.core.errors import StopError


def small(seed: int) -> nn.Module:
    return build("invariant", {"channels": 1, "size": 16, "widths": [4, 8]}, seed=seed)


def test_the_examples_run() -> None:
    assert doctest.testmod(federated).failed == 0


def test_weights_are_the_mean_by_scans_and_one_site_alone_is_itself() -> None:
    one, other = state_of(small(0)), state_of(small(1))
    found = average_states([one, other], [30, 10])
    for name, held in found.items():
        assert held.dtype == one[name].dtype
        if held.is_floating_point():
            wanted = 0.75 * one[name].double() + 0.25 * other[name].double()
            torch.testing.assert_close(held.double(), wanted, rtol=1e-6, atol=1e-7)
    assert state_hash(average_states([one], [7])) == state_hash(one)
    assert state_hash(average_states([one, one], [7, 2])) == state_hash(one)


def test_batch_statistics_are_those_of_all_scans_together() -> None:
    generator = torch.Generator().manual_seed(0)
    here = torch.randn(30, 3, 4, 4, generator=generator)
    there = 2 * torch.randn(10, 3, 4, 4, generator=generator) + 3
    states = []
    for scans in (here, there, torch.cat([here, there])):
        norm = nn.BatchNorm2d(3, momentum=1)
        norm(scans)
        norm.running_var *= (scans.numel() / 3 - 1) / (scans.numel() / 3)  # torch keeps n - 1
        states.append(state_of(norm))
    found = average_states(states[:2], [30, 10])
    for name in ("running_mean", "running_var"):
        torch.testing.assert_close(found[name], states[2][name])
    assert found["num_batches_tracked"] == 1


def test_moments_are_those_of_all_scans_together() -> None:
    generator = np.random.default_rng(0)
    here = generator.random((30, 2, 8, 8), np.float32)
    there = generator.random((12, 2, 8, 8), np.float32) / 4
    sources = [ArraySource(each).moments() for each in (here, there)]
    moments = [(mean.tolist(), std.tolist()) for mean, std in sources]
    found = pooled_moments(moments, [30, 12])
    for each, whole in zip(
        found, ArraySource(np.concatenate([here, there])).moments(), strict=True
    ):
        torch.testing.assert_close(each, whole)


def test_what_does_not_fit_is_said_and_a_codebook_is_refused() -> None:
    state = state_of(small(0))
    assert misfit(state, state) is None
    name = next(key for key, held in state.items() if len(held) > 1)
    broken = state[name].clone()
    broken.view(-1)[0] = torch.nan
    for wrong, text in (
        ({**state, name: broken}, "not finite"),
        ({**state, name: state[name][:1]}, "another shape"),
        ({**state, name: state[name].double()}, "another shape or type"),
        ({**state, "strange": broken}, "other names"),
    ):
        assert text in str(misfit(wrong, state))
    network = build("vector-quantised", {"channels": 1, "size": 16})
    with pytest.raises(StopError, match="codebook") as caught:
        require_averageable(network)
    assert caught.value.code == "E_OPTION"


def test_rounds_share_one_schedule() -> None:
    whole = [rate_at(step, 12, FitSettings()) for step in range(12)]
    rounds = [
        rate_at(step, 4, FitSettings(round_of=(number, 3))) for number in range(3)
        for step in range(4)
    ]  # fmt: skip
    assert rounds == whole


def learned(scans: np.ndarray, **more: object) -> dict[str, torch.Tensor]:
    network = build("convolutional", {"channels": 1, "size": 16, "widths": [4, 8]}, seed=0)
    settings = FitSettings(epochs=6, precision="fp32", **more)  # type: ignore[arg-type]
    pretrain(network, Pool(scans, scans[:8]), settings, seed=0)
    return state_of(network)


def test_a_proximal_term_holds_weights_where_they_began() -> None:
    scans = np.random.default_rng(0).random((32, 1, 16, 16), np.float32)
    names = {"channels": 1, "size": 16, "widths": [4, 8]}
    first = state_of(build("convolutional", names, seed=0))

    def moved(state: dict[str, torch.Tensor]) -> float:
        return sum(float((state[name] - first[name]).square().sum()) for name in first)

    free, held = learned(scans), learned(scans, proximal=100.0)
    assert moved(held) < 0.5 * moved(free)
    same = learned(scans, proximal=0.0, keep="best", round_of=(0, 1))
    assert state_hash(same) == state_hash(free)


def test_the_last_epoch_is_kept_where_it_is_asked_for() -> None:
    scans = np.random.default_rng(0).random((32, 1, 16, 16), np.float32)
    wild = {"learning_rate": 0.05, "schedule": "constant", "clip": 0.0}
    network = build("convolutional", {"channels": 1, "size": 16, "widths": [4, 8]}, seed=0)
    settings = FitSettings(epochs=8, precision="fp32", keep="last", **wild)  # type: ignore[arg-type]
    pool = Pool(scans, scans[:8] / 2)
    history = pretrain(network, pool, settings, seed=0)
    best = pretrain(
        other := build("convolutional", {"channels": 1, "size": 16, "widths": [4, 8]}, seed=0),
        pool, replace(settings, keep="best"), seed=0,
    )  # fmt: skip
    losses = [epoch.judged for epoch in history]
    assert len(history) == 8
    assert [epoch.judged for epoch in best] == losses[: len(best)]
    assert losses[-1] > min(losses), "else nothing is told apart"
    assert state_hash(state_of(network)) != state_hash(state_of(other))


def test_privacy_is_for_all_rounds_together() -> None:
    settings = FitSettings(epochs=2, privacy=Privacy(4.0))
    units, shape = np.arange(400), (1, 8, 8)
    three = plan_privacy(replace(settings, round_of=(1, 3)), units, shape)
    assert three == plan_privacy(replace(settings, epochs=6), units, shape)
    assert three.noise > plan_privacy(settings, units, shape).noise
    network = build("convolutional", {"channels": 1, "size": 8})
    with pytest.raises(StopError, match="--proximal does not go with --epsilon"):
        require_private(network, replace(settings, proximal=0.1))
