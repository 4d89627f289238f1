"""Features of everything but the picture: what a table and a header say of each scan."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.table import CollectionTable
from latentdx.scans.measures import PREFIX

_MOST_LEVELS = 12
_FEWEST_SCANS = 3
_MISSED = 0.1  # share of the scans of other labels than the commonest that a column may miss
_SAME = 0.99  # correlation from which a column is the value in other words

Column = tuple[str, ...]


def metadata_columns(table: CollectionTable) -> dict[str, Column]:
    """Text columns by name, ``""`` where not known: site, size, spacing, covariates.

    Not among them: labels, parts, paths, anything that names a patient, study or series, and what
    was measured in the picture.
    """
    columns: dict[str, Column] = {
        "site": tuple(table.site.tolist()),
        "modality": tuple(table.modality.tolist()),
        **_extent(table),
    }
    held = {name for covariates in table.covariates for name in covariates}
    names = sorted(name for name in held if not name.startswith(PREFIX))
    for name in names:
        columns[name] = tuple(covariates.get(name, "") for covariates in table.covariates)
    return {name: values for name, values in columns.items() if len(set(values)) > 1}


def _extent(table: CollectionTable) -> dict[str, Column]:
    """Size in the file and spacing: of images height, width and one spacing, of volumes all."""
    n_axes = table.native_shape.shape[1]
    names = ("height", "width") if n_axes == 2 else ("size_x", "size_y", "size_z")
    spacings = ("spacing_mm",) if n_axes == 2 else ("spacing_x_mm", "spacing_y_mm", "spacing_z_mm")
    sides = {
        name: tuple(str(side) for side in table.native_shape[:, axis].tolist())
        for axis, name in enumerate(names)
    }
    spacing = {
        name: tuple("" if np.isnan(mm) else f"{mm:.4g}" for mm in table.spacing_mm[:, axis])
        for axis, name in enumerate(spacings)
    }
    return sides | spacing


def names_the_label(values: Column, labels: NDArray[np.int64]) -> bool:
    """Whether a column is the label in other words: each of its few values has one label only.

    Columns where most scans have a value of their own cannot be judged that way, and are not. Where
    nearly all scans have one label any column tells it of nearly all: it has to tell the others.
    """
    seen: dict[str, Counter[int]] = {}
    for value, label in zip(values, labels.tolist(), strict=True):
        seen.setdefault(value, Counter())[label] += 1
    if len(seen) < len(np.unique(labels)) or len(np.unique(labels)) < 2:
        return False
    pure = sum(max(counts.values()) for counts in seen.values())
    commonest = max(Counter(labels.tolist()).values())
    if len(values) - pure > _MISSED * (len(values) - commonest):
        return False
    repeated = sum(sum(counts.values()) for counts in seen.values() if sum(counts.values()) > 1)
    return pure >= 0.99 * len(values) and repeated >= 0.8 * len(values)


def follows_line(numbers: NDArray[np.float64], values: NDArray[np.float64]) -> bool:
    """Whether numbers (N,), NaN where not known, rise or fall with the values nearly on a line.

    Examples
    --------
    >>> values = np.arange(10.0)
    >>> follows_line(3 - 2 * values, values), follows_line(values % 3, values)
    (True, False)
    """
    known = ~np.isnan(numbers)
    if known.sum() < 0.9 * len(values) or min(np.ptp(numbers[known]), np.ptp(values[known])) == 0:
        return False
    return bool(abs(np.corrcoef(numbers[known], values[known])[0, 1]) >= _SAME)


@dataclass(frozen=True)
class MetadataEncoder:
    """Columns to numbers: numeric ones scaled, the others one-hot; fitted on the training part.

    `numeric` holds the mean and the scale of each numeric column, `levels` the common values of
    each other column.
    """

    numeric: dict[str, tuple[float, float]]
    levels: dict[str, tuple[str, ...]]

    @classmethod
    def fit(cls, columns: dict[str, Column]) -> MetadataEncoder:
        """From the training part's columns."""
        numeric: dict[str, tuple[float, float]] = {}
        levels: dict[str, tuple[str, ...]] = {}
        for name, values in columns.items():
            numbers = numbers_of(values)
            known = numbers[~np.isnan(numbers)]
            filled = sum(value != "" for value in values)
            if len(known) >= 0.9 * filled and len(np.unique(known)) > _MOST_LEVELS:
                numeric[name] = (float(known.mean()), max(float(known.std()), 1e-9))
            else:
                counts = Counter(values).most_common(_MOST_LEVELS)
                # The commonest first, not by name: pseudonyms of sites differ between keys.
                levels[name] = tuple(value for value, count in counts if count >= _FEWEST_SCANS)
        return cls(numeric, levels)

    def __call__(self, columns: dict[str, Column]) -> NDArray[np.float32]:
        """(N, D); not known is 0 with a flag of its own, values never seen are all zeros."""
        found: list[NDArray[np.float64]] = []
        for name, (mean, scale) in self.numeric.items():
            numbers = numbers_of(columns[name])
            missing = np.isnan(numbers)
            found += [np.where(missing, 0, (numbers - mean) / scale), missing.astype(np.float64)]
        for name, known in self.levels.items():
            values = np.array(columns[name])
            found += [(values == level).astype(np.float64) for level in known]
        n_rows = len(next(iter(columns.values()), ()))
        if not found:
            return np.zeros((n_rows, 1), np.float32)
        return np.stack(found, axis=1).astype(np.float32)


def numbers_of(values: Column) -> NDArray[np.float64]:
    """A column as numbers (N,), NaN where there is none."""
    return np.array([_number(value) for value in values], np.float64)


def _number(text: str) -> float:
    """NaN for what is no finite number: one "inf" would make a whole column NaN."""
    try:
        number = float(text)
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan
