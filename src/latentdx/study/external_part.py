"""What of a collection a finished bundle is tested on, and whether it can be."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from latentdx.autoencoder.base import Autoencoder
from latentdx.bundle.schema import AnyDescription
from latentdx.collection.split import Overlap, Split
from latentdx.collection.store import Collection
from latentdx.collection.table import CollectionTable
from latentdx.core.errors import LatentdxError, StopError
from latentdx.core.seeds import derive_seed


class Splitter(Protocol):
    """`split_by_patient`, or what stands for it in another task."""

    def __call__(
        self, table: CollectionTable, *, seed: int, overlap: Overlap, labelled: int | None
    ) -> Split:
        """Divide scans into parts."""


def own_test_part(
    told: AnyDescription, table: CollectionTable, split: Splitter
) -> tuple[Split, bool]:
    """The bundle's own test part where the collection is its own, else all labelled scans."""
    seed, n_train = derive_seed(told.seed, "split"), told.counts.get("train")
    ways: tuple[tuple[Overlap, int | None], ...]
    ways = (("drop", None), ("drop", n_train), ("allow", None), ("allow", n_train))
    for overlap, labelled in ways:
        try:
            own = split(table, seed=seed, overlap=overlap, labelled=labelled)
        except LatentdxError:
            continue
        if own.hash == told.split_hash:
            return own, True
    parts: NDArray[np.str_] = np.where(table.is_labelled, "test", "excluded")
    return Split(parts, Split.hash_of(table, parts)), False


def what_was_tested(is_own: bool) -> str:
    """A sentence for the report and the terminal."""
    if is_own:
        return "These are the test scans of the collection that the bundle was made from."
    return "External validation: every labelled scan of the collection was tested."


def check_collection(encoder: Autoencoder, collection: Collection, table: CollectionTable) -> None:
    """Raise `StopError` ``E_NO_LABELS``, or ``E_SIZE`` where the encoder reads other scans."""
    if not table.is_labelled.any():
        raise StopError("E_NO_LABELS", "no scan has a label", fix="ingest with --labels CSV")
    expected = encoder.shape
    if expected != collection.shape:
        text = f"the bundle reads scans of shape {expected}, the collection holds "
        text += f"{collection.shape}"
        fix = f"ingest again with --dims {len(expected) - 1} --size {expected[1]}"
        raise StopError("E_SIZE", text, fix=fix, path=collection.path)
