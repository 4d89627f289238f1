"""``python -m benchmarks.worth``: what training the encoder is worth.

The same features, augmented copies and SVM on: the trained encoder, the same encoder untrained,
pixels, HOG. NIH, brain MR and phantoms are tested in three folds by patient, Kermany and
PneumoniaMNIST on their given test parts; for each fold the encoder is trained anew, without labels,
on all scans at 64 px that are not tested in it, at most 1500 of a set (PneumoniaMNIST at 28 px on
its own training part).
Fitted with all labels, and with 10 % of the training patients (three draws). Differences are
averaged over folds and draws; intervals resample patients, paired.

``--variants`` names ways to train, for ablations (`worth_encoders.VARIANTS`), ``--features`` kinds
of what is read from the encoder, trained or not; the first is told under its variant's name, the
others under ``VARIANT, KIND``. Finished parts are kept in build/worth, so an interrupted benchmark
goes on where it stopped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import RESULTS, TRIALS, provenance, write
from benchmarks.worth_encoders import CACHE, EPOCHS, POOLS, VARIANTS, Variant, encoder
from benchmarks.worth_sets import CASES, FOLDS, Scans, load
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.collection.labelled import LabelledScans
from latentdx.core.hashing import hash_json
from latentdx.core.seeds import derive_seed, numpy_generator
from latentdx.diagnosis.head import HeadSettings, fit_head, score_scans
from latentdx.features.extract import embed
from latentdx.features.kinds import DEFAULT, KINDS, FeatureKind
from latentdx.features.pixels import flat_pixels, hog
from latentdx.features.table import Extract, FeatureTable, augmented, extract_table
from latentdx.metrics.bootstrap import bootstrap
from latentdx.metrics.discrimination import auroc

FEW = 0.1
DRAWS = 3
Scores = NDArray[np.float64]


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, fit, compare; print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worth", description=__doc__)
    parser.add_argument("--variants", nargs="*", choices=list(VARIANTS), default=["default"])
    parser.add_argument(
        "--sets", nargs="*", choices=list(CASES), default=list(CASES), help="those to be tested on"
    )
    parser.add_argument("--features", nargs="*", choices=list(KINDS), default=[DEFAULT])
    parser.add_argument("--folds", type=int, default=FOLDS)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--quick", action="store_true", help="one fold, one epoch: does it work?")
    asked = parser.parse_args(arguments)
    sets = {name: found for name in CASES if (found := load(name, CACHE))}
    folds = 1 if asked.quick else asked.folds
    results: dict[str, Any] = {}
    out = asked.out or (TRIALS if asked.quick else RESULTS) / "worth.json"
    made = {"quick": asked.quick, **provenance(), "folds": folds, "draws": DRAWS}
    for name, kind in product(asked.variants, asked.features):
        variant = VARIANTS[name]
        if asked.quick:
            variant = Variant(variant.name, variant.network, {**variant.fit, "epochs": 1})
        told = name if kind == asked.features[0] else f"{name}, {kind}"
        results[told] = {
            data: compared(sets[data], _ways(sets, data, variant, folds, kind), folds)
            for data in sets
            if data in asked.sets
        }
        _show(told, results[told])
        write(out, {**made, "features": asked.features, "results": results})
    return 0


def _ways(
    sets: dict[str, Scans], data: str, variant: Variant, folds: int, kind: FeatureKind
) -> dict[str, Callable[[int], Scores]]:
    """For each way the scores of a fold: (1 + DRAWS, n tested)."""
    scans, size = sets[data], CASES[data].size
    pool = [name for name in POOLS[size] if name in sets]

    def of_network(fold: int, *, trained: bool) -> Scores:
        network = encoder(sets, pool, variant, fold, trained=trained)
        fit = repr(FitSettings(**{"epochs": EPOCHS, **variant.fit}))
        key = [variant.name, network.settings(), fit if trained else "untrained", pool, kind]
        return scored(scans, fold, lambda pixels: embed(network, pixels, kind), key)

    return {
        "trained": lambda fold: of_network(fold, trained=True),
        "untrained": lambda fold: of_network(fold, trained=False),
        "pixels-pca-svm": lambda fold: scored(scans, fold, flat_pixels, ["pixels"]),
        "hog-svm": lambda fold: scored(scans, fold, hog, ["hog"]),
    }


def scored(scans: Scans, fold: int, extract: Extract, key: list[Any]) -> Scores:
    """Scores of the tested scans by classifiers of all labels, then of few; kept in the cache."""
    told = [scans.name, fold, FEW, DRAWS, repr(HeadSettings()), *key]
    place = CACHE / f"scores-{hash_json(told)[:16]}.npy"
    if place.exists():
        return np.load(place)
    learned = scans.scans(scans.learned(fold))
    tested = scans.scans(scans.tested(fold))
    draws = [np.arange(len(learned)), *_few(learned.patients, learned.labels, scans.name)]
    found = scored_draws((learned, tested), extract, draws, seed=derive_seed(fold, "head"))
    np.save(place, np.stack([scores[:, 0] for scores in found]).astype(np.float64))
    return np.load(place)


def scored_draws(
    parts: tuple[LabelledScans, LabelledScans],
    extract: Extract,
    draws: Sequence[NDArray[np.int64]],
    *,
    seed: int,
    most_unlabelled: int | None = None,
) -> Iterator[NDArray[np.float32]]:
    """For each draw of rows of the learned scans, scores (M, Q) of the tested ones.

    The head is the diagnosis' own; learned scans that are not in the draw help to scale the
    features, at most `most_unlabelled` of them.
    """
    (learned, tested), settings = parts, HeadSettings()
    counts = [settings.n_copies(len(rows)) for rows in draws]
    # the same copies serve all draws; those that only the few want are made of the few alone
    wanted = [
        np.unique(np.concatenate([r for r, n in zip(draws, counts, strict=True) if n >= number]))
        for number in range(max(counts) + 1)
    ]
    wanted[0] = np.arange(len(learned))
    copies = augmented(learned, settings.augmentation(), n_copies=max(counts), seed=0)
    tables = [
        extract_table(copy.take(rows), extract, extractor_hash="")
        for copy, rows in zip(copies, wanted, strict=True)
    ]
    for rows, count in zip(draws, counts, strict=True):
        others = np.setdiff1d(np.arange(len(learned)), rows)
        if most_unlabelled is not None and len(others) > most_unlabelled:
            chosen = numpy_generator(seed, "unlabelled").choice(
                len(others), most_unlabelled, replace=False
            )
            others = others[np.sort(chosen)]
        held = [tables[n].take(np.searchsorted(wanted[n], rows)) for n in range(count + 1)]
        head = fit_head(
            FeatureTable.joined(held),
            settings,
            n_scans=len(rows),
            seed=seed,
            unlabelled=tables[0].take(others),
        )
        yield score_scans(head, tested, extract, flip=settings.flip)


def _few(
    patients: NDArray[np.str_], labels: NDArray[np.int64], name: str
) -> list[NDArray[np.int64]]:
    """Rows of draws of a tenth of the patients of each class, the same for every way."""
    draws = []
    for number in range(DRAWS):
        generator = numpy_generator(0, "few", name, number)
        chosen: list[str] = []
        for label in np.unique(labels):
            of_class = np.unique(patients[labels == label])
            chosen += generator.permutation(of_class)[: max(3, round(FEW * len(of_class)))].tolist()
        draws.append(np.flatnonzero(np.isin(patients, chosen)))
    return draws


def compared(
    scans: Scans, ways: dict[str, Callable[[int], Scores]], folds: int
) -> dict[str, dict[str, Any]]:
    """AUROC of each way, and the first minus each other way, with all labels and with few."""
    names = list(ways)
    by_fold = [np.stack([ways[name](fold) for name in names]) for fold in range(folds)]
    rows = [np.flatnonzero(scans.tested(fold)) for fold in range(folds)]
    whole = np.unique(np.concatenate(rows))
    place = [np.searchsorted(whole, found) for found in rows]

    def values(weights: NDArray[Any], draws: slice) -> Scores:
        """(B, ways): the mean AUROC over folds and draws."""
        total = []
        for scores, at, found in zip(by_fold, place, rows, strict=True):
            for draw in range(scores.shape[1])[draws]:
                column = [
                    auroc(scans.labels[found], scores[way, draw], weights=weights[:, at])
                    for way in range(len(names))
                ]
                total.append(np.stack(column, axis=1))
        return np.mean(total, axis=0)

    told = {}
    for share, draws in (("all", slice(0, 1)), ("10 %", slice(1, None))):

        def statistic(weights: NDArray[Any], draws: slice = draws) -> Scores:
            each = values(weights, draws)
            return np.concatenate([each, each[:, :1] - each[:, 1:]], axis=1)

        estimates = bootstrap(
            statistic, scans.patients[whole], generator=np.random.default_rng(0), n_resamples=1000
        )
        labels = [*names, *(f"{names[0]} - {name}" for name in names[1:])]
        told[share] = {
            label: {"value": e.value, "low": e.low, "high": e.high}
            for label, e in zip(labels, estimates, strict=True)
        }
    return told


def _show(name: str, results: dict[str, Any]) -> None:
    print(f"\n{name}")
    for data, shares in results.items():
        for share, found in shares.items():
            told = "  ".join(
                f"{label} {e['value']:.3f}"
                + (f" ({e['low']:+.3f} {e['high']:+.3f})" if " - " in label else "")
                for label, e in found.items()
            )
            print(f"{data:<15}{share:<6}{told}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
