"""Beginning from other weights: what is taken, what channels become, which blocks are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from family_cases import small

from latentdx.autoencoder.engine.checkpoint import Epoch
from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.engine.watch import Watch
from latentdx.autoencoder.family import BUILT_IN
from latentdx.autoencoder.low_rank import low_rank
from latentdx.autoencoder.transfer import kept, take_over
from latentdx.core.errors import StopError


def pixels(channels: int = 1, side: int = 16, count: int = 2) -> torch.Tensor:
    one = torch.rand(count, 1, side, side, generator=torch.Generator().manual_seed(0))
    return one.repeat(1, channels, 1, 1)


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_same_network_is_taken_whole(name: str) -> None:
    first, second = small(name, seed=1).eval(), small(name, seed=2).eval()
    taken = take_over(second, first.state_dict(), 1)
    assert (taken.adapted, taken.left) == ((), ())
    assert set(taken.same) == set(first.state_dict()) - {"mean", "std"}
    for own, other in zip(second.layers(pixels()), first.layers(pixels()), strict=True):
        assert torch.equal(own, other)


@pytest.mark.parametrize("name", BUILT_IN)
@torch.no_grad()
def test_a_scan_of_equal_channels_is_seen_as_before(name: str) -> None:
    grey, colour = small(name, seed=1).eval(), small(name, channels=3, seed=2).eval()
    taken = take_over(colour, grey.state_dict(), 1)
    assert taken.adapted
    assert not taken.left
    for own, other in zip(colour.layers(pixels(3)), grey.layers(pixels()), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-5)
    rebuilt = colour(pixels(3))
    torch.testing.assert_close(rebuilt[:, :1], grey(pixels()), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(rebuilt[:, :1], rebuilt[:, 2:], rtol=1e-4, atol=1e-5)


def test_without_known_channels_nothing_is_adapted() -> None:
    colour = small("invariant", channels=3)
    taken = take_over(colour, small("invariant", seed=1).state_dict())
    assert not taken.adapted
    assert "down.stages.0.0.0.weight" in taken.left


def test_what_depends_on_the_size_is_left() -> None:
    assert not take_over(small("invariant", size=24), small("invariant").state_dict(), 1).left
    dense = small("convolutional", size=24)
    taken = take_over(dense, small("convolutional", seed=1).state_dict(), 1)
    assert taken.left
    assert taken.same
    dense(pixels(side=24))


def test_weights_of_something_else_are_refused() -> None:
    with pytest.raises(StopError) as caught:
        take_over(small("invariant"), {"other": torch.zeros(3)}, 1)
    assert caught.value.code == "E_SHAPE"


def test_kept_blocks_learn_nothing_and_the_others_do() -> None:
    network = small("invariant")
    before = {name: held.clone() for name, held in network.state_dict().items()}
    scans = np.random.default_rng(0).random((24, 1, 16, 16), np.float32)
    with kept(network, 1):
        pretrain(network, Pool(scans, scans[:0]), FitSettings(epochs=1), seed=0)
    changed = {name for name, held in network.state_dict().items() if not held.equal(before[name])}
    assert not any(name.startswith("down.stages.0") for name in changed)
    assert {"down.stages.1.0.0.weight", "down.stages.1.0.1.running_mean"} <= changed
    assert all(held.requires_grad for held in network.parameters())


def test_more_blocks_than_there_are_cannot_be_kept() -> None:
    with pytest.raises(StopError, match="2 blocks") as caught, kept(small("invariant"), 3):
        pass
    assert caught.value.code == "E_OPTION"


def test_with_a_low_rank_kernels_change_by_that_rank_alone() -> None:
    network = small("invariant")
    before = {name: held.clone() for name, held in network.state_dict().items()}
    scans = np.random.default_rng(0).random((24, 1, 16, 16), np.float32)
    with low_rank(network, 2, seed=0):
        pretrain(network, Pool(scans, scans[:0]), FitSettings(epochs=2, precision="fp32"), seed=0)
    after = network.state_dict()
    assert list(after) == list(before)
    kernels = [name for name, held in before.items() if name.startswith("down") and held.ndim == 4]
    assert len(kernels) == 4
    for name in kernels:
        change = (after[name] - before[name]).flatten(1).double()
        strengths = torch.linalg.svdvals(change)
        assert strengths[1] > 1e-6
        assert strengths[2] < 1e-4 * strengths[0]
    assert not torch.equal(after["up.to_pixels.weight"], before["up.to_pixels.weight"])
    assert all(held.requires_grad for held in network.parameters())


@pytest.mark.parametrize("name", BUILT_IN)
def test_adapters_that_learned_nothing_leave_a_network_as_it_was(name: str) -> None:
    network = small(name).eval()
    before = network.layers(pixels())
    with low_rank(network, 1, seed=0):
        for own, other in zip(network.layers(pixels()), before, strict=True):
            torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-5)
    assert set(network.state_dict()) == set(small(name).state_dict())
    for own, other in zip(network.layers(pixels()), before, strict=True):
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-5)


def test_kept_blocks_have_no_adapters() -> None:
    network = small("invariant")
    with kept(network, 1), low_rank(network, 2, seed=0):
        adapted = [name for name, _ in network.named_parameters() if name.endswith("outwards")]
    assert adapted
    assert all(name.startswith("down.stages.1") for name in adapted)


def test_a_rank_that_no_kernel_exceeds_is_refused() -> None:
    with pytest.raises(StopError) as caught, low_rank(small("invariant"), 500, seed=0):
        pass
    assert caught.value.code == "E_OPTION"


def test_a_training_of_adapters_that_was_stopped_ends_with_the_same_weights(tmp_path: Path) -> None:
    scans = np.random.default_rng(0).random((24, 1, 16, 16), np.float32)

    def trained(place: Path, watch: Watch | None = None) -> dict[str, torch.Tensor]:
        network = small("invariant")
        with kept(network, 1), low_rank(network, 2, seed=0):
            settings = FitSettings(epochs=3, precision="fp32")
            pool = Pool(scans, scans[:8])
            pretrain(network, pool, settings, seed=0, checkpoints=place, watch=watch)
        return network.state_dict()

    class StoppedError(Exception):
        pass

    def stop(number: int, epoch: Epoch) -> None:
        if number == 2:
            raise StoppedError

    whole = trained(tmp_path / "whole")
    with pytest.raises(StoppedError):
        trained(tmp_path / "stopped", Watch(epoch=stop))
    again = trained(tmp_path / "stopped")
    assert all(torch.equal(again[name], held) for name, held in whole.items())
