"""What of a collection a finished bundle is tested on, and whether it can be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from latentdx.autoencoder.base import Autoencoder
from latentdx.bundle.schema import AnyDescription
from latentdx.collection.audit import Audit, audit
from latentdx.collection.near_kept import kept_near_duplicates
from latentdx.collection.seen_record import SeenRecord
from latentdx.collection.split import Overlap, Split
from latentdx.collection.store import Collection
from latentdx.collection.table import CollectionTable
from latentdx.collection.units import Pairs
from latentdx.core.errors import LatentdxError, StopError
from latentdx.core.seeds import derive_seed
from latentdx.study.exposure import Exposure, unseen_part


class Splitter(Protocol):
    """`split_by_patient`, or what stands for it in another task."""

    def __call__(
        self,
        table: CollectionTable,
        *,
        seed: int,
        overlap: Overlap,
        labelled: int | None,
        near: Pairs | None,
    ) -> Split:
        """Divide scans into parts."""


@dataclass(frozen=True)
class Tested:
    """What is tested, and what of it the model has seen; None of its own test part."""

    split: Split
    exposure: Exposure | None

    def audited(self, collection: Collection, table: CollectionTable) -> Audit:
        """The audit of the collection, with what the model has seen of it."""
        if self.exposure is None:
            return audit(table, self.split.parts, kept_near_duplicates(collection, table))
        own = audit(table, self.split.parts)
        return Audit((*own.findings, *self.exposure.findings()))

    @property
    def told(self) -> dict[str, Any]:
        """The entry ``seen`` of ``metrics.json``; nothing of the own test part."""
        return {} if self.exposure is None else {"seen": self.exposure.as_json()}

    @property
    def sentence(self) -> str:
        """What was tested, for the report and the terminal."""
        if self.exposure is None:
            return "These are the test scans of the collection that the bundle was made from."
        what = "every labelled scan of the collection was tested"
        if self.exposure.left_out:
            what = "labelled scans of the collection were tested"
        return " ".join([f"External validation: {what}.", *self.exposure.sentences()])


def tested_part(
    told: AnyDescription,
    seen: SeenRecord | None,
    opened: tuple[Collection, CollectionTable],
    split: Splitter,
    overlap: Overlap,
) -> Tested:
    """The bundle's own test part where the collection is its own, else all labelled scans.

    Of these what the model has seen is told; see `unseen_part` for `overlap` and what is raised.
    """
    own, is_own = own_test_part(told, *opened, split)
    return Tested(own, None) if is_own else Tested(*unseen_part(seen, opened[1], own, overlap))


def own_test_part(
    told: AnyDescription, collection: Collection, table: CollectionTable, split: Splitter
) -> tuple[Split, bool]:
    """The bundle's own test part where the collection is its own, else all labelled scans."""
    if sum(told.counts.values()) == len(table):
        joining = kept_near_duplicates(collection, table).joining(len(table))
        for near in (joining, None):  # None: bundles of before near-duplicates were looked for
            if (own := _own_split(told, table, split, near)) is not None:
                return own, True
    parts: NDArray[np.str_] = np.where(table.is_labelled, "test", "excluded")
    return Split(parts, Split.hash_of(table, parts)), False


def _own_split(
    told: AnyDescription, table: CollectionTable, split: Splitter, near: Pairs | None
) -> Split | None:
    seed, n_train = derive_seed(told.seed, "split"), told.counts.get("train")
    ways: tuple[tuple[Overlap, int | None], ...]
    ways = (("drop", None), ("drop", n_train), ("allow", None), ("allow", n_train))
    for overlap, labelled in ways:
        try:
            own = split(table, seed=seed, overlap=overlap, labelled=labelled, near=near)
        except LatentdxError:
            continue
        if own.hash == told.split_hash:
            return own
    return None


def check_collection(encoder: Autoencoder, collection: Collection, table: CollectionTable) -> None:
    """Raise `StopError` ``E_NO_LABELS``, or ``E_SIZE`` where the encoder reads other scans."""
    if not table.is_labelled.any():
        raise StopError("E_NO_LABELS", "no scan has a label", fix="ingest with --labels CSV")
    check_shape(encoder, collection)


def check_shape(encoder: Autoencoder, collection: Collection) -> None:
    """Raise `StopError` ``E_SIZE`` where the encoder reads scans of another shape."""
    expected = encoder.shape
    if expected != collection.shape:
        text = f"the bundle reads scans of shape {expected}, the collection holds "
        text += f"{collection.shape}"
        fix = f"ingest again with --dims {len(expected) - 1} --size {expected[1]}"
        raise StopError("E_SIZE", text, fix=fix, path=collection.path)
