"""``python -m benchmarks.classifiers``: how well each classifier does on the same features.

NIH chest X-rays and brain MR at 64 px, features of the default encoder of `benchmarks.worth`. Of
fold 0 only the training part is used, in three folds by patient: the fold's test part stays
closed. The encoder has seen that part's scans, without labels. Fitted as a study does, with
augmented copies and scores averaged over mirror images; with all labels, and with those of a tenth
of the patients (two draws). AUROC is the mean over folds and draws.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np

from benchmarks.machine import RESULTS, TRIALS, provenance, write
from benchmarks.worth_encoders import CACHE, POOLS, VARIANTS, encoder
from benchmarks.worth_sets import CASES, Scans, load
from latentdx.collection.labelled import LabelledScans
from latentdx.core.errors import StopError
from latentdx.core.seeds import derive_seed, numpy_generator
from latentdx.diagnosis.folds import patient_folds
from latentdx.diagnosis.head import HeadSettings, fit_head
from latentdx.diagnosis.machines import ClassifierName
from latentdx.features.extract import embed
from latentdx.features.table import FeatureTable, augmented, extract_table, flipped
from latentdx.metrics.bootstrap import patient_groups
from latentdx.metrics.discrimination import auroc

SETS = ("nih", "brain-mr")
FOLDS = 3
SHARES = {"all": (1.0, 1), "10 %": (0.1, 2)}  # of the patients, draws


class Features:
    """A set's training part: features of its scans, their copies and their mirror images."""

    def __init__(self, sets: dict[str, Scans], name: str) -> None:
        pool = [each for each in POOLS[CASES[name].size] if each in sets]
        network = encoder(sets, pool, VARIANTS["default"], 0, trained=True)
        self.scans: LabelledScans = sets[name].scans(sets[name].learned(0))

        def table(scans: LabelledScans) -> FeatureTable:
            return extract_table(scans, lambda pixels: embed(network, pixels), extractor_hash="")

        settings = HeadSettings()
        copies = augmented(
            self.scans, settings.augmentation(), n_copies=settings.most_copies, seed=0
        )
        self.copies = [table(copy) for copy in copies]
        self.mirrored = embed(network, flipped(self.scans.pixels))
        self.groups = patient_groups(self.scans.patients)

    def auroc(self, classifier: ClassifierName, share: str) -> tuple[float, float]:
        """Mean over folds and draws, and the seconds that a fit took, the choice included."""
        labels, (part, draws) = self.scans.labels, SHARES[share]
        settings = HeadSettings(classifier=classifier)
        found, spent = [], []
        for number, (rows, held_out) in enumerate(
            patient_folds(labels, self.groups, FOLDS, seed=0)
        ):
            for draw in range(draws):
                few = rows if part == 1 else self._few(rows, part, number, draw)
                copies = self.copies[: settings.n_copies(len(few)) + 1]
                table = FeatureTable.joined([copy.take(few) for copy in copies])
                began = time.perf_counter()
                head = fit_head(table, settings, n_scans=len(few), seed=derive_seed(number, "head"))
                spent.append(time.perf_counter() - began)
                scores = head.scores(self.copies[0].embeddings[held_out])
                scores = scores + head.scores(self.mirrored[held_out])
                found.append(float(auroc(labels[held_out], scores[:, 0].astype(np.float64))))
        return float(np.mean(found)), float(np.mean(spent))

    def _few(self, rows: Any, part: float, number: int, draw: int) -> Any:
        """Rows of a tenth of the patients of each class."""
        generator, chosen = numpy_generator(0, "few", number, draw), []
        for label in np.unique(self.scans.labels):
            names = np.unique(self.groups[rows[self.scans.labels[rows] == label]])
            chosen.append(generator.permutation(names)[: max(3, round(part * len(names)))])
        return rows[np.isin(self.groups[rows], np.concatenate(chosen))]


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit each on each set, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.classifiers", description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--sets", nargs="*", choices=SETS, default=SETS)
    parser.add_argument("--names", nargs="*", choices=get_args(ClassifierName))
    parser.add_argument("--quick", action="store_true", help="two classifiers: does it work?")
    asked = parser.parse_args(arguments)
    sets = {name: found for name in CASES if (found := load(name, CACHE))}
    names: tuple[ClassifierName, ...] = get_args(ClassifierName)
    names = ("logistic", "prototypes") if asked.quick else (asked.names or names)
    out = asked.out or (TRIALS if asked.quick else RESULTS) / "classifiers.json"
    made = {"quick": asked.quick, **provenance(), "machine_was_shared": True}
    results: dict[str, Any] = {}
    for data in (name for name in asked.sets if name in sets):
        features = Features(sets, data)
        counts = {
            "scans": len(features.scans),
            "patients": len(np.unique(features.scans.patients)),
            "by_class": np.bincount(features.scans.labels).tolist(),
        }
        results[data] = {**counts, "classifiers": {}}
        for name in names:
            results[data]["classifiers"][name] = _of(features, name)
            print(data, name, results[data]["classifiers"][name], flush=True)
            write(out, {**made, "folds": FOLDS, "shares": SHARES, "results": results})
    return 0


def _of(features: Features, name: ClassifierName) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for share in SHARES:
        try:
            value, seconds = features.auroc(name, share)
        except StopError as error:
            found[share] = {"refused": error.code}
            continue
        found[share] = {"auroc": round(value, 4), "seconds": round(seconds, 1)}
    return found


if __name__ == "__main__":
    sys.exit(main())
