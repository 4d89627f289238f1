"""Six ways from some labelled scans to scores of tested ones; every score is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.label_draws import budgets, drawn
from benchmarks.worth import scored_draws
from benchmarks.worth_encoders import EPOCHS, POOLS, VARIANTS, Variant, encoder
from benchmarks.worth_sets import Scans
from latentdx.autoencoder.base import Autoencoder
from latentdx.collection.labelled import LabelledScans
from latentdx.core.hashing import hash_array, hash_json
from latentdx.core.seeds import derive_seed, numpy_generator
from latentdx.diagnosis.fine_tune import fine_tune
from latentdx.diagnosis.fine_tuned import spreads
from latentdx.diagnosis.head import HeadSettings
from latentdx.diagnosis.scratch import scores
from latentdx.diagnosis.scratch_recipe import Recipe
from latentdx.diagnosis.views import views_of
from latentdx.features.extract import embed
from latentdx.features.kinds import DEFAULT
from latentdx.features.pixels import flat_pixels, hog
from latentdx.features.table import Extract
from latentdx.study.fine_tuning import FEW, fine_tune_settings
from latentdx.study.settings import RunSettings
from latentdx.study.unlabelled import MOST_FOR_SCALE

LATENTDX, FROZEN, CNN = "latentdx", "without-fine-tuning", "cnn"
HEADS = (FROZEN, "untrained-encoder", "pixels-pca-svm", "hog-svm")
"""One classifier on features that differ."""
WAYS = (LATENTDX, *HEADS, CNN)
FOLD = 0
Point = tuple[float, int]
"""A fraction of the labels, and the number of a draw."""
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Effort:
    """How much is done: less of it only to see whether all works."""

    variant: Variant = VARIANTS["default"]
    recipe: Recipe = Recipe()  # noqa: RUF009 - frozen
    fine_tune: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Trials:
    """One set's fold: what is learned from, what is tested, and the scores so far.

    `sets` holds the sets by whose unlabelled scans the encoder is trained, this one among them.
    """

    name: str
    sets: dict[str, Scans]
    folder: Path
    effort: Effort

    @cached_property
    def learned(self) -> LabelledScans:
        """Scans whose labels are drawn from."""
        scans = self.sets[self.name]
        return scans.scans(scans.learned(FOLD))

    @cached_property
    def tested(self) -> LabelledScans:
        """Scans of other patients."""
        scans = self.sets[self.name]
        return scans.scans(scans.tested(FOLD))

    @cached_property
    def budgets(self) -> dict[float, tuple[int, ...]]:
        """Labelled patients of each class by fraction."""
        return budgets(self.learned.labels, self.learned.patients)

    def rows(self, point: Point) -> NDArray[np.int64]:
        """Learned scans with a label."""
        learned, (fraction, draw) = self.learned, point
        return drawn(learned.labels, learned.patients, fraction, name=self.name, draw=draw)

    def kept(self, way: str, point: Point) -> Scores | None:
        """Scores (M,) of the second class of two, or (M, K), where they are made already."""
        place = self._place(way, point)
        return np.load(place) if place.exists() else None

    def make(self, way: str, points: Sequence[Point]) -> bool:
        """Make and keep the scores of those points that lack them; whether any did."""
        missing = [point for point in points if not self._place(way, point).exists()]
        if not missing:
            return False
        print(f"{self.name}, {way}: {_told(missing)}", flush=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        for point, found in zip(missing, self._scores(way, missing), strict=True):
            np.save(self._place(way, point), found.astype(np.float64))
        return True

    def _scores(self, way: str, points: Sequence[Point]) -> Iterator[NDArray[Any]]:
        if way == CNN:
            yield from map(self._of_network, points)
            return
        if way == LATENTDX:
            self.make(FROZEN, points)
            yield from map(self._joint, points)
            return
        found = scored_draws(
            (self.learned, self.tested),
            self._extract(way),
            [self.rows(point) for point in points],
            seed=derive_seed(FOLD, "head"),
            most_unlabelled=MOST_FOR_SCALE,
        )
        yield from (each[:, 0] if each.shape[1] == 1 else each for each in found)

    def _joint(self, point: Point) -> Scores:
        """Classifier and fine-tuned network, as a run joins them; the former where labels are many.

        A run takes their deviations from the scans of ``calibrate``, here it is the tested scans.
        """
        frozen, rows = self.kept(FROZEN, point), self.rows(point)
        if frozen is None:
            raise LookupError(f"{FROZEN} comes first")
        if len(rows) > FEW:
            return frozen
        settings = fine_tune_settings(RunSettings(source=""), "all", len(rows))
        settings = replace(settings, **self.effort.fine_tune)
        seed = derive_seed(point[1], "fine-tune")
        others = np.setdiff1d(np.arange(len(self.learned)), rows)
        others = numpy_generator(seed, "unlabelled").permutation(others)[:MOST_FOR_SCALE]
        unlabelled = self.learned.pixels[np.sort(others)] if len(others) else None
        found = fine_tune(
            self._network, self.learned.take(rows), settings, seed=seed, unlabelled=unlabelled
        )
        own = np.mean(views_of(self.tested.pixels, found.scores, flip=settings.flip), axis=0)
        own = own[:, 0] if frozen.ndim == 1 else own
        return frozen / spreads(frozen) + own / spreads(own)

    @cached_property
    def _network(self) -> Autoencoder:
        return encoder(self.sets, list(self.sets), self.effort.variant, FOLD, trained=True)

    def _of_network(self, point: Point) -> Scores:
        learned = self.learned.take(self.rows(point))
        logits = scores(
            learned.pixels,
            learned.labels,
            self.tested.pixels,
            recipe=self.effort.recipe,
            seed=derive_seed(point[1], CNN),
        )
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    def _extract(self, way: str) -> Extract:
        if way in (FROZEN, "untrained-encoder"):
            return self._embedding(trained=way == FROZEN)
        made: dict[str, Callable[..., NDArray[np.float32]]] = {
            "pixels-pca-svm": flat_pixels,
            "hog-svm": hog,
        }
        return made[way]

    def _embedding(self, *, trained: bool) -> Extract:
        network: Autoencoder = encoder(
            self.sets, list(self.sets), self.effort.variant, FOLD, trained=trained
        )
        return lambda pixels: embed(network, pixels)

    def _place(self, way: str, point: Point) -> Path:
        how: list[Any] = [repr(HeadSettings()), MOST_FOR_SCALE]
        if way == CNN:
            how = [repr(self.effort.recipe)]
        elif way in (LATENTDX, FROZEN, "untrained-encoder"):
            how += [repr(self.effort.variant), EPOCHS, list(self.sets), DEFAULT]
        if way == LATENTDX:
            how.append(repr(fine_tune_settings(RunSettings(source=""), "all", FEW)))
        told = [self.name, way, *point, hash_array(self.rows(point)), *how]
        fraction, draw = point
        return self.folder / f"{self.name}-{way}-{fraction}-{draw}-{hash_json(told)[:12]}.npy"


def pool(sets: dict[str, Scans], name: str) -> dict[str, Scans]:
    """The sets whose unlabelled scans train the encoder for one of them."""
    for names in POOLS.values():
        if name in names:
            return {each: sets[each] for each in names if each in sets}
    return {name: sets[name]}


def _told(points: Sequence[Point]) -> str:
    fractions = sorted({fraction for fraction, _ in points})
    return f"{len(points)} fits at " + ", ".join(f"{100 * one:g} %" for one in fractions)
