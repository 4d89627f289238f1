"""Scaling of features before a machine reads them, alike for classes and for numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from latentdx.features.whiten import PrincipalComponents, Standardiser

Floats = NDArray[np.float32]

_MANY = 4  # scans a component


class Scaling(Protocol):
    """What says how features are scaled: `HeadSettings`."""

    @property
    def components(self) -> int:
        """Principal components kept."""

    @property
    def whitenings(self) -> Sequence[float]:
        """Forms in which they may come."""


def fit_scaling(
    embeddings: Floats, settings: Scaling, *, n_scans: int, others: Floats | None
) -> tuple[Standardiser, list[PrincipalComponents]]:
    """A standardiser, and the components in each of their forms.

    The first `n_scans` rows of embeddings (N, D) are scans, the others their copies. The scans are
    fitted on, with unlabelled `others` (M, D) beside them; few span too little, so that the copies
    join them. Half-whitened components are the default: ``docs/decisions/0015-few-labels.md``.
    """
    basis = embeddings[:n_scans]
    if others is not None and len(others):
        basis = np.concatenate([basis, others])
    if len(basis) < _MANY * settings.components:
        basis = np.concatenate([basis, embeddings[n_scans:]])
    standardiser = Standardiser.fit(basis)
    most = min(settings.components, len(basis) if others is not None else n_scans)
    return standardiser, PrincipalComponents.fit_forms(
        standardiser(basis), most, settings.whitenings
    )
