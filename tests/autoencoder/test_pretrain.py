"""The training loop: equal weights bit for bit, also after a kill; the best epoch; its errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from family_cases import small
from numpy.typing import NDArray

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.judge import Judge
from latentdx.autoencoder.engine.precision import uses_bf16
from latentdx.autoencoder.engine.processes import best_device
from latentdx.autoencoder.engine.settings import FitSettings, choose_epochs
from latentdx.autoencoder.engine.watch import Progress, Watch
from latentdx.autoencoder.family import BUILT_IN, build
from latentdx.core.errors import IntegrityError, StopError

Discs = Callable[..., NDArray[np.float32]]
Weights = dict[str, torch.Tensor]

SMALL = {"channels": 1, "size": 16, "widths": (8, 16)}


class Killed(BaseException):
    """As a signal would: no `except Exception` stops it."""


def killed_at(step: int) -> Watch:
    def progress(at: Progress) -> None:
        if at.step >= step:
            raise Killed

    return Watch(progress=progress)


@pytest.fixture
def pool(discs: Discs) -> Pool:
    return Pool(discs(32), discs(12, seed=1))  # four steps an epoch


def trained(name: str, pool: Pool, settings: FitSettings, **options: Any) -> Autoencoder:
    network = small(name, seed=4)
    network.fit_normalisation(torch.from_numpy(pool.train))
    pretrain(network, pool, settings, **{"seed": 0, **options})
    return network


def differing(first: Weights, second: Weights) -> list[str]:
    assert first.keys() == second.keys()
    return [key for key in first if not torch.equal(first[key], second[key])]


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_same_seed_trains_the_same_weights_and_another_others(name: str, pool: Pool) -> None:
    settings = FitSettings(epochs=2)
    first = trained(name, pool, settings).state_dict()
    torch.manual_seed(77)
    assert differing(first, trained(name, pool, settings).state_dict()) == []
    assert differing(first, trained(name, pool, settings, seed=1).state_dict())


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize("precision", ["fp32", "auto"])
def test_killed_and_resumed_ends_with_the_same_weights(
    name: str, precision: Any, pool: Pool, tmp_path: Path
) -> None:
    settings = FitSettings(epochs=4, precision=precision)
    whole = trained(name, pool, settings, checkpoints=tmp_path / "whole").state_dict()
    for step in (6, 11):  # in the second and in the third of four epochs of 4 steps
        with pytest.raises(Killed):
            trained(name, pool, settings, checkpoints=tmp_path / "cut", watch=killed_at(step))
    steps: list[int] = []
    resumed = trained(
        name,
        pool,
        settings,
        checkpoints=tmp_path / "cut",
        watch=Watch(progress=lambda at: steps.append(at.step)),
    ).state_dict()
    assert min(steps) > 8
    assert max(steps) == 16
    assert differing(whole, resumed) == []


def test_a_finished_training_is_not_trained_again(pool: Pool, tmp_path: Path) -> None:
    settings = FitSettings(epochs=2)
    options = {"checkpoints": tmp_path / "c", "watch": None}
    first = trained("convolutional", pool, settings, **options).state_dict()
    options["watch"] = killed_at(0)
    assert differing(first, trained("convolutional", pool, settings, **options).state_dict()) == []


def judged_by(monkeypatch: pytest.MonkeyPatch, losses: list[float]) -> None:
    """Let the losses on ``tune`` be these, epoch by epoch."""

    told = iter(losses)
    monkeypatch.setattr(Judge, "loss", lambda *_: next(told))


def test_the_epoch_that_is_best_on_tune_is_kept(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged_by(monkeypatch, [3.0, 1.0, 2.0, 2.0])
    seen: list[Weights] = []
    network = build("convolutional", SMALL)

    def watch(at: Progress) -> None:
        if at.step % 4 == 0:
            seen.append({key: t.clone() for key, t in network.state_dict().items()})

    pretrain(network, pool, FitSettings(epochs=4), seed=0, watch=Watch(progress=watch))
    assert len(seen) == 4
    assert differing(network.state_dict(), seen[1]) == []
    assert differing(network.state_dict(), seen[3])
    assert not network.training


def test_training_ends_early_without_a_better_epoch(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged_by(monkeypatch, [2.0, 1.0, *[1.5] * 98])
    network = build("convolutional", SMALL)
    history = pretrain(network, pool, FitSettings(epochs=100, patience=0.05), seed=0)
    assert len(history) == 2 + 6  # the best, and one more than 5 % of the epochs after it


def test_a_training_that_ended_early_is_over_after_a_kill_too(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged_by(monkeypatch, [1.0, *[1.5] * 98])
    settings = FitSettings(epochs=100, patience=0.01)
    options = {"checkpoints": tmp_path / "c", "watch": None}
    trained("convolutional", pool, settings, **options)
    options["watch"] = killed_at(0)
    trained("convolutional", pool, settings, **options)


def test_time_ends_a_training(pool: Pool) -> None:
    network = build("convolutional", SMALL)
    history = pretrain(network, pool, FitSettings(epochs=50, minutes=0.0), seed=0)
    assert len(history) == 1


def test_a_small_tune_part_is_not_judged_by(discs: Discs) -> None:
    network = build("convolutional", SMALL)
    history = pretrain(network, Pool(discs(16), discs(7)), FitSettings(epochs=1), seed=0)
    assert math.isnan(history[0].tune_loss)
    assert history[0].judged == history[0].loss


def test_the_loss_on_tune_is_that_of_the_weights_and_of_all_of_its_scans(
    pool: Pool, discs: Discs
) -> None:
    tune = discs(24, seed=1)
    pool = Pool(pool.train, tune)
    network = build("convolutional", SMALL)
    settings = FitSettings(epochs=1, batch_size=10, precision="fp32")
    (epoch,) = pretrain(network, pool, settings, seed=0)
    judged = torch.from_numpy(tune[:20]).to(best_device())  # a rest of fewer than 8 is left out
    with torch.no_grad():
        expected = ((network(judged) - judged) ** 2).mean().item()
    assert epoch.tune_loss == pytest.approx(expected, rel=1e-4)


def test_batches_may_be_smaller_than_what_tune_is_judged_by(pool: Pool) -> None:
    settings = FitSettings(epochs=1, batch_size=4)
    (epoch,) = pretrain(build("convolutional", SMALL), pool, settings, seed=0)
    assert math.isfinite(epoch.tune_loss)


@pytest.mark.parametrize("count", [0, 7])
def test_too_few_scans_are_refused(count: int, discs: Discs) -> None:
    pixels = discs(8)
    pool = Pool(pixels[:count], pixels[:0])
    with pytest.raises(StopError) as caught:
        pretrain(build("convolutional", SMALL), pool, FitSettings(), seed=0)
    assert caught.value.code == "E_TOO_FEW"


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize("where", ["train", "tune"])
def test_a_loss_that_is_not_finite_stops_the_run(
    name: str, where: str, pool: Pool, tmp_path: Path
) -> None:
    getattr(pool, where)[3, 0, 4, 4] = np.nan
    network = small(name)
    with pytest.raises(StopError) as caught:
        pretrain(network, pool, FitSettings(epochs=1), seed=0, checkpoints=tmp_path / "c")
    assert caught.value.code == "E_DIVERGED"
    assert not (tmp_path / "c").exists()


def test_bfloat16_learns_as_32_bits_do(discs: Discs) -> None:
    if not uses_bf16("auto", best_device()):
        pytest.skip("this machine computes no bfloat16 natively")
    pool = Pool(discs(64), discs(16, seed=1))
    losses = {}
    for precision in ("fp32", "bf16"):
        network = build("invariant", SMALL)
        settings = FitSettings(epochs=3, precision=precision)
        losses[precision] = pretrain(network, pool, settings, seed=0)[-1].tune_loss
    assert losses["bf16"] == pytest.approx(losses["fp32"], rel=0.05)
    assert losses["bf16"] != losses["fp32"]


def test_precision_is_as_asked_for() -> None:
    device = torch.device("cpu")
    assert uses_bf16("bf16", device)
    assert not uses_bf16("fp32", device)


def test_larger_scans_and_larger_collections_are_seen_fewer_times() -> None:
    settings = FitSettings(scans_seen=56_000)
    assert choose_epochs(settings, 2000, 28 * 28) == 28
    assert choose_epochs(settings, 2000, 56 * 56) == 12
    assert choose_epochs(settings, 10**6, 28 * 28) == 6
    assert choose_epochs(settings, 10, 28 * 28) == 200
    assert choose_epochs(FitSettings(epochs=3), 10, 28 * 28) == 3


def test_progress_counts_every_step_to_the_last(pool: Pool) -> None:
    told: list[Progress] = []
    network = build("convolutional", SMALL)
    pretrain(network, pool, FitSettings(epochs=3), seed=0, watch=Watch(progress=told.append))
    assert [at.step for at in told] == [4, 8, 12]
    assert {at.steps for at in told} == {12}
    assert all(at.images_per_second > 0 and math.isfinite(at.loss) for at in told)


def test_a_checkpoint_of_another_network_does_not_fit(pool: Pool, tmp_path: Path) -> None:
    trained("convolutional", pool, FitSettings(epochs=1), checkpoints=tmp_path / "c")
    with pytest.raises(IntegrityError) as caught:
        trained("invariant", pool, FitSettings(epochs=1), checkpoints=tmp_path / "c")
    assert caught.value.code == "E_CHECKPOINT"
