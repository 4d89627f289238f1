"""``python -m benchmarks.semi_supervised``: do unlabelled scans help a head with few labels?

Within the learned scans of fold 0 of ``benchmarks.worth`` (its tested scans stay closed), split
again into three folds by patient: of the scans to learn from, a tenth of the patients of each class
is labelled (ten draws), the others are unlabelled. The diagnosis' head on the labels alone, and
joined by scans that got a label by spreading or by a first classifier. AUROC is a mean over draws
and folds; intervals (95 %) resample draws and patients, paired. The settings of spreading were
chosen on the same sets: expect a little less elsewhere.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from benchmarks.few_labels import Features, features, fitted
from benchmarks.machine import RESULTS, TRIALS, provenance, write
from latentdx.core.seeds import derive_seed, numpy_generator
from latentdx.metrics.bootstrap import cluster_weights
from latentdx.metrics.discrimination import auroc
from latentdx.metrics.intervals import percentile_interval

SETS = ("brain-mr", "phantoms", "nih")
WAYS = ("none", "spread", "pseudo")
FEW, DRAWS, FOLDS, RESAMPLES = 0.1, 10, 3, 1000
Ints = NDArray[np.int64]
Scores = NDArray[np.float64]


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, compare; print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.semi_supervised")
    parser.add_argument("--sets", nargs="*", choices=SETS, default=list(SETS))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--quick", action="store_true", help="two draws: does it work?")
    asked = parser.parse_args(arguments)
    draws = 2 if asked.quick else DRAWS
    made = {"quick": asked.quick, **provenance(), "draws": draws, "folds": FOLDS}
    out = asked.out or (TRIALS if asked.quick else RESULTS) / "semi-supervised.json"
    results: dict[str, Any] = {}
    for name, (known, _) in features(asked.sets).items():
        results[name] = _compared(known, draws)
        print(name, results[name], flush=True)
        write(out, {**made, "results": results})
    return 0


def _compared(known: Features, draws: int) -> dict[str, Any]:
    labels, patients = known.plain.labels, known.patients
    splits = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    folds = list(splits.split(labels, labels, patients))
    scores = {way: np.zeros((draws, len(labels))) for way in WAYS}
    counts = []
    for draw in range(draws):
        for fold, (inside, outside) in enumerate(folds):
            few, others = _drawn(inside, labels, patients, draw)
            counts.append((len(few), len(others)))
            for way in WAYS:
                seed = derive_seed(draw, "head", fold)
                head = fitted(known, few, seed, others=others, way=way)
                assert head is not None
                scores[way][draw, outside] = known.scores(head, outside)
    outsides = [outside for _, outside in folds]
    values = {way: _resampled(labels, patients, scores[way], outsides) for way in WAYS}
    told = {way: _estimate(values[way]) for way in WAYS}
    gaps = {f"{way} - none": _estimate(values[way] - values["none"]) for way in WAYS[1:]}
    labelled, unlabelled = np.mean(counts, axis=0)
    return {"labelled": labelled, "unlabelled": unlabelled, **told, **gaps}


def _drawn(inside: Ints, labels: Ints, patients: Ints, draw: int) -> tuple[Ints, Ints]:
    """Rows of a tenth of the patients of each class, and of the patients who have none there."""
    generator = numpy_generator(draw, "few")
    chosen: list[int] = []
    for label in np.unique(labels):
        of_class = np.unique(patients[inside][labels[inside] == label])
        chosen += generator.permutation(of_class)[: max(3, round(FEW * len(of_class)))].tolist()
    is_few = np.isin(patients[inside], chosen)
    return inside[is_few], inside[~is_few]


def _resampled(labels: Ints, patients: Ints, scores: Scores, folds: list[Ints]) -> Scores:
    """Mean AUROC over draws and folds: as it is, then of resamples of patients and draws."""
    draws = len(scores)
    weights = np.concatenate(
        list(cluster_weights(patients, RESAMPLES, numpy_generator(0, "patients")))
    )
    of_draws = np.concatenate(
        list(cluster_weights(np.arange(draws), RESAMPLES, numpy_generator(0, "draws")))
    )
    weights = np.concatenate([np.ones((1, len(labels))), weights])
    of_draws = np.concatenate([np.ones((1, draws)), of_draws])
    each = np.stack(
        [
            np.mean([auroc(labels[f], row[f], weights=weights[:, f]) for f in folds], axis=0)
            for row in scores
        ],
        axis=1,
    )
    found: Scores = (each * of_draws).sum(axis=1) / draws
    return found


def _estimate(values: Scores) -> dict[str, float | None]:
    low, high = percentile_interval(values[1:])
    return {"value": round(float(values[0]), 4), "low": low, "high": high}


if __name__ == "__main__":
    sys.exit(main())
