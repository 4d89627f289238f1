"""VICReg's three terms, each alone and by hand; and position-free pooling."""

from __future__ import annotations

import math

import pytest
import torch

from latentdx.autoencoder.objectives.vicreg import vicreg
from latentdx.autoencoder.pooling import mean_and_deviation

FIRST = torch.tensor([[0.0, 1.0], [0.5, 3.0], [1.0, 2.0]])
SECOND = torch.tensor([[0.0, 1.0], [1.5, 3.0], [1.0, 0.0]])
ONLY = {"invariance": (1.0, 0.0, 0.0), "variance": (0.0, 1.0, 0.0), "covariance": (0.0, 0.0, 1.0)}


def term(name: str, first: torch.Tensor = FIRST, second: torch.Tensor = SECOND) -> float:
    return vicreg(first, second, weights=ONLY[name]).item()


def test_the_invariance_term_is_the_mean_squared_difference() -> None:
    assert term("invariance") == pytest.approx((1.0**2 + 2.0**2) / 6)


def test_the_variance_term_is_a_hinge_at_one_on_the_deviation() -> None:
    # sample variances: (0.25, 1) of the first view, (7/12, 7/3) of the second
    first = (1 - math.sqrt(0.25 + 1e-4)) / 2
    second = (1 - math.sqrt(7 / 12 + 1e-4)) / 2
    assert term("variance") == pytest.approx((first + second) / 2, rel=1e-5)
    assert term("variance", 10 * FIRST, 10 * SECOND) == 0


def test_the_covariance_term_is_the_squared_off_diagonal_by_dimension() -> None:
    first = 2 * 0.25**2 / 2  # two entries beside the diagonal, two dimensions
    centred = SECOND - SECOND.mean(dim=0)
    crossed = sum(row[0].item() * row[1].item() for row in centred) / 2
    assert term("covariance") == pytest.approx(first + 2 * crossed**2 / 2, rel=1e-5)


def test_the_whole_is_the_weighted_sum() -> None:
    expected = 25 * term("invariance") + 25 * term("variance") + term("covariance")
    assert vicreg(FIRST, SECOND).item() == pytest.approx(expected, rel=1e-6)


def test_a_collapsed_view_has_a_finite_gradient_out_of_the_collapse() -> None:
    vectors = torch.ones(4, 3, requires_grad=True)
    vicreg(vectors, vectors).backward()
    assert vectors.grad is not None
    assert vectors.grad.isfinite().all()


def test_pooling_is_mean_and_deviation_of_each_channel() -> None:
    maps = torch.tensor([[[[1.0, 3.0], [1.0, 3.0]], [[2.0, 2.0], [2.0, 2.0]]]])
    expected = torch.tensor([[2.0, 2.0, 1.0, 0.0]])
    torch.testing.assert_close(mean_and_deviation(maps), expected, atol=2e-3, rtol=0)


def test_pooling_does_not_see_where_something_lies() -> None:
    maps = torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    moved = maps.roll((2, 3), dims=(2, 3)).flip(3)
    torch.testing.assert_close(mean_and_deviation(moved), mean_and_deviation(maps))
