"""What a training takes up: its own checkpoints, unless they were made from something else."""

from __future__ import annotations

import json
from pathlib import Path

from latentdx.autoencoder.engine.checkpoint import CheckpointFolder
from latentdx.autoencoder.engine.processes import is_first
from latentdx.core.files import write_json


def checkpoints_for(path: Path, key: str) -> Path:
    """The folder of checkpoints; those that were made from something else are removed."""
    label = path.with_suffix(".json")
    if not is_first():
        return path
    if label.exists() and json.loads(label.read_text()).get("key") != key:
        CheckpointFolder(path).clear()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(label, {"key": key})
    return path
