"""What the engine does beside the plain loop: accumulation, averages, schedules, trials, health."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.engine import loop
from latentdx.autoencoder.engine.averaging import WeightAverage
from latentdx.autoencoder.engine.checkpoint import CheckpointFolder, Epoch
from latentdx.autoencoder.engine.data import ArraySource
from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.health import effective_rank, findings, measure
from latentdx.autoencoder.engine.optimizer import rate_at
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.engine.watch import Progress, Watch
from latentdx.autoencoder.family import build
from latentdx.collection.augment import GEOMETRIC
from latentdx.core.errors import IntegrityError, StopError

Discs = Callable[..., NDArray[np.float32]]

SMALL = {"channels": 1, "size": 16, "widths": (8, 16)}


class Killed(BaseException):
    """As a signal would."""


def killed_at(step: int) -> Watch:
    def progress(at: Progress) -> None:
        if at.step >= step:
            raise Killed

    return Watch(progress=progress)


@pytest.fixture
def pool(discs: Discs) -> Pool:
    return Pool(discs(32), discs(12, seed=1))  # four steps an epoch


def trained(pool: Pool, settings: FitSettings, name: str = "invariant", **more: Any) -> Autoencoder:
    network = build(name, SMALL, seed=4)
    network.set_normalisation(*ArraySource(pool.train).moments())
    pretrain(network, pool, settings, **{"seed": 0, **more})
    return network


def differing(first: Autoencoder, second: Autoencoder) -> list[str]:
    ours, theirs = first.state_dict(), second.state_dict()
    return [key for key in ours if not torch.equal(ours[key], theirs[key])]


VARIANTS = {
    "accumulate": FitSettings(epochs=3, accumulate=2),
    "average": FitSettings(epochs=3, ema=0.9),
    "schedule-free": FitSettings(epochs=3, schedule="schedule-free"),
    "augment": FitSettings(epochs=3, augment=GEOMETRIC),
    "objective": FitSettings(epochs=3, objectives={"vicreg": 0.04}),
    "constant": FitSettings(epochs=3, schedule="constant", clip=0),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_killed_within_an_epoch_and_resumed_ends_with_the_same_weights(
    name: str, pool: Pool, tmp_path: Path
) -> None:
    settings = FitSettings(**{**VARIANTS[name].__dict__, "checkpoint_seconds": 0.0})
    # told, and saved, after every second step
    whole = trained(pool, settings, checkpoints=tmp_path / "whole")
    with pytest.raises(Killed):
        trained(pool, settings, checkpoints=tmp_path / "cut", watch=killed_at(8))
    assert differing(whole, trained(pool, settings, checkpoints=tmp_path / "cut")) == []


def test_a_kill_in_the_middle_of_an_epoch_costs_the_steps_since_the_last_checkpoint(
    discs: Discs, tmp_path: Path
) -> None:
    pool = Pool(discs(96), discs(12, seed=1))  # six steps of 16 an epoch
    settings = FitSettings(epochs=2, checkpoint_seconds=0.0)
    whole = trained(pool, settings, checkpoints=tmp_path / "whole")
    with pytest.raises(Killed):
        trained(pool, settings, checkpoints=tmp_path / "cut", watch=killed_at(12))
    found = CheckpointFolder(tmp_path / "cut").load()
    assert found is not None
    assert (len(found[0].history), found[0].position["done"]) == (1, 4)
    steps: list[int] = []
    watch = Watch(progress=lambda at: steps.append(at.step))
    resumed = trained(pool, settings, checkpoints=tmp_path / "cut", watch=watch)
    assert steps == [12]
    assert differing(whole, resumed) == []


def test_the_last_two_checkpoints_are_kept_and_a_damaged_one_is_passed_over(
    pool: Pool, tmp_path: Path
) -> None:
    settings = FitSettings(epochs=4)
    whole = trained(pool, settings)
    trained(pool, settings, checkpoints=tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["step-000000012.safetensors", "step-000000016.safetensors"]
    newest = tmp_path / names[1]
    newest.write_bytes(newest.read_bytes()[:-7])
    assert differing(whole, trained(pool, settings, checkpoints=tmp_path)) == []
    for path in tmp_path.iterdir():
        path.write_bytes(b"none")
    with pytest.raises(IntegrityError) as caught:
        trained(pool, settings, checkpoints=tmp_path)
    assert caught.value.code == "E_CHECKPOINT"


def test_accumulated_gradients_are_those_of_the_whole_batch(pool: Pool) -> None:
    settings = {"epochs": 2, "precision": "fp32"}
    whole = trained(pool, FitSettings(**settings), "convolutional")
    parts = trained(pool, FitSettings(**settings, accumulate=4), "convolutional")
    for key, held in whole.state_dict().items():
        torch.testing.assert_close(parts.state_dict()[key], held, rtol=1e-3, atol=1e-5)


def test_an_average_of_weights_is_the_sum_of_its_past() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    network.weight.data.fill_(1.0)
    average = WeightAverage(network, 0.5)
    for value in (2.0, 4.0):
        network.weight.data.fill_(value)
        average.follow(network)
    assert average.tensors["weight"].item() == pytest.approx(0.25 * 1 + 0.25 * 2 + 0.5 * 4)
    with average.in_place(network):
        assert network.weight.item() == pytest.approx(2.75)
    assert network.weight.item() == 4.0


def test_the_kept_weights_are_the_averaged_ones(pool: Pool) -> None:
    plain = trained(pool, FitSettings(epochs=2), "convolutional")
    averaged = trained(pool, FitSettings(epochs=2, ema=0.99), "convolutional")
    first = build("convolutional", SMALL, seed=4)

    def moved(network: Autoencoder) -> float:
        pairs = zip(network.parameters(), first.parameters(), strict=True)
        return sum(float((held - before).detach().square().sum()) for held, before in pairs)

    assert 0 < moved(averaged) < 0.2 * moved(plain)


def test_the_rate_warms_up_then_falls_or_stays() -> None:
    cosine, constant = FitSettings(), FitSettings(schedule="constant", warmup=0.2)
    rates = [rate_at(step, 100, cosine) for step in range(100)]
    assert rates[:10] == pytest.approx(np.arange(1, 11) / 10)
    assert rates[10] == 1
    assert rates[55] == pytest.approx(0.5)
    assert rates[99] < 0.001
    assert [rate_at(step, 10, constant) for step in (0, 1, 2, 9)] == [0.5, 1, 1, 1]


def test_a_term_that_is_not_finite_is_named(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    network = build("invariant", SMALL)
    losses = network.losses

    def broken(pixels: torch.Tensor, generator: torch.Generator) -> dict[str, torch.Tensor]:
        terms = losses(pixels, generator)
        return {**terms, "invariance": terms["invariance"] * math.inf}

    monkeypatch.setattr(network, "losses", broken)
    with pytest.raises(StopError, match="'invariance'") as caught:
        pretrain(network, pool, FitSettings(epochs=1), seed=0)
    assert caught.value.code == "E_DIVERGED"


def test_a_loss_that_explodes_is_named(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    told = iter([1.0, 2.0, 11.1])
    monkeypatch.setattr(loop.Judge, "loss", lambda *_: next(told))
    with pytest.raises(StopError, match="grew from 1") as caught:
        pretrain(build("convolutional", SMALL), pool, FitSettings(epochs=9), seed=0)
    assert caught.value.code == "E_DIVERGED"


def test_epochs_tell_their_terms_and_health(pool: Pool) -> None:
    told: list[tuple[int, Epoch]] = []
    watch = Watch(epoch=lambda number, epoch: told.append((number, epoch)))
    trained(pool, FitSettings(epochs=2), watch=watch)
    assert [number for number, _ in told] == [1, 2]
    assert told[1][1].terms.keys() == {"reconstruction", "invariance"}
    assert told[1][1].loss == pytest.approx(sum(told[1][1].terms.values()))
    assert {"latent_rank", "feature_rank", "dead_units"} <= told[1][1].health.keys()


def test_rank_is_the_number_of_independent_directions() -> None:
    generator = torch.Generator().manual_seed(0)
    factors = torch.randn(200, 3, generator=generator)
    mixed = factors @ torch.linalg.qr(torch.randn(16, 3, generator=generator))[0].T
    assert effective_rank(mixed) == pytest.approx(3, abs=0.1)
    assert effective_rank(torch.ones(50, 4)) == 0


def test_a_collapsed_latent_is_found(discs: Discs) -> None:
    network = build("convolutional", SMALL).eval()
    pixels = torch.from_numpy(discs(32))
    assert findings(measure(network, pixels)) == []
    torch.nn.init.zeros_(network.to_latent.weight)
    network.to_latent.weight.data[0] = 1
    found = findings(measure(network, pixels))
    assert any("effective rank" in text for text in found)
    assert any("97% of the latent's units do not vary" in text for text in found)
    assert findings({"codebook_use": 0.05, "active_units": 0.05, "latent_rank": 9}) == [
        "posterior collapse: 5% of the latent's units are used",
        "5% of the codebook is used",
    ]


def test_levels_of_8_and_16_bits_train_as_floats_do(discs: Discs) -> None:
    levels = np.rint(discs(32) * 255).astype(np.uint8)
    settings = FitSettings(epochs=1, precision="fp32")
    narrow = trained(Pool(levels, levels[:0]), settings, "convolutional")
    wide = levels.astype(np.uint16) * 257
    floats = levels.astype(np.float32) / np.float32(255)
    assert differing(narrow, trained(Pool(floats, floats[:0]), settings, "convolutional")) == []
    second = trained(Pool(wide, wide[:0]), settings, "convolutional")
    for key, held in narrow.state_dict().items():
        torch.testing.assert_close(second.state_dict()[key], held, rtol=1e-4, atol=1e-6)


def test_moments_are_those_of_all_pixels(discs: Discs) -> None:
    pixels = discs(300, channels=3, size=(8, 9))
    mean, deviation = ArraySource(pixels).moments()
    np.testing.assert_allclose(mean, pixels.mean(axis=(0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(deviation, pixels.std(axis=(0, 2, 3)), rtol=1e-5)
