"""The encoders of ``benchmarks.transfer`` and of the starter: trained at their first use, kept."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from benchmarks.machine import ROOT
from benchmarks.starter_sets import MOST, part
from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.engine.checkpoint import CheckpointFolder
from latentdx.autoencoder.engine.data import ArraySource
from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.engine.watch import Watch
from latentdx.autoencoder.family import build
from latentdx.autoencoder.low_rank import low_rank
from latentdx.core.hashing import hash_array, hash_json

CACHE = ROOT / "build" / "worth"
NETWORK = "invariant"
SEEN_STARTER, SEEN_ALONE, SEEN_CONTINUED = 24_000, 10_000, 5_000
"""Scans shown in a whole training, whatever their number."""


def levels_of(names: Sequence[str], most: int | None = MOST) -> NDArray[np.uint16]:
    """Scans to learn from, of several sets, of each at most so many."""
    parts = [found for name in names if (found := part(name, CACHE, most=most))]
    return np.concatenate([found.levels for found in parts])


def trained(
    levels: NDArray[np.uint16],
    seen: int,
    told: str,
    start: Autoencoder | None = None,
    rank: int | None = None,
) -> Autoencoder:
    """The default encoder after so many scans shown, from first weights or those of `start`.

    `rank`: its kernels learn by a change of this rank alone.
    Pixels are scaled by the statistics of the scans that it learns from.
    """
    network = build(NETWORK, {"channels": 1, "size": levels.shape[-1]}, seed=0)
    before = ""
    if start is not None:
        network.load_state_dict(start.state_dict())
        before = hash_array(np.concatenate([w.detach().flatten() for w in start.parameters()]))
    source = ArraySource(levels)
    network.set_normalisation(*source.moments())
    fit = FitSettings(epochs=max(1, round(seen / len(levels))))
    key = hash_json(
        [
            NETWORK,
            network.settings(),
            repr(fit),
            hash_array(levels),
            before,
            *([rank] if rank else []),
        ]
    )
    place = CACHE / f"transfer-{key[:16]}.safetensors"
    if place.exists():
        network.load_state_dict(load_file(place))
        return network.eval()
    began = time.monotonic()
    print(f"{told}: {len(levels)} scans, {fit.epochs} epochs", flush=True)
    checkpoints = place.with_suffix("")
    watch = Watch(epoch=lambda number, epoch: print(f"  {number} {epoch.loss:.3f}", flush=True))
    pool = Pool(source, levels[:0])
    with low_rank(network, rank, seed=0):
        pretrain(network, pool, fit, seed=0, checkpoints=checkpoints, watch=watch)
    _keep(network, place, checkpoints)
    print(f"  trained in {time.monotonic() - began:.0f} s", flush=True)
    return network


def _keep(network: Autoencoder, place: Path, checkpoints: Path) -> None:
    held = {name: each.contiguous() for name, each in network.state_dict().items()}
    save_file(held, place)
    CheckpointFolder(checkpoints).clear()
