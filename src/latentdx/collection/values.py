"""Labels that are numbers: ages, ejection fractions, sizes of what was found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.labels import is_number, map_labels
from latentdx.core.errors import StopError

MINIMUM_PATIENTS = 20
"""With fewer, parts of a tenth are of a patient or two."""


def check_values(
    labels: Sequence[str | None],
    *,
    label_map: Mapping[str, str] | None = None,
    patients: Sequence[str | None] | None = None,
) -> list[str | None]:
    """The labels after `label_map`, all of them finite numbers; None means unlabelled.

    `patients` (None where not known yet) are counted where given. Raises `StopError`:
    ``E_LABEL_MAP``, ``E_NO_LABELS``, ``E_TASK`` (one is no number), ``E_TOO_FEW`` (one value, or
    fewer than 20 patients).

    Examples
    --------
    >>> check_values(["61", "45.5", None, "n/a"], label_map={"n/a": "50"})
    ['61', '45.5', None, '50']
    """
    mapped = map_labels(labels, label_map or {})
    known = [label for label in mapped if label is not None]
    if not known:
        raise StopError("E_NO_LABELS", "no scan has a label", fix="give --labels CSV")
    strange = next((label for label in known if not is_number(label)), None)
    if strange is not None:
        fix = "write finite numbers, with a point, or leave the cell empty"
        raise StopError("E_TASK", f"the label {strange!r} is no number", fix=fix)
    if len(set(map(float, known))) == 1:
        found = f"all {len(known)} labelled scans have the value {known[0]}"
        raise StopError("E_TOO_FEW", found, fix="add scans of other values")
    if patients is not None:
        pairs = zip(mapped, patients, strict=True)
        require_patients(len({patient for label, patient in pairs if label is not None}))
    return mapped


def require_patients(count: int) -> None:
    """Raise `StopError` ``E_TOO_FEW`` where too few patients have a value."""
    if count < MINIMUM_PATIENTS:
        found = f"{count} patients have a value; train, tune, calibrate and test need "
        found += f"{MINIMUM_PATIENTS} together"
        raise StopError("E_TOO_FEW", found, fix="add scans of more patients")


def values_of(labels: Iterable[str]) -> NDArray[np.float64]:
    """Numbers (N,) of labels, NaN where there is none.

    Examples
    --------
    >>> values_of(["61", "", "4.5"]).tolist()
    [61.0, nan, 4.5]
    """
    return np.array([float(label) if label else np.nan for label in labels], np.float64)
