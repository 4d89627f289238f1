"""`RegressionHead`: from features to a number."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.labelled_values import ValuedScans
from latentdx.diagnosis.head import HeadSettings
from latentdx.diagnosis.machine import Floats, Machine
from latentdx.diagnosis.regressors import RegressorName, choose_regressor, fit_regressor
from latentdx.diagnosis.scaling import chosen_scaling
from latentdx.diagnosis.training_table import training_table
from latentdx.features.table import Extract, FeatureTable
from latentdx.features.whiten import PrincipalComponents, Standardiser

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Target:
    """The mean and the deviation of the training part's values, in their unit."""

    mean: Values
    scale: Values

    @classmethod
    def fit(cls, values: Values) -> Target:
        """From values (N,); where all are alike they are only centred."""
        spread = float(values.std())
        return cls(np.asarray(values.mean()), np.asarray(spread if spread > 0 else 1.0))

    def standardised(self, values: Values) -> Values:
        """(N,) in deviations from the mean."""
        found: Values = (values - self.mean) / self.scale
        return found

    def in_units(self, values: Values | Floats) -> Values:
        """Undo `standardised`."""
        found: Values = values.astype(np.float64) * self.scale + self.mean
        return found


@dataclass(frozen=True)
class RegressionHead:
    """Standardised, reduced features into a machine; its predictions in the unit of the values.

    `strength` is the chosen C (or k, ...: see `STRENGTHS`).
    """

    name: RegressorName
    strength: float
    standardiser: Standardiser
    components: PrincipalComponents
    machine: Machine
    target: Target

    def reduced(self, embeddings: Floats) -> Floats:
        """(N, D) to (N, M): standardised, then principal components of mean variance 1."""
        return self.components(self.standardiser(embeddings))

    def scores(self, embeddings: Floats) -> Floats:
        """Predictions (N, 1) of embeddings (N, D), in deviations from the mean."""
        return self.machine.scores(self.reduced(embeddings))

    def importance(self, embeddings: Floats) -> None:
        """All scans of a case count alike."""

    def values(self, scores: Floats) -> Values:
        """Predicted values (N,) of scores (N, 1)."""
        return self.target.in_units(scores[:, 0])


def train_regression_head(
    train: ValuedScans,
    extract: Extract,
    name: RegressorName,
    settings: HeadSettings,
    *,
    seed: int,
    unlabelled: FeatureTable | None = None,
) -> RegressionHead:
    """Augment, extract and fit on `train`; `settings` say how many copies, components and forms.

    Used alike for the autoencoder's features and for every baseline. Features are scaled as those
    of a classifier are (see `fit_head`); their form and the machine's strength are chosen by the
    squared error in folds of patients. Values are standardised by those of the scans themselves.
    """
    n_scans = len(train)
    table = training_table(train.scans, extract, settings, seed=seed)
    target = Target.fit(train.values)
    values = target.standardised(train.values)
    patients = train.scans.patients.tolist()
    choice = partial(choose_regressor, name, values=values, patients=patients, seed=seed)
    standardiser, components, strength = chosen_scaling(
        table, settings, choice, n_scans=n_scans, unlabelled=unlabelled
    )
    repeated = np.tile(values, len(table) // n_scans)
    machine = fit_regressor(name, components(standardiser(table.embeddings)), repeated, strength)
    return RegressionHead(name, strength, standardiser, components, machine, target)
