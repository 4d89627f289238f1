"""`ScanRow` and `CollectionTable`: scans as rows, going into a collection and coming out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.tasks import SEPARATOR
from latentdx.core.hashing import hash_bytes, hash_json

StrArray = NDArray[np.str_]


@dataclass(frozen=True)
class ScanRow:
    """One scan on its way into a collection.

    Attributes
    ----------
    scan_id: stable and unique in the collection (see `scan_id`).
    path: posix, relative to the source; in an npz ``name.npz#train/12``; a part of a file is named
        behind it: ``cine.dcm#frame/3``, ``head.nii.gz#slice/12``.
    pixels: float32 (C, *spatial) in 0..1, all sides of the collection's size.
    source: index of the source.
    patient, study, series, site: pseudonyms (or ``scan:<n>``), None where not known.
    given_part: the part that the source declares, ``val`` included, or None.
    pretrain_only: from a source given as unlabelled.
    spacing_mm, native_shape, orientation, acquired, warnings, file_hash, present: as in `Scan`.
    stamp: tells whether the file has changed since it was read.
    declared: what was said of it outside its file, as JSON (see `Planned.declared`).
    mask: the user's own, in the size of the pixels, as bits; None where there is none.
    """

    scan_id: str
    path: str
    pixels: NDArray[np.float32]
    content_hash: str
    source: int = 0
    patient: str | None = None
    study: str | None = None
    series: str | None = None
    site: str | None = None
    modality: str = ""
    label: str | None = None
    given_part: str | None = None
    pretrain_only: bool = False
    covariates: dict[str, str] = field(default_factory=dict)
    conversions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    native_shape: tuple[int, ...] = (0, 0)
    spacing_mm: tuple[float, ...] | None = None
    orientation: str = ""
    acquired: str | None = None
    stamp: str = ""
    declared: str = "{}"
    file_hash: str = ""
    present: tuple[int, ...] = ()
    mask: bytes | None = None


@dataclass(frozen=True)
class CollectionTable:
    """All that a collection holds but the pixels: arrays of length N, ``""`` where not known.

    `spacing_mm` is (N, dims), NaN where not known; `native_shape` (N, dims).
    """

    scan_id: StrArray
    path: StrArray
    content_hash: StrArray
    source: NDArray[np.int64]
    patient: StrArray
    study: StrArray
    series: StrArray
    site: StrArray
    modality: StrArray
    label: StrArray
    given_part: StrArray
    pretrain_only: NDArray[np.bool_]
    covariates: tuple[dict[str, str], ...]
    conversions: tuple[tuple[str, ...], ...]
    warnings: tuple[tuple[str, ...], ...]
    orientation: StrArray
    acquired: StrArray
    file_hash: StrArray
    native_shape: NDArray[np.int64]
    spacing_mm: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.scan_id)

    @property
    def is_labelled(self) -> NDArray[np.bool_]:
        """Scans that may train or test a classifier: labelled, and not for pretraining only."""
        mask: NDArray[np.bool_] = (self.label != "") & ~self.pretrain_only
        return mask

    @property
    def classes(self) -> list[str]:
        """The labels of the labelled scans, each once, sorted by name; of several, each finding."""
        labels = set(self.label[self.is_labelled].tolist())
        return sorted({name for label in labels for name in label.split(SEPARATOR)})

    def has(self, name: str) -> NDArray[np.bool_]:
        """(N,), True for labelled scans whose label is `name`, or names it among others."""
        edge = SEPARATOR
        padded = np.char.add(np.char.add(edge, self.label), edge)
        mask: NDArray[np.bool_] = np.char.find(padded, f"{edge}{name}{edge}") >= 0
        return mask & self.is_labelled

    def take(self, indices: Sequence[int] | NDArray[Any]) -> CollectionTable:
        """The rows at `indices` (or where a mask is True), in that order."""
        chosen = np.arange(len(self))[np.asarray(indices)]
        return CollectionTable(**{name: _taken(getattr(self, name), chosen) for name in _COLUMNS})

    def fingerprint(self) -> str:
        """SHA-256 (hex) of what can change a result, whatever the row order and the key.

        The key of the pseudonyms enters no result: of the patients only the grouping counts.
        """
        patient = self.patient_or_scan()
        first: dict[str, str] = {}
        for name, identity in zip(patient.tolist(), self.scan_id.tolist(), strict=True):
            first[name] = min(identity, first.get(name, identity))
        rows = zip(
            self.scan_id.tolist(),
            self.content_hash.tolist(),
            self.label.tolist(),
            self.given_part.tolist(),
            self.pretrain_only.tolist(),
            [first[name] for name in patient.tolist()],
            strict=True,
        )
        return hash_json(sorted(rows))

    def patient_or_scan(self) -> StrArray:
        """The patient of each scan; a scan without one stands for itself."""
        alone = np.char.add("unknown:", self.scan_id)
        return np.where(self.patient == "", alone, self.patient)


def scan_id(path: str, content_hash: str, *more: str) -> str:
    """Sixteen hex digits from a scan's path in its source and its pixels.

    Examples
    --------
    >>> len(scan_id("a/1.png", "0" * 64))
    16
    """
    return hash_bytes(*(part.encode() for part in (path, content_hash, *more)))[:16]


def table_of(rows: Iterable[ScanRow]) -> CollectionTable:
    """The table of rows that are in memory."""
    rows = list(rows)
    dims = len(rows[0].native_shape) if rows else 2
    return table_from({name: [getattr(row, name) for row in rows] for name in _COLUMNS}, dims)


def table_from(columns: dict[str, list[Any]], dims: int = 2) -> CollectionTable:
    """The table of columns of Python values, None where not known."""
    n_rows = len(columns["scan_id"])
    numbers: dict[str, Any] = {
        "source": np.array(columns["source"], np.int64),
        "pretrain_only": np.array(columns["pretrain_only"], np.bool_),
        "native_shape": np.array(columns["native_shape"], np.int64).reshape(n_rows, dims),
        "spacing_mm": np.array(
            [(np.nan,) * dims if value is None else value for value in columns["spacing_mm"]],
            np.float64,
        ).reshape(n_rows, dims),
    }
    lists: dict[str, Any] = {
        name: tuple(columns[name]) for name in ("covariates", "conversions", "warnings")
    }
    texts: dict[str, Any] = {
        name: np.array([value or "" for value in columns[name]], np.str_)
        for name in _COLUMNS
        if name not in numbers and name not in lists
    }
    return CollectionTable(**texts, **numbers, **lists)


def _taken(values: Any, chosen: NDArray[Any]) -> Any:
    if isinstance(values, tuple):
        return tuple(values[index] for index in chosen)
    return values[chosen]


_COLUMNS = tuple(item.name for item in fields(CollectionTable))
