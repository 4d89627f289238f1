"""Sites and hospitals for `benchmarks.domain`: what is learned of each, and what is tested."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from benchmarks.worth_encoders import CACHE
from benchmarks.worth_sets import FOLDS, Scans
from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.engine.data import ArraySource
from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.family import build
from latentdx.collection.labelled import LabelledScans
from latentdx.collection.store import Collection
from latentdx.core.hashing import hash_json

MOST = 1000


@dataclass(frozen=True)
class Domain:
    """Scans of a site or of several: what is learned from it, and what is tested of it.

    `folds` are those of the tested scans, `sites` those of the learned ones; `unlabelled` levels
    are for its encoder.
    """

    name: str
    learned: LabelledScans
    sites: NDArray[np.str_]
    tested: LabelledScans
    folds: NDArray[np.int64]
    unlabelled: NDArray[np.uint16]
    given_test: bool = False


def pairs_of(
    sets: dict[str, Scans], wanted: Sequence[str], *, quick: bool
) -> Iterator[tuple[Domain, Domain]]:
    """Source and target: pairs of sites, two sites with the third, and hospitals."""
    if "phantoms" in wanted:
        yield from _sites(sets["phantoms"], quick=quick)
    if "hospitals" in wanted and not quick and "kermany" in sets and "nih" in sets:
        two = _hospital(sets["kermany"]), _hospital(sets["nih"])
        yield from (two, two[::-1])


def _sites(phantoms: Scans, *, quick: bool) -> Iterator[tuple[Domain, Domain]]:
    table = Collection.open(CACHE / "phantoms.collection").metadata()
    by_scan = dict(zip(table.scan_id.tolist(), table.site.tolist(), strict=True))
    sites = np.array([by_scan[name] for name in phantoms.names.tolist()])
    rows = {f"site {k}": sites == name for k, name in enumerate(sorted(set(by_scan.values())), 1)}
    one = {name: _site(phantoms, name, found, sites) for name, found in rows.items()}
    pairs = [(a, b) for a in one for b in one if a != b]
    yield from ((one[a], one[b]) for a, b in (pairs[:1] if quick else pairs))
    for name in () if quick else one:
        others = [other for other in one if other != name]
        both = np.any([rows[other] for other in others], axis=0)
        yield _site(phantoms, " and ".join(others), both, sites), one[name]


def _site(scans: Scans, name: str, rows: NDArray[np.bool_], sites: NDArray[np.str_]) -> Domain:
    own = scans.scans(rows)
    return Domain(name, own, sites[rows], own, scans.folds[rows], scans.levels[rows])


def _hospital(scans: Scans) -> Domain:
    has_given = bool((scans.folds == FOLDS).any())
    learned = scans.learned(0) if has_given else np.ones(len(scans.labels), np.bool_)
    tested = scans.tested(0) if has_given else learned
    chosen = np.flatnonzero(learned)
    chosen = np.sort(np.random.default_rng(0).permutation(chosen)[:MOST])
    drawn = np.zeros(len(learned), np.bool_)
    drawn[chosen] = True
    folds = scans.folds[tested]
    sites = np.full(len(chosen), scans.name)
    own = scans.scans(drawn), sites, scans.scans(tested), folds, scans.levels[drawn]
    return Domain(scans.name, *own, given_test=has_given)


def own_encoder(domain: Domain, epochs: int) -> Autoencoder:
    """Trained on the scans of the domain alone, at its first use."""
    size = domain.unlabelled.shape[-1]
    network = build("invariant", {"channels": 1, "size": size}, seed=0)
    source = ArraySource(domain.unlabelled)
    network.set_normalisation(*source.moments())
    settings = FitSettings(epochs=epochs)
    told = ["domain", domain.name, network.settings(), repr(settings), len(domain.unlabelled)]
    place = CACHE / f"encoder-{hash_json(told)[:16]}.safetensors"
    if place.exists():
        network.load_state_dict(load_file(place))
        return network.eval()
    pretrain(network, Pool(source, domain.unlabelled[:0]), settings, seed=0)
    save_file({name: held.contiguous() for name, held in network.state_dict().items()}, place)
    return network.eval()
