"""``python -m benchmarks.label_curves``: AUROC against the number of labelled patients.

Fold 0 of ``benchmarks.worth`` (its encoders, trained without labels on no tested patient), and
MedNIST's six classes with an encoder of its own learned scans. A fraction of the training patients
of each class has labels (at least two), drawn five times, each draw within the next larger one.

Ways: latentdx as shipped (encoder features, augmented copies, principal components scaled by the
unlabelled, too, SVM; up to 1,000 labelled scans beside a copy of the encoder fine-tuned on them);
the same without that copy; the same head on the untrained encoder, on pixels, on HOG; and a
residual network trained end to end on the labelled scans (`latentdx.diagnosis.scratch`). AUROC
(macro, one against the rest) is a mean over draws; intervals (95 %) resample draws and tested
patients, paired for differences.

Every score is kept in build/label_curves: an interrupted benchmark goes on where it stopped, the
most telling points first, and results are written as they come, beside those of sets not asked for.
--written writes those at hand.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.label_draws import FRACTIONS
from benchmarks.label_summary import MOST_DRAWS, summarised
from benchmarks.label_ways import CNN, WAYS, Effort, Trials, pool
from benchmarks.machine import RESULTS, ROOT, TRIALS, before, provenance, write
from benchmarks.worth_encoders import CACHE, VARIANTS
from benchmarks.worth_sets import CASES, MULTICLASS, load
from latentdx.diagnosis.scratch_recipe import Recipe
from latentdx.metrics.crossed import Crossed

FOLDER = ROOT / "build" / "label_curves"
CHEAP = ("brain-mr", "phantoms", "nih", "pneumoniamnist")
DEAR = ("mednist", "kermany")
SETS = (*CHEAP, *DEAR)
FEW = FRACTIONS[:-2]
MOST, ALL = FRACTIONS[-2:]

Round = tuple[tuple[str, ...], tuple[float, ...], tuple[int, ...]]
"""Ways, fractions, draws."""
FIRST: tuple[Round, ...] = (
    (WAYS, (FEW[-1], ALL), (0,)),
    (WAYS, FEW, (0, 1)),
)
SECOND: tuple[Round, ...] = (
    (WAYS, (MOST,), (0,)),
    (WAYS, FEW, tuple(range(MOST_DRAWS))),
    (WAYS, (MOST,), tuple(range(MOST_DRAWS))),
    ((CNN,), (ALL,), (0, 1)),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit what is missing, compare; print and write after each step."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.label_curves", description=__doc__)
    parser.add_argument("--sets", nargs="*", choices=SETS, default=list(SETS))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--written", action="store_true", help="fit nothing: write what is kept")
    parser.add_argument("--quick", action="store_true", help="two sets, a moment: does it work?")
    asked = parser.parse_args(arguments)
    trials = _trials(asked.sets, quick=asked.quick)
    results: dict[str, Any] = {}
    known: dict[Any, Crossed] = {}
    out = asked.out or (TRIALS if asked.quick else RESULTS) / "label-curves.json"
    made = {"quick": asked.quick, **provenance(), "fold": 0, "draws": MOST_DRAWS}

    earlier = before(out, made)

    def told(names: Iterable[str]) -> None:
        results.update({name: summarised(trials[name], known) for name in names})
        found = {name: {"commit": made["commit"], **r} for name, r in results.items() if r}
        both = {**earlier, **found}
        write(out, {**made, "results": {name: both[name] for name in SETS if name in both}})

    told(trials)
    for name, wanted in () if asked.written else _work(quick=asked.quick):
        if name in trials and _made(trials[name], wanted):
            told([name])
    for name, found in results.items():
        _show(name, found)
    return 0


def _trials(names: Sequence[str], *, quick: bool) -> dict[str, Trials]:
    """Of each set that is there."""
    sets = {name: found for name in (*CASES, *MULTICLASS) if (found := load(name, CACHE))}
    effort, folder = Effort(), FOLDER
    if quick:
        variant = replace(VARIANTS["default"], fit={"epochs": 1})
        effort = Effort(variant, Recipe(fewest_steps=5, most_steps=5), {"epochs": 1})
        folder = TRIALS / "label_curves"
    return {
        name: Trials(name, pool(sets, name), folder, effort)
        for name in SETS
        if name in sets and name in names
    }


def _work(*, quick: bool) -> Iterator[tuple[str, Round]]:
    """Sets and rounds, the cheap and the telling first."""
    if quick:
        yield from ((name, (WAYS, (0.1,), (0,))) for name in CHEAP[:2])
        return
    for sets, rounds in ((CHEAP, FIRST), (DEAR, FIRST), (CHEAP, SECOND), (DEAR, SECOND)):
        for name in sets:
            yield from ((name, each) for each in rounds)


def _made(trials: Trials, wanted: Round) -> bool:
    """Whether something of it was missing, and is made now."""
    ways, fractions, draws = wanted
    points = [
        (fraction, draw) for draw in draws for fraction in fractions if fraction in trials.budgets
    ]
    made = [trials.make(way, points) for way in ways]
    return any(made)


def _show(name: str, found: dict[str, Any] | None) -> None:
    for point in found["points"] if found else ():
        ways = "  ".join(
            f"{way} {each['auroc']['value']:.3f}" for way, each in point["ways"].items()
        )
        print(f"{name:<15}{100 * point['fraction']:>5g} %  {point['patients']}  {ways}")


if __name__ == "__main__":
    sys.exit(main())
