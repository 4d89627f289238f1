"""``python -m benchmarks.features``: which kind of features serves best.

NIH chest X-rays, brain MR and phantoms at 64 px, features of the default encoder of
`benchmarks.worth`. Of fold 0 only the training part is used, in three folds by patient: the fold's
test part stays closed. The encoder has seen that part's scans, without labels. Heads are fitted as
in `benchmarks.worth`: with all labels, and with those of a tenth of the patients (three draws).
AUROC and log-loss are means over folds and draws; intervals of differences from ``pooled``
resample patients, paired. The log-loss is that of a sigmoid fitted on the scores that it judges.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import RESULTS, TRIALS, provenance, write
from benchmarks.worth import compared, scored
from benchmarks.worth_encoders import CACHE, POOLS, VARIANTS, encoder
from benchmarks.worth_sets import CASES, Scans, load
from latentdx.autoencoder.base import Autoencoder
from latentdx.diagnosis.calibrate import SigmoidCalibration
from latentdx.diagnosis.folds import patient_folds
from latentdx.features.extract import embed
from latentdx.features.kinds import KINDS
from latentdx.metrics.bootstrap import patient_groups
from latentdx.metrics.calibration import log_loss

SETS = ("nih", "brain-mr", "phantoms")
FOLDS = 3
Scores = NDArray[np.float64]
Way = Callable[[int], Scores]


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit on each kind, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.features", description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--sets", nargs="*", choices=SETS, default=SETS)
    parser.add_argument("--quick", action="store_true", help="one set, one fold: does it work?")
    asked = parser.parse_args(arguments)
    sets = {name: found for name in CASES if (found := load(name, CACHE))}
    names, folds = (("brain-mr",), 1) if asked.quick else (asked.sets, FOLDS)
    out = asked.out or (TRIALS if asked.quick else RESULTS) / "features.json"
    made = {"quick": asked.quick, **provenance(), "machine_was_shared": True, "folds": folds}
    results: dict[str, Any] = {}
    for name in (name for name in names if name in sets):
        pool = [each for each in POOLS[CASES[name].size] if each in sets]
        network = encoder(sets, pool, VARIANTS["default"], 0, trained=True)
        results[name] = _of(training_part(sets[name]), network, folds)
        print(name, results[name], flush=True)
        write(out, {**made, "results": results})
    return 0


def training_part(scans: Scans) -> Scans:
    """What is learned from in fold 0, in folds of its own."""
    rows = scans.learned(0)
    labels, patients = scans.labels[rows], scans.patients[rows]
    folds = np.empty(len(labels), np.int64)
    groups = patient_groups(patients.tolist())
    for number, (_, tested) in enumerate(patient_folds(labels, groups, FOLDS, seed=0)):
        folds[tested] = number
    return replace(
        scans,
        name=f"{scans.name}, fold 0's training part",
        levels=scans.levels[rows],
        labels=labels,
        patients=patients,
        names=scans.names[rows],
        folds=folds,
    )


def _of(scans: Scans, network: Autoencoder, folds: int) -> dict[str, Any]:
    ways: dict[str, Way] = {kind: partial(_scores, scans, network, kind=kind) for kind in KINDS}
    told = compared(scans, ways, folds)
    found: dict[str, Any] = {
        "scans": len(scans.labels),
        "patients": len(np.unique(scans.patients)),
        "by_class": np.bincount(scans.labels).tolist(),
        "milliseconds_a_scan": {kind: _speed(scans, network, kind) for kind in KINDS},
    }
    for share, draws in (("all", slice(0, 1)), ("10 %", slice(1, None))):
        aucs = {name.replace("trained", "pooled"): _rounded(e) for name, e in told[share].items()}
        losses = {kind: _log_loss(scans, way, folds, draws) for kind, way in ways.items()}
        found[share] = {"auroc": aucs, "log_loss": losses}
    return found


def _scores(scans: Scans, network: Autoencoder, fold: int, *, kind: Any) -> Scores:
    key = ["features", kind, network.settings()]
    return scored(scans, fold, partial(embed, network, kind=kind), key)


def _log_loss(scans: Scans, way: Way, folds: int, draws: slice) -> float:
    found = []
    for fold in range(folds):
        labels = scans.labels[scans.tested(fold)]
        for scores in way(fold)[draws].astype(np.float32):
            table = SigmoidCalibration.fit(scores[:, None], labels)
            found.append(log_loss(labels, table.probabilities(scores[:, None])))
    return round(float(np.mean(found)), 4)


def _speed(scans: Scans, network: Autoencoder, kind: Any) -> float:
    """The least of three tries with 64 scans."""
    pixels = scans.levels[:64].astype(np.float32) / np.float32(65535)
    spent = []
    for _ in range(3):
        began = time.perf_counter()
        embed(network, pixels, kind)
        spent.append(time.perf_counter() - began)
    return round(1000 * min(spent) / len(pixels), 2)


def _rounded(estimate: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in estimate.items()}


if __name__ == "__main__":
    sys.exit(main())
