"""A head, and a model, for the scans of another site: adapted to how they look, not to labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import StopError
from latentdx.diagnosis.head import Head
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.features.adapt import FEWEST, Adaptation, adapted
from latentdx.features.extract import embed

Floats = NDArray[np.float32]


def adapted_head(head: Head, name: Adaptation, target: Floats) -> Head:
    """A head that reads scans of another site, with embeddings `target` (N, D), as its own.

    The classifier, its threshold and its calibration stay. Scores that stand behind the features
    (of a fine-tuned copy of the encoder) are not adapted. Raises `StopError` ``E_ADAPT`` where the
    head keeps nothing of its scans, or of the site there are fewer than ten.
    """
    if head.source is None:
        found = "the model does not know what its own scans are like"
        fix = "make it again with this version, without --covariates and --measures"
        raise StopError("E_ADAPT", found, fix=fix)
    if len(target) < FEWEST:
        found = f"{len(target)} scans do not tell what a site is like"
        raise StopError("E_ADAPT", found, fix=f"give at least {FEWEST}")
    scaling = head.standardiser, head.components
    standardiser, moved = adapted(name, head.source, scaling, target[:, : head.width])
    return replace(head, standardiser=standardiser, moved=moved)


def adapted_model(model: DiagnosticModel, name: Adaptation, pixels: Floats) -> DiagnosticModel:
    """The model for the site that scans with `pixels` (N, C, *spatial) are of."""
    target = embed(model.encoder, pixels, model.kind)
    return replace(model, head=adapted_head(model.head, name, target))
