"""Which places (sites, scanners, values of a column) a run leaves out in turn."""

from __future__ import annotations

from dataclasses import replace

from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.collection.near_kept import kept_near_duplicates
from latentdx.collection.split_places import Places, places_of
from latentdx.core.errors import StopError
from latentdx.features.covariate_values import columns_of, names_persons
from latentdx.study.prepare import Prepared
from latentdx.study.settings import RunSettings

MOST = 20
_OWN = ("site", "modality")


def places_for(prepared: Prepared, settings: RunSettings) -> Places | None:
    """The places of the column that `settings.leave_out` names; None where it names none.

    Raises `StopError` ``E_OPTION`` where there is no such column, it tells who a patient is, or has
    one value or more than 20; ``E_CLASS_SIZE`` where no value has patients of every class.
    """
    if settings.leave_out is None:
        return None
    column = settings.leave_out
    _require(prepared, column)
    found = _places(prepared, column)
    n_values = len(found.tested) + len(found.others)
    if not 2 <= n_values <= MOST:
        text = f"--leave-out {column}: the column has {n_values} values"
        raise StopError("E_OPTION", text, fix=f"give a column of 2 to {MOST} values, such as site")
    if not found.tested:
        text = f"no value of {column!r} has two patients of every class: none can be tested"
        fix = "add scans, or leave --leave-out out"
        raise StopError("E_CLASS_SIZE", text, fix=fix)
    return found


def timed(fit: FitSettings, prepared: Prepared, settings: RunSettings) -> FitSettings:
    """The same, `minutes` shared with the trainings without a place; see `fit_settings`."""
    places = places_for(prepared, settings)
    if places is None or fit.minutes is None:
        return fit
    others = settings.n_trainings
    return replace(fit, minutes=fit.minutes * others / (others + len(places.tested)))


def unseen_notes(prepared: Prepared, settings: RunSettings) -> list[str]:
    """That the test part tells nothing of a site that was not learned from, where there are two."""
    if settings.leave_out == "site":
        return []
    found = _places(prepared, "site")
    if not 2 <= len(found.tested) <= MOST:
        return []
    return [
        f"sites: the model was tested on patients of {len(found.tested)} sites, and has learned "
        "from others of each; how it does at a site that it has never seen is told by "
        "--leave-out site"
    ]


def _places(prepared: Prepared, column: str) -> Places:
    table = prepared.table
    near = kept_near_duplicates(prepared.collection, table).joining(len(table))
    return places_of(table, columns_of(table, [column])[column], near)


def _require(prepared: Prepared, column: str) -> None:
    table = prepared.table
    held = {name for covariates in table.covariates for name in covariates}
    held |= {name for name in _OWN if (getattr(table, name) != "").any()}
    known = sorted(name for name in held if not names_persons(name))
    if column in known:
        return
    shown = f"the collection has {', '.join(known)}" if known else "the collection has no columns"
    fix = f"{shown}; a table with a column {column!r} is given by --labels"
    raise StopError("E_OPTION", f"--leave-out: there is no column {column!r}", fix=fix)
