"""``python -m benchmarks.domain``: a classifier at a site that it has never seen, adapted to it.

Every pair of the phantoms' three sites, every site from the two others, and two hospitals' chest
X-rays (Kermany and NIH), both ways, at 64 px. By default with the encoder of `benchmarks.worth`
(fold 0), which has learned from all four sets without labels, the target's scans among them; with
``--encoders own`` one is trained on the source alone. The classifier learns from all labelled scans
of the source (at most 1000); every scan of the target is tested, of Kermany the given test part.
Adaptation sees the tested scans, not their labels. ``in-domain``: a classifier of the target
itself, in three folds by patient (of Kermany its training part).
AUROCs are means over the target's folds; intervals resample patients, paired. ``--ways looks``:
what changes how scans look to the encoder (grey levels, batch normalisation) instead of features,
written to a file of its own.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.domain_sets import MOST, Domain, own_encoder, pairs_of
from benchmarks.machine import RESULTS, TRIALS, before, provenance, write
from benchmarks.worth_encoders import CACHE, EPOCHS, POOLS, VARIANTS, encoder
from benchmarks.worth_sets import FOLDS, Scans, load
from latentdx.autoencoder.base import Autoencoder
from latentdx.diagnosis.adapted_head import adapted_head
from latentdx.diagnosis.drift_reference import N_COMPONENTS, one_each
from latentdx.diagnosis.head import Head, HeadSettings, fit_head
from latentdx.diagnosis.views import Viewed
from latentdx.features.adapt import METHODS, OF_LOOKS, Source
from latentdx.features.adapt_batch_norm import renormalised, statistics_of
from latentdx.features.adapt_histogram import histogram, levels_of
from latentdx.features.extract import embed
from latentdx.features.kinds import DEFAULT
from latentdx.features.table import Extract, FeatureTable, augmented, extract_table
from latentdx.metrics.bootstrap import bootstrap
from latentdx.metrics.discrimination import auroc
from latentdx.metrics.folds import folded
from latentdx.metrics.two_samples import discrepancy
from latentdx.study.adaptation_choice import best_between

SETTINGS = HeadSettings(most_copies=3)
Floats = NDArray[np.float32]


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, adapt, compare; print and write after each pair."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.domain", description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--encoders", choices=("shared", "own"), default="shared")
    parser.add_argument("--sets", nargs="*", choices=("phantoms", "hospitals"),
                        default=("phantoms", "hospitals"))  # fmt: skip
    parser.add_argument("--ways", choices=("features", "looks"), default="features")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of encoders of their own")
    parser.add_argument("--only", nargs="*", metavar="PAIR", help="as in 'site 1 > site 2'")
    parser.add_argument("--quick", action="store_true", help="one pair, one epoch: does it work?")
    asked = parser.parse_args(arguments)
    sets = {name: found for name in POOLS[64] if (found := load(name, CACHE))}
    own = asked.encoders == "own"
    looks = asked.ways == "looks"
    name = f"domain{'-looks' if looks else ''}{'-own' if own else ''}.json"
    out = asked.out or (TRIALS if asked.quick else RESULTS) / name
    epochs = 1 if asked.quick else asked.epochs
    seen: dict[tuple[str, str], Seen] = {}
    made = {"quick": asked.quick, **provenance(), "encoders": asked.encoders, "epochs": epochs}
    results = before(out, made)

    def network_of(domain: Domain) -> Autoencoder:
        return own_encoder(domain, epochs) if own else shared_encoder(sets)

    def see(domain: Domain, by: Domain) -> Seen:
        key = (domain.name, by.name if own else "")
        if key not in seen:
            network = network_of(by)
            seen[key] = Seen.of(domain, partial(embed, network))
        return seen[key]

    for source, target in pairs_of(sets, asked.sets, quick=asked.quick):
        began = time.monotonic()
        told = f"{source.name} > {target.name}"
        if asked.only is not None and told not in asked.only:
            continue
        views = see(source, source), see(target, source)
        if looks:
            found = compared_by_looks(source, target, *views, network_of(source))
        else:
            found = compared(source, target, *views, see(target, target))
        results[told] = {"commit": made["commit"], **found}
        _show(told, results[told], time.monotonic() - began)
        write(out, {**made, "results": results})
    return 0


def shared_encoder(sets: dict[str, Scans]) -> Autoencoder:
    """Of all sets; `benchmarks.worth` keeps it."""
    return encoder(sets, list(POOLS[64]), VARIANTS["default"], 0, trained=True)


@dataclass(frozen=True)
class Seen:
    """What an encoder sees of a domain: its learned scans and their copies, its tested scans."""

    tables: Sequence[FeatureTable]
    tested: Viewed

    @classmethod
    def of(cls, domain: Domain, extract: Extract) -> Seen:
        n_copies = SETTINGS.n_copies(len(domain.learned))
        copies = augmented(domain.learned, SETTINGS.augmentation(), n_copies=n_copies, seed=0)
        tables = [extract_table(copy, extract, extractor_hash="") for copy in copies]
        return cls(tables, Viewed.of(domain.tested, extract, flip=True))


def head_of(tables: Sequence[FeatureTable]) -> Head:
    """A head with what adaptation wants to know."""
    n_scans = len(tables[0])
    head = fit_head(FeatureTable.joined(list(tables)), SETTINGS, n_scans=n_scans, seed=0)
    return replace(head, source=Source.of(tables[0], n_scans, head.standardiser, head.components))


def in_domain(target: Domain, seen: Seen) -> Floats:
    """Scores (N,) of the tested scans by classifiers of the target's own."""
    if target.given_test:
        return seen.tested.scores(head_of(seen.tables))[:, 0]
    found = np.empty(len(target.folds), np.float32)
    for fold in range(FOLDS):
        learned = np.flatnonzero(target.folds != fold)
        head = head_of([table.take(learned) for table in seen.tables])
        tested = target.folds == fold
        found[tested] = seen.tested.scores(head)[tested, 0]
    return found


