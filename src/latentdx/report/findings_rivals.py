"""The baselines and the control of several findings a scan: each finding is asked alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentdx.autoencoder.base import Autoencoder
from latentdx.collection.finding_scans import FindingScans
from latentdx.collection.table import CollectionTable
from latentdx.core.seeds import derive_seed
from latentdx.diagnosis.findings_head import train_heads
from latentdx.diagnosis.head import Head, HeadSettings
from latentdx.diagnosis.views import Viewed
from latentdx.features.table import Extract, FeatureTable
from latentdx.metrics.estimate import Estimate
from latentdx.metrics.summary import NAMES
from latentdx.report.baselines import Rivals, by_metadata, columns_beside
from latentdx.report.controls import ControlScans, mean_of, shuffles
from latentdx.report.findings_predictions import FindingPredictions
from latentdx.report.predictions import Predictions

Aim = Callable[[Sequence[Head], Extract], list[Head]]


@dataclass(frozen=True)
class FindingRivals:
    """What the baselines are made from; fields as those of `Rivals`.

    `aim` gives the heads the thresholds that the model's own were given.
    """

    scans: FindingScans
    network: Autoencoder
    settings: HeadSettings
    seed: int
    aim: Aim | None = None
    unlabelled: Callable[[Extract], FeatureTable] | None = None

    def majority(self) -> FindingPredictions:
        """Of each finding what is commoner in the training part."""
        return self._said([self._of(number).majority() for number in self._numbers()])

    def with_features(self, extract: Extract) -> FindingPredictions:
        """The same augmented, balanced, calibrated classifiers on other features."""
        heads = train_heads(
            self.scans.part("train"),
            self.scans.part("calibrate"),
            extract,
            self.settings,
            seed=derive_seed(self.seed, "head"),
            unlabelled=None if self.unlabelled is None else self.unlabelled(extract),
        )
        if self.aim is not None:
            heads = self.aim(heads, extract)
        test = self.scans.part("test")
        seen = Viewed.of(test.scans, extract, flip=self.settings.flip)
        return self._said(
            [
                _predictions(test, number, head, head.probabilities(seen.scores(head)))
                for number, head in enumerate(heads)
            ]
        )

    def fresh_network(self) -> Autoencoder:
        """The same encoder with random weights, which has seen the training part's statistics."""
        return self._of(0).fresh_network()

    def by_metadata(self, table: CollectionTable) -> tuple[FindingPredictions | None, list[str]]:
        """Logistic regression on all but the picture; columns that name a finding are in none."""
        beside = [columns_beside(table, self.scans.question(number)) for number in self._numbers()]
        told = sorted({name for _, names in beside for name in names})
        columns = {name: values for name, values in beside[0][0].items() if name not in told}
        if not columns:
            return None, told
        questions = [self.scans.question(number) for number in self._numbers()]
        return self._said([by_metadata(columns, one, self.seed) for one in questions]), told

    def _numbers(self) -> range:
        return range(len(self.scans.names))

    def _of(self, number: int) -> Rivals:
        return Rivals(self.scans.question(number), self.network, self.settings, self.seed)

    def _said(self, each: Sequence[Predictions]) -> FindingPredictions:
        return FindingPredictions(dict(zip(self.scans.names, each, strict=True)))


def shuffled_findings(
    heads: Sequence[Head], scans: FindingScans, embeddings: NDArray[np.float32], seed: int
) -> dict[str, Estimate]:
    """The control of shuffled labels: the mean over findings, and over shuffles, of each metric.

    A patient takes over all findings of another one: what goes together stays together. Of scans
    of train, calibrate and test with their `embeddings` (N, D).
    """
    each = [
        list(shuffles(head, _control(scans, k, head.reduced(embeddings)), seed))
        for k, head in enumerate(heads)
    ]
    whole = [
        [one for one in of_findings if one is not None] for of_findings in zip(*each, strict=True)
    ]
    found = [
        {name: _mean([one[name] for one in ones]) for name in NAMES}
        for ones in whole
        if len(ones) == len(heads)
    ]
    test = scans.part("test").decided().scans
    return mean_of(found, len(test), len(np.unique(test.patients)))


def _control(scans: FindingScans, number: int, features: NDArray[np.float32]) -> ControlScans:
    return ControlScans(scans.decided().question(number), scans.scans.pooled(features))


def _mean(estimates: Sequence[Estimate]) -> Estimate:
    values = [item.value for item in estimates]
    known = [value for value in values if value is not None]
    mean = float(np.mean(known)) if len(known) == len(values) else None
    return Estimate(mean, None, None, estimates[0].n_scans, estimates[0].n_patients)


def _predictions(
    test: FindingScans, number: int, head: Head, table: NDArray[np.float64]
) -> Predictions:
    asked = test.decided().question(number)
    return Predictions(asked.labels, asked.patients, table, head.decide(table))
