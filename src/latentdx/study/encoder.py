"""An encoder by itself: a folder of weights, what builds it, and which scans it has seen."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.family import build, name_of
from latentdx.bundle.save import encoder_bytes
from latentdx.collection.split import Split
from latentdx.collection.table import CollectionTable
from latentdx.core.errors import IntegrityError, LeakageError, StopError
from latentdx.core.files import write_atomic, write_json
from latentdx.core.hashing import hash_bytes

_DAMAGED = (ValueError, KeyError, TypeError, RuntimeError, SafetensorError, StopError)
_DESCRIPTION, _WEIGHTS = "encoder.json", "encoder.safetensors"


@dataclass(frozen=True)
class Encoder:
    """A trained network, what it has seen (pictures and patients, as hashes), where it lies."""

    network: Autoencoder
    seen: frozenset[str]
    path: Path

    def require_unseen(self, table: CollectionTable, split: Split) -> None:
        """Raise `LeakageError` ``E_SEEN`` where it has seen a held-out picture or patient."""
        rows = split.rows("tune", "calibrate", "test")
        n_seen = sum(bool(names & self.seen) for names in _names(table, rows))
        if n_seen:
            raise LeakageError(
                "E_SEEN",
                f"the encoder has seen pictures or patients of {n_seen} held-out scans",
                fix="pretrain it on this collection with the same seed, or on other patients",
                path=self.path,
            )


def save_encoder(path: Path, network: Autoencoder, table: CollectionTable, split: Split) -> None:
    """Write the folder; the description last, so that a folder without one is not finished."""
    path.mkdir(parents=True, exist_ok=True)
    weights = encoder_bytes(network)
    write_atomic(path / _WEIGHTS, weights)
    seen = set().union(*_names(table, split.rows("train", "pretrain")))
    write_json(
        path / _DESCRIPTION,
        {
            "format": "latentdx-encoder",
            "name": name_of(network),
            "settings": network.settings(),
            "sha256": hash_bytes(weights),
            "seen": sorted(seen),
        },
    )


def load_encoder(path: Path) -> Encoder:
    """Undo `save_encoder`. Raises `IntegrityError` ``E_ENCODER``."""
    try:
        told = json.loads((path / _DESCRIPTION).read_text())
        weights = (path / _WEIGHTS).read_bytes()
        if hash_bytes(weights) != told["sha256"]:
            raise ValueError
        network = build(told["name"], told["settings"])
        network.load_state_dict(load_tensors(weights))
        network.eval()
        return Encoder(network, frozenset(told["seen"]), path)
    except (OSError, *_DAMAGED):
        found = "no encoder, or a damaged one, lies here"
        fix = "make it with `latentdx pretrain`"
        raise IntegrityError("E_ENCODER", found, fix=fix, path=path) from None


def _names(table: CollectionTable, rows: np.ndarray) -> list[set[str]]:
    """Of each row a short hash of its picture and, where known, of its patient's pseudonym."""
    found = []
    for row in rows.tolist():
        names = {table.content_hash[row][:16]} if table.content_hash[row] else set()
        if table.patient[row]:
            names.add(hash_bytes(str(table.patient[row]).encode())[:16])
        found.append(names)
    return found
