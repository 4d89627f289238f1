"""``python -m benchmarks.transfer``: what it is worth to begin from other sets' weights.

For each set the same features and classifier on five encoders of the default kind, at 64 px
(PneumoniaMNIST at its 28):
``alone`` learned, without labels, from this set's scans; ``starter`` learned from other sets (see
`LEFT_OUT`; nothing of this one) and is taken as `--from ... --epochs 0` takes it, with this set's
statistics; ``continued`` began from it and went on with this set's scans, half as long as
``alone``, ``low-rank`` so too but by low-rank changes of its kernels; ``untrained`` has drawn
weights. A starter leaves out two sets, so that one serves both.

Fold 0 of ``benchmarks.worth``: labels of 1 % of the learned patients of each class (two at the
least) and of 10 %, three draws each; the other learned scans help to scale the features. AUROC on
the tested scans, mean over draws; intervals (95 %) resample tested patients, paired. One training
of each encoder: how they differ between seeds is not in the intervals.

Finished trainings are kept in build/worth, so an interrupted benchmark goes on where it stopped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.label_draws import drawn
from benchmarks.machine import RESULTS, TRIALS, before, provenance, write
from benchmarks.starter_sets import FOLD, SETS, TESTED
from benchmarks.starter_training import (
    CACHE,
    NETWORK,
    SEEN_ALONE,
    SEEN_CONTINUED,
    SEEN_STARTER,
    levels_of,
    trained,
)
from benchmarks.worth import scored_draws
from benchmarks.worth_sets import Scans, load
from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.engine.data import ArraySource
from latentdx.autoencoder.family import build
from latentdx.bundle.save import encoder_bytes
from latentdx.core.hashing import hash_bytes, hash_json
from latentdx.core.seeds import derive_seed
from latentdx.features.extract import embed
from latentdx.metrics.bootstrap import bootstrap
from latentdx.metrics.discrimination import auroc
from latentdx.study.beginning import settle
from latentdx.study.unlabelled import MOST_FOR_SCALE

SHARES = {"1 %": 0.01, "10 %": 0.1}
DRAWS = 3
WAYS = ("continued", "low-rank", "starter", "alone", "untrained")
DIFFERENCES = (
    *(("starter", "alone"), ("continued", "alone"), ("low-rank", "alone")),
    *(("continued", "starter"), ("low-rank", "starter")),
)
RANK = 8
LEFT_OUT: Mapping[str, tuple[str, ...]] = {
    "brain-mr": ("brain-mr", "nih"),
    "nih": ("brain-mr", "nih"),
    "kermany": ("kermany", "phantoms"),
    "phantoms": ("kermany", "phantoms"),
    "pneumoniamnist": ("kermany", "phantoms"),
}
"""What the starter of a set has not seen; PneumoniaMNIST's pictures are Kermany's."""
MEASURED = (*TESTED, "pneumoniamnist")
Scores = NDArray[np.float64]


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, fit, compare; print and write after each set."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transfer", description=__doc__)
    parser.add_argument("--sets", nargs="*", choices=MEASURED, default=list(MEASURED))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--quick", action="store_true", help="one epoch each: does it work?")
    asked = parser.parse_args(arguments)
    out = asked.out or (TRIALS if asked.quick else RESULTS) / "transfer.json"
    shown = {"starter": SEEN_STARTER, "alone": SEEN_ALONE, "continued": SEEN_CONTINUED}
    made = {"quick": asked.quick, **provenance(), "draws": DRAWS, "scans shown": shown}
    results = before(out, made)
    for name in asked.sets:
        scans = load(name, CACHE)
        if scans is None:
            continue
        results[name] = {"commit": made["commit"], **compared(scans, quick=asked.quick)}
        _show(name, results[name])
        write(
            out, {**made, "results": {name: results[name] for name in MEASURED if name in results}}
        )
    return 0


def encoders(name: str, *, quick: bool) -> dict[str, Callable[[], Autoencoder]]:
    """For each way the encoder of a set, made when it is asked for."""
    others = [each for each in SETS if each not in LEFT_OUT[name]]

    def shown(count: int) -> int:
        return 1 if quick else count

    def starter() -> Autoencoder:
        return trained(levels_of(others), shown(SEEN_STARTER), f"without {LEFT_OUT[name]}")

    def settled(network: Autoencoder) -> Autoencoder:
        source = ArraySource(levels_of([name], most=None))
        network.set_normalisation(*source.moments())
        settle(network, source, seed=0)
        return network

    def untrained() -> Autoencoder:
        return build(NETWORK, {"channels": 1, "size": 64}, seed=0)

    return {
        "continued": lambda: trained(
            levels_of([name], most=None), shown(SEEN_CONTINUED), f"{name}, continued", starter()
        ),
        "low-rank": lambda: trained(
            levels_of([name], most=None),
            shown(SEEN_CONTINUED),
            f"{name}, continued with rank {RANK}",
            starter(),
            RANK,
        ),
        "starter": lambda: settled(starter()),
        "alone": lambda: trained(levels_of([name], most=None), shown(SEEN_ALONE), f"{name}, alone"),
        "untrained": lambda: settled(untrained()),
    }


def compared(scans: Scans, *, quick: bool) -> dict[str, Any]:
    """By share of the labels: AUROC of each way, and paired differences."""
    learned, tested = (scans.scans(rows) for rows in (scans.learned(FOLD), scans.tested(FOLD)))
    places = [(share, draw) for share in SHARES for draw in range(DRAWS)]
    rows = [
        drawn(learned.labels, learned.patients, SHARES[share], name=scans.name, draw=draw)
        for share, draw in places
    ]
    scores: dict[str, Scores] = {}
    for way, make in encoders(scans.name, quick=quick).items():
        network = make()
        place = (
            CACHE
            / f"transfer-{hash_json([scans.name, hash_bytes(encoder_bytes(network))])[:16]}.npy"
        )
        if not place.exists():
            found = scored_draws(
                (learned, tested),
                partial(embed, network),
                rows,
                seed=derive_seed(FOLD, "head"),
                most_unlabelled=MOST_FOR_SCALE,
            )
            np.save(place, np.stack([each[:, 0].astype(np.float64) for each in found]))
        scores[way] = np.load(place)
    told: dict[str, Any] = {"tested scans": len(tested), "tested patients": _count(tested.patients)}
    for share in SHARES:
        of_share = [number for number, (each, _) in enumerate(places) if each == share]
        held = {way: np.stack([scores[way][number] for number in of_share]) for way in WAYS}
        told[share] = {
            "labelled scans": [len(rows[number]) for number in of_share],
            **_estimates(held, tested.labels, tested.patients),
        }
    return told


def _estimates(
    scores: Mapping[str, Scores], labels: NDArray[np.int64], patients: NDArray[np.str_]
) -> dict[str, Any]:
    """Of scores (draws, N) of each way: the mean AUROC, and differences of the means."""

    def statistic(weights: NDArray[Any]) -> Scores:
        means = {
            way: np.mean([auroc(labels, each, weights=weights) for each in scores[way]], axis=0)
            for way in WAYS
        }
        apart = [means[first] - means[second] for first, second in DIFFERENCES]
        return np.stack([*means.values(), *apart], axis=1)

    found = bootstrap(statistic, patients, generator=np.random.default_rng(0), n_resamples=1000)
    names = [*WAYS, *(f"{first} - {second}" for first, second in DIFFERENCES)]
    return {
        name: {"value": e.value, "low": e.low, "high": e.high}
        for name, e in zip(names, found, strict=True)
    }


def _count(patients: NDArray[np.str_]) -> int:
    return len(np.unique(patients))


def _show(name: str, told: Mapping[str, Any]) -> None:
    for share in SHARES:
        text = "  ".join(
            f"{label} {e['value']:+.3f} ({e['low']:+.3f} {e['high']:+.3f})"
            for label, e in told[share].items()
            if isinstance(e, dict)
        )
        print(f"{name:<10} {share:<5} {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
