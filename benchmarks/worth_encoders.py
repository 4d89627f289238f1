"""Encoders of the benchmarks: ways to train them, on all sets but what a fold tests; kept."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from benchmarks.machine import ROOT
from benchmarks.worth_sets import Scans
from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.engine.data import ArraySource
from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.engine.watch import Watch
from latentdx.autoencoder.family import build
from latentdx.core.hashing import hash_json
from latentdx.report.baselines import settle_statistics

CACHE = ROOT / "build" / "worth"
EPOCHS = 12
MOST_OF_A_SET = 1500
POOLS = {64: ("kermany", "nih", "brain-mr", "phantoms"), 28: ("pneumoniamnist",)}


@dataclass(frozen=True)
class Variant:
    """A way to train: a member, its settings, those of the engine."""

    name: str = "invariant"
    network: dict[str, Any] = field(default_factory=dict)
    fit: dict[str, Any] = field(default_factory=dict)


VARIANTS = {
    "default": Variant(),
    "reconstruction-only": Variant(network={"invariance_weight": 0.0}),
    "invariance-only": Variant(network={"reconstruction_weight": 0.0}),
    "smaller-invariance": Variant(network={"invariance_weight": 0.04}),
    "larger-batch": Variant(fit={"batch_size": 256}),
    "four-times-longer": Variant(fit={"epochs": 40}),
    "latent-prediction": Variant(fit={"objectives": {"latent-prediction": 1.0}}),
    "wider": Variant(network={"widths": (64, 128, 256, 512)}),
    "residual-vicreg": Variant("residual", fit={"objectives": {"vicreg": 0.2}}),
    "averaged": Variant(fit={"ema": 0.995}),
}


def encoder(
    sets: dict[str, Scans], pool: list[str], variant: Variant, fold: int, *, trained: bool
) -> Autoencoder:
    """The encoder of a fold, trained at its first use; untrained it has seen the statistics."""
    size = sets[pool[0]].levels.shape[-1]
    network = build(variant.name, {"channels": 1, "size": size, **variant.network}, seed=fold)
    levels = pooled([sets[name].pooled(fold) for name in pool])
    source = ArraySource(levels)
    network.set_normalisation(*source.moments())
    settings = FitSettings(**{"epochs": EPOCHS, **variant.fit})
    how = repr(settings) if trained else "untrained"
    told = [variant.name, network.settings(), how, pool, fold, len(levels)]
    place = CACHE / f"encoder-{hash_json(told)[:16]}.safetensors"
    if place.exists():
        network.load_state_dict(load_file(place))
        return network.eval()
    began = time.monotonic()
    if trained:
        watch = Watch(epoch=lambda number, epoch: print(f"  {number} {epoch.loss:.3f}", flush=True))
        pretrain(network, Pool(source, levels[:0]), settings, seed=fold, watch=watch)
    else:
        rows = np.random.default_rng(0).permutation(len(levels))[:4096]
        settle_statistics(network, torch.from_numpy(levels[rows].astype(np.float32) / 65535))
    save_file({name: held.contiguous() for name, held in network.state_dict().items()}, place)
    print(
        f"  {'trained' if trained else 'settled'} in {time.monotonic() - began:.0f} s", flush=True
    )
    return network


def pooled(parts: Sequence[NDArray[np.uint16]]) -> NDArray[np.uint16]:
    """Scans of several sets, none of which may drown the others; all of them where it is one."""
    if len(parts) == 1:
        return parts[0]
    drawn = np.random.default_rng(0).permutation
    return np.concatenate([part[np.sort(drawn(len(part))[:MOST_OF_A_SET])] for part in parts])
