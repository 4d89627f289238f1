"""A training in a process of its own: ``python engine_child.py NAME SHARDING FOLDER EPOCHS``."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

import numpy as np
import torch

from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.family import build

PIXELS = np.random.default_rng(0).random((64, 1, 16, 16)).astype(np.float32)


def main(name: str, sharding: str, folder: Path, stop_after: int) -> None:
    """Train two epochs (or be stopped after some), and write what became of it."""
    network = build(name, {"channels": 1, "size": 16, "widths": (8, 16)})
    network.fit_normalisation(torch.from_numpy(PIXELS))
    settings = FitSettings(
        epochs=2,
        precision="fp32",
        sharding=sharding,  # type: ignore[arg-type]
        ema=0.9,
        patience=1.0,
        minutes=0.0 if stop_after else None,
        # clocks differ: what the first process thinks of the time has to be what all do
        checkpoint_seconds=0.0 if os.environ.get("RANK", "0") == "0" else 1e9,
    )
    pool = Pool(PIXELS[:48], PIXELS[48:])
    history = pretrain(network, pool, settings, seed=0, checkpoints=folder / "checkpoints")
    digest = hashlib.sha256()
    for held in network.state_dict().values():
        digest.update(held.numpy().tobytes())
    told = {
        "sha256": digest.hexdigest(),
        "losses": [epoch.loss for epoch in history],
        "tune": [epoch.tune_loss for epoch in history],
    }
    rank = os.environ.get("RANK", "0")
    (folder / f"rank-{rank}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
