"""`RegressionHead`: from features to a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.labelled_values import ValuedScans
from latentdx.diagnosis.head import HeadSettings
from latentdx.diagnosis.machine import Floats, Machine
from latentdx.diagnosis.regressors import RegressorName, choose_regressor, fit_regressor
from latentdx.diagnosis.scaling import fit_scaling
from latentdx.diagnosis.training_table import training_table
from latentdx.diagnosis.views import score_views
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

    def values(self, views: Sequence[Floats]) -> Values:
        """Predicted values (N,), averaged over one or two views of the same scans, each (N, D)."""
        return self.target.in_units(score_views(self, views)[:, 0])


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
    others = None if unlabelled is None else unlabelled.embeddings
    standardiser, forms = fit_scaling(table.embeddings, settings, n_scans=n_scans, others=others)
    scaled = standardiser(table.embeddings)
    form, strength = choose_regressor(
        name,
        [components(scaled[:n_scans]) for components in forms],
        values,
        train.scans.patients.tolist(),
        seed=seed,
    )
    repeated = np.tile(values, len(table) // n_scans)
    machine = fit_regressor(name, forms[form](scaled), repeated, strength)
    return RegressionHead(name, strength, standardiser, forms[form], machine, target)
