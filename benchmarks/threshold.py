"""``python -m benchmarks.threshold``: from which score of two classes the second is decided.

Brain MR, NIH, phantoms (64 px) and PneumoniaMNIST (28 px), features of the default encoder of
`benchmarks.worth`. Of fold 0 only the training part is used: the fold's test part stays closed.
With few labels a tenth of its patients have one, four of a class at least, in several draws; of the
others one half is scored and the other serves as scans without a label. With all labels two thirds
are labelled, in three folds by patient (of PneumoniaMNIST one), and none is without. Of the
labelled an eighth calibrates, an eighth is ``tune``, the others are fitted on.

Each way to put the threshold is judged by balanced accuracy and accuracy on the scored scans, and
each way to calibrate by the log-loss and the calibration error.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.few_labels import Features
from benchmarks.few_labels import features_of as described
from benchmarks.machine import RESULTS, TRIALS, provenance, write
from benchmarks.worth_encoders import CACHE, POOLS, VARIANTS, encoder
from benchmarks.worth_sets import CASES, load
from latentdx.collection.labelled import LabelledScans
from latentdx.core.seeds import numpy_generator
from latentdx.diagnosis.boundary import middle
from latentdx.diagnosis.calibrate import SigmoidCalibration
from latentdx.diagnosis.folds import patient_folds
from latentdx.diagnosis.head import Head, HeadSettings, fit_head
from latentdx.diagnosis.head_held_out import held_out
from latentdx.diagnosis.views import Viewed
from latentdx.metrics.calibration import ece, log_loss
from latentdx.metrics.decisions import accuracy, balanced_accuracy
from latentdx.metrics.discrimination import auroc

SETS = ("brain-mr", "nih", "phantoms", "pneumoniamnist")
FEW, DRAWS, FEWEST = 0.1, 12, 4
TRAIN, CALIBRATE, TUNE, SCORED, OPEN = range(5)
Ints = NDArray[np.int64]
Wide = NDArray[np.float64]


@dataclass(frozen=True)
class Seen:
    """One fit: scores and labels by part, `own` those of train by folds; `head` of two classes."""

    head: Head
    boundary: float
    own: tuple[Wide, Ints] | None
    calibrate: tuple[Wide, Ints]
    tune: tuple[Wide, Ints]
    scored: tuple[Wide, Ints]
    fitted: tuple[Wide, Ints]
    opened: Wide

    def held(self) -> tuple[Wide, Ints]:
        """Of calibrate and tune together."""
        parts = (self.calibrate, self.tune)
        return np.concatenate([s for s, _ in parts]), np.concatenate([y for _, y in parts])

    def known(self) -> tuple[Wide, Ints]:
        """Of train, by folds, and of calibrate."""
        parts = (self.own, self.calibrate) if self.own is not None else (self.calibrate,)
        return np.concatenate([s for s, _ in parts]), np.concatenate([y for _, y in parts])


def searched(scores: Wide, labels: Ints) -> float:
    """The threshold of the best balanced accuracy; of several the one in the middle."""
    edges = np.unique(scores)
    cuts = np.concatenate([edges[:1] - 1, (edges[1:] + edges[:-1]) / 2, edges[-1:] + 1])
    found = [balanced_accuracy(labels, (scores >= cut).astype(np.int64)) for cut in cuts]
    best = np.flatnonzero(np.isclose(found, max(found)))
    return float(cuts[best[len(best) // 2]])


def by_prevalence(seen: Seen) -> float:
    """The score at which the calibrated probability is the share of class 1 in calibrate."""
    (scores, labels), share = seen.calibrate, seen.calibrate[1].mean()
    sigmoid = SigmoidCalibration.fit(scores[:, None].astype(np.float32), labels)
    return float((np.log(share / (1 - share)) - sigmoid.offsets[0]) / sigmoid.slopes[0])


WAYS: Mapping[str, Callable[[Seen], float]] = {
    "score 0": lambda seen: 0.0,
    "probability = prevalence, calibrate": by_prevalence,
    "searched, calibrate + tune": lambda seen: searched(*seen.held()),
    "searched, folds of train + calibrate": lambda seen: searched(*seen.known()),
    "middle of the fitted scores": lambda seen: middle(*seen.fitted),
    "median without labels": lambda seen: float(np.median(seen.opened)),
    "chosen": lambda seen: seen.boundary,
    "best in hindsight": lambda seen: searched(*seen.scored),
}
"""Where the threshold may lie; the last looks at the labels that it is judged by."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, judge, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.threshold", description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--sets", nargs="*", choices=SETS, default=SETS)
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--quick", action="store_true", help="one set, two draws: does it work?")
    asked = parser.parse_args(arguments)
    names, draws = (SETS[:1], 2) if asked.quick else (asked.sets, asked.draws)
    out = asked.out or (TRIALS if asked.quick else RESULTS) / "threshold.json"
    made = {"quick": asked.quick, **provenance(), "machine_was_shared": True, "draws": draws}
    results: dict[str, Any] = {}
    for name in names:
        found = _of(name, draws)
        if found is not None:
            results[name] = found
            print(name, found, flush=True)
            write(out, {**made, "results": results})
    return 0


