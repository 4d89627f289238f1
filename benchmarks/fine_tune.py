"""``python -m benchmarks.fine_tune``: what it is worth to train a copy of the encoder on labels.

Fold 0 of ``benchmarks.worth``, with its encoder: the classifier on the encoder's features as it is
(``frozen``), the fine-tuned network (``network``), and both together, which is what a run gives
(``joint``; their scores are divided by their deviations over the tested scans, whose labels play no
part in it). All three get the same labels: all of the learned scans, a tenth of the patients of
each class (three draws), and of PneumoniaMNIST a hundredth. AUROC, and accuracy and balanced
accuracy of the decision at score 0; means over draws, intervals (95 %) resample patients, paired.
``--which auto`` learns as a run does unasked, ``last`` and the others as where it is asked for. How
it learns was chosen on learned scans alone (docs/decisions/0019-fine-tuning.md, 0028).

Finished trainings are kept in build/worth, so an interrupted benchmark goes on where it stopped.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import RESULTS, TRIALS, provenance, write
from benchmarks.worth_encoders import CACHE, POOLS, VARIANTS, encoder
from benchmarks.worth_sets import CASES, Scans, load
from latentdx.autoencoder.base import Autoencoder
from latentdx.collection.labelled import LabelledScans
from latentdx.core.hashing import hash_json
from latentdx.core.seeds import derive_seed, numpy_generator
from latentdx.diagnosis.fine_tune import fine_tune
from latentdx.diagnosis.fine_tune_settings import FineTuneSettings
from latentdx.diagnosis.fine_tuned import spreads
from latentdx.diagnosis.head import HeadSettings, fit_head, score_scans
from latentdx.diagnosis.views import views_of
from latentdx.features.extract import embed
from latentdx.features.kinds import DEFAULT
from latentdx.features.table import FeatureTable, augmented, extract_table
from latentdx.metrics.bootstrap import bootstrap
from latentdx.metrics.discrimination import auroc
from latentdx.study.fine_tuning import fine_tune_settings
from latentdx.study.settings import RunSettings

SETS = ("brain-mr", "phantoms", "pneumoniamnist", "nih")
SHARES: dict[str, dict[str, float]] = {
    "pneumoniamnist": {"1 %": 0.01, "10 %": 0.1, "all": 1.0},
    "brain-mr": {"10 %": 0.1, "all": 1.0},
    "phantoms": {"10 %": 0.1, "all": 1.0},
    "nih": {"10 %": 0.1, "all": 1.0},
}
WAYS = ("joint", "frozen", "network")
MEASURES = ("auroc", "accuracy", "balanced_accuracy")
DRAWS = 3
Ints = NDArray[np.int64]
Settings = Callable[[int], FineTuneSettings]
Scores = NDArray[np.float64]


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, fit, compare; print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fine_tune", description=__doc__)
    parser.add_argument("--sets", nargs="*", choices=SETS, default=list(SETS))
    parser.add_argument("--which", choices=("auto", "head", "last", "all"), default="auto")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--quick", action="store_true", help="one draw, one epoch: does it work?")
    asked = parser.parse_args(arguments)
    run = RunSettings(source="", fine_tune=asked.which)
    draws = 1 if asked.quick else DRAWS
    out = asked.out or (TRIALS if asked.quick else RESULTS) / "fine-tune.json"
    made = {"quick": asked.quick, **provenance(), "draws": draws, "which": asked.which}
    results: dict[str, Any] = {}
    for name in asked.sets:
        pool = POOLS[CASES[name].size]
        sets = {each: found for each in pool if (found := load(each, CACHE))}
        if name not in sets:
            continue
        network = encoder(sets, list(sets), VARIANTS["default"], 0, trained=True)
        results[name] = {}
        for share in SHARES[name]:
            found = _measured(sets[name], network, _settings(run, quick=asked.quick), share, draws)
            results[name][share] = found
            _show(name, share, found)
            write(out, {**made, "results": results})
    return 0


def _settings(run: RunSettings, *, quick: bool) -> Settings:
    """By the number of labelled scans, as a run's; `quick`: one epoch."""

    def of(n_labelled: int) -> FineTuneSettings:
        which = "all" if run.fine_tune == "auto" else run.fine_tune
        found = fine_tune_settings(run, which, n_labelled)
        return replace(found, epochs=1) if quick else found

    return of


def few(scans: LabelledScans, name: str, share: float, draw: int) -> Ints:
    """Rows of a draw of a share of the patients of each class, at least three; or all rows."""
    if share == 1:
        return np.arange(len(scans))
    generator = numpy_generator(0, "few", name, draw)
    chosen: list[str] = []
    for label in np.unique(scans.labels):
        of_class = np.unique(scans.patients[scans.labels == label])
        count = max(3, round(share * len(of_class)))
        chosen += generator.permutation(of_class)[:count].tolist()
    return np.flatnonzero(np.isin(scans.patients, chosen))


