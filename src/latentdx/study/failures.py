"""Where a model fails, whatever the task: groups of test scans, and hidden ones."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.labelled import LabelledScans
from latentdx.collection.table import CollectionTable
from latentdx.diagnosis.drift_answers import Reducing, reduced
from latentdx.features.covariates import Covariates
from latentdx.report.findings_predictions import FindingPredictions
from latentdx.report.strata import Strata, strata_of, strata_warnings
from latentdx.report.subgroups import finding_subgroups, gap_warnings, subgroups


class Reading(Protocol):
    """A model, as far as its features are grouped."""

    @property
    def head(self) -> Reducing:
        """What reduces them."""

    @property
    def covariates(self) -> Covariates | None:
        """What it reads beside the picture."""


class Result(Protocol):
    """The model's outputs on the test part, whatever the task."""

    @property
    def scans(self) -> LabelledScans:
        """What is scored; of cases the first scan."""

    @property
    def predictions(self) -> Any:
        """What is said of them."""

    @property
    def embeddings(self) -> NDArray[np.float32]:
        """(N, D)."""


def tell_failures(
    metrics: dict[str, Any], model: Reading, result: Result, table: CollectionTable, seed: int
) -> Strata:
    """Subgroups and hidden strata into the metrics and their warnings; the strata also as rows."""
    said, scan_ids = result.predictions, result.scans.scan_ids.tolist()
    metrics |= subgroups(said, scan_ids, table, seed)
    if isinstance(said, FindingPredictions):
        metrics |= finding_subgroups(said.each, scan_ids, table, seed)
    strata = strata_of(reduced(model.head, result.embeddings, model.covariates), said, seed)
    metrics["strata"] = strata.told
    are_numbers = said.group_metric == "mae"
    metrics["warnings"] += gap_warnings(metrics)
    metrics["warnings"] += strata_warnings(strata.told, are_numbers=are_numbers)
    return strata
