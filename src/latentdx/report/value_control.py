"""The control of a model of numbers, which must fail: the same machine on shuffled values."""

from __future__ import annotations

import numpy as np

from latentdx.collection.labelled_values import ValuedScans
from latentdx.core.seeds import derive_seed, numpy_generator
from latentdx.diagnosis.machine import Floats
from latentdx.diagnosis.regression_head import RegressionHead, Target
from latentdx.diagnosis.regressors import fit_regressor
from latentdx.metrics.estimate import Estimate
from latentdx.metrics.values import METRICS
from latentdx.report.controls import MOST_SCANS, N_SHUFFLES, mean_of, permuted
from latentdx.report.value_predictions import ValuePredictions, Values


def shuffled_values(
    head: RegressionHead, valued: ValuedScans, features: Floats, seed: int
) -> dict[str, Estimate]:
    """The mean of each metric over machines fitted again on values shuffled among patients.

    `valued` are the scans of train and test, `features` (N, M) their reduced ones. R2 should lie
    near 0 or a little below, and no correlation be left; see `shuffled_labels`.
    """
    found = []
    for number in range(N_SHUFFLES):
        drawn = derive_seed(seed, "shuffle", number)
        values = permuted(valued.values, valued.scans.patients, drawn)
        found.append(_one(head, valued, values, features, seed).metrics(seed, 0))
    test = valued.part("test").scans
    return mean_of(found, len(test), len(np.unique(test.patients)), tuple(METRICS))


def _one(
    head: RegressionHead, valued: ValuedScans, values: Values, features: Floats, seed: int
) -> ValuePredictions:
    train, test = (np.flatnonzero(valued.scans.parts == part) for part in ("train", "test"))
    train = numpy_generator(seed, "rows").permutation(train)[:MOST_SCANS]
    target = Target.fit(values[train])
    known = target.standardised(values[train])
    machine = fit_regressor(head.name, features[train], known, head.strength)
    predicted = target.in_units(machine.scores(features[test])[:, 0])
    return ValuePredictions(values[test], predicted, valued.scans.patients[test])
