"""Scaling of features before a machine reads them, alike for classes and for numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from latentdx.features.table import FeatureTable
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

    @property
    def weights(self) -> Sequence[float]:
        """Shares of all components that a covariate may count for."""


def chosen_scaling(
    table: FeatureTable,
    settings: Scaling,
    choose: Callable[[list[Floats]], tuple[int, float]],
    *,
    n_scans: int,
    unlabelled: FeatureTable | None,
) -> tuple[Standardiser, PrincipalComponents, float]:
    """The standardiser, the chosen form of the components, and the machine's chosen strength.

    Of a training table whose first `n_scans` rows are scans. `choose` takes forms of the scans,
    each (N, M), and gives the number of one, and a strength. What stands beside the picture is
    handed through behind the components, its weight chosen as their form is.
    """
    image = table.image().embeddings
    others = None if unlabelled is None else unlabelled.image().embeddings
    standardiser, forms = fit_scaling(image, settings, n_scans=n_scans, others=others)
    scaled = standardiser(image[:n_scans])
    form, strength = choose([components(scaled) for components in forms])
    if not (count := table.n_beside):
        return standardiser, forms[form], strength
    standardiser = standardiser.beside(count)
    weighed = [forms[form].beside(count, weight) for weight in settings.weights]
    scaled = standardiser(table.embeddings[:n_scans])
    form, strength = choose([components(scaled) for components in weighed])
    return standardiser, weighed[form], strength


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
