"""The groups that scans belong to: their site, modality or another column of the collection."""

from __future__ import annotations

from collections.abc import Sequence

from latentdx.collection.table import CollectionTable
from latentdx.core.errors import StopError
from latentdx.scans.scan import Scan

_OWN = ("site", "modality")


def group_of(scan: Scan, column: str) -> str:
    """What a scan's own file says of a column, ``""`` where it says nothing.

    Sites are pseudonyms of this user's key: a site that the model knows is found again only where
    the key is the same.

    Examples
    --------
    >>> import numpy as np
    >>> scan = Scan(np.zeros((1, 2, 2), np.float32), (2, 2), covariates={"sex": "F"})
    >>> group_of(scan, "sex"), group_of(scan, "site")
    ('F', '')
    """
    if column in _OWN:
        return str(getattr(scan, column) or "")
    return scan.covariates.get(column, "")


def groups_in(
    table: CollectionTable, scan_ids: Sequence[str], column: str
) -> tuple[str, ...] | None:
    """The column's values of scans (N,) of a collection; None without a column."""
    if not column:
        return None
    rows = {name: index for index, name in enumerate(table.scan_id.tolist())}
    chosen = [rows[name] for name in scan_ids]
    if column in _OWN:
        return tuple(getattr(table, column)[chosen].tolist())
    return tuple(table.covariates[row].get(column, "") for row in chosen)


def require_column(table: CollectionTable, column: str) -> None:
    """Raise `StopError` ``E_OPTION`` where scans have no such column."""
    names = {name for covariates in table.covariates for name in covariates}
    known = [name for name in _OWN if (getattr(table, name) != "").any()] + sorted(names)
    if column and column not in known:
        fix = f"give one of {', '.join(known)}" if known else "the collection has no such column"
        raise StopError("E_OPTION", f"--prediction-sets: no column {column!r}", fix=fix)
