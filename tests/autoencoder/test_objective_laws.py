"""The laws that every objective keeps, beside any member, on images and on volumes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from family_cases import small
from numpy.typing import NDArray

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.engine.watch import Progress, Watch
from latentdx.autoencoder.family import BUILT_IN
from latentdx.autoencoder.objectives.base import Objective
from latentdx.autoencoder.objectives.names import OBJECTIVES, ObjectiveName, build_objective
from latentdx.core.errors import StopError

Discs = Callable[..., NDArray[np.float32]]
Weights = dict[str, torch.Tensor]

# a vector, a map, tokens, codes: the shapes that latents have
MEMBERS = ("convolutional", "invariant", "masked-vit", "vector-quantised")
TAUGHT = ("latent-prediction", "perceptual")
A_GAME = ("adversarial",)  # its terms need not fall

every_objective = pytest.mark.parametrize("objective", OBJECTIVES)
every_member = pytest.mark.parametrize("member", MEMBERS)
every_size = pytest.mark.parametrize("size", [(16, 16), (12, 12, 12)], ids=str)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def beside(
    member: str, objective: str, discs: Discs, *, size: Any = 16, channels: int = 1
) -> tuple[Autoencoder, Objective, torch.Tensor]:
    network = small(member, size=size, channels=channels)
    pixels = torch.from_numpy(discs(8, size=network.size, channels=channels))
    network.fit_normalisation(pixels)
    return network.train(), build_objective(objective, network), pixels


def summed(terms: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.stack(list(terms.values())).sum()


def encoder_of(network: Autoencoder, pixels: torch.Tensor) -> list[torch.nn.Parameter]:
    """The parameters on which the deepest maps depend."""
    parameters = list(network.parameters())
    found = torch.autograd.grad(
        network.layers(pixels)[-1].float().pow(2).sum(), parameters, allow_unused=True
    )
    return [held for held, gradient in zip(parameters, found, strict=True) if gradient is not None]


def test_the_names_are_those_of_the_type_and_the_weights_are_positive() -> None:
    assert set(OBJECTIVES) == set(get_args(ObjectiveName))
    assert len(set(OBJECTIVES.values())) == len(OBJECTIVES)
    assert all(kind.weight > 0 for kind in OBJECTIVES.values())


def test_an_unknown_objective_is_refused_with_the_known_ones() -> None:
    with pytest.raises(StopError, match="latent-prediction") as caught:
        build_objective("jepa", small("convolutional"))
    assert caught.value.code == "E_NAME"


@every_objective
@every_member
@pytest.mark.parametrize(
    ("channels", "size"), [(1, (16, 16)), (3, (9, 13)), (1, (12, 12, 12)), (2, (8, 11, 9))], ids=str
)
def test_terms_are_finite_and_every_trained_parameter_and_the_encoder_get_a_gradient(
    objective: str, member: str, channels: int, size: tuple[int, ...], discs: Discs
) -> None:
    network, task, pixels = beside(member, objective, discs, size=size, channels=channels)
    encoder = encoder_of(network, pixels)
    terms = task.losses(network, pixels, seeded())
    assert terms
    assert all(term.ndim == 0 and term.isfinite() for term in terms.values())
    summed(terms).backward()
    for key, held in task.named_parameters():
        if held.requires_grad:
            assert held.grad is not None, key
            assert held.grad.isfinite().all(), key
            assert held.grad.any() or key.endswith("bias"), key
    assert all(held.grad is not None and held.grad.isfinite().all() for held in encoder)
    assert any(held.grad is not None and held.grad.any() for held in encoder)


@every_objective
@every_member
def test_terms_depend_on_nothing_but_weights_pixels_and_generator(
    objective: str, member: str, discs: Discs
) -> None:
    network, task, pixels = beside(member, objective, discs)
    task.eval()  # a discriminator under spectral normalisation changes as it is trained
    state = torch.get_rng_state()
    with torch.no_grad():
        first, second = (task.losses(network, pixels, seeded(3)) for _ in range(2))
        other = task.losses(network, pixels, seeded(4))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(first[key], second[key]) for key in first)
    if objective not in ("perceptual", "adversarial"):  # they draw nothing
        assert summed(first) != summed(other)


@every_objective
@every_member
def test_an_objective_leaves_the_running_statistics_of_the_network_alone(
    objective: str, member: str, discs: Discs
) -> None:
    network, task, pixels = beside(member, objective, discs)
    before = {key: held.clone() for key, held in network.state_dict().items()}
    summed(task.losses(network, pixels, seeded())).backward()
    after = network.state_dict()
    assert [key for key in before if not torch.equal(before[key], after[key])] == []
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert all(norm.track_running_stats for norm in norms)


@every_objective
def test_an_objective_is_drawn_from_the_seed_alone_and_holds_no_part_of_the_network(
    objective: str, discs: Discs
) -> None:
    network, task, _ = beside("invariant", objective, discs)
    torch.manual_seed(9)
    state = torch.get_rng_state()
    again, other = (build_objective(objective, network, seed=seed) for seed in (0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert network.training
    first, second, third = (held.state_dict() for held in (task, again, other))
    assert all(torch.equal(first[key], second[key]) for key in first)
    if objective != "perceptual":  # which draws no weights
        assert any(not torch.equal(first[key], third[key]) for key in first)
    ours = {held.data_ptr() for held in task.parameters()}
    assert not ours & {held.data_ptr() for held in network.parameters()}


@every_objective
@every_size
def test_bfloat16_is_close_to_32_bits(objective: str, size: tuple[int, ...], discs: Discs) -> None:
    network, task, pixels = beside("invariant", objective, discs, size=size)
    task.eval()
    exact = task.losses(network, pixels, seeded())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = task.losses(network, pixels, seeded())
    summed(rounded).backward()
    for key, term in exact.items():
        assert rounded[key].item() == pytest.approx(term.item(), rel=0.05, abs=0.02), key
    encoder = [held.grad for held in network.parameters() if held.grad is not None]
    assert encoder
    assert all(gradient.isfinite().all() for gradient in encoder)


@pytest.mark.parametrize("objective", TAUGHT)
def test_a_teacher_is_not_trained_but_follows_the_network(objective: str, discs: Discs) -> None:
    network, task, pixels = beside("invariant", objective, discs)
    task.train()
    teacher: Any = task.teacher
    assert not any(held.requires_grad for held in teacher.parameters())
    assert not teacher.network.training
    network.progress = 0.0
    with torch.no_grad():
        network.losses(pixels, seeded())  # running statistics move
        for held in network.parameters():
            held.add_(1.0)
    key = next(name for name, _ in network.named_parameters())
    before = teacher.network.state_dict()[key].clone()
    task.after_step(network)
    moved = teacher.network.state_dict()[key] - before
    momentum = {"latent-prediction": 0.98, "perceptual": 0.99}[objective]
    torch.testing.assert_close(moved, torch.full_like(moved, 1 - momentum), rtol=1e-3, atol=1e-6)
    pairs = zip(teacher.network.buffers(), network.buffers(), strict=True)
    assert all(torch.equal(mine, held) for mine, held in pairs)
    if objective == "latent-prediction":
        network.progress = 1.0
        before = teacher.network.state_dict()[key].clone()
        task.after_step(network)
        assert torch.equal(teacher.network.state_dict()[key], before)


@every_objective
@pytest.mark.parametrize(
    ("member", "size"), [("convolutional", (16, 16)), ("invariant", (8, 10, 9))], ids=str
)
def test_the_terms_fall_in_a_few_epochs(
    objective: str, member: str, size: tuple[int, ...], discs: Discs
) -> None:
    network = small(member, size=size)
    pixels = discs(64, size=size)
    network.fit_normalisation(torch.from_numpy(pixels))
    weights = {objective: OBJECTIVES[objective].weight}  # type: ignore[index]
    settings = FitSettings(epochs=8, objectives=weights, precision="fp32")
    history = pretrain(network, Pool(pixels, discs(16, size=size, seed=1)), settings, seed=0)
    own = small(member, size=size).losses(torch.from_numpy(pixels[:8]), seeded()).keys()
    first, last = (
        {key: term for key, term in entry.terms.items() if (key in own) == (objective in A_GAME)}
        for entry in (history[0], history[-1])
    )
    assert first
    assert sum(last.values()) < 0.98 * sum(first.values())


class Killed(BaseException):
    """As a signal would: no `except Exception` stops it."""


def killed_at(step: int) -> Watch:
    def progress(at: Progress) -> None:
        if at.step >= step:
            raise Killed

    return Watch(progress=progress)


@every_objective
@pytest.mark.parametrize("size", [(16, 16), (8, 8, 8)], ids=str)
def test_killed_and_resumed_ends_with_the_same_weights(
    objective: str, size: tuple[int, ...], discs: Discs, tmp_path: Path
) -> None:
    pool = Pool(discs(32, size=size), discs(12, size=size, seed=1))  # four steps an epoch
    settings = FitSettings(epochs=3, objectives={objective: 1.0}, precision="fp32")

    def trained(name: str, watch: Watch | None = None) -> Weights:
        network = small("invariant", size=size)
        network.fit_normalisation(torch.from_numpy(pool.train))
        pretrain(network, pool, settings, seed=0, checkpoints=tmp_path / name, watch=watch)
        return network.state_dict()

    whole = trained("whole")
    with pytest.raises(Killed):
        trained("cut", killed_at(7))
    resumed = trained("cut")
    assert [key for key in whole if not torch.equal(whole[key], resumed[key])] == []


@every_objective
def test_no_term_is_called_as_one_of_a_member(objective: str, discs: Discs) -> None:
    network, task, pixels = beside("convolutional", objective, discs)
    ours = task.losses(network, pixels, seeded()).keys()
    for member in BUILT_IN:
        other = small(member)
        other.fit_normalisation(pixels)
        assert not ours & other.train().losses(pixels, seeded()).keys()


@pytest.mark.slow
@pytest.mark.parametrize("member", BUILT_IN)
@every_size
def test_all_objectives_together_train_any_member(
    member: str, size: tuple[int, ...], discs: Discs
) -> None:
    network = small(member, size=size)
    pool = Pool(discs(32, size=size), discs(12, size=size, seed=1))
    weights = {name: kind.weight for name, kind in OBJECTIVES.items()}
    network.fit_normalisation(torch.from_numpy(pool.train))
    settings = FitSettings(epochs=2, objectives=weights, precision="fp32")
    history = pretrain(network, pool, settings, seed=0)
    assert np.isfinite(history[-1].loss)
    assert len(history[-1].terms) > len(OBJECTIVES)
