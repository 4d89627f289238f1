"""Which scans may be looked at, and which suggested: none that is, or may become, held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.split import HELD_OUT_PARTS, Overlap, split_by_patient
from latentdx.collection.table import CollectionTable, StrArray
from latentdx.collection.units import Pairs, unit_ids
from latentdx.core.errors import StopError
from latentdx.core.seeds import derive_seed

_TOO_FEW = ("E_NO_LABELS", "E_CLASS_SIZE")


@dataclass(frozen=True)
class SuggestParts:
    """The parts of a run with the same seed, or what stands in for them.

    Attributes
    ----------
    parts: (N,) as in `latentdx.collection.split.Split`; is_split: whether a run could split so.
    units: (N,) scans of one patient, or with identical pixels, share a number.
    """

    parts: StrArray
    is_split: bool
    units: NDArray[np.int64]

    def visible(self, table: CollectionTable) -> NDArray[np.int64]:
        """Rows whose pixels may be looked at, in the order of their scans' ids."""
        rows = np.flatnonzero(np.isin(self.parts, ("train", "pretrain")))
        return rows[np.argsort(table.scan_id[rows], kind="stable")]

    def labelled(self, table: CollectionTable) -> NDArray[np.bool_]:
        """(N,) scans whose label may be looked at."""
        mask: NDArray[np.bool_] = table.is_labelled & (self.parts == "train")
        return mask

    def open(self, table: CollectionTable) -> NDArray[np.bool_]:
        """(N,) scans that may be suggested; those given for pretraining only are not."""
        seen = np.isin(self.parts, ("train", "pretrain"))
        mask: NDArray[np.bool_] = seen & (table.label == "") & ~table.pretrain_only
        return mask


def suggest_parts(
    table: CollectionTable, *, seed: int, overlap: Overlap = "stop", near: Pairs | None = None
) -> SuggestParts:
    """The split that `run` and `fit` make with this seed; `near` as for `split_by_patient`.

    Where labels are too few for one, every labelled scan is learned from, but for those of units
    that the source holds out. Raises `LeakageError` ``E_LEAKAGE``.
    """
    units = unit_ids(table, near)
    try:
        split = split_by_patient(table, seed=derive_seed(seed, "split"), overlap=overlap, near=near)
    except StopError as error:
        if error.code not in _TOO_FEW:
            raise
        return SuggestParts(_by_source(table, units), False, units)
    return SuggestParts(split.parts, True, units)


def _by_source(table: CollectionTable, units: NDArray[np.int64]) -> StrArray:
    """Parts where nothing can be drawn: what the source holds out, and the rest."""
    told = np.isin(table.given_part, ("val", *HELD_OUT_PARTS))
    held_out = np.isin(units, units[told])
    return np.where(held_out, "excluded", np.where(table.is_labelled, "train", "pretrain"))