def compared(source: Domain, target: Domain, here: Seen, there: Seen, own: Seen) -> dict[str, Any]:
    """AUROC of each way at the target, and each minus that without adaptation.

    `here` and `there`: source and target as the source's encoder sees them; `own`: the target as
    its own does.
    """
    head, tested = head_of(here.tables), there.tested
    scores = {"none": tested.scores(head)[:, 0]}
    for name in METHODS:
        scores[name] = tested.scores(adapted_head(head, name, tested.views[0]))[:, 0]
    choice = best_between(here.tables[0], source.sites, SETTINGS, 0)
    scores["auto"] = scores[choice.name or "none"]
    scores["in-domain"] = in_domain(target, own)
    told = estimated(target, scores)
    gains = {name: gain["value"] for name, gain in choice.gains.items()}
    return {**told, "chosen": choice.name, "gains between sites": gains}


def compared_by_looks(
    source: Domain, target: Domain, here: Seen, there: Seen, network: Autoencoder
) -> dict[str, Any]:
    """AUROC of each way of `OF_LOOKS` at the target, each minus that without adaptation.

    And how far the target's patients lie from the source's: ``distance``, see `discrepancy`.
    """
    head, tested, pixels = head_of(here.tables), target.tested, target.tested.pixels
    levels = levels_of(source.learned.pixels)
    statistics = statistics_of(network, source.learned.pixels, DEFAULT)
    assert statistics is not None
    other = renormalised(network, statistics, pixels, DEFAULT)
    graded = replace(tested, pixels=histogram(levels, pixels))
    seen = {
        "none": there.tested,
        "histogram": Viewed.of(graded, partial(embed, network), flip=True),
        "batch-norm": Viewed.of(tested, partial(embed, other), flip=True),
    }
    assert set(seen) == {"none", *OF_LOOKS}
    told = estimated(target, {name: each.scores(head)[:, 0] for name, each in seen.items()})
    rows, others = (
        one_each(scans.patients, MOST, np.random.default_rng(0))
        for scans in (source.learned, tested)
    )
    reduced = {name: head.reduced(each.views[0][others]) for name, each in seen.items()}
    for way in METHODS:
        moved = adapted_head(head, way, there.tested.views[0])
        reduced[way] = moved.reduced(there.tested.views[0][others])
    own = head.reduced(here.tables[0].embeddings[rows])[:, :N_COMPONENTS].astype(np.float64)
    apart = {
        name: discrepancy(own, each[:, :N_COMPONENTS].astype(np.float64), np.random.default_rng(0))
        for name, each in reduced.items()
    }
    gaps = {name: each._asdict() for name, each in apart.items() if each is not None}
    return {**told, "chosen": None, "distance": gaps}


def estimated(target: Domain, scores: dict[str, Floats]) -> dict[str, Any]:
    """Values with intervals, and differences to ``none``, over the same resamples."""
    ways = [folded(auroc, target.tested.labels, each, target.folds) for each in scores.values()]

    def statistic(weights: NDArray[Any]) -> NDArray[np.float64]:
        values = np.concatenate([way(weights) for way in ways], axis=1)
        return np.concatenate([values, values[:, 1:] - values[:, :1]], axis=1)

    generator = np.random.default_rng(0)
    found = bootstrap(statistic, target.tested.patients, generator=generator, n_resamples=1000)
    names = [*scores, *(f"{name} - none" for name in list(scores)[1:])]
    return {
        "n_scans": len(target.tested),
        "n_patients": len(np.unique(target.tested.patients)),
        **{
            name: {"value": one.value, "low": one.low, "high": one.high}
            for name, one in zip(names, found, strict=True)
        },
    }


def _show(name: str, told: dict[str, Any], seconds: float) -> None:
    print(f"\n{name}  {told['n_scans']} scans, {seconds:.0f} s, auto: {told['chosen']}")
    for name, gap in told.get("distance", {}).items():
        print(f"  distance, {name:<14}{gap['value']:+.3f} (p {gap['p']:.4f})")
    for way, each in told.items():
        if isinstance(each, dict) and "value" in each:
            print(f"  {way:<24}{each['value']:+.3f} ({each['low']:+.3f} to {each['high']:+.3f})")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
