"""Objectives that align domains: a site is hidden, a label is not; stopped, gone on with."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
import pytest
import torch
from family_cases import small
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from latentdx.autoencoder.engine.domains import Domains
from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.engine.watch import Progress, Watch
from latentdx.autoencoder.objectives.deep_coral import coral
from latentdx.autoencoder.objectives.domain_adversarial import (
    DomainAdversarial,
    balanced_cross_entropy,
)
from latentdx.autoencoder.objectives.names import (
    DOMAIN_OBJECTIVES,
    OBJECTIVES,
    DomainObjectiveName,
    build_domain_objective,
    own_weight,
)
from latentdx.core.errors import StopError
from latentdx.features.extract import embed

every_objective = pytest.mark.parametrize("objective", DOMAIN_OBJECTIVES)

SIDE = 16


class Scans(NamedTuple):
    """Pixels, whether each shows a disc or a ring, and which site it is from."""

    pixels: NDArray[np.float32]
    labels: NDArray[np.int64]
    sites: NDArray[np.int64]


def scans(count: int, seed: int) -> Scans:
    """Discs and rings; all scans of site 1 are brighter than most of site 0."""
    generator = np.random.default_rng(seed)
    labels, sites = generator.integers(0, 2, (2, count))
    places = generator.uniform(5, 11, (count, 2, 1, 1))
    grid = np.mgrid[:SIDE, :SIDE]
    distance = np.hypot(grid[0] - places[:, 0], grid[1] - places[:, 1])
    shapes = (distance < 3) & ((distance > 1.5) | (labels[:, None, None] == 1))
    level = 0.2 + 0.12 * sites + generator.normal(0, 0.04, count)
    pixels = level[:, None, None] + 0.5 * shapes + generator.normal(0, 0.05, shapes.shape)
    return Scans(pixels[:, None].clip(0, 1).astype(np.float32), labels, sites)


def pool_of(learned: Scans, judged: Scans) -> Pool:
    domains = Domains(("a", "b"), learned.sites, judged.sites)
    return Pool(learned.pixels, judged.pixels, domains=domains)


def told_by_line(learned: Any, target: Any, tested: Any, truth: Any) -> float:
    """How often a linear classifier on features is right."""
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    return float(probe.fit(learned, target).score(tested, truth))


def probed(objectives: dict[str, float]) -> tuple[float, float]:
    """Of site and label, after a training with these objectives."""
    learned, judged, tested = scans(256, 0), scans(64, 1), scans(400, 2)
    network = small("invariant", size=SIDE)
    network.fit_normalisation(torch.from_numpy(learned.pixels))
    settings = FitSettings(epochs=20, objectives=objectives, precision="fp32", patience=1.0)
    pretrain(network, pool_of(learned, judged), settings, seed=0)
    ours, theirs = (embed(network, part.pixels, "pooled") for part in (learned, tested))
    site = told_by_line(ours, learned.sites, theirs, tested.sites)
    return site, told_by_line(ours, learned.labels, theirs, tested.labels)


def test_the_names_are_those_of_the_type_and_of_no_other_objective() -> None:
    assert set(DOMAIN_OBJECTIVES) == set(get_args(DomainObjectiveName))
    assert not set(DOMAIN_OBJECTIVES) & set(OBJECTIVES)
    assert {name: own_weight(name) for name in DOMAIN_OBJECTIVES} == {
        name: kind.weight for name, kind in DOMAIN_OBJECTIVES.items()
    }


@every_objective
@pytest.mark.parametrize("size", [(16, 16), (8, 8, 8)], ids=str)
def test_gradients_reach_the_encoder_where_a_domain_is_known(
    objective: str, size: tuple[int, ...]
) -> None:
    network = small("invariant", size=size)
    task = build_domain_objective(objective, network.train(), 3)
    assert task is not None
    pixels = torch.rand(16, 1, *size, generator=torch.Generator().manual_seed(0))
    buffers = {name: held.clone() for name, held in network.named_buffers()}
    for domains in (torch.arange(16) % 3 - 1, torch.full((16,), -1)):
        network.zero_grad()
        (term,) = task.losses(network, pixels, domains).values()
        term.backward()
        gradients = [held.grad for held in network.down.parameters()]
        moved = [one for one in gradients if one is not None and one.abs().sum() > 0]
        assert bool(moved) == bool((domains >= 0).any())
    assert all(torch.equal(buffers[name], held) for name, held in network.named_buffers())
    assert float(term.detach()) == 0, "nothing can be told of scans whose domain is not known"


def test_the_encoder_goes_against_the_classifier_the_more_the_longer_it_learns() -> None:
    network = small("invariant", size=SIDE).train()
    task = DomainAdversarial(network, 2)
    learned = scans(32, 0)
    pixels, domains = torch.from_numpy(learned.pixels), torch.from_numpy(learned.sites)
    first = next(network.down.parameters())

    def told(progress: float) -> torch.Tensor:
        network.progress = progress
        return task.losses(network, pixels, domains)["domain-told"]

    assert float(told(0.0).detach()) > 0, "one batch is enough to tell bright from dark"
    early, late = (torch.autograd.grad(told(at), first)[0] for at in (0.01, 1.0))
    assert float(early.norm()) < 0.1 * float(late.norm())
    network.eval()  # the classifier stays as it is
    settled = told(1.0)
    downhill = torch.autograd.grad(settled, first)[0]
    with torch.no_grad():
        first.sub_(0.01 * downhill / downhill.norm())
    assert float(told(1.0).detach()) < float(settled.detach())


def test_a_rare_domain_counts_as_much_as_a_common_one() -> None:
    logits = torch.zeros(10, 2)
    logits[0, 1] = 4.0
    domains = torch.tensor([0, *[1] * 9])
    wrong, chance = math.log(1 + math.exp(4.0)), math.log(2)
    assert float(balanced_cross_entropy(logits, domains)) == pytest.approx((wrong + chance) / 2)


def test_the_sum_over_domains_is_the_mean_over_pairs() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(30, 5, generator=generator) * torch.arange(1, 6)
    domains = torch.arange(30) % 3
    pairs = []
    for one, two in ((0, 1), (0, 2), (1, 2)):
        a, b = features[domains == one], features[domains == two]
        means = (a.mean(dim=0) - b.mean(dim=0)).square().sum() / 5
        pairs.append(float(means + (a.T.cov() - b.T.cov()).square().sum() / 100))
    assert float(coral(features, domains, 3)) == pytest.approx(np.mean(pairs), rel=1e-5)


@pytest.mark.slow
def test_the_site_is_hidden_and_the_label_is_not() -> None:
    plain_site, _ = probed({})
    assert plain_site > 0.88
    for name in DOMAIN_OBJECTIVES:
        site, label = probed({name: own_weight(name)})
        assert site < plain_site - 0.1, name
        assert label > 0.9, name


class Killed(BaseException):
    """As a signal would: no `except Exception` stops it."""


def killed(at: Progress) -> None:
    if at.step >= 7:
        raise Killed


@every_objective
def test_killed_and_resumed_ends_with_the_same_weights(objective: str, tmp_path: Path) -> None:
    pool = pool_of(scans(32, 0), scans(12, 1))  # four steps an epoch
    settings = FitSettings(epochs=3, objectives={objective: 1.0}, precision="fp32", accumulate=2)

    def trained(name: str, watch: Watch | None = None) -> dict[str, torch.Tensor]:
        network = small("invariant", size=SIDE)
        network.fit_normalisation(torch.from_numpy(scans(32, 0).pixels))
        pretrain(network, pool, settings, seed=0, checkpoints=tmp_path / name, watch=watch)
        return network.state_dict()

    whole = trained("whole")
    with pytest.raises(Killed):
        trained("cut", Watch(progress=killed))
    resumed = trained("cut")
    assert [key for key in whole if not torch.equal(whole[key], resumed[key])] == []


@every_objective
def test_it_depends_on_which_scan_is_from_where(objective: str) -> None:
    learned, judged = scans(32, 0), scans(12, 1)

    def trained(pool: Pool) -> tuple[float, float]:
        network = small("invariant", size=SIDE)
        settings = FitSettings(epochs=1, objectives={objective: 1.0}, precision="fp32")
        (epoch,) = pretrain(network, pool, settings, seed=0)
        return epoch.loss, epoch.tune_loss

    found = trained(pool_of(learned, judged))
    assert found == trained(pool_of(learned, judged))
    assert found[0] != trained(pool_of(learned._replace(sites=1 - learned.labels), judged))[0]


@every_objective
def test_without_two_domains_it_is_refused(objective: str) -> None:
    learned = scans(32, 0)
    one = Domains(("a",), learned.sites, learned.sites)
    for domains in (None, one):
        pool = Pool(learned.pixels, learned.pixels, domains=domains)
        with pytest.raises(StopError) as caught:
            pretrain(small("invariant"), pool, FitSettings(objectives={objective: 1.0}), seed=0)
        assert caught.value.code == "E_OPTION"
