"""``python -m benchmarks.svm_scale``: what an SVM costs from a thousand rows to a million.

Synthetic features (256 columns, float32), as no labelled set at hand is that large: two classes of
24 clusters each in 24 latent dimensions, mapped through a random tanh layer onto 256 correlated
columns, noise added, 5 % of the labels wrong. A linear classifier does poorly on them, a Gaussian
kernel well. Each point runs in a process of its own; its peak memory includes the features.

Up to 20,000 rows ``svm`` is exact, beyond it goes by landmarks. At 20,000 it is compared with the
exact one and with scikit-learn's approximations of the kernel, each under a linear SVM.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import RESULTS, ROOT, TRIALS, provenance, write
from latentdx.core.seeds import numpy_generator
from latentdx.diagnosis.fit_linear import fit_logistic
from latentdx.diagnosis.fit_svm import EXACT_ROWS, fit_exact_svm, fit_svm
from latentdx.diagnosis.fit_svm_large import N_LANDMARKS, N_SUBSAMPLE, fit_large_svm
from latentdx.diagnosis.machine import Machine
from latentdx.diagnosis.task import Task, kernel_width

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

WIDTH, LATENT, CLUSTERS, WRONG = 256, 24, 24, 0.05
TESTED = 20_000
STRENGTH = 1.0
CURVE = (1_000, 3_000, 10_000, 20_000, 30_000, 100_000, 300_000, 1_000_000)


class Pipeline:
    """A pipeline of scikit-learn's as a machine."""

    def __init__(self, steps: Any) -> None:
        self.steps = steps

    def scores(self, features: Floats) -> Floats:
        return self.steps.decision_function(features).astype(np.float32)[:, None]


def nystroem(task: Task) -> Machine:
    from sklearn.kernel_approximation import Nystroem

    gamma = kernel_width(task.features)
    return _under_linear_svm(Nystroem(gamma=gamma, n_components=N_LANDMARKS, random_state=0), task)


def fourier(task: Task) -> Machine:
    from sklearn.kernel_approximation import RBFSampler

    gamma = kernel_width(task.features)
    return _under_linear_svm(
        RBFSampler(gamma=gamma, n_components=N_LANDMARKS, random_state=0), task
    )


def _under_linear_svm(kernel: Any, task: Task) -> Machine:
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    linear = LinearSVC(C=STRENGTH, class_weight="balanced", dual=False)
    return Pipeline(make_pipeline(kernel, linear).fit(task.features, task.labels))


WAYS: dict[str, Callable[[Task], Machine]] = {
    "svm": lambda task: fit_svm(task, STRENGTH),
    "exact": lambda task: fit_exact_svm(task, STRENGTH),
    "landmarks": lambda task: fit_large_svm(task, STRENGTH),
    "nystroem + linear svm": nystroem,
    "fourier features + linear svm": fourier,
    "logistic": lambda task: fit_logistic(task, 0.01),
}


def features_of(count: int, name: str) -> tuple[Floats, Ints]:
    """Features (count, 256) and labels; `name` draws other rows of the same classes."""
    fixed = numpy_generator(0, "svm-scale")
    centres = fixed.normal(size=(2 * CLUSTERS, LATENT))
    inner = fixed.normal(size=(LATENT, 4 * WIDTH)) * 1.5 / np.sqrt(LATENT)
    outer = fixed.normal(size=(4 * WIDTH, WIDTH)) / np.sqrt(4 * WIDTH)
    drawn = numpy_generator(0, "svm-scale", name)
    labels = drawn.integers(2, size=count)
    clusters = drawn.integers(CLUSTERS, size=count) + CLUSTERS * labels
    features = np.empty((count, WIDTH), np.float32)
    for start in range(0, count, 16_384):
        own = clusters[start : start + 16_384]
        latent = centres[own] + 0.9 * drawn.normal(size=(len(own), LATENT))
        noise = 0.15 * drawn.normal(size=(len(own), WIDTH))
        features[start : start + 16_384] = np.tanh(latent @ inner) @ outer + noise
    wrong = drawn.random(count) < WRONG
    return features, np.where(wrong, 1 - labels, labels)


def point(count: int, way: str) -> dict[str, Any]:
    """Seconds to fit, peak memory and accuracy of one way on `count` rows, in this process."""
    features, labels = features_of(count, "train")
    task = Task(features, labels, 2, np.arange(count))
    WAYS[way](task.take(np.arange(200)))  # imports are not part of a fit
    before = _peak_gb()
    started, spent = time.perf_counter(), time.process_time()
    machine = WAYS[way](task)
    fitted, spent = time.perf_counter() - started, time.process_time() - spent
    peak = _peak_gb()
    new, truth = features_of(TESTED, "test")
    started = time.perf_counter()
    decided = machine.scores(new)[:, 0] >= 0
    scored = time.perf_counter() - started
    return {
        "rows": count,
        "way": way,
        "fit_seconds": round(fitted, 2),
        "fit_cpu_seconds": round(spent, 2),
        "peak_gb": round(peak, 2),
        "peak_gb_before_fit": round(before, 2),
        "scored_rows_per_second": round(TESTED / scored),
        "accuracy": round(float((decided == truth).mean()), 4),
        "load_average": round(os.getloadavg()[0], 1),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the curve, compare at 20,000 rows, print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.svm_scale", description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--quick", action="store_true", help="1,000 rows: does it work?")
    parser.add_argument("--point", nargs=2, metavar=("ROWS", "WAY"), help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.point:
        print(json.dumps(point(int(asked.point[0]), asked.point[1])))
        return 0
    compared = 1_000 if asked.quick else EXACT_ROWS
    rivals = [_in_a_child(compared, way) for way in WAYS if way != "svm"]
    curve = [_in_a_child(rows, "svm") for rows in (CURVE[:1] if asked.quick else CURVE)]
    out = asked.out or (TRIALS if asked.quick else RESULTS) / "svm-scale.json"
    made = {"quick": asked.quick, **provenance(), "machine_was_shared": True}
    settings = {"landmarks": N_LANDMARKS, "subsample": N_SUBSAMPLE, "columns": WIDTH, "C": STRENGTH}
    held = {"tested_rows": TESTED, "curve": curve, "compared": rivals}
    write(out, {**made, "features": "synthetic", **settings, **held})
    return 0


def _in_a_child(rows: int, way: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.svm_scale", "--point", str(rows), way]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    print(found.stdout.strip(), flush=True)
    told: dict[str, Any] = json.loads(found.stdout)
    return told


def _peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


if __name__ == "__main__":
    sys.exit(main())
