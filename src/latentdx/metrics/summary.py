"""Every metric of one part of a collection, over one shared bootstrap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentdx.core.errors import StopError
from latentdx.metrics.bootstrap import N_RESAMPLES, Patients, Statistic, bootstrap
from latentdx.metrics.calibration import brier, check_probabilities, ece, log_loss
from latentdx.metrics.decisions import FROM_COUNTS, check_decisions, count_classes
from latentdx.metrics.discrimination import auroc, average_precision
from latentdx.metrics.estimate import Estimate
from latentdx.metrics.grades import FROM_GRADES
from latentdx.metrics.metric import Floats, Ints, Metric, as_rows, check_labels

FROM_PROBABILITIES: dict[str, Metric] = {
    "auroc": auroc,
    "average_precision": average_precision,
    "brier": brier,
    "ece": ece,
    "log_loss": log_loss,
}
RAISED = ("ece", "ece_debiased")
NAMES = (
    "auroc", "average_precision", *FROM_COUNTS, "brier", "ece", "log_loss",
)  # fmt: skip


def summarise(  # noqa: PLR0913 - what is scored, and how
    labels: ArrayLike,
    probabilities: ArrayLike,
    decisions: ArrayLike,
    patients: Patients,
    *,
    generator: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
    ordered: bool = False,
) -> dict[str, Estimate]:
    """All metrics with 95 % patient-cluster bootstrap intervals, by name.

    Parameters
    ----------
    labels: int (N,), classes 0..K-1; class 1 is the positive one of two.
    probabilities: (N, K), K >= 2, rows that sum to 1.
    decisions: int (N,), the decided classes (a threshold's, not always the top probability).
    patients: (N,), any names; see `patient_groups`.
    ordered: the classes are grades: those of `FROM_GRADES` come first.

    Returns
    -------
    The estimates of `NAMES`; a value is None where it is undefined, as AUROC is for one class.

    Raises
    ------
    StopError: E_LABELS, E_DECISIONS, E_LENGTHS, E_PROBABILITIES, E_PATIENT.

    Examples
    --------
    >>> p = np.array([0.2, 0.6, 0.7, 0.9])
    >>> generator = np.random.default_rng(0)
    >>> table = np.stack([1 - p, p], axis=1)
    >>> found = summarise([0, 0, 1, 1], table, p > 0.5, ["a", "b", "c", "d"], generator=generator)
    >>> found["auroc"].value, found["specificity"].value
    (1.0, 0.5)
    """
    names = (*FROM_GRADES, *NAMES) if ordered else NAMES
    statistic = statistic_of(*checked(labels, probabilities, decisions, patients), ordered=ordered)
    found = bootstrap(
        statistic,
        patients,
        generator=generator,
        n_resamples=n_resamples,
        raised=raised_in(names),
    )
    return dict(zip(names, found, strict=True))


def raised_in(names: Sequence[str]) -> tuple[int, ...]:
    """The places of errors that resampling raises; see `centred_interval`.

    Examples
    --------
    >>> raised_in(["auroc", "ece"])
    (1,)
    """
    return tuple(place for place, name in enumerate(names) if name in RAISED)


def statistic_of(
    labels: Ints, probabilities: Floats, decisions: Ints, *, ordered: bool = False
) -> Statistic:
    """From weights (B, N) to the values (B, M) of the metrics `NAMES` of checked arrays.

    Of grades (`ordered`) those of `FROM_GRADES` come first.
    """
    names = (*FROM_GRADES, *NAMES) if ordered else NAMES

    def statistic(drawn: NDArray[Any]) -> Floats:
        weights = as_rows(drawn, len(labels))
        counts = count_classes(labels, decisions, weights, n_classes=probabilities.shape[1])
        values = {name: of_counts(counts) for name, of_counts in FROM_COUNTS.items()}
        for name, metric in FROM_PROBABILITIES.items():
            values[name] = metric(labels, probabilities, weights=weights)
        for name, metric in FROM_GRADES.items() if ordered else ():
            values[name] = metric(labels, decisions, weights=weights)
        return np.stack([values[name] for name in names], axis=1)

    return statistic


def checked(
    labels: ArrayLike, probabilities: ArrayLike, decisions: ArrayLike, patients: Patients
) -> tuple[Ints, Floats, Ints]:
    """Labels (N,), probabilities (N, K) and decisions (N,); raises as `summarise` does."""
    truth, table = check_labels(labels), np.asarray(probabilities)
    decided = check_decisions(np.asarray(decisions))
    same = len(truth) == len(table) == len(decided) == len(patients)
    if not same or table.ndim != 2 or table.shape[1] < 2:
        found = f"{len(truth)} labels, {table.shape} probabilities, "
        found += f"{len(decided)} decisions, {len(patients)} patients"
        raise StopError(
            "E_LENGTHS", found, fix="give (N,), (N, K) with K >= 2, (N,) and (N,) in one order"
        )
    return truth, check_probabilities(truth, table), decided
