"""A checkpoint comes back exactly, or it is refused; it is never half a file."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from latentdx.autoencoder.engine.checkpoint import Checkpoint, Epoch
from latentdx.autoencoder.engine.optimizer import restore_state, state_tensors
from latentdx.core.errors import IntegrityError

HISTORY = (Epoch(0.5, math.nan, 100.0), Epoch(0.1 + 0.2, 0.25, 1e3))


def a_checkpoint() -> Checkpoint:
    weights = {"a.weight": torch.rand(2, 3, generator=torch.Generator().manual_seed(0))}
    best = {"a.weight": torch.zeros(2, 3)}
    tensors = {"model": weights, "best": best, "optimizer": {"step:a.weight": torch.tensor(7.0)}}
    return Checkpoint(tensors, HISTORY, {"done": 3, "sums": {"kl": 0.1 + 0.2}})


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    a_checkpoint().save(tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def refused(path: Path) -> bool:
    try:
        Checkpoint.load(path)
    except IntegrityError as error:
        return error.code == "E_CHECKPOINT" and error.path == str(path)
    return False


def test_all_comes_back_exactly(saved: Path) -> None:
    found, expected = Checkpoint.load(saved), a_checkpoint()
    assert found.tensors.keys() == expected.tensors.keys()
    assert found.position == expected.position
    for group, told in expected.tensors.items():
        held = found.tensors[group]
        assert held.keys() == told.keys()
        assert all(torch.equal(held[key], told[key]) for key in told)
    assert repr(found.history) == repr(HISTORY)
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_any_flipped_bit_is_noticed(saved: Path) -> None:
    data = saved.read_bytes()
    unnoticed = []
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1
        saved.write_bytes(changed)
        if not refused(saved):
            unnoticed.append(place)
    assert unnoticed == []


@pytest.mark.parametrize("kept", [0, 7, 200, -1])
def test_a_cut_file_is_refused(saved: Path, kept: int) -> None:
    saved.write_bytes(saved.read_bytes()[:kept])
    assert refused(saved)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    torch.save({"weights": torch.zeros(3)}, tmp_path / "pickle")
    assert refused(tmp_path / "pickle")
    assert refused(tmp_path / "absent")


def test_the_optimizer_goes_on_as_if_never_stopped() -> None:
    def stepped(network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        network(torch.ones(1, 3)).square().sum().backward()
        optimizer.step()

    torch.manual_seed(0)
    networks = [nn.Linear(3, 2) for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    first = torch.optim.AdamW(networks[0].parameters(), lr=0.1)
    stepped(networks[0], first)
    tensors = state_tensors(networks[0], first)
    assert {key.split(":")[0] for key in tensors} == {"step", "exp_avg", "exp_avg_sq"}
    networks[1].load_state_dict(networks[0].state_dict())
    second = torch.optim.AdamW(networks[1].parameters(), lr=0.1)
    restore_state(networks[1], second, Checkpoint({"optimizer": tensors}, (), {}))
    stepped(networks[0], first)
    stepped(networks[1], second)
    assert torch.equal(networks[0].weight, networks[1].weight)
