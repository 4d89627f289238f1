"""The prior of codes: what comes later is never seen, what came before is; it learns and draws."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch

from latentdx.autoencoder.code_prior import CodePrior

SIZES = [(5, 6), (3, 4, 3)]

every_size = pytest.mark.parametrize("size", SIZES, ids=str)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def a_prior(size: tuple[int, ...], *, n_codes: int = 7, layers: int = 3, width: int = 8) -> Any:
    """A prior whose weights are all of a size that shows."""
    prior = CodePrior(n_codes=n_codes, size=size, width=width, layers=layers)
    generator = seeded(1)
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    return prior


def drawn(count: int, size: tuple[int, ...], n_codes: int = 7) -> torch.Tensor:
    return torch.randint(n_codes, (count, *size), generator=seeded(2))


def positions(size: tuple[int, ...]) -> list[tuple[int, ...]]:
    """All positions in raster order."""
    return list(itertools.product(*map(range, size)))


@every_size
def test_no_logit_depends_on_its_own_or_a_later_position(size: tuple[int, ...]) -> None:
    prior, codes = a_prior(size), drawn(1, size)
    with torch.no_grad():
        before = prior(codes)
        for index, place in enumerate(positions(size)):
            changed = codes.clone()
            changed[(0, *place)] = (changed[(0, *place)] + 1) % 7
            differs = (prior(changed) - before).abs().sum(dim=1)[0].flatten() > 1e-6
            assert not differs[: index + 1].any(), place


@every_size
def test_every_earlier_position_nearby_is_seen(size: tuple[int, ...]) -> None:
    """With as many layers as the map is long there is no blind spot."""
    prior, codes = a_prior(size, layers=8), drawn(1, size)
    middle = tuple(side // 2 for side in size)  # places before it lie on all sides
    at = positions(size).index(middle)
    with torch.no_grad():
        before = prior(codes)[(0, slice(None), *middle)]
        for place in positions(size)[:at]:
            changed = codes.clone()
            changed[(0, *place)] = (changed[(0, *place)] + 1) % 7
            assert not torch.equal(prior(changed)[(0, slice(None), *middle)], before), place


@every_size
def test_each_map_of_a_batch_is_seen_alone(size: tuple[int, ...]) -> None:
    prior, codes = a_prior(size), drawn(3, size)
    with torch.no_grad():
        alone = torch.cat([prior(one) for one in codes.split(1)])
        torch.testing.assert_close(prior(codes), alone)


def test_the_loss_is_the_mean_negative_log_likelihood_of_a_position() -> None:
    prior, codes = a_prior((3, 3)), drawn(2, (3, 3))
    with torch.no_grad():
        shares = torch.softmax(prior(codes), dim=1)
        told = [shares[(n, codes[(n, *p)], *p)] for n in range(2) for p in positions((3, 3))]
        expected = -torch.stack(told).log().mean()
        torch.testing.assert_close(prior.loss(codes), expected)
        prior.to_logits.weight.zero_()
        prior.to_logits.bias.zero_()
        assert float(prior.loss(codes)) == pytest.approx(math.log(7))


@pytest.mark.parametrize("size", [(9, 3), (8, 2, 3)], ids=str)
def test_what_is_drawn_follows_the_logits_of_the_whole_map(size: tuple[int, ...]) -> None:
    """Drawing computes a few rows at a time: more than the layers look back over, so the same."""
    prior = a_prior(size, layers=2)
    found = prior.sample(2, seeded(5))
    again, generator = torch.zeros_like(found), seeded(5)
    with torch.no_grad():
        for place in positions(size):
            shares = torch.softmax(prior(again)[(slice(None), slice(None), *place)], dim=1)
            one = torch.multinomial(shares, 1, generator=generator)[:, 0]
            again[(slice(None), *place)] = one
    assert torch.equal(found, again)


def test_draws_come_from_the_generator_alone() -> None:
    prior = a_prior((4, 4))
    state = torch.get_rng_state()
    first, second, other = (prior.sample(5, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert len(first.unique(dim=0)) == 5


@every_size
def test_it_learns_a_rule_and_draws_by_it(size: tuple[int, ...]) -> None:
    """Along the last axis codes count up from one that is free; each row begins anew."""
    generator = seeded(3)

    def batch() -> torch.Tensor:
        firsts = torch.randint(4, (32, *size[:-1], 1), generator=generator)
        return (firsts + torch.arange(size[-1])) % 4

    torch.manual_seed(0)
    prior = CodePrior(n_codes=4, size=size, width=8, layers=2)
    optimizer = torch.optim.Adam(prior.parameters(), lr=0.02)
    for _ in range(80):
        optimizer.zero_grad()
        prior.loss(batch()).backward()
        optimizer.step()
    free = math.log(4) / size[-1]  # the first of each row, shared among the row's positions
    assert free - 0.05 < prior.loss(batch()).item() < free + 0.15
    found = prior.sample(20, seeded())
    follows = (found[..., 1:] - found[..., :-1]) % 4 == 1
    assert follows.float().mean() > 0.9


def test_it_learns_what_is_usual_at_a_place() -> None:
    """Where what came before tells nothing, the place still does."""
    codes = torch.arange(16).reshape(1, 4, 4).repeat(8, 1, 1)
    torch.manual_seed(0)
    prior = CodePrior(n_codes=16, size=(4, 4), width=16, layers=1)
    with torch.no_grad():
        for parameter in (*prior.embedding.parameters(), *prior.layers.parameters()):
            parameter.zero_()
        prior.place.normal_(generator=seeded())
    optimizer = torch.optim.Adam([prior.place, *prior.to_logits.parameters()], lr=0.05)
    for _ in range(80):
        optimizer.zero_grad()
        prior.loss(codes).backward()
        optimizer.step()
    assert prior.loss(codes).item() < 0.3
