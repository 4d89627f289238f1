"""The codebook, by hand: nearest codes, moving averages, dead codes, one codebook for all."""

from __future__ import annotations

import copy
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from latentdx.autoencoder.quantiser import Quantiser, usage

APART = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
"""Three codes, four apart."""

WORKER = """
import sys, torch
from torch import distributed
from latentdx.autoencoder.quantiser import Quantiser
rank, folder = int(sys.argv[1]), sys.argv[2]
distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
quantiser = Quantiser(n_codes=6, dim=3, patience=2)
quantiser.load_state_dict(torch.load(f"{folder}/before", weights_only=True))
maps = torch.load(f"{folder}/maps", weights_only=True)
quantiser.learn(maps[rank::2], torch.Generator().manual_seed(rank))
torch.save(quantiser.state_dict(), f"{folder}/after{rank}")
distributed.destroy_process_group()
"""


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=seeded(seed))


def alive(codes: torch.Tensor, **options: float) -> Quantiser:
    """A quantiser with these codes, none of them dead."""
    quantiser = Quantiser(n_codes=len(codes), dim=codes.shape[1], **options)  # type: ignore[arg-type]
    quantiser.codebook.copy_(codes)
    quantiser.sums.copy_(codes)
    quantiser.unused.zero_()
    return quantiser


def as_map(vectors: torch.Tensor) -> torch.Tensor:
    """Vectors (M, D) as one map (1, D, M, 1)."""
    return vectors.T[None, :, :, None]


def test_each_position_gets_the_code_nearest_to_it() -> None:
    quantiser = alive(APART)
    maps = as_map(torch.tensor([[0.5, 0.5], [3.0, 0.9], [1.0, 3.5], [2.0, 0.0]]))
    codes = quantiser.nearest(maps)
    assert codes.flatten().tolist() == [0, 1, 2, 0]  # the first of equally near ones
    assert torch.equal(quantiser.lookup(codes), as_map(APART[[0, 1, 2, 0]]))


@pytest.mark.parametrize("sides", [(5, 7), (3, 4, 5)], ids=str)
def test_maps_of_images_and_volumes_are_searched_position_by_position(
    sides: tuple[int, ...],
) -> None:
    quantiser = alive(drawn(9, 4))
    maps = drawn(2, 4, *sides, seed=1)
    codes = quantiser.nearest(maps)
    assert codes.shape == (2, *sides)
    last = tuple(side - 1 for side in sides)
    for place in [(0, *(0,) * len(sides)), (1, *last), (1, 0, *last[1:])]:
        vector = maps[(place[0], slice(None), *place[1:])]
        assert codes[place] == (quantiser.codebook - vector).norm(dim=1).argmin()
    assert torch.equal(quantiser(maps), quantiser.lookup(codes))


def test_the_gradient_passes_as_if_nothing_had_been_rounded() -> None:
    quantiser = alive(drawn(9, 4))
    maps = drawn(2, 4, 3, 3, seed=1).requires_grad_()
    weights = drawn(2, 4, 3, 3, seed=2)
    (weights * quantiser(maps)).sum().backward()
    assert maps.grad is not None
    assert torch.equal(maps.grad, weights)


def test_a_code_moves_to_the_mean_of_what_is_nearest_to_it_as_the_averages_say() -> None:
    quantiser = alive(APART, decay=0.75)
    vectors = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [5.0, 0.0]])
    quantiser.learn(as_map(vectors), seeded())
    # N_0 = .75 + .25 * 3, S_0 = .25 * (2, 2); N_1 = 1, S_1 = .75 * (4, 0) + .25 * (5, 0)
    assert quantiser.counts.tolist() == [1.5, 1.0, 0.75]
    expected = torch.tensor([[0.5 / 1.5, 0.5 / 1.5], [4.25, 0.0], [0.0, 4.0]])
    torch.testing.assert_close(quantiser.codebook, expected)
    assert quantiser.unused.tolist() == [0, 0, 1]


def test_the_codes_come_to_the_means_of_clusters() -> None:
    quantiser = alive(APART + 0.8)
    maps = as_map(APART.repeat(40, 1) + 0.1 * drawn(120, 2))
    before = (maps - quantiser(maps)).square().mean()
    for step in range(200):
        quantiser.learn(maps, seeded(step))
    assert (maps - quantiser(maps)).square().mean() < 0.02 * before
    torch.testing.assert_close(quantiser.codebook, APART, atol=0.1, rtol=0)


