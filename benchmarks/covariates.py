"""``python -m benchmarks.covariates``: what age, sex and view add, and how much they may count.

NIH chest X-rays and phantoms at 64 px, features of the default encoder of `benchmarks.worth`. Of
fold 0 only the training part is used, in three folds by patient: the fold's test part stays
closed. The encoder has seen that part's scans, without labels. Fitted as a study does, with
augmented copies and scores averaged over mirror images: without covariates, with each weight, and
with the weight that cross-validation chooses; with all labels, and with those of a tenth of the
patients (four draws). AUROC is the mean over folds and draws; the error is that of the mean of the
differences from the model without.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import RESULTS, TRIALS, provenance, write
from benchmarks.worth_encoders import CACHE, POOLS, VARIANTS, encoder
from benchmarks.worth_sets import CASES, Scans, load
from latentdx.collection.store import Collection
from latentdx.core.seeds import derive_seed, numpy_generator
from latentdx.diagnosis.folds import patient_folds
from latentdx.diagnosis.head import HeadSettings, fit_head
from latentdx.features.covariate_values import Column
from latentdx.features.covariates import Covariates
from latentdx.features.extract import embed
from latentdx.features.table import FeatureTable, augmented, extract_table, flipped, put_beside
from latentdx.metrics.bootstrap import patient_groups
from latentdx.metrics.discrimination import auroc
from latentdx.study.covariates import told_of

COLUMNS = {"nih": ("age", "sex", "view"), "phantoms": ("age", "sex", "view", "site")}
WEIGHTS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
FOLDS = 3
SHARES = {"all": (1.0, 1), "10 %": (0.1, 4)}  # of the patients, draws
Rows = NDArray[np.int64]


class Features:
    """A set's training part: features of its scans, their copies, mirror images; its columns."""

    def __init__(self, sets: dict[str, Scans], name: str) -> None:
        pool = [each for each in POOLS[CASES[name].size] if each in sets]
        network = encoder(sets, pool, VARIANTS["default"], 0, trained=True)
        self.scans = sets[name].scans(sets[name].learned(0))
        table = Collection.open(CACHE / f"{name}.collection").metadata()
        self.told = told_of(table, self.scans.scan_ids.tolist(), COLUMNS[name])
        settings = HeadSettings()
        copies = augmented(
            self.scans, settings.augmentation(), n_copies=settings.most_copies, seed=0
        )
        self.copies = [
            extract_table(copy, lambda pixels: embed(network, pixels), extractor_hash="")
            for copy in copies
        ]
        self.mirrored = embed(network, flipped(self.scans.pixels))
        self.groups = patient_groups(self.scans.patients)

    def draws(self, share: str) -> list[tuple[int, Rows, Rows]]:
        """Number of the fold, rows to fit on, rows held out."""
        part, count = SHARES[share]
        folds = patient_folds(self.scans.labels, self.groups, FOLDS, seed=0)
        return [
            (number, rows if part == 1 else self._few(rows, part, number, draw), held_out)
            for number, (rows, held_out) in enumerate(folds)
            for draw in range(count)
        ]

    def auroc(self, draw: tuple[int, Rows, Rows], weights: tuple[float, ...]) -> float:
        """Of the scans held out; without weights, without covariates."""
        number, rows, held_out = draw
        settings = HeadSettings(weights=weights or (1.0,))
        beside = None
        copies = [copy.take(rows) for copy in self.copies[: settings.n_copies(len(rows)) + 1]]
        if weights:
            fitted = Covariates.fit(self._at(rows), self.groups[rows].tolist())
            beside = fitted.encode(self._at(held_out))
            own = fitted.encode(self._at(rows))
            copies = [
                replace(copy, embeddings=put_beside(copy.embeddings, own), n_beside=fitted.width)
                for copy in copies
            ]
        table = FeatureTable.joined(copies)
        head = fit_head(table, settings, n_scans=len(rows), seed=derive_seed(number, "head"))
        scores = sum(
            head.scores(put_beside(images[held_out], beside))[:, 0].astype(np.float64)
            for images in (self.copies[0].embeddings, self.mirrored)
        )
        return float(auroc(self.scans.labels[held_out], scores))

    def _at(self, rows: Rows) -> dict[str, Column]:
        chosen = rows.tolist()
        return {name: tuple(values[row] for row in chosen) for name, values in self.told.items()}

    def _few(self, rows: Rows, part: float, number: int, draw: int) -> Rows:
        """Rows of a tenth of the patients of each class."""
        generator, chosen = numpy_generator(0, "few", number, draw), []
        for label in np.unique(self.scans.labels):
            names = np.unique(self.groups[rows[self.scans.labels[rows] == label]])
            chosen.append(generator.permutation(names)[: max(3, round(part * len(names)))])
        return rows[np.isin(self.groups[rows], np.concatenate(chosen))]


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit each way on each set, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.covariates", description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--quick", action="store_true", help="one weight: does it work?")
    asked = parser.parse_args(arguments)
    sets = {name: found for name in CASES if (found := load(name, CACHE))}
    ways: dict[str, tuple[float, ...]] = {"without": ()}
    ways |= {f"{weight:g}": (weight,) for weight in (WEIGHTS[1:2] if asked.quick else WEIGHTS)}
    ways["chosen"] = HeadSettings().weights
    out = asked.out or (TRIALS if asked.quick else RESULTS) / "covariates.json"
    made = {"quick": asked.quick, **provenance(), "machine_was_shared": True}
    results: dict[str, Any] = {}
    for data in (name for name in COLUMNS if name in sets):
        features = Features(sets, data)
        results[data] = {
            "columns": COLUMNS[data],
            "scans": len(features.scans),
            "patients": len(np.unique(features.scans.patients)),
            **{share: _compared(features, share, ways) for share in SHARES},
        }
        print(data, results[data], flush=True)
        write(out, {**made, "folds": FOLDS, "shares": SHARES, "results": results})
    return 0


def _compared(
    features: Features, share: str, ways: dict[str, tuple[float, ...]]
) -> dict[str, dict[str, float]]:
    draws = features.draws(share)
    found = {
        name: np.array([features.auroc(draw, weights) for draw in draws])
        for name, weights in ways.items()
    }
    gains = {name: values - found["without"] for name, values in found.items()}
    return {
        name: {
            "auroc": round(float(values.mean()), 4),
            "gain": round(float(gains[name].mean()), 4),
            "error": round(float(gains[name].std(ddof=1) / np.sqrt(len(draws))), 4),
        }
        for name, values in found.items()
    }


if __name__ == "__main__":
    sys.exit(main())
