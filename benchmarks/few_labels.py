"""Features of a set under the encoder of fold 0, with copies: what few labels are tried on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.worth_encoders import CACHE, POOLS, VARIANTS, encoder
from benchmarks.worth_sets import load, phantom_scans
from latentdx.autoencoder.base import Autoencoder
from latentdx.collection.labelled import LabelledScans
from latentdx.core.errors import StopError
from latentdx.diagnosis.head import Head, HeadSettings, fit_head
from latentdx.diagnosis.semi_supervised import SHARE, guess
from latentdx.features.extract import embed
from latentdx.features.table import FeatureTable, augmented, extract_table, flipped
from latentdx.metrics.bootstrap import patient_groups

SIZE = 64
Ints = NDArray[np.int64]
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Features:
    """Some scans of a set: themselves, mirrored, and augmented copies; row i is scan i in all."""

    plain: FeatureTable
    mirrored: FeatureTable
    copies: tuple[FeatureTable, ...]

    @property
    def patients(self) -> Ints:
        """As numbers."""
        return patient_groups(self.plain.patients)

    def learned(self, rows: Ints, settings: HeadSettings) -> FeatureTable:
        """Scans at `rows`, then their copies, as `fit_head` takes them."""
        kept = self.copies[: settings.n_copies(len(rows))]
        return FeatureTable.joined([table.take(rows) for table in (self.plain, *kept)])

    def scores(self, head: Head, rows: Ints | None = None) -> Scores:
        """Of the second class, averaged over mirror images."""
        which = np.arange(len(self.plain)) if rows is None else rows
        both = [head.scores(of.embeddings[which])[:, 0] for of in (self.plain, self.mirrored)]
        found: Scores = np.mean(both, axis=0, dtype=np.float64)
        return found


def features(names: list[str], *, more_phantoms: int = 0) -> dict[str, tuple[Features, Features]]:
    """Of each set that is there what fold 0 learns from, with copies, and what it tests.

    With `more_phantoms` a cohort of so many other patients is what is tested of phantoms.
    """
    sets = {name: found for name in POOLS[SIZE] if (found := load(name, CACHE))}
    network = encoder(sets, list(sets), VARIANTS["default"], 0, trained=True)
    tested = {name: sets[name].scans(sets[name].tested(0)) for name in names if name in sets}
    if more_phantoms and "phantoms" in tested:
        tested["phantoms"] = phantom_scans(more_phantoms, CACHE)
    return {
        name: (
            features_of(
                network, sets[name].scans(sets[name].learned(0)), HeadSettings().most_copies
            ),
            features_of(network, scans, 0),
        )
        for name, scans in tested.items()
    }


def features_of(network: Autoencoder, scans: LabelledScans, n_copies: int) -> Features:
    """Scans under an encoder, with augmented copies."""

    def table(found: LabelledScans) -> FeatureTable:
        return extract_table(found, lambda pixels: embed(network, pixels), extractor_hash="")

    changed = augmented(scans, HeadSettings().augmentation(), n_copies=n_copies, seed=0)
    plain, *copies = map(table, changed)
    mirrored = table(replace(scans, pixels=flipped(scans.pixels)))
    return Features(plain, mirrored, tuple(copies))


def fitted(
    known: Features, rows: Ints, seed: int, *, others: Ints | None = None, way: str = "none"
) -> Head | None:
    """The diagnosis' head on the labelled scans at `rows`; None where they lack a class.

    `others`: rows of unlabelled scans, that help to scale the features, and by `way`.
    """
    settings = HeadSettings()
    table = known.learned(rows, settings)
    options: dict[str, Any] = {"n_scans": len(rows), "seed": seed}
    try:
        if others is None:
            return fit_head(table, settings, **options)
        open_table = known.plain.take(others)
        open_table = replace(open_table, labels=np.full(len(others), -1))
        options["unlabelled"] = open_table
        if way == "none":
            return fit_head(table, settings, **options)
        scores = None
        if way == "pseudo":
            scores = fit_head(table, settings, **options).scores(open_table.embeddings)
        more = guess(known.plain.take(rows), open_table, scores, SHARE)
        return fit_head(FeatureTable.joined([table, more]), settings, **options)
    except StopError as error:
        if error.code != "E_ONE_CLASS":
            raise
        return None
