"""A training with all objectives in a process of its own: ``python ... SHARDING FOLDER STOP``."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

import numpy as np
import torch

from latentdx.autoencoder.engine.beside import Masks
from latentdx.autoencoder.engine.domains import Domains
from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.family import build
from latentdx.autoencoder.objectives.names import DOMAIN_OBJECTIVES, OBJECTIVES
from latentdx.collection.stored_masks import StoredMasks

PIXELS = np.random.default_rng(0).random((48, 1, 16, 16)).astype(np.float32)
SETTINGS = {"channels": 1, "size": 16, "widths": (8, 16), "reconstruction": "mask:ssim-gradient"}


def main(sharding: str, folder: Path, stop_after: int) -> None:
    """Train two epochs (or be stopped after one), and write what became of it."""
    network = build("invariant", SETTINGS)
    network.fit_normalisation(torch.from_numpy(PIXELS))
    both = {**OBJECTIVES, **DOMAIN_OBJECTIVES}
    settings = FitSettings(
        epochs=2,
        precision="fp32",
        sharding=sharding,  # type: ignore[arg-type]
        patience=1.0,
        minutes=0.0 if stop_after else None,
        objectives={name: kind.weight for name, kind in both.items()},
    )
    sites = np.arange(48) % 3 - 1  # of a third it is not known
    domains = Domains(("a", "b"), sites[:32], sites[32:])
    bits = np.random.default_rng(1).integers(0, 256, (48, 32)).astype(np.uint8)
    bits[::4] = 0  # scans without a mask
    masks = Masks(StoredMasks(bits[:32], (16, 16)), StoredMasks(bits[32:], (16, 16)))
    pool = Pool(PIXELS[:32], PIXELS[32:], domains=domains, masks=masks)
    history = pretrain(network, pool, settings, seed=0, checkpoints=folder / "checkpoints")
    digest = hashlib.sha256()
    for held in network.state_dict().values():
        digest.update(held.numpy().tobytes())
    told = {"sha256": digest.hexdigest(), "terms": [dict(epoch.terms) for epoch in history]}
    (folder / f"rank-{os.environ.get('RANK', '0')}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