def _of(name: str, draws: int) -> dict[str, Any] | None:
    size = CASES[name].size
    sets = {each: found for each in POOLS[size] if (found := load(each, CACHE))}
    if name not in sets:
        return None
    network = encoder(sets, list(sets), VARIANTS["default"], 0, trained=True)
    learned = sets[name].scans(sets[name].learned(0))
    copies = HeadSettings().most_copies if size == max(POOLS) else 2
    known = described(network, learned, copies)
    few = [fitted(known, _few(known, name, draw), draw) for draw in range(draws)]
    return {"10 %": judged(few), "all": judged(list(_all(known, name, 3 if copies > 2 else 1)))}


def _few(known: Features, name: str, draw: int) -> Ints:
    generator = numpy_generator(0, "threshold", name, draw)
    part = _drawn(known.plain.labels, known.patients, FEW, generator)
    rest = np.unique(known.patients[part == OPEN])
    scored = np.isin(known.patients, generator.permutation(rest)[: len(rest) // 2])
    return np.where((part == OPEN) & scored, SCORED, part)


def _all(known: Features, name: str, n_folds: int) -> Iterator[Seen]:
    labels, patients = known.plain.labels, known.patients
    for number, (learned, _) in enumerate(patient_folds(labels, patients, 3, seed=0)[:n_folds]):
        part = np.full(len(labels), SCORED)
        generator = numpy_generator(0, "threshold", name, "all", number)
        part[learned] = _drawn(labels[learned], patients[learned], 1.0, generator)
        yield fitted(known, part, number)


def _drawn(labels: Ints, patients: Ints, share: float, generator: np.random.Generator) -> Ints:
    """The part (N,) of each scan, by patient: a share is labelled, the others are `OPEN`."""
    part: dict[int, int] = {}
    for label in np.unique(labels):
        names = generator.permutation(np.unique(patients[labels == label])).tolist()
        names = [name for name in names if name not in part]
        count = max(FEWEST, round(share * len(names)))
        held = max(1, round(count / 8))
        for place, name in enumerate(names):
            known = CALIBRATE if place < held else TUNE if place < 2 * held else TRAIN
            part[name] = known if place < count else OPEN
    return np.array([part[name] for name in patients.tolist()])


def fitted(known: Features, part: Ints, seed: int) -> Seen:
    """A head on the scans of `TRAIN`, and the scores of all parts."""
    rows, settings = np.flatnonzero(part == TRAIN), HeadSettings()
    table = known.learned(rows, settings)
    others = known.plain.take(part == OPEN) if (part == OPEN).any() else None
    head = fit_head(table, settings, n_scans=len(rows), seed=seed, unlabelled=others)

    def scored(number: int) -> tuple[Wide, Ints]:
        which = np.flatnonzero(part == number)
        return known.scores(head, which), known.plain.labels[which]

    calibrate = _viewed(known, np.flatnonzero(part == CALIBRATE))
    found = held_out(head, table, calibrate, others, n_scans=len(rows), seed=seed)
    own = None
    if len(found.labels) > len(calibrate.scans):
        own = found.scores[: len(rows), 0].astype(np.float64), found.labels[: len(rows)]
    beside = np.flatnonzero(np.isin(part, (CALIBRATE, OPEN)))
    return Seen(
        *(head, found.boundary, own),
        *(scored(number) for number in (CALIBRATE, TUNE, SCORED, TRAIN)),
        known.scores(head, beside),
    )


def _viewed(known: Features, rows: Ints) -> Viewed:
    table = known.plain.take(rows)
    scans = LabelledScans(
        np.zeros((len(rows), 1, 1, 1), np.float32),
        *(table.labels, table.patients, table.scan_ids, table.parts, table.classes, ""),
    )
    return Viewed(scans, (table.embeddings, known.mirrored.embeddings[rows]))


def judged(fits: Sequence[Seen]) -> dict[str, Any]:
    """Means over fits, and of balanced accuracy the standard error and the least."""
    told: dict[str, Any] = {
        "fits": len(fits),
        "train": round(float(np.mean([len(seen.fitted[1]) for seen in fits])), 1),
        "auroc": _mean([auroc(seen.scored[1], seen.scored[0]) for seen in fits]),
    }
    for name, way in WAYS.items():
        found = []
        for seen in fits:
            scores, labels = seen.scored
            decided = (scores >= way(seen)).astype(np.int64)
            found.append((balanced_accuracy(labels, decided), accuracy(labels, decided)))
        balanced, plain = np.array(found).T
        told[name] = {
            "balanced_accuracy": _mean(balanced),
            "standard_error": round(float(balanced.std() / np.sqrt(len(balanced))), 4),
            "least": round(float(balanced.min()), 4),
            "accuracy": _mean(plain),
        }
    told["calibrated by calibrate"] = _calibrated(fits, lambda seen: seen.calibrate)
    told["calibrated by folds of train, too"] = _calibrated(fits, lambda seen: seen.known())
    return told


def _calibrated(fits: Sequence[Seen], by: Callable[[Seen], tuple[Wide, Ints]]) -> dict[str, float]:
    found = []
    for seen in fits:
        scores, labels = by(seen)
        sigmoid = SigmoidCalibration.fit(scores[:, None].astype(np.float32), labels)
        table = sigmoid.probabilities(seen.scored[0][:, None].astype(np.float32))
        found.append((log_loss(seen.scored[1], table), ece(seen.scored[1], table)))
    losses, errors = np.array(found).T
    return {"log_loss": _mean(losses), "ece": _mean(errors)}


def _mean(values: Sequence[float] | Wide) -> float:
    return round(float(np.mean(values)), 4)


if __name__ == "__main__":
    sys.exit(main())