def _measured(
    scans: Scans, network: Autoencoder, settings: Settings, share: str, draws: int
) -> dict[str, Any]:
    """Of each way the measures, and of `joint` and `network` less `frozen`, with counts."""
    learned, tested = (scans.scans(which) for which in (scans.learned(0), scans.tested(0)))
    tables, epochs, labelled = [], [], []
    for draw in range(1 if share == "all" else draws):
        rows = few(learned, scans.name, SHARES[scans.name][share], draw)
        c = _frozen(network, learned, tested, rows, draw)
        z, chosen = _tuned(network, learned, tested, rows, settings(len(rows)), draw)
        tables.append(np.stack([c / spreads(c) + z / spreads(z), c, z]))
        epochs.append(chosen)
        labelled.append(len(rows))
    table = np.stack(tables, axis=1)  # (ways, draws, n)
    estimates = _compared(table, tested)
    return {"labelled": labelled, "tested": len(tested), "epochs": epochs, **estimates}


def _frozen(
    network: Autoencoder, learned: LabelledScans, tested: LabelledScans, rows: Ints, draw: int
) -> Scores:
    """Scores (n,) of the diagnosis' head, as it is, on the encoder's features."""
    settings = HeadSettings()
    place = _place("frozen", network, learned, rows, f"{settings!r} {DEFAULT}", draw)
    if not place.exists():

        def extract(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
            return embed(network, pixels)

        few_scans, n_copies = learned.take(rows), settings.n_copies(len(rows))
        copies = augmented(few_scans, settings.augmentation(), n_copies=n_copies, seed=draw)
        table = FeatureTable.joined(
            [extract_table(copy, extract, extractor_hash="") for copy in copies]
        )
        others = np.setdiff1d(np.arange(len(learned)), rows)[:2000]
        unlabelled = (
            extract_table(learned.take(others), extract, extractor_hash="") if len(others) else None
        )
        seed = derive_seed(draw, "head")
        head = fit_head(table, settings, n_scans=len(rows), seed=seed, unlabelled=unlabelled)
        np.save(place, score_scans(head, tested, extract, flip=settings.flip)[:, 0])
    return np.load(place).astype(np.float64)


def _tuned(
    network: Autoencoder,
    learned: LabelledScans,
    tested: LabelledScans,
    rows: Ints,
    settings: FineTuneSettings,
    draw: int,
) -> tuple[Scores, int]:
    """Scores (n,) of the fine-tuned network, and the epochs that were chosen."""
    place = _place("tuned", network, learned, rows, repr(settings), draw)
    if not place.exists():
        began = time.process_time()
        others = np.setdiff1d(np.arange(len(learned)), rows)
        unlabelled = learned.pixels[others] if len(others) else None
        seed = derive_seed(draw, "fine-tune")
        found = fine_tune(network, learned.take(rows), settings, seed=seed, unlabelled=unlabelled)
        print(f"  tuned, {time.process_time() - began:.0f} s of a processor", flush=True)
        scores = np.mean(views_of(tested.pixels, found.scores, flip=settings.flip), axis=0)[:, 0]
        np.save(place, np.append(scores.astype(np.float64), found.facts.epochs))
    kept = np.load(place)
    return kept[:-1], int(kept[-1])


def _place(
    kind: str, network: Autoencoder, learned: LabelledScans, rows: Ints, how: str, draw: int
) -> Path:
    told = [network.settings(), learned.scan_ids[rows].tolist(), how, draw]
    return CACHE / f"fine-tune-{kind}-{hash_json(told)[:16]}.npy"


def _compared(table: Scores, tested: LabelledScans) -> dict[str, Any]:
    """The measures of scores (ways, draws, n): means over draws."""
    labels = tested.labels

    def each(weights: NDArray[Any], scores: Scores) -> Scores:
        """(B, measures) of scores (n,)."""
        right = ((scores >= 0) == labels) * 1.0
        of_class = [
            weights[:, labels == k] @ right[labels == k] / weights[:, labels == k].sum(axis=1)
            for k in (0, 1)
        ]
        whole = weights @ right / weights.sum(axis=1)
        area = auroc(labels, scores, weights=weights)
        return np.stack([area, whole, np.mean(of_class, axis=0)], axis=1)

    def statistic(weights: NDArray[Any]) -> Scores:
        ways = [np.mean([each(weights, scores) for scores in way], axis=0) for way in table]
        return np.concatenate([*ways, ways[0] - ways[1], ways[2] - ways[1]], axis=1)

    generator = np.random.default_rng(0)
    estimates = bootstrap(statistic, tested.patients, generator=generator, n_resamples=1000)
    names = [*WAYS, "joint - frozen", "network - frozen"]
    values = iter({"value": e.value, "low": e.low, "high": e.high} for e in estimates)
    return {name: {measure: next(values) for measure in MEASURES} for name in names}


def _show(name: str, share: str, found: dict[str, Any]) -> None:
    print(f"{name}, {share} ({found['labelled']} labels, epochs {found['epochs']})", flush=True)
    for way in (*WAYS, "joint - frozen", "network - frozen"):
        told = "  ".join(
            f"{measure} {e['value']:.3f} ({e['low']:.3f} to {e['high']:.3f})"
            for measure, e in found[way].items()
        )
        print(f"  {way:<17}{told}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
