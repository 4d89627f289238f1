"""``python -m benchmarks.statistics``: is the bootstrap quick, and do intervals hold the truth?

Three questions. How long do 10,000 resamples of the AUROC of 100,000 scans take, beside a loop that
calls scikit-learn (a few resamples of it are timed, the rest is reckoned)? In how many of 2,000
made-up cohorts (see `benchmarks.cohorts`), of 50 to 500 patients with 1 to 4 scans, does the
95 % interval of each metric hold the truth, and on which side does it miss? And does the control's
interval hold chance, over 200 seeds, where features mean nothing?
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.cohorts import ALL_NAMES, WAYS, draw_cohort, intervals, kinds, truths
from benchmarks.machine import RESULTS, TRIALS, provenance, write
from latentdx.collection.labelled import LabelledScans
from latentdx.core.seeds import derive_seed, numpy_generator
from latentdx.diagnosis.classifiers import fit_classifier
from latentdx.diagnosis.head import Head
from latentdx.features.whiten import PrincipalComponents, Standardiser
from latentdx.metrics.ranks import auroc_estimate
from latentdx.report.controls import ControlScans, shuffled_labels

SIZES = (50, 100, 200, 500)
RESAMPLES = 1000
POPULATION = 100_000
N_SCANS, N_PATIENTS, N_RESAMPLES = 100_000, 20_000, 10_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Write results/statistics.json; 1 where the bootstrap is slow or an AUROC interval off."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.statistics", description=__doc__)
    parser.add_argument("--cohorts", type=int, default=2000, help="of each size")
    parser.add_argument("--seeds", type=int, default=200, help="of the control")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--quick", action="store_true", help="little of each: does it work?")
    asked = parser.parse_args(arguments)
    n_cohorts, n_seeds = (16, 4) if asked.quick else (asked.cohorts, asked.seeds)
    out = asked.out or (TRIALS if asked.quick else RESULTS) / "statistics.json"
    made = {"quick": asked.quick, **provenance(), "seed": asked.seed, "cohorts": n_cohorts}
    speed = bootstrap_speed(200 if asked.quick else N_RESAMPLES, asked.seed)
    print("bootstrap", speed, flush=True)
    control = control_coverage(n_seeds, asked.seed)
    print("control", control, flush=True)
    covered: dict[str, Any] = {}
    for size in SIZES:
        covered[str(size)] = coverage(size, n_cohorts, asked.seed)
        held = {way: each["auroc"]["held"] for way, each in covered[str(size)].items()}
        print(size, held, flush=True)
        write(out, {**made, "bootstrap": speed, "control": control, "coverage": covered})
    shares = [each["corrected"]["auroc"]["held"] for each in covered.values()]
    return int(speed["times faster"] < 50 or not all(0.93 <= share <= 0.97 for share in shares))


def bootstrap_speed(n_resamples: int, seed: int) -> dict[str, float]:
    """Processor seconds of the AUROC's bootstrap, and of a loop that calls scikit-learn."""
    generator = numpy_generator(seed, "speed")
    labels = generator.integers(0, 2, N_SCANS)
    scores = generator.normal(size=N_SCANS) + labels
    patients = np.arange(N_SCANS) // (N_SCANS // N_PATIENTS)
    begun = time.process_time()
    found = auroc_estimate(labels, scores, patients, generator=generator, n_resamples=n_resamples)
    ours = time.process_time() - begun
    each = _sklearn_seconds(labels, scores, generator)
    assert found.low is not None, "no interval"
    return {
        "scans": N_SCANS,
        "patients": N_PATIENTS,
        "resamples": n_resamples,
        "seconds": round(ours, 3),
        "scikit-learn seconds a resample": round(each, 5),
        "scikit-learn seconds, reckoned": round(each * n_resamples, 1),
        "times faster": round(each * n_resamples / ours, 1),
    }


