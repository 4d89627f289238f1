"""Masks of the user's own as a focus: of which scans they are there, and what is told of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.engine.beside import Masks
from latentdx.autoencoder.engine.fit import Pool
from latentdx.autoencoder.losses.reconstruction import goes_by_masks
from latentdx.collection.labelled import ordered_rows
from latentdx.collection.stored_masks import StoredMasks
from latentdx.core.errors import StopError
from latentdx.report.alignment import focus_words
from latentdx.study.focus import wants_masks
from latentdx.study.prepare import Prepared
from latentdx.study.reporter import Clock
from latentdx.study.settings import RunSettings


def check_masks(prepared: Prepared, settings: RunSettings) -> None:
    """Raise `StopError` ``E_MASK`` where a focus is to go by masks and no scan has one."""
    if wants_masks(settings) and not _learned(prepared).given.any():
        found = "--focus mask, and no scan to learn from has a mask"
        fix = "ingest with --masks and a table with the column 'mask', or leave the focus out"
        raise StopError("E_MASK", found, fix=fix, path=prepared.collection.path)


def with_masks(
    pool: Pool,
    network: Autoencoder,
    prepared: Prepared,
    settings: RunSettings,
    clock: Clock | None = None,
) -> Pool:
    """The pool with the masks of its scans, where the network's loss goes by them; they are told.

    In the order of `training_pool`. Raises the error of `check_masks`; a network that goes by masks
    because the one did whose weights it takes over may find none.
    """
    if not goes_by_masks(getattr(network, "reconstruction", None)):
        return pool
    check_masks(prepared, settings)
    tune = StoredMasks.of(prepared.collection, _rows(prepared, "tune"))
    masks = Masks(_learned(prepared), tune)
    if clock is not None:
        clock.note(f"focus: {focus_words(focus_told(masks))}")
    return pool._replace(masks=masks)


def focus_told(masks: Masks | None) -> dict[str, Any]:
    """For metrics and encoders: of how many scans a focus knew the mask; empty without masks."""
    if masks is None:
        return {}
    n_given = int(masks.train.given.sum())
    return {"part": "mask", "scans": len(masks.train), "with_mask": n_given}


def hashes_of_masks(masks: Masks | None) -> list[str]:
    """What a checkpoint's training depends on: SHA-256 (hex) of the masks; empty without."""
    return [] if masks is None else [masks.train.hash, masks.tune.hash]


def _learned(prepared: Prepared) -> StoredMasks:
    return StoredMasks.of(prepared.collection, _rows(prepared, "train", "pretrain"))


def _rows(prepared: Prepared, *parts: Any) -> NDArray[np.int64]:
    return ordered_rows(prepared.table, prepared.split, *parts)
