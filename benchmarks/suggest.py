"""``python -m benchmarks.suggest``: are suggested labels worth more than labels drawn by lot?

On phantoms, brain MR and NIH, fold 0 of ``benchmarks.worth``: its learned scans are the pool, whose
labels are asked for ten at a time, its tested scans are tested on; of phantoms 700 other patients.
For each seed nine tenths of the pool's patients are there, the same for every strategy. At each
budget the diagnosis' head (copies, principal components scaled by the unlabelled, too, SVM) is
fitted on the labels so far. The difference to ``random`` is of the mean AUROC over the budgets;
intervals (95 %) resample seeds and tested patients. Labels of one class only count as AUROC .5.
Strategies and their settings were chosen within the learned scans, and on a third lot of phantoms.

Beside it, the CPU seconds of ranking 10,000 scans whose embeddings are kept.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from benchmarks.few_labels import Features, features, fitted
from benchmarks.machine import RESULTS, TRIALS, provenance, write
from latentdx.core.seeds import derive_seed, numpy_generator
from latentdx.diagnosis.suggest import STRATEGIES, StrategyName, rank, scaled
from latentdx.diagnosis.suggest_pool import Pool
from latentdx.metrics.crossed import Crossed, crossed_bootstrap
from latentdx.metrics.discrimination import auroc

SETS = ("phantoms", "brain-mr", "nih")
BUDGETS = (10, 20, 30, 50, 80)
SEEDS, STEP, KEPT = 20, 10, 0.9
MORE_PHANTOMS = 700
Ints = NDArray[np.int64]
Scores = NDArray[np.float64]


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask for labels, fit, compare; print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.suggest", description=__doc__)
    parser.add_argument("--sets", nargs="*", choices=SETS, default=list(SETS))
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--quick", action="store_true", help="two seeds: does it work?")
    asked = parser.parse_args(arguments)
    n_seeds = 2 if asked.quick else asked.seeds
    made = {"quick": asked.quick, **provenance(), "budgets": BUDGETS, "seeds": n_seeds}
    speed = {"CPU seconds of ranking 10,000 scans": _speed()}
    print(speed, flush=True)
    results: dict[str, Any] = {}
    out = asked.out or (TRIALS if asked.quick else RESULTS) / "suggest.json"
    for name, (pool, tested) in features(asked.sets, more_phantoms=MORE_PHANTOMS).items():
        results[name] = _compared(pool, tested, n_seeds)
        _show(name, results[name])
        write(out, {**made, **speed, "results": results})
    return 0


def _compared(pool: Features, tested: Features, n_seeds: int) -> dict[str, Any]:
    curves = {
        strategy: np.stack([_curve(pool, tested, strategy, seed) for seed in range(n_seeds)])
        for strategy in STRATEGIES
    }
    labels, patients = tested.plain.labels, tested.plain.patients

    def measured(scores: Scores) -> Crossed:
        """Of scores (seeds, budgets, N)."""
        draws = np.repeat(np.arange(n_seeds), scores.shape[1])
        flat = scores.reshape(-1, scores.shape[2])
        return crossed_bootstrap(auroc, labels, flat, patients, draws=draws, seed=0)

    areas = {name: measured(scores) for name, scores in curves.items()}
    return {
        "pool": [len(pool.plain), int(pool.patients.max()) + 1],
        "tested": [len(tested.plain), int(tested.patients.max()) + 1],
        "strategies": {
            name: {
                "auroc": {
                    str(budget): measured(scores[:, [place]]).value
                    for place, budget in enumerate(BUDGETS)
                },
                "mean": areas[name].value,
                "minus random": _estimate(areas[name], areas["random"]),
            }
            for name, scores in curves.items()
        },
    }


def _estimate(one: Crossed, other: Crossed) -> dict[str, Any]:
    found = one.minus(other)
    return {"value": found.value, "low": found.low, "high": found.high}


def _curve(pool: Features, tested: Features, strategy: StrategyName, seed: int) -> Scores:
    """Scores (budgets, N) of the tested scans as labels come in."""
    patients, truth = pool.patients, pool.plain.labels
    there = _there(patients, seed)
    rows, names = scaled(pool.plain.embeddings[there]), pool.plain.classes
    labels = np.full(len(there), -1)
    found = []
    for budget in BUDGETS:
        while (missing := budget - int((labels >= 0).sum())) > 0:
            now = Pool(rows, labels, patients[there], labels < 0, names)
            chosen = rank(
                now, min(STEP, missing), strategy, seed=derive_seed(seed, budget, missing)
            )
            if not chosen.suggestions:
                break
            asked = [item.row for item in chosen.suggestions]
            labels[asked] = truth[there[asked]]
        head = fitted(pool, there[labels >= 0], derive_seed(seed, "head"), others=there[labels < 0])
        found.append(np.zeros(len(tested.plain)) if head is None else tested.scores(head))
    return np.stack(found)


def _there(patients: Ints, seed: int) -> Ints:
    """Rows of nine tenths of the patients."""
    n_patients = int(patients.max()) + 1
    order = numpy_generator(seed, "pool").permutation(n_patients)
    return np.flatnonzero(np.isin(patients, order[: round(KEPT * n_patients)]))


def _speed() -> dict[str, Any]:
    """From the file of kept embeddings (10,000, 672) to twenty suggestions: medians of three."""
    generator = np.random.default_rng(0)
    rows = (generator.normal(size=(10_000, 40)) @ generator.normal(size=(40, 6624))).astype("f4")
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "kept.safetensors"
        save_file({"embeddings": rows}, place)
        for n_labels, strategy in ((0, "typical"), (20, "diversity"), (200, "diversity")):
            labels = np.full(len(rows), -1)
            labels[:n_labels] = generator.integers(0, 2, n_labels)
            seconds = []
            for _ in range(3):
                began = time.process_time()
                pool = Pool(
                    scaled(load_file(place)["embeddings"]),
                    *(labels, np.arange(len(rows)) // 2, labels < 0, ("a", "b")),
                )
                assert rank(pool, 20).strategy == strategy
                seconds.append(time.process_time() - began)
            found[f"{n_labels} labels"] = round(float(np.median(seconds)), 3)
    return found


def _show(name: str, found: dict[str, Any]) -> None:
    for strategy, told in found["strategies"].items():
        curve = "  ".join(f"{value:.3f}" for value in told["auroc"].values())
        gap = told["minus random"]
        area = (
            f"mean {told['mean']:.3f} ({gap['value']:+.3f}: {gap['low']:+.3f} {gap['high']:+.3f})"
        )
        print(f"{name:<10}{strategy:<12}{curve}  {area}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