def _sklearn_seconds(
    labels: NDArray[np.int64], scores: NDArray[np.float64], generator: np.random.Generator
) -> float:
    """Of one resample: patients drawn, their scans gathered, the AUROC computed."""
    from sklearn.metrics import roc_auc_score

    scans, n_timed = np.arange(N_SCANS).reshape(N_PATIENTS, -1), 20
    begun = time.process_time()
    for _ in range(n_timed):
        rows = scans[generator.integers(N_PATIENTS, size=N_PATIENTS)].ravel()
        roc_auc_score(labels[rows], scores[rows])
    return (time.process_time() - begun) / n_timed


def coverage(n_patients: int, n_cohorts: int, seed: int) -> dict[str, Any]:
    """By way and metric: how often the truth lies in the interval, below it, and above it."""
    true = truths(POPULATION, numpy_generator(seed, "truth"))
    missed: dict[str, list[NDArray[np.float64]]] = {way: [] for way in WAYS}
    widths: dict[str, list[NDArray[np.float64]]] = {way: [] for way in WAYS}
    for number in range(n_cohorts):
        generator = numpy_generator(derive_seed(seed, "cohort", n_patients, number))
        kind = kinds()[number % len(kinds())]
        cohort = draw_cohort(n_patients, *kind, generator)
        for way, ends in intervals(cohort, RESAMPLES, generator).items():
            low, high = ends.T
            side = np.where(np.isnan(low), np.nan, 1.0 * (true[kind] > high) - (true[kind] < low))
            missed[way].append(side)
            widths[way].append(high - low)
    return {way: _shares(np.array(missed[way]), np.array(widths[way])) for way in WAYS}


def _shares(missed: NDArray[np.float64], widths: NDArray[np.float64]) -> dict[str, Any]:
    found = {}
    for name, sides, width in zip(ALL_NAMES, missed.T, widths.T, strict=True):
        known = sides[~np.isnan(sides)]
        found[name] = {
            "held": round(float((known == 0).mean()), 4),
            "truth below": round(float((known < 0).mean()), 4),
            "truth above": round(float((known > 0).mean()), 4),
            "median width": round(float(np.nanmedian(width)), 4),
            "cohorts": len(known),
        }
    return found


def control_coverage(n_seeds: int, seed: int) -> dict[str, float]:
    """How often the control's interval of the AUROC holds a half, and its mean over seeds."""
    held, values = [], []
    for number in range(n_seeds):
        control = _noise(derive_seed(seed, "control", number))
        found = shuffled_labels(_head(control), control, derive_seed(seed, "shuffles", number))
        area = found["auroc"]
        held.append(float(area.low or 1) <= 0.5 <= float(area.high or 0))
        values.append(float(area.value or 0))
    return {
        "seeds": n_seeds,
        "held": round(float(np.mean(held)), 4),
        "mean": round(float(np.mean(values)), 4),
        "spread": round(float(np.std(values)), 4),
    }


def _noise(seed: int) -> ControlScans:
    """300 patients with 2 scans, in eight features of which one knows the label."""
    generator = numpy_generator(seed)
    patients = np.repeat(np.arange(300), 2)
    labels = (generator.random(300) < 0.4).astype(np.int64)[patients]
    features = generator.normal(size=(600, 8)) + generator.normal(size=(300, 8))[patients]
    features[:, 0] += labels
    parts = np.array(["train", "calibrate", "test"])[np.repeat(np.arange(300) % 3, 2)]
    names = np.char.mod("%d", patients)
    ids = np.char.mod("%d", np.arange(600))
    pixels = np.zeros((600, 1, 1, 1), np.float32)
    scans = LabelledScans(pixels, labels, names, ids, parts, ("no", "yes"), "")
    return ControlScans(scans, features.astype(np.float32))


def _head(control: ControlScans) -> Head:
    train = control.part("train")
    machine = fit_classifier(
        "logistic", train.features, train.scans.labels, n_classes=2, strength=1.0
    )
    scale = Standardiser.fit(train.features)
    components = PrincipalComponents.fit(scale(train.features), 8)
    return Head("logistic", 1.0, scale, components, machine)


if __name__ == "__main__":
    raise SystemExit(main())
