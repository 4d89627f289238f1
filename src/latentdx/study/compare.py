"""`compare`: several autoencoders by name, all judged alike on tune, beside what needs no learning.

    each member, with each seed       trained without labels; features probed with few labels
    the same member, untrained        what its architecture alone is worth
    pixels, hog                       what no network is needed for
    class shares                      what no picture is needed for

All are probed by the same draws of labels (`diagnosis.probe`), so that differences are paired.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from latentdx.autoencoder.engine.watch import Progress, Watch
from latentdx.autoencoder.family import FAMILY
from latentdx.autoencoder.objectives.names import OBJECTIVES
from latentdx.core.errors import LatentdxError
from latentdx.core.seeds import derive_seed
from latentdx.core.version import VERSION
from latentdx.diagnosis.head import HeadSettings
from latentdx.diagnosis.probe import Probe, ProbeSettings
from latentdx.features.extract import embed
from latentdx.features.pixels import flat_pixels, hog
from latentdx.report.baselines import Rivals
from latentdx.study.choice import ChoiceScans, fresh_member, open_choice, train_member
from latentdx.study.choice_folder import claimed
from latentdx.study.compare_result import (
    RESULTS,
    Entry,
    publish_comparison,
    read_entry,
    write_entry,
)
from latentdx.study.encoder import save_encoder
from latentdx.study.reporter import Reporter
from latentdx.study.search_space import known
from latentdx.study.settings import RunSettings, settings_from

ENCODERS = "encoders"


@dataclass(frozen=True)
class Recipe:
    """What is compared: a member and the objectives beside it, each with its own weight."""

    name: str
    autoencoder: str
    objectives: tuple[str, ...] = ()

    def values(self) -> dict[str, Any]:
        """As values of `RunSettings`."""
        weights = {
            name: kind.weight for name, kind in OBJECTIVES.items() if name in self.objectives
        }
        return {"autoencoder": self.autoencoder, "objectives": weights}


@dataclass(frozen=True)
class CompareSettings:
    """What is compared and how.

    Attributes
    ----------
    base: the settings of a run that all share: source, seed, epochs...
    n_seeds: trainings of each member; `minutes`: the most that each takes, or None.
    labelled: labels with which features are judged.
    """

    base: RunSettings
    recipes: tuple[Recipe, ...]
    n_seeds: int = 1
    minutes: float | None = None
    labelled: int = ProbeSettings.labelled

    def as_json(self) -> dict[str, Any]:
        """What a finished member depends on: not on who else is compared, nor on how many seeds."""
        base = self.base.model_dump(mode="json", exclude={"source"}, exclude_defaults=True)
        return {**base, "minutes": self.minutes, "labelled": self.labelled}


def recipe_of(text: str) -> Recipe:
    """``masked`` is a member, ``masked+vicreg`` one with an objective. Raises ``E_NAME``.

    Examples
    --------
    >>> recipe_of("convolutional+vicreg").values()
    {'autoencoder': 'convolutional', 'objectives': {'vicreg': 0.2}}
    """
    member, *objectives = text.split("+")
    (member,) = known("autoencoder", (member,), FAMILY)
    names = known("objective", tuple(objectives), OBJECTIVES)
    return Recipe("+".join((member, *names)), member, names)


def compare(
    collection: Path, to: Path, settings: CompareSettings, reporter: Reporter
) -> dict[str, Any]:
    """Train, probe and compare; called again, finished members are kept.

    Returns what is in ``compare.json``. Raises `StopError` ``E_DESTINATION`` and the errors of
    `split_by_patient` and `pretrain`.
    """
    reporter.step("open", "Reading the scans of train and tune")
    scans = open_choice(collection, settings.base)
    told = {**settings.as_json(), "scans": scans.key, "version": VERSION}
    with claimed(to, told, {*RESULTS, ENCODERS}) as work:
        at_work = _Comparison(scans, settings, to, work, reporter)
        entries = at_work.entries()
        seed = settings.base.seed
        return publish_comparison(to, settings.as_json(), entries, at_work.failed, seed=seed)


class _Comparison:
    """One comparison at work."""

    def __init__(
        self,
        scans: ChoiceScans,
        settings: CompareSettings,
        to: Path,
        work: Path,
        reporter: Reporter,
    ) -> None:
        self.scans, self.settings, self.reporter = scans, settings, reporter
        self.to, self.work = to, work
        self.asked = ProbeSettings(labelled=settings.labelled)
        self.seed = settings.base.seed
        self.failed: dict[str, str] = {}

    def entries(self) -> list[Entry]:
        """Everybody, those with several seeds once a seed."""
        seeds = range(self.settings.n_seeds)
        recipes = tuple(dict.fromkeys(self.settings.recipes))
        trained = [
            entry
            for recipe in recipes
            for seed in seeds
            if (entry := self._tried(recipe, seed)) is not None
        ]
        self.reporter.step("controls", "Probing what is not trained")
        members = dict.fromkeys(recipe.autoencoder for recipe in recipes)
        untrained = [
            self._kept(f"{name} untrained", seed, partial(self._untrained, name, seed))
            for name in members
            for seed in seeds
        ]
        return [*trained, *untrained, *self._baselines()]

    def _tried(self, recipe: Recipe, seed: int) -> Entry | None:
        """A training that diverges is told of, and the others go on; not where all do."""
        try:
            return self._kept(recipe.name, seed, partial(self._trained, recipe, seed))
        except LatentdxError as error:
            last = len(self.failed) + 1 == len(set(self.settings.recipes)) * self.settings.n_seeds
            if error.code != "E_DIVERGED" or last:
                raise
            self.failed[f"{recipe.name}, seed {seed + 1}"] = str(error)
            self.reporter.note(f"{recipe.name}, seed {seed + 1}: {error}")
            return None

    def _kept(self, name: str, seed: int, make: Callable[[], Entry]) -> Entry:
        """What was finished before, or made now and kept."""
        path = self.work / f"{name.replace(' ', '-')}-{seed}.safetensors"
        if (found := read_entry(path)) is None:
            found = make()
            write_entry(path, found)
        return found

    def _trained(self, recipe: Recipe, seed: int) -> Entry:
        label = f"{recipe.name}-{seed}"
        self.reporter.step(label, f"Training {recipe.name}, seed {seed + 1}")
        settings = self._run(recipe, seed)
        checkpoints = self.work / f"{label}.training"
        trained = train_member(
            fresh_member(self.scans, settings),
            self.scans,
            settings,
            minutes=self.settings.minutes,
            watch=Watch(progress=self._progress),
            checkpoints=checkpoints,
        )
        prepared = self.scans.prepared
        save_encoder(self.to / ENCODERS / label, trained.network, prepared.table, prepared.split)
        probe = self._probe(lambda pixels: embed(trained.network, pixels))
        shutil.rmtree(checkpoints, ignore_errors=True)
        facts = {
            "seconds": trained.seconds,
            "images_per_second": trained.images_per_second,
            "parameters": trained.n_parameters,
            "epochs": len(trained.history),
        }
        return Entry(recipe.name, "trained", f"{recipe.autoencoder} untrained", probe, facts)

    def _untrained(self, name: str, seed: int) -> Entry:
        settings = self._run(Recipe(name, name), seed)
        network = fresh_member(self.scans, settings)
        rivals = Rivals(self.scans.train, network, HeadSettings(), settings.seed)
        fresh = rivals.fresh_network()
        probe = self._probe(lambda pixels: embed(fresh, pixels))
        n_parameters = sum(held.numel() for held in fresh.parameters())
        return Entry(f"{name} untrained", "untrained", None, probe, {"parameters": n_parameters})

    def _baselines(self) -> list[Entry]:
        made = {"pixels": flat_pixels, "hog": hog}
        if len(self.scans.shape) > 3:
            del made["hog"]
        found = [
            self._kept(name, 0, partial(self._baseline, name, extract))
            for name, extract in made.items()
        ]
        probe = found[0].probe
        shares = np.bincount(self.scans.train.labels, minlength=probe.probabilities.shape[2])
        flat = np.broadcast_to(shares / shares.sum(), probe.probabilities.shape)
        return [*found, Entry("class shares", "baseline", None, replace(probe, probabilities=flat))]

    def _baseline(self, name: str, extract: Callable[[Any], Any]) -> Entry:
        return Entry(name, "baseline", None, self._probe(extract))

    def _probe(self, extract: Callable[[Any], Any]) -> Probe:
        return self.scans.probe(extract, self.asked, seed=self.seed)

    def _run(self, recipe: Recipe, number: int) -> RunSettings:
        """The settings of one training; the first has the seed of a run."""
        seed = self.seed if number == 0 else derive_seed(self.seed, "again", number)
        base: Mapping[str, Any] = self.settings.base.model_dump(exclude_defaults=True)
        return settings_from({**base, **recipe.values(), "seed": seed})

    def _progress(self, at: Progress) -> None:
        said = f"loss {at.loss:.3f}, {at.images_per_second:,.0f} images/s"
        self.reporter.progress(at.step, at.steps, said)
