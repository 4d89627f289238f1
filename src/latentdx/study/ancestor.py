"""What an encoder may begin from: an encoder's folder, a bundle, weights alone, `starter`, a hub.

Everything is data: safetensors and JSON. What it has seen is known where its record tells it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from torch import Tensor, nn

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.family import name_of
from latentdx.bundle.load import load_bundle
from latentdx.collection.split import Split
from latentdx.collection.table import CollectionTable
from latentdx.core.errors import IntegrityError, StopError
from latentdx.core.hashing import hash_bytes
from latentdx.study.encoder import DESCRIPTION, Encoder, load_encoder, require_unseen
from latentdx.study.hub import HUB, fetched
from latentdx.study.settings import RunSettings

STARTER = "starter"
"""The package's own encoder; a folder of that name is ``./starter``."""

_BUNDLE = "bundle.json"
_WEIGHTS = ".safetensors"
_LARGEST = 4 << 30


@dataclass(frozen=True)
class Ancestor:
    """Weights to begin from.

    Attributes
    ----------
    told: how it is called, without folders of this machine.
    sha256: of its weights (hex).
    weights: by name.
    name, settings, channels: of the network, None where only weights are there.
    seen: pictures and patients as hashes; `seen_all`: whether that is all that it has learned from.
    ancestry: what it began from itself, the latest first.
    learned_from: public sets, in words, where it tells them.
    federated: the sites that it learned at, where they were several.
    """

    told: str
    sha256: str
    weights: Mapping[str, Tensor]
    name: str | None = None
    settings: Mapping[str, Any] | None = None
    seen: frozenset[str] = frozenset()
    seen_all: bool = False
    ancestry: tuple[Mapping[str, Any], ...] = ()
    learned_from: tuple[str, ...] = ()
    path: Path | None = None
    federated: Mapping[str, Any] = field(default_factory=dict)

    @property
    def channels(self) -> int | None:
        """Of the scans that it reads."""
        return None if self.settings is None else int(self.settings["channels"])

    def require_unseen(self, table: CollectionTable, split: Split) -> None:
        """Raise `LeakageError` ``E_SEEN`` where it has seen a held-out picture or patient."""
        fix = "begin from another one, or leave --from out"
        require_unseen(self.seen, table, split, self.path, fix=fix)


def load_ancestor(source: str, autoencoder: nn.Module | None = None) -> Ancestor:
    """What `--from` names.

    `source`: ``starter``, the package's own; ``hf:owner/name`` (``@revision`` may follow); or the
    place of an encoder, a bundle or a ``.safetensors``. `autoencoder`: the user's own module that
    the weights are of.

    Raises `IntegrityError` ``E_ENCODER`` and ``E_MODEL_INTEGRITY`` where it is absent or damaged,
    and the errors of `fetched`.
    """
    path, told = _place(source), told_place(source)
    if path.is_dir() and (path / DESCRIPTION).exists():
        return _of_encoder(load_encoder(path, autoencoder), told)
    if path.is_dir() and (path / _BUNDLE).exists():
        model = load_bundle(path, autoencoder=autoencoder)
        network, sha256 = model.encoder, model.bundle
        return Ancestor(told, sha256, *_described(network), path=path)
    found_here = sorted(path.glob(f"*{_WEIGHTS}")) if path.is_dir() else [path]
    alone = found_here[0] if len(found_here) == 1 else path
    if not alone.is_file() or alone.suffix != _WEIGHTS:
        found = "no encoder, no bundle and no one .safetensors lies here"
        fix = "give what `latentdx pretrain` or `run` left, or weights as safetensors"
        raise IntegrityError("E_ENCODER", found, fix=fix, path=path)
    return _of_weights(alone, told)


def _place(source: str) -> Path:
    if source == STARTER:
        return Path(str(files("latentdx.autoencoder") / STARTER))
    return fetched(source) if source.startswith(HUB) else Path(source)


def _of_encoder(encoder: Encoder, told: str) -> Ancestor:
    return Ancestor(
        told,
        encoder.sha256,
        *_described(encoder.network),
        seen=encoder.seen,
        seen_all=encoder.seen_all,
        ancestry=encoder.ancestry,
        learned_from=encoder.learned_from,
        path=encoder.path,
        federated=encoder.federated,
    )


def _described(network: Autoencoder) -> tuple[dict[str, Tensor], str, dict[str, Any]]:
    return network.state_dict(), name_of(network), network.settings()


def _of_weights(path: Path, told: str) -> Ancestor:
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError
        data = path.read_bytes()
        weights = load_tensors(data)
    except (OSError, ValueError, SafetensorError):
        found = "it is no safetensors, or a damaged one"
        raise IntegrityError("E_ENCODER", found, fix="copy it again", path=path) from None
    if not all(bool(torch.isfinite(each.float()).all()) for each in weights.values()):
        found = "some of its weights are not finite"
        raise IntegrityError("E_ENCODER", found, fix="take other weights", path=path)
    return Ancestor(told, hash_bytes(data), weights, path=path)


def begun(settings: RunSettings, autoencoder: nn.Module | None = None) -> RunSettings:
    """The settings of a training that may begin from other weights: of their network.

    Raises `StopError` ``E_OPTION`` for what only such a training can do where it begins from
    nothing, and for an `autoencoder` that the weights are not of.
    """
    if settings.start is None:
        alone = {
            "--freeze": settings.freeze > 0,
            "--low-rank": settings.low_rank is not None,
            "--epochs 0": settings.epochs == 0,
        }
        for option, given in alone.items():
            if given:
                found = f"{option} without weights to begin from"
                raise StopError("E_OPTION", found, fix="give --from, or leave it out")
        return settings
    if settings.epochs == 0 and (settings.freeze or settings.low_rank):
        found = (
            f"{'--freeze' if settings.freeze else '--low-rank'} with --epochs 0, which keeps all"
        )
        raise StopError("E_OPTION", found, fix="leave one of them out")
    name = load_ancestor(settings.start, autoencoder).name
    if name in (None, settings.autoencoder):
        return settings
    if settings.autoencoder != RunSettings.model_fields["autoencoder"].default:
        found = f"--autoencoder {settings.autoencoder}, but the weights to begin from are of {name}"
        raise StopError("E_OPTION", found, fix="leave --autoencoder out")
    return settings.model_copy(update={"autoencoder": name})


def told_place(source: str) -> str:
    """How a source is called where folders of this machine are left out."""
    if source.startswith(HUB):
        return source
    return os.path.basename(os.path.abspath(source))
