"""Adaptation of features to scans of another site, by name: none of it sees a label of theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from latentdx.features.adapt_combat import combat
from latentdx.features.adapt_coral import coral
from latentdx.features.adapt_standardise import standardise
from latentdx.features.adapt_subspace import subspace
from latentdx.features.adapt_transport import transport
from latentdx.features.moments import Affine, Columns, Floats, Moments, Spread
from latentdx.features.table import FeatureTable
from latentdx.features.whiten import PrincipalComponents, Standardiser

Adaptation = Literal["standardise", "combat", "coral", "transport", "subspace"]
"""Of features that there are."""
LookAdaptation = Literal["histogram", "batch-norm"]
"""Of how scans look to the encoder: features are made anew."""
AdaptChoice = Literal["none", "auto", Adaptation, LookAdaptation]
"""``auto``: which of `METHODS` helps between the sites that a model is made from, if any."""

OF_FEATURES: Mapping[str, Callable[[Spread, Floats], Columns]] = {
    "standardise": standardise,
    "combat": combat,
}
OF_COMPONENTS: Mapping[str, Callable[[Moments, Floats], Affine]] = {
    "coral": coral,
    "transport": transport,
    "subspace": subspace,
}
METHODS: tuple[Adaptation, ...] = get_args(Adaptation)
OF_LOOKS: tuple[LookAdaptation, ...] = get_args(LookAdaptation)
FEWEST = 10
"""Scans of a site that tell what it is like."""


@dataclass(frozen=True)
class Source:
    """What is known of the scans that a classifier has learned from.

    Attributes
    ----------
    mean, deviation: (D,), of their features.
    covariance: (M, M), of their components.
    levels: (11,), what grey levels the scans have (see `levels_of`); None in older bundles.
    norms: (2, W), see `statistics_of`; None there, too, and where there are none.
    """

    mean: Floats
    deviation: Floats
    covariance: Floats
    levels: Floats | None = None
    norms: Floats | None = None

    @classmethod
    def of(
        cls,
        table: FeatureTable,
        n_scans: int,
        standardiser: Standardiser,
        components: PrincipalComponents,
    ) -> Source | None:
        """Of the first rows of a table, and how it is scaled.

        None where something stands beside the pictures: then nothing is adapted.
        """
        if table.n_beside:
            return None
        features = table.embeddings[:n_scans]
        spread = Spread.of(features)
        reduced = Moments.of(components(standardiser(features)))
        return cls(spread.mean, spread.deviation, reduced.covariance)


def adapted(
    name: Adaptation,
    source: Source,
    scaling: tuple[Standardiser, PrincipalComponents],
    target: Floats,
) -> tuple[Standardiser, Affine | None]:
    """A standardiser, and a map behind the components, for a site.

    Of the site features `target` (N, D) are known. Scaled so they lie where those of the source lie
    as they are scaled: moved by column before scaling (`OF_FEATURES`), or behind it.

    Examples
    --------
    >>> chance = np.random.default_rng(0)
    >>> here, there = chance.normal(size=(2, 200, 4)).astype(np.float32) * [[[1]], [[3]]]
    >>> scaling = Standardiser.fit(here), PrincipalComponents.fit(here, 4)
    >>> source = Source(here.mean(axis=0), here.std(axis=0), np.eye(4, dtype=np.float32))
    >>> standardiser, _ = adapted("standardise", source, scaling, there)
    >>> bool(np.allclose(standardiser(there).std(axis=0), 1, atol=1e-3))
    True
    """
    standardiser, components = scaling
    if name in OF_FEATURES:
        moved = OF_FEATURES[name](Spread(source.mean, source.deviation), target)
        mean = (standardiser.mean - moved.shift) / moved.scale
        scale = standardiser.scale / moved.scale
        return Standardiser(mean.astype(np.float32), scale.astype(np.float32)), None
    middle = components(standardiser(source.mean[None]))[0]
    reduced = components(standardiser(target))
    return standardiser, OF_COMPONENTS[name](Moments(middle, source.covariance), reduced)
