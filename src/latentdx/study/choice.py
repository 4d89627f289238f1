"""What `search` and `compare` share: scans of train and tune alone, members trained and probed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.engine.checkpoint import Epoch
from latentdx.autoencoder.engine.data import as_source
from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.watch import Watch
from latentdx.collection.labelled import LabelledScans, load_parts
from latentdx.core.errors import StopError
from latentdx.core.hashing import hash_json
from latentdx.core.seeds import derive_seed, numpy_generator
from latentdx.diagnosis.probe import Probe, ProbeSettings, few_label_probe
from latentdx.features.table import Extract, extract_table
from latentdx.study.beginning import first_network
from latentdx.study.learn import fit_settings, training_modalities
from latentdx.study.own_masks import with_masks
from latentdx.study.pool import training_pool
from latentdx.study.prepare import Prepared, open_prepared
from latentdx.study.settings import RunSettings

_FEWEST = 8


@dataclass(frozen=True)
class ChoiceScans:
    """What members learn from and are judged on; no scan of calibrate or test is read.

    Attributes
    ----------
    pool: for the engine; train, tune: the labelled scans of these parts, for the probe.
    key: SHA-256 (hex) of the scans, labels and parts that are used, and of no others.
    """

    prepared: Prepared
    pool: Pool
    train: LabelledScans
    tune: LabelledScans
    key: str

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, *size) of a scan."""
        return self.prepared.collection.shape

    def probe(self, extract: Extract, settings: ProbeSettings, *, seed: int) -> Probe:
        """What few labels make of these features: the same draws for whatever features."""
        train, tune = (
            extract_table(scans, extract, extractor_hash="") for scans in (self.train, self.tune)
        )
        return few_label_probe(train, tune, settings, seed=derive_seed(seed, "probe"))

    def fewer(self, most: int, *, seed: int) -> ChoiceScans:
        """At most so many scans of train and of tune: for a quick look; the pool is as before."""
        train, tune = (_drawn(part, most, seed) for part in (self.train, self.tune))
        return replace(self, train=train, tune=tune)


@dataclass(frozen=True)
class Trained:
    """A trained member and the seconds that it took."""

    network: Autoencoder
    history: Sequence[Epoch]
    seconds: float

    @property
    def n_parameters(self) -> int:
        """Of encoder, decoder and what only the training needs."""
        return sum(held.numel() for held in self.network.parameters())

    @property
    def images_per_second(self) -> float:
        """The median over the epochs."""
        return float(np.median([entry.images_per_second for entry in self.history]))


def open_choice(path: Path, settings: RunSettings) -> ChoiceScans:
    """The scans of a collection that serve a choice, by the split that a run with its seed makes.

    Raises the errors of `split_by_patient`, and `StopError` ``E_TOO_FEW``, ``E_TASK`` (several
    findings a scan).
    """
    prepared = open_prepared(path, settings)
    if prepared.task == "multi-label":
        found = "several findings a scan: there is no one log-loss to choose by"
        raise StopError("E_TASK", found, fix="choose on a collection of one label a scan")
    given = (prepared.collection, prepared.split)
    pool = training_pool(*given)
    if len(pool.train) < _FEWEST:
        raise StopError("E_TOO_FEW", f"{len(pool.train)} scans to learn from", fix="add scans")
    parts = [load_parts(*given, prepared.classes, name) for name in ("train", "tune")]
    return ChoiceScans(prepared, pool, parts[0], parts[1], choice_key(prepared))


def train_member(
    network: Autoencoder,
    scans: ChoiceScans,
    settings: RunSettings,
    *,
    minutes: float | None = None,
    watch: Watch | None = None,
    checkpoints: Path | None = None,
) -> Trained:
    """Train a `fresh_member` as `latentdx pretrain` does, but that it ends after `minutes`."""
    started = time.monotonic()
    history = pretrain(
        network,
        with_masks(scans.pool, network, scans.prepared, settings),
        replace(fit_settings(settings, training_modalities(scans.prepared)), minutes=minutes),
        seed=derive_seed(settings.seed, "pretrain"),
        checkpoints=checkpoints,
        watch=watch,
    )
    return Trained(network, history, time.monotonic() - started)


def fresh_member(scans: ChoiceScans, settings: RunSettings) -> Autoencoder:
    """A network by name, as `latentdx pretrain` begins with it."""
    return first_network(settings, as_source(scans.pool.train)).network


def _drawn(scans: LabelledScans, most: int, seed: int) -> LabelledScans:
    """Every class keeps its share, and at least eight scans where it has them."""
    if len(scans) <= most:
        return scans
    order = numpy_generator(seed, "quick look").permutation(len(scans))
    kept: list[Any] = []
    for label in np.unique(scans.labels):
        rows = order[scans.labels[order] == label]
        kept.append(rows[: max(_FEWEST, most * len(rows) // len(scans))])
    return scans.take(np.sort(np.concatenate(kept)))


def choice_key(prepared: Prepared) -> str:
    """SHA-256 (hex) of the scans, labels and parts that a choice uses, and of no others."""
    table, split = prepared.table, prepared.split
    rows = split.rows("train", "pretrain", "tune")
    columns = (table.scan_id, table.content_hash, table.label, split.parts)
    used = sorted(zip(*(column[rows].tolist() for column in columns), strict=True))
    return hash_json([list(prepared.classes), list(prepared.collection.shape), used])
