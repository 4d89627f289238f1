"""``python -m benchmarks.federated``: what sites win that train one encoder without sharing scans.

Two of the phantoms' three sites, at 64 px. Encoders learn from the patients none of whose scans has
a label, so that no encoder has seen a tested patient: each site's own (``alone``), one for both by
federated averaging (12 rounds of one epoch, or 4 of three), one of all scans at one place
(``pooled``), each for 12 epochs; and one that has learned nothing but the statistics
(``untrained``). At each site an SVM learns on the features from that site's labels, all or a tenth
(three draws of patients, at least two of a class), in three folds by patient.
AUROCs are means over folds and draws; intervals resample patients, paired.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.label_draws import drawn
from benchmarks.machine import RESULTS, TRIALS, provenance, write
from benchmarks.worth_encoders import CACHE
from benchmarks.worth_sets import FOLDS, Scans, load, unlabelled
from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.engine.data import ArraySource
from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.family import build
from latentdx.autoencoder.federated import average_states, pooled_moments, state_of
from latentdx.collection.labelled import LabelledScans
from latentdx.collection.store import Collection
from latentdx.core.seeds import derive_seed
from latentdx.diagnosis.head import HeadSettings, fit_head
from latentdx.diagnosis.views import Viewed
from latentdx.features.extract import embed
from latentdx.features.table import FeatureTable, augmented, extract_table
from latentdx.metrics.bootstrap import bootstrap
from latentdx.metrics.discrimination import auroc
from latentdx.metrics.folds import folded
from latentdx.report.baselines import settle_statistics

EPOCHS = 12
SITES = ("site 1", "site 2")
FRACTIONS = (0.1, 1.0)
DRAWS = 3
SETTINGS = HeadSettings(most_copies=3)
Levels = NDArray[np.uint16]


@dataclass(frozen=True)
class Site:
    """Labelled scans with their folds, and levels of the scans that its encoder learns from."""

    name: str
    labelled: LabelledScans
    folds: NDArray[np.int64]
    levels: Levels


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, compare, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.federated", description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--quick", action="store_true", help="one epoch: does it work?")
    asked = parser.parse_args(arguments)
    out = asked.out or (TRIALS if asked.quick else RESULTS) / "federated.json"
    phantoms = load("phantoms", CACHE)
    assert phantoms is not None, "phantoms are made here"
    sites = sites_of(phantoms)
    epochs = 1 if asked.quick else EPOCHS
    scores: dict[str, dict[str, NDArray[np.float64]]] = {}
    for name, train in ways(sites, epochs).items():
        began = time.monotonic()
        networks = train()
        print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
        scores[name] = {
            f"{site.name}, {fraction:.0%}": scored(site, network, fraction)
            for site, network in zip(sites, networks, strict=True)
            for fraction in FRACTIONS
        }
    results = {
        f"{site.name}, {fraction:.0%}": estimated(
            site, {name: told[f"{site.name}, {fraction:.0%}"] for name, told in scores.items()}
        )
        for site in sites
        for fraction in FRACTIONS
    }
    counts = {
        site.name: {
            "scans learned from": len(site.levels),
            "labelled scans": len(site.labelled),
            "labelled patients": len(np.unique(site.labelled.patients)),
        }
        for site in sites
    }
    made = {"quick": asked.quick, **provenance(), "epochs": epochs, "sites": counts}
    write(out, {**made, "results": results})
    show(results)
    return 0


def sites_of(phantoms: Scans) -> list[Site]:
    """The first two sites."""
    collection = Collection.open(CACHE / "phantoms.collection")
    table = collection.metadata()
    by_scan = dict(zip(table.scan_id.tolist(), table.site.tolist(), strict=True))
    sites = np.array([by_scan[name] for name in phantoms.names.tolist()])
    free = unlabelled(table)
    found = []
    for name, site in zip(SITES, sorted(set(by_scan.values())), strict=False):
        rows, own = sites == site, free[table.site[free] == site]
        levels = collection.levels(own)
        found.append(Site(name, phantoms.scans(rows), phantoms.folds[rows], levels))
    return found


def ways(sites: list[Site], epochs: int) -> dict[str, Callable[[], list[Autoencoder]]]:
    """How the sites' encoders come to be; each gives one a site, which may be the same."""
    both = np.concatenate([site.levels for site in sites])
    long = min(3, epochs)

    def for_all(network: Autoencoder) -> list[Autoencoder]:
        return [network] * len(sites)

    return {
        "untrained": lambda: [trained(site.levels, 0) for site in sites],
        "alone": lambda: [trained(site.levels, epochs) for site in sites],
        f"federated, {epochs} x 1": lambda: for_all(federated(sites, epochs, 1)),
        f"federated, {epochs // long} x {long}": lambda: for_all(
            federated(sites, epochs // long, long)
        ),
        "pooled": lambda: for_all(trained(both, epochs)),
    }


def first() -> Autoencoder:
    """The same for all."""
    return build("invariant", {"channels": 1, "size": 64}, seed=0)


def trained(levels: Levels, epochs: int) -> Autoencoder:
    """At one place."""
    network, source = first(), ArraySource(levels)
    network.set_normalisation(*source.moments())
    if epochs == 0:
        rows = np.random.default_rng(0).permutation(len(levels))[:512]
        settle_statistics(network, torch.from_numpy(levels[rows].astype(np.float32) / 65535))
        return network.eval()
    settings = FitSettings(epochs=epochs, keep="last")
    pretrain(network, Pool(source, levels[:0]), settings, seed=0)
    return network.eval()


def federated(sites: list[Site], rounds: int, epochs: int) -> Autoencoder:
    """As `latentdx federate` does it, the sites one after the other in this process."""
    network = first()
    sources = [ArraySource(site.levels) for site in sites]
    counts = [len(source) for source in sources]
    moments = [(mean.tolist(), std.tolist()) for mean, std in (s.moments() for s in sources)]
    network.set_normalisation(*pooled_moments(moments, counts))
    common = state_of(network)
    for number in range(rounds):
        settings = FitSettings(epochs=epochs, keep="last", round_of=(number, rounds))
        states = []
        for site, source in zip(sites, sources, strict=True):
            network.load_state_dict(common)
            seed = derive_seed(0, "federated", site.name, number)
            pretrain(network, Pool(source, site.levels[:0]), settings, seed=seed)
            states.append(state_of(network))
        common = average_states(states, counts)
    network.load_state_dict(common)
    return network.eval()


def scored(site: Site, network: Autoencoder, fraction: float) -> NDArray[np.float64]:
    """Scores (draws, N) of the site's labelled scans, each by a classifier of other patients."""
    scans, extract = site.labelled, partial(embed, network)
    copies = augmented(
        scans, SETTINGS.augmentation(), n_copies=SETTINGS.n_copies(len(scans)), seed=0
    )
    tables = [extract_table(copy, extract, extractor_hash="") for copy in copies]
    viewed = Viewed.of(scans, extract, flip=True)
    n_draws = 1 if fraction == 1 else DRAWS
    found = np.empty((n_draws, len(scans)))
    for draw in range(n_draws):
        for fold in range(FOLDS):
            others = np.flatnonzero(site.folds != fold)
            own = drawn(
                *(scans.labels[others], scans.patients[others], fraction), name=site.name, draw=draw
            )
            chosen = [table.take(others[own]) for table in tables]
            head = fit_head(FeatureTable.joined(chosen), SETTINGS, n_scans=len(own), seed=0)
            tested = site.folds == fold
            found[draw, tested] = viewed.scores(head)[tested, 0]
    return found


def estimated(site: Site, scores: dict[str, NDArray[np.float64]]) -> dict[str, Any]:
    """Values with intervals, and differences between ways, over the same resamples."""
    labels, patients = site.labelled.labels, site.labelled.patients
    values = {
        name: [folded(auroc, labels, each, site.folds) for each in draws]
        for name, draws in scores.items()
    }
    names = list(scores)
    alone, pooled = names.index("alone"), names.index("pooled")
    pairs = [(k, alone) for k in range(len(names)) if k != alone]
    pairs += [(k, pooled) for k in range(len(names)) if names[k].startswith("federated")]

    def statistic(weights: NDArray[Any]) -> NDArray[np.float64]:
        ways = [np.mean([draw(weights)[:, 0] for draw in of], axis=0) for of in values.values()]
        return np.stack([*ways, *(ways[one] - ways[other] for one, other in pairs)], axis=1)

    generator = np.random.default_rng(0)
    found = bootstrap(statistic, patients, generator=generator, n_resamples=1000)
    told = [*names, *(f"{names[one]} - {names[other]}" for one, other in pairs)]
    return {
        name: {"value": one.value, "low": one.low, "high": one.high}
        for name, one in zip(told, found, strict=True)
    }


def show(results: dict[str, Any]) -> None:
    """A line a number."""
    for name, told in results.items():
        print(f"\n{name}")
        for way, one in told.items():
            print(f"  {way:<32}{one['value']:+.3f} ({one['low']:+.3f} to {one['high']:+.3f})")


if __name__ == "__main__":
    sys.exit(main())