def test_at_first_every_code_is_a_vector_of_the_batch() -> None:
    quantiser = Quantiser(n_codes=8, dim=3, decay=1.0)  # nothing moves: what was drawn is seen
    vectors = drawn(50, 3, seed=1) + 5
    quantiser.learn(as_map(vectors), seeded())
    equal = (quantiser.codebook[:, None] - vectors).abs().amax(dim=2) < 1e-5
    assert equal.sum(dim=1).tolist() == [1] * 8
    assert len(equal.int().argmax(dim=1).unique()) > 4


def test_the_first_codes_are_drawn_by_the_generator_alone() -> None:
    maps = as_map(drawn(50, 3))
    fresh = Quantiser(n_codes=8, dim=3)
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(len(found))
        quantiser = copy.deepcopy(fresh)
        quantiser.learn(maps, seeded(seed))
        found.append(quantiser.codebook)
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_a_code_without_a_vector_for_long_becomes_one_of_the_batch() -> None:
    far = torch.tensor([[0.0, 0.0], [90.0, 90.0]])
    quantiser = alive(far, patience=3)
    vectors = 0.1 * drawn(30, 2) + torch.tensor([1.0, 0.0])
    for step in range(3):
        quantiser.learn(as_map(vectors), seeded(step))
        torch.testing.assert_close(quantiser.codebook[1], far[1])
    assert quantiser.unused.tolist() == [0, 3]
    quantiser.learn(as_map(vectors), seeded(3))
    assert torch.cdist(quantiser.codebook[1:], vectors).min() < 0.2
    assert quantiser.unused[0] == 0
    assert quantiser.unused[1] <= 1


def test_in_half_precision_the_search_is_made_in_32_bits() -> None:
    close = torch.tensor([[100.0, 0.0], [100.25, 0.0]])  # one number in bfloat16
    quantiser = alive(close)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        codes = quantiser.nearest(as_map(close))
        rounded = quantiser(as_map(close).bfloat16())
    assert codes.flatten().tolist() == [0, 1]
    assert rounded.dtype == torch.float32


def test_searching_changes_nothing_and_the_buffers_are_the_whole_state() -> None:
    first = Quantiser(n_codes=8, dim=3)
    maps = drawn(2, 3, 4, 4)
    first.learn(maps, seeded())
    state = copy.deepcopy(first.state_dict())
    first(maps)
    first.nearest(maps)
    assert all(torch.equal(state[key], value) for key, value in first.state_dict().items())
    second = Quantiser(n_codes=8, dim=3)
    second.load_state_dict(state)
    for quantiser in (first, second):
        quantiser.learn(maps + 1, seeded(1))
    assert torch.equal(first.codebook, second.codebook)
    assert list(first.parameters()) == []


def test_usage_by_hand() -> None:
    codes = torch.tensor([[[0, 0], [0, 5]]])
    found = usage(codes, 10)
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert found["perplexity"] == pytest.approx(math.exp(entropy), abs=1e-5)
    assert found["codebook_use"] == 2 / 4  # of four positions
    assert usage(codes.repeat(5, 1, 1), 10)["codebook_use"] == 2 / 10  # of ten codes


@pytest.mark.slow
def test_two_processes_come_to_the_codebook_of_one_that_sees_both_batches(tmp_path: Path) -> None:
    alone = alive(drawn(6, 3), patience=2)
    torch.save(alone.state_dict(), tmp_path / "before")
    maps = drawn(8, 3, 4, 4, seed=1)
    torch.save(maps, tmp_path / "maps")
    alone.learn(maps, seeded())
    after = in_two_processes(tmp_path)
    torch.testing.assert_close(after[0]["codebook"], alone.codebook)
    torch.testing.assert_close(after[0]["counts"], alone.counts)
    assert all(torch.equal(after[0][key], after[1][key]) for key in after[0])


@pytest.mark.slow
def test_two_processes_revive_the_same_codes(tmp_path: Path) -> None:
    torch.save(Quantiser(n_codes=6, dim=3, patience=2).state_dict(), tmp_path / "before")
    torch.save(drawn(8, 3, 4, 4, seed=1), tmp_path / "maps")
    after = in_two_processes(tmp_path)
    assert all(torch.equal(after[0][key], after[1][key]) for key in after[0])


def in_two_processes(folder: Path) -> list[dict[str, torch.Tensor]]:
    """The buffers of each after a step on its half of the maps."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(rank), str(folder)],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        for rank in (0, 1)
    ]
    assert [process.wait(timeout=120) for process in running] == [0, 0]
    return [torch.load(folder / f"after{rank}", weights_only=True) for rank in (0, 1)]
