"""`evaluate_test`: the one place where the test part is opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.labelled import LabelledScans
from latentdx.core.seeds import numpy_generator
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.outputs import Outputs
from latentdx.features.extract import batches_of
from latentdx.metrics.bootstrap import bootstrap
from latentdx.metrics.estimate import Estimate
from latentdx.report.predictions import Predictions


@dataclass(frozen=True)
class TestResult:
    """The model's outputs on the test part, and the predictions that are scored."""

    __test__ = False  # not a test case, whatever pytest thinks of the name

    scans: LabelledScans
    outputs: Outputs
    predictions: Predictions

    @property
    def embeddings(self) -> NDArray[np.float32]:
        """(N, D), of cases their scans' mean."""
        return self.outputs.embeddings


def evaluate_test(
    model: DiagnosticModel, test: LabelledScans, groups: Sequence[str] | None = None
) -> TestResult:
    """Run the model on every test scan; those it would not evaluate are scored all the same.

    `groups` (N,): their values of the column of `model.sets`, where there is one.
    """
    cases = None if test.cases is None else test.together()
    outputs = model.compute(test.pixels, groups, test.beside, cases)
    return tested(outputs, test, ordered=model.head.ordered)


def tested(outputs: Outputs, test: LabelledScans, *, ordered: bool) -> TestResult:
    """What a model that says `outputs` of the scans that are decided gets right."""
    decided = test.decided()
    predictions = Predictions(
        decided.labels, decided.patients, outputs.probabilities, outputs.decisions, ordered
    )
    return TestResult(decided, outputs, predictions)


def reconstruction(result: TestResult, seed: int) -> dict[str, Any]:
    """`rebuilt_estimates` of the test scans."""
    return rebuilt_estimates(result.scans, result.outputs.reconstructions, seed)


def rebuilt_estimates(
    scans: LabelledScans, rebuilt: NDArray[np.float32], seed: int
) -> dict[str, Any]:
    """Mean squared error, PSNR (dB) and SSIM of reconstructions, with intervals."""
    columns = rebuilt_measures(scans.pixels, rebuilt)

    def statistic(weights: NDArray[Any]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = weights @ columns / weights.sum(axis=1, keepdims=True)
        return found

    found = _bootstrapped(statistic, scans.patients, seed)
    return {name: item.as_json() for name, item in zip(("mse", "psnr", "ssim"), found, strict=True)}


def rebuilt_measures(
    scans: NDArray[np.float32], rebuilt: NDArray[np.float32]
) -> NDArray[np.float64]:
    """(N, 3): mean squared error, PSNR (dB) and SSIM of reconstructions of (N, C, *spatial)."""
    import torch

    from latentdx.autoencoder.losses.structural import structural_similarity

    axes = tuple(range(1, scans.ndim))
    squared = ((scans - rebuilt) ** 2).mean(axis=axes).astype(np.float64)
    similar = np.concatenate(
        [
            structural_similarity(torch.from_numpy(scans[rows]), torch.from_numpy(rebuilt[rows]))
            for rows in batches_of(scans.shape)
        ]
    )
    return np.stack([squared, -10 * np.log10(squared + 1e-12), similar], axis=1)


def _bootstrapped(statistic: Any, patients: NDArray[np.str_], seed: int) -> list[Estimate]:
    return bootstrap(statistic, patients, generator=numpy_generator(seed, "bootstrap"))
