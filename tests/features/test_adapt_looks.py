"""Adaptation of how scans look to the encoder: grey levels, normalisation."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.family import build
from latentdx.features.adapt import OF_LOOKS
from latentdx.features.adapt_batch_norm import (
    PRIOR,
    has_statistics,
    renormalised,
    statistics_of,
)
from latentdx.features.adapt_histogram import histogram, levels_of
from latentdx.features.extract import embed
from latentdx.features.kinds import FeatureKind

Pixels = np.ndarray


def scans(count: int, *size: int, seed: int = 0) -> Pixels:
    """Smooth scans of their own brightness, with a black border."""
    chance = np.random.default_rng(seed)
    coarse = chance.random((count, 1, *(side // 4 for side in size)))
    for axis in range(2, coarse.ndim):
        coarse = coarse.repeat(4, axis=axis)
    fine = 0.1 + 0.5 * coarse + 0.3 * chance.random(coarse.shape)
    fine *= chance.uniform(0.8, 1.1, (count, *(1,) * (coarse.ndim - 1)))
    fine[:, :, :3] = 0
    return fine.astype(np.float32)


@pytest.mark.parametrize("size", [(24, 24), (12, 12, 12)], ids=str)
def test_grey_levels_become_the_sources_by_one_curve(size: tuple[int, ...]) -> None:
    here, there = scans(40, *size), scans(30, *size, seed=1) ** 2
    source = levels_of(here)
    assert np.abs(levels_of(there) - source).max() > 0.1
    found = histogram(source, there)
    assert np.abs(levels_of(found) - source).max() < 0.03
    assert found.dtype == np.float32
    assert found[there == 0].max() == 0
    order = there.ravel().argsort()
    assert np.diff(found.ravel()[order]).min() >= 0, "one curve keeps the order between scans, too"
    spread = [part.mean(axis=tuple(range(1, part.ndim))).std() for part in (found, there)]
    assert spread[0] > 0.5 * spread[1]


def encoder(size: int = 24) -> Autoencoder:
    network = build("invariant", {"channels": 1, "size": size, "widths": (8, 16)}, seed=0)
    pixels = torch.from_numpy(scans(64, size, size))
    network.fit_normalisation(pixels)
    network.train()
    with torch.no_grad():
        for _ in range(30):
            network.encode(pixels)
            network.decode(network.encode(pixels))
    return network.eval()


def adapted(network: Autoencoder, here: Pixels, there: Pixels) -> Autoencoder:
    source = statistics_of(network, here, "pooled")
    assert source is not None
    return renormalised(network, source, there, "pooled")


def test_features_of_a_site_lie_where_the_sources_lie() -> None:
    network = encoder()
    before = copy.deepcopy(network.state_dict())
    here, there = scans(200, 24, 24, seed=2), 0.5 * scans(200, 24, 24, seed=3) + 0.2
    found = adapted(network, here, there)
    own, plain, moved = (
        embed(made, pixels, "pooled").mean(axis=0)
        for made, pixels in ((network, here), (network, there), (found, there))
    )
    assert np.abs(moved - own).mean() < 0.25 * np.abs(plain - own).mean()
    after = network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before), "the given one stays"
    told = found.state_dict()
    changed = [name for name in before if not torch.equal(before[name], told[name])]
    assert {name.rpartition(".")[2] for name in changed} == {"running_mean", "running_var"}
    assert not [name for name in changed if name.startswith(("up.", "projection."))]
    assert not found.training
    assert not [part for part in network.modules() if part._forward_pre_hooks]


def test_the_sources_own_scans_change_nothing() -> None:
    network = encoder()
    network.train()
    with torch.no_grad():  # as what it remembers is of other views
        for _ in range(30):
            network.encode(torch.from_numpy(scans(64, 24, 24) ** 2))
    network.eval()
    here = scans(100, 24, 24, seed=2)
    found = adapted(network, here, here)
    ours, theirs = (embed(made, here, "pooled") for made in (network, found))
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_few_scans_count_little() -> None:
    network = encoder()
    here, there = scans(100, 24, 24, seed=2), 0.5 * scans(200, 24, 24, seed=3) + 0.2
    name = next(name for name in network.state_dict() if name.endswith("running_mean"))
    first = dict(network.named_modules())[name.rpartition(".")[0]]
    seen: list[np.ndarray] = []
    hook = first.register_forward_pre_hook(lambda _, given: seen.append(given[0].numpy()))
    embed(network, here, "pooled")
    embed(network, there[:30], "pooled")
    hook.remove()
    gap = np.subtract(*(maps.mean(axis=(0, 2, 3)) for maps in seen[::-1]))
    source = np.asarray(network.state_dict()[name])
    moved = {
        count: np.asarray(adapted(network, here, there[:count]).state_dict()[name]) - source
        for count in (2, 30, 200)
    }
    np.testing.assert_allclose(moved[30], 30 / (30 + PRIOR) * gap, rtol=1e-3, atol=1e-5)
    sizes = [np.abs(each).mean() for each in moved.values()]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("kind", ["fine-grid", "multi-scale", "latent"])
def test_layers_that_the_features_come_from_are_counted(kind: FeatureKind) -> None:
    network = encoder()
    found = statistics_of(network, scans(20, 24, 24), kind)
    assert found is not None
    assert found.shape[0] == 2
    assert found[1].min() > 0
    with pytest.raises(ValueError, match="channels"):
        renormalised(network, found[:, :-1], scans(20, 24, 24), kind)


def test_an_encoder_without_statistics_is_not_adapted() -> None:
    network = build("masked-vit", {"channels": 1, "size": 16})
    assert not has_statistics(network)
    assert statistics_of(network, scans(20, 16, 16), "pooled") is None


def test_the_names_are_those_that_are_made() -> None:
    assert OF_LOOKS == ("histogram", "batch-norm")
