"""`left_out_told`: models at places that they have never seen, beside those that know them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from latentdx.metrics.estimate import Estimate
from latentdx.metrics.folds import spread_of
from latentdx.report.adaptation import adaptation_told, adapted_told
from latentdx.report.evaluate import TestResult
from latentdx.report.fold import ADAPTED, WITHIN, Fold, Folded
from latentdx.report.predictions import Predictions, as_json

_CELLS = 1000


@dataclass(frozen=True)
class LeftOut:
    """Models that were made without one value of `column` each, and tested on it.

    Attributes
    ----------
    names: of the values that were left out, one a fold of `folds`.
    others: of those that lack patients of a class, and could not be tested.
    """

    column: str
    names: tuple[str, ...]
    others: tuple[str, ...]
    folds: tuple[Fold, ...]


@dataclass(frozen=True)
class Known:
    """What models that have learned from all places say of N scans; `folds` (N,) tells them apart.

    Their patients were held out, their places were not.
    """

    scan_ids: NDArray[np.str_]
    predictions: Predictions
    folds: NDArray[np.int64]

    @classmethod
    def of(cls, folds: Sequence[Fold]) -> Self:
        """The scans of a cross-validation."""
        numbers = [fold.number for fold in folds]
        whole = Folded.of([fold.predictions for fold in folds], numbers)
        scan_ids = [scan_id for fold in folds for scan_id in fold.scan_ids]
        return cls(np.array(scan_ids, np.str_), whole.predictions, whole.folds)

    @classmethod
    def of_test(cls, result: TestResult) -> Self:
        """The test scans of a run's own model."""
        scan_ids = result.scans.scan_ids
        return cls(scan_ids, result.predictions, np.zeros(len(scan_ids), np.int64))

    def rows(self, scan_ids: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Numbers of the scans that both have: among `scan_ids`, and here."""
        at = {name: row for row, name in enumerate(self.scan_ids.tolist())}
        both = [(row, at[name]) for row, name in enumerate(scan_ids) if name in at]
        found = np.array(both, np.int64).reshape(-1, 2)
        return found[:, 0], found[:, 1]


def left_out_told(left_out: LeftOut, known: Known, seed: int) -> dict[str, Any]:
    """The entry ``left_out`` of ``metrics.json``.

    ``each`` holds for each place the metrics of the model that has not seen it, the baselines'
    AUROCs and ``known``: on the scans that models of the place have been tested on, too, what both
    score, and by how much the place's own model is ahead (paired). Where models were adapted,
    ``adapted`` is what that gives. ``auroc_within_places`` is the mean over places, ``gap`` the
    lead over all of them, ``verdict`` both in words.
    """
    both = [_both(fold, known) for fold in left_out.folds]
    each = [
        _told(name, fold, pair, seed)
        for name, fold, pair in zip(left_out.names, left_out.folds, both, strict=True)
    ]
    numbers = [fold.number for fold in left_out.folds]
    model = Folded.of([fold.predictions for fold in left_out.folds], numbers)
    name, words = model.judged_by
    own = model.metrics(seed)
    gap = _gap([pair for pair in both if len(pair[0].patients)], seed)
    spread = spread_of([told["metrics"][_single(name)]["value"] for told in each])
    return {
        "column": left_out.column,
        "others": list(left_out.others),
        "auroc_within_places": own[WITHIN].as_json(),
        "judged_by": name,
        "spread": spread and spread.as_json(),
        "gap": gap and gap.as_json(),
        "each": each,
        **adaptation_told(left_out.folds, seed),
        "verdict": _verdict(left_out.column, own[name], gap, words.removesuffix(" within folds")),
    }


def left_out_warnings(told: Mapping[str, Any]) -> list[str]:
    """A loss at places that were not seen, and places that could not be tested."""
    found = []
    column, gap = told["column"], told["gap"]
    if gap is not None and gap["low"] is not None and gap["low"] > 0:
        found.append(
            f"by {column!r}: where the model has learned from none of the patients of a value, it "
            f"scores {gap['value']:.3f} lower: expect that at a new one"
        )
    if told["others"]:
        found.append(
            f"by {column!r}: {len(told['others'])} values were not left out, as they have fewer "
            "than two patients of a class"
        )
    return found


def _single(name: str) -> str:
    return "auroc" if name == WITHIN else name


def _both(fold: Fold, known: Known) -> tuple[Folded, Folded]:
    """The scans that both models were tested on, by the one without the place and by the other."""
    here, there = known.rows(fold.scan_ids)
    cells = known.folds[there] + _CELLS * fold.number
    return Folded(fold.predictions.take(here), cells), Folded(known.predictions.take(there), cells)


def _told(name: str, fold: Fold, pair: tuple[Folded, Folded], seed: int) -> dict[str, Any]:
    return {
        "name": name,
        **fold.facts,
        "metrics": as_json(fold.predictions.metrics(seed)),
        "baselines": {
            rival: {"auroc": told.metrics(seed, 0)["auroc"].as_json()}
            for rival, told in fold.rivals.items()
            if rival != ADAPTED
        },
        "known": _known(pair, seed),
        **adapted_told(fold, seed),
    }


def _known(pair: tuple[Folded, Folded], seed: int) -> dict[str, Any] | None:
    without, own = pair
    if not len(own.patients):
        return None
    name, _ = own.judged_by
    return {
        "without": without.metrics(seed)[name].as_json(),
        "with": own.metrics(seed)[name].as_json(),
        "gap": own.lead_over(without, seed).as_json(),
    }


def _gap(pairs: Sequence[tuple[Folded, Folded]], seed: int) -> Estimate | None:
    if not pairs:
        return None
    without, own = (
        Folded(
            Folded.of([side.predictions for side in sides], range(len(sides))).predictions,
            np.concatenate([side.folds for side in sides]),
        )
        for sides in zip(*pairs, strict=True)
    )
    return own.lead_over(without, seed)


def _verdict(column: str, mean: Estimate, gap: Estimate | None, words: str) -> str:
    if mean.value is None or mean.low is None or mean.high is None:
        return "How it does at a place that it has never seen cannot be told from so few scans."
    first = (
        f"Tested on each value of '{column}' by a model that has never seen it, the {words} is "
        f"{mean.value:.3f} on average (95 % interval {mean.low:.3f} to {mean.high:.3f})."
    )
    if gap is None or gap.value is None or gap.low is None or gap.high is None:
        return f"{first} What that loses cannot be told from the scans that both were tested on."
    ends = f"95 % interval {gap.low:+.3f} to {gap.high:+.3f}"
    second = f"On the same scans a model that knows the place scores {gap.value:+.3f} ({ends})"
    if gap.low > 0:
        return f"{first} {second}: a new place loses that."
    return f"{first} {second}: {'nothing is lost' if gap.high < 0 else 'no loss could be shown'}."
