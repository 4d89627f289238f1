"""An encoder by itself: a folder of weights, what builds it, and which scans it has seen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from torch import nn

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.family import OWN, name_of, rebuild
from latentdx.autoencoder.own_module import take_weights
from latentdx.bundle.save import encoder_bytes
from latentdx.collection.seen_record import names_of
from latentdx.collection.split import Split
from latentdx.collection.table import CollectionTable
from latentdx.core.errors import IntegrityError, LeakageError, StopError
from latentdx.core.files import write_atomic, write_json
from latentdx.core.hashing import hash_bytes

_DAMAGED = (ValueError, KeyError, TypeError, RuntimeError, SafetensorError)
_ASKED = ("E_CONFIG", "E_SHAPE", "E_EXTRA")  # of the user, who gave another module or none
DESCRIPTION, _WEIGHTS = "encoder.json", "encoder.safetensors"


@dataclass(frozen=True)
class Encoder:
    """A trained network, what it has seen (pictures and patients, as hashes), where it lies.

    `seen_all`: whether nothing else was seen, by what it began from either. `sha256`: of its
    weights (hex). `ancestry`: what it began from, a record each, the latest first. `learned_from`:
    public sets, in words. `alignment`: by what domains were aligned, nothing where none were.
    `looks`: what scans borrowed from each other, `focus`: how many had a mask to go by, both as
    alignment.
    `federated`: the sites that it learned at, nothing where it learned at one.
    """

    network: Autoencoder
    seen: frozenset[str]
    path: Path
    seen_all: bool = True
    sha256: str = ""
    ancestry: tuple[Mapping[str, Any], ...] = ()
    learned_from: tuple[str, ...] = ()
    alignment: Mapping[str, Any] = field(default_factory=dict)
    looks: Mapping[str, Any] = field(default_factory=dict)
    federated: Mapping[str, Any] = field(default_factory=dict)
    focus: Mapping[str, Any] = field(default_factory=dict)

    def require_unseen(self, table: CollectionTable, split: Split) -> None:
        """Raise `LeakageError` ``E_SEEN`` where it has seen a held-out picture or patient."""
        require_unseen(self.seen, table, split, self.path)


@dataclass(frozen=True)
class Descent:
    """What an encoder has from those before it: what they have seen, and their records."""

    seen: frozenset[str] = frozenset()
    seen_all: bool = True
    ancestry: tuple[Mapping[str, Any], ...] = ()


def require_unseen(
    seen: frozenset[str],
    table: CollectionTable,
    split: Split,
    path: Path | None,
    *,
    fix: str = "pretrain it on this collection with the same seed, or on other patients",
) -> None:
    """Raise `LeakageError` ``E_SEEN`` where held-out pictures or patients are among the `seen`."""
    rows = split.rows("tune", "calibrate", "test")
    n_seen = sum(bool(names & seen) for names in names_of(table, rows.tolist()))
    if n_seen:
        raise LeakageError(
            "E_SEEN",
            f"the encoder has seen pictures or patients of {n_seen} held-out scans",
            fix=fix,
            path=path,
        )


def save_encoder(
    path: Path,
    network: Autoencoder,
    table: CollectionTable,
    split: Split,
    descent: Descent = Descent(),
    *,
    told: Mapping[str, Any] | None = None,
) -> None:
    """Write the folder; the description last, so that a folder without one is not finished.

    `told`: what else is told of its training: ``privacy``, ``alignment``, ``views``,
    ``federated``, ``focus``.
    """
    path.mkdir(parents=True, exist_ok=True)
    weights = encoder_bytes(network)
    write_atomic(path / _WEIGHTS, weights)
    seen = descent.seen.union(*names_of(table, split.rows("train", "pretrain").tolist()))
    write_json(
        path / DESCRIPTION,
        {
            "format": "latentdx-encoder",
            "name": name_of(network),
            "settings": network.settings(),
            "sha256": hash_bytes(weights),
            "seen": sorted(seen),
            "seen_all": descent.seen_all,
            "ancestry": [dict(each) for each in descent.ancestry],
            **(told or {}),
        },
    )


def load_encoder(path: Path, autoencoder: nn.Module | None = None) -> Encoder:
    """Undo `save_encoder`. Raises `IntegrityError` ``E_ENCODER``.

    `autoencoder`: the user's own module that it was trained with; `StopError` ``E_CONFIG`` where
    it is missing, ``E_SHAPE`` where it is another one.
    """
    try:
        told = json.loads((path / DESCRIPTION).read_text())
        weights = (path / _WEIGHTS).read_bytes()
        if hash_bytes(weights) != told["sha256"]:
            raise ValueError
        tensors, seen, name = load_tensors(weights), frozenset(told["seen"]), told["name"]
        network = rebuild(name, told["settings"], autoencoder)
        if name == OWN:
            take_weights(network, tensors)
        else:
            network.load_state_dict(tensors)
        network.eval()
        seen_all, ancestry = told.get("seen_all", True), told.get("ancestry", [])
        if not (isinstance(seen_all, bool) and all(isinstance(each, dict) for each in ancestry)):
            raise TypeError
        more = (told["sha256"], tuple(ancestry), tuple(map(str, told.get("learned_from", []))))
        told_of = (
            dict(told.get(name, {})) for name in ("alignment", "views", "federated", "focus")
        )
        return Encoder(network, seen, path, seen_all, *more, *told_of)
    except StopError as error:
        if error.code in _ASKED:
            raise StopError(error.code, error.found, fix=error.fix, path=path) from None
        raise _damaged(path) from None
    except (OSError, *_DAMAGED):
        raise _damaged(path) from None


def _damaged(path: Path) -> IntegrityError:
    found = "no encoder, or a damaged one, lies here"
    fix = "make it with `latentdx pretrain`"
    return IntegrityError("E_ENCODER", found, fix=fix, path=path)
