"""`evaluate_findings`: the test part opened for a model of several findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.finding_scans import FindingScans
from latentdx.collection.labelled import LabelledScans
from latentdx.diagnosis.findings_model import FindingsModel
from latentdx.report.abstention import abstention_of, ratios
from latentdx.report.evaluate import TestResult, reconstruction
from latentdx.report.findings_predictions import FindingPredictions
from latentdx.report.model_metrics import finding_metrics
from latentdx.report.predictions import Predictions


@dataclass(frozen=True)
class FindingsResult:
    """The model's outputs on the test part for each finding, and what is scored of them."""

    tested: FindingScans
    each: tuple[TestResult, ...]

    @property
    def scans(self) -> LabelledScans:
        """The test scans."""
        return self.tested.scans

    @property
    def embeddings(self) -> NDArray[np.float32]:
        """(N, D), of cases their scans' mean."""
        return self.each[0].embeddings

    @property
    def predictions(self) -> FindingPredictions:
        """What is scored."""
        found = [result.predictions for result in self.each]
        return FindingPredictions(dict(zip(self.tested.names, found, strict=True)))


def evaluate_findings(
    model: FindingsModel, test: FindingScans, groups: Sequence[str] | None = None
) -> FindingsResult:
    """Run the model on every test scan; `groups` as in `evaluate_test`."""
    cases = None if test.scans.cases is None else test.scans.together()
    computed = model.compute(test.scans.pixels, groups, test.scans.beside, cases)
    test = test.decided()
    found = []
    for number, outputs in enumerate(computed):
        scans = test.question(number)
        said = Predictions(scans.labels, scans.patients, outputs.probabilities, outputs.decisions)
        found.append(TestResult(scans, outputs, said))
    return FindingsResult(test, tuple(found))


def findings_as_json(result: FindingsResult, seed: int) -> dict[str, Any]:
    """All metrics of each finding, and its ``prevalence`` in the test part."""
    each = result.predictions.each
    metrics = {name: finding_metrics(one, seed) for name, one in each.items()}
    positive = result.tested.targets.astype(np.float64)
    every = np.ones(len(positive))
    columns = {name: (positive[:, k], every) for k, name in enumerate(metrics)}
    shares = ratios(columns, result.scans.patients, seed)
    return {name: {"prevalence": shares[name], **found} for name, found in metrics.items()}


def findings_abstention(
    model: FindingsModel, result: FindingsResult, groups: Sequence[str] | None, seed: int
) -> dict[str, Any]:
    """What prediction sets hold over all findings of the test scans, and of each finding.

    The set of a finding holds ``no``, yes or both; it counts as an answer where it holds one.
    """
    labels = result.tested.targets
    sets = np.stack([one.outputs.sets for one in result.each], axis=1)  # (N, L, 2)
    held = np.take_along_axis(sets, labels[:, :, None], axis=2)[:, :, 0]
    single = sets.sum(axis=2) == 1
    every = np.ones(len(labels))
    numbers = ratios(
        {
            "coverage": (held.mean(axis=1), every),
            "answered_fraction": (single.mean(axis=1), every),
            "accuracy_when_answered": (
                (held & single).sum(axis=1).astype(np.float64),
                single.sum(axis=1).astype(np.float64),
            ),
        },
        result.scans.patients,
        seed,
    )
    rule = model.models[0].sets
    parts = zip(result.tested.names, model.models, result.each, strict=True)
    return {
        "target_coverage": rule.coverage,
        **numbers,
        "sets": rule.kind,
        "findings": {name: abstention_of(one, of, groups, seed) for name, one, of in parts},
    }


def rebuilt_as_json(result: FindingsResult, seed: int) -> dict[str, Any]:
    """How well the test scans are reconstructed."""
    return reconstruction(result.each[0], seed)
