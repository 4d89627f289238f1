"""The rivals of a model of numbers: the same machine without the autoencoder, and less."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from latentdx.autoencoder.base import Autoencoder
from latentdx.collection.labelled_values import ValuedScans
from latentdx.collection.table import CollectionTable
from latentdx.core.seeds import derive_seed
from latentdx.diagnosis.head import HeadSettings
from latentdx.diagnosis.regression_head import Target, train_regression_head
from latentdx.diagnosis.regressors import RegressorName, choose_regressor, fit_regressor
from latentdx.diagnosis.views import Viewed
from latentdx.features.metadata import (
    Column,
    MetadataEncoder,
    follows_line,
    metadata_columns,
    names_the_label,
    numbers_of,
)
from latentdx.features.table import Extract, FeatureTable
from latentdx.report.baselines import Step, run_baselines, seen_but_untrained
from latentdx.report.value_predictions import ValuePredictions, Values


@dataclass(frozen=True)
class ValueRivals:
    """What the baselines are made from; see `Rivals`."""

    scans: ValuedScans
    network: Autoencoder
    name: RegressorName
    settings: HeadSettings
    seed: int
    unlabelled: Callable[[Extract], FeatureTable] | None = None

    def majority(self) -> ValuePredictions:
        """Every scan gets the median of the training part: no constant has a smaller error."""
        median = float(np.median(self.scans.part("train").decided().values))
        return self._predictions(np.full(len(self.scans.part("test").decided()), median))

    def with_features(self, extract: Extract) -> ValuePredictions:
        """The model's machine, augmented and chosen alike, on other features."""
        head = train_regression_head(
            self.scans.part("train"),
            extract,
            self.name,
            self.settings,
            seed=derive_seed(self.seed, "head"),
            unlabelled=None if self.unlabelled is None else self.unlabelled(extract),
        )
        seen = Viewed.of(self.scans.part("test").scans, extract, flip=self.settings.flip)
        return self._predictions(head.values(seen.scores(head)))

    def fresh_network(self) -> Autoencoder:
        """The same encoder with random weights, which has seen the training part's statistics."""
        return seen_but_untrained(self.network, self.scans.part("train").scans.pixels, self.seed)

    def _predictions(self, predicted: Values) -> ValuePredictions:
        test = self.scans.part("test").decided()
        return ValuePredictions(test.values, predicted, test.scans.patients)


def value_baselines(
    rivals: ValueRivals, table: CollectionTable, step: Step
) -> tuple[dict[str, ValuePredictions], list[str]]:
    """All baselines by name, and the columns left out since they are the label in other words."""
    columns, told = columns_beside_values(table, rivals.scans)
    told_by = by_metadata(columns, rivals.scans, rivals.seed) if columns else rivals.majority()
    found = run_baselines(rivals, {"metadata": told_by}, step)
    return {"median": found.pop("majority"), **found}, told


def columns_beside_values(
    table: CollectionTable, valued: ValuedScans
) -> tuple[dict[str, Column], list[str]]:
    """What is known of scans but the picture, and which columns are the value in other words."""
    rows = {name: index for index, name in enumerate(table.scan_id.tolist())}
    ids = valued.scans.scan_ids.tolist()
    columns = metadata_columns(table.take([rows[name] for name in ids]))
    _, codes = np.unique(valued.values, return_inverse=True)
    told = [
        name
        for name, column in columns.items()
        if names_the_label(column, codes) or follows_line(numbers_of(column), valued.values)
    ]
    return {name: column for name, column in columns.items() if name not in told}, told


def by_metadata(columns: Mapping[str, Column], valued: ValuedScans, seed: int) -> ValuePredictions:
    """Ridge regression on columns, each (N,) as the scans."""
    scans = valued.scans
    train = scans.parts == "train"
    known = np.flatnonzero(train).tolist()
    encode = MetadataEncoder.fit(
        {name: tuple(column[row] for row in known) for name, column in columns.items()}
    )
    features = encode(dict(columns))
    target = Target.fit(valued.values[train])
    values = target.standardised(valued.values[train])
    names = scans.patients[train].tolist()
    seed = derive_seed(seed, "metadata")
    _, strength = choose_regressor("ridge", [features[train]], values, names, seed=seed)
    machine = fit_regressor("ridge", features[train], values, strength)
    predicted = target.in_units(scans.pooled(machine.scores(features))[:, 0])
    cases = valued.decided()
    tested = cases.scans.parts == "test"
    return ValuePredictions(cases.values[tested], predicted[tested], cases.scans.patients[tested])
