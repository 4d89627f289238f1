"""Which scans are adapted to together: those of a site, where a collection knows several."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.labelled import LabelledScans
from latentdx.collection.table import CollectionTable
from latentdx.diagnosis.adapted_head import adapted_model, too_few
from latentdx.diagnosis.by_site import SitePart
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.features.adapt import FEWEST, Adaptation, LookAdaptation

Sites = NDArray[np.str_]


def sites_of(table: CollectionTable, scans: LabelledScans) -> Sites:
    """(N,) the site of each scan, ``""`` where it is not known; all so where fewer than two are.

    Then all scans are taken for those of one site.
    """
    of = dict(zip(table.scan_id.tolist(), table.site.tolist(), strict=True))
    found = np.array([of[scan_id] for scan_id in scans.scan_ids.tolist()], np.str_)
    several = len(set(found.tolist()) - {""}) > 1
    return found if several else np.full(len(scans), "", np.str_)


def site_parts(
    model: DiagnosticModel,
    name: Adaptation | LookAdaptation,
    scans: LabelledScans,
    sites: Sites,
) -> tuple[SitePart, ...]:
    """The model adapted by `name` to each of the `sites` (N,) by itself; to all where none is told.

    Scans of a site with fewer than ten, and scans of an unknown site, keep the model as it is.
    Raises `StopError` ``E_ADAPT``: no site has ten; and see `adapted_model`.
    """
    names = list(dict.fromkeys(sites.tolist()))
    if names == [""]:
        rows = np.arange(len(scans))
        return (SitePart("", rows, *adapted_model(model, name, scans.pixels)),)
    counts = {one: int((sites == one).sum()) for one in names if one}
    if max(counts.values()) < FEWEST:
        raise too_few(max(counts.values()), "the largest site's ")
    return tuple(_part(model, name, scans, sites, one) for one in names)


def _part(
    model: DiagnosticModel,
    name: Adaptation | LookAdaptation,
    scans: LabelledScans,
    sites: Sites,
    one: str,
) -> SitePart:
    rows = np.flatnonzero(sites == one)
    pixels = scans.pixels[rows]
    if not one or len(rows) < FEWEST:
        return SitePart(one, rows, model, pixels, adapted=False)
    return SitePart(one, rows, *adapted_model(model, name, pixels))
