"""Several models of one kind for the scans of several sites: each scan by its own site's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.cases import Cases
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.outputs import Look, Outputs, Pixels
from latentdx.diagnosis.views import score_views, weigh_views

Rows = NDArray[np.int64]
Kind = TypeVar("Kind", bound=np.generic)


@dataclass(frozen=True)
class SitePart:
    """The scans of a site, and the model that reads them.

    Attributes
    ----------
    name: of the site; ``""`` of scans of which it is not known, or of all together.
    rows: (n,), which of all scans they are.
    model, pixels: as adapted to them, (n, C, *spatial); `adapted` is False where both are as ever.
    """

    name: str
    rows: Rows
    model: DiagnosticModel
    pixels: Pixels
    adapted: bool = True


def compute_by_site(
    base: DiagnosticModel,
    parts: Sequence[SitePart],
    groups: Sequence[str] | None = None,
    cases: Cases | None = None,
) -> Outputs:
    """What the models of `parts`, which together hold all N scans, say of them, in their order.

    Cases whose scans are of several sites are decided by the scores that each site's model gives.
    `groups` and `cases` as in `DiagnosticModel.compute`; thresholds, calibration and sets are those
    of `base`.
    """
    looks = [part.model.look(part.pixels) for part in parts]
    scored = [
        (score_views(part.model.head, look.views), weigh_views(part.model.head, look.views))
        for part, look in zip(parts, looks, strict=True)
    ]
    order = np.argsort(np.concatenate([part.rows for part in parts]), kind="stable")
    look = _joined(looks, order)
    scores = np.concatenate([each for each, _ in scored])[order]
    weights = [each for _, each in scored if each is not None]
    importance = np.concatenate(weights)[order] if weights else None
    return base.outputs(look, (scores, importance), groups, cases)


def _joined(looks: Sequence[Look], order: Rows) -> Look:
    def whole(arrays: Sequence[NDArray[Kind]]) -> NDArray[Kind]:
        found: NDArray[Kind] = np.concatenate(arrays)[order]
        return found

    return Look(
        tuple(whole(each) for each in zip(*(look.views for look in looks), strict=True)),
        whole([look.anomaly for look in looks]),
        whole([look.foreign for look in looks]),
        whole([look.reconstructions for look in looks]),
        whole([look.strangest for look in looks]),
    )
