"""A head, and a model, for the scans of another site: adapted to how they look, not to labels."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentdx.autoencoder.base import Autoencoder
from latentdx.core.errors import StopError
from latentdx.diagnosis.head import Head
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.features.adapt import FEWEST, Adaptation, LookAdaptation, adapted
from latentdx.features.adapt_batch_norm import has_statistics, renormalised, statistics_of
from latentdx.features.adapt_histogram import histogram, levels_of
from latentdx.features.extract import embed
from latentdx.features.kinds import FeatureKind

Floats = NDArray[np.float32]

_ANEW = "make it again with this version, without --covariates and --measures"


def adapted_head(head: Head, name: Adaptation, target: Floats) -> Head:
    """A head that reads scans of another site, with embeddings `target` (N, D), as its own.

    The classifier, its threshold and its calibration stay. Scores that stand behind the features
    (of a fine-tuned copy of the encoder) are not adapted. Raises `StopError` ``E_ADAPT`` where the
    head keeps nothing of its scans, or of the site there are fewer than ten.
    """
    if head.source is None:
        found = "the model does not know what its own scans are like"
        raise StopError("E_ADAPT", found, fix=_ANEW)
    _require_enough(len(target))
    scaling = head.standardiser, head.components
    standardiser, moved = adapted(name, head.source, scaling, target[:, : head.width])
    return replace(head, standardiser=standardiser, moved=moved)


def knowing_looks(head: Head, encoder: Autoencoder, kind: FeatureKind, pixels: Floats) -> Head:
    """A head that keeps how its own scans (N, C, *spatial) look, if it keeps anything of them.

    That is: their grey levels, and statistics before the encoder's normalisation.
    """
    if head.source is None:
        return head
    levels, norms = levels_of(pixels), statistics_of(encoder, pixels, kind)
    return replace(head, source=replace(head.source, levels=levels, norms=norms))


class Adapted(NamedTuple):
    """A model for the scans of another site, and their pixels (N, C, *spatial) as it reads them."""

    model: DiagnosticModel
    pixels: Floats


def adapted_model(
    model: DiagnosticModel, name: Adaptation | LookAdaptation, pixels: Floats
) -> Adapted:
    """The model for the site that scans with `pixels` (N, C, *spatial) are of.

    Raises `StopError` ``E_ADAPT`` as `adapted_head` does, where no grey levels of its own scans
    are kept, and where no layer of the encoder normalises by statistics.
    """
    if name == "histogram":
        _require_enough(len(pixels))
        return Adapted(model, histogram(_levels_in(model.head), pixels))
    if name == "batch-norm":
        _require_enough(len(pixels))
        return Adapted(_renormalised(model, pixels), pixels)
    target = embed(model.encoder, pixels, model.kind)
    return Adapted(replace(model, head=adapted_head(model.head, name, target)), pixels)


def _levels_in(head: Head) -> Floats:
    if head.source is None or head.source.levels is None:
        raise StopError("E_ADAPT", "the model keeps no grey levels of its own scans", fix=_ANEW)
    return head.source.levels


def _renormalised(model: DiagnosticModel, pixels: Floats) -> DiagnosticModel:
    """With a copy of the encoder; one that was trained on labels stays as it is."""
    if not has_statistics(model.encoder):
        raise without_statistics()
    source = model.head.source
    if source is None or source.norms is None:
        raise StopError("E_ADAPT", "the model keeps no statistics of its own scans", fix=_ANEW)
    return replace(model, encoder=renormalised(model.encoder, source.norms, pixels, model.kind))


def without_statistics() -> StopError:
    """An encoder that ``batch-norm`` would leave as it is."""
    found = "no layer of the encoder keeps statistics of its scans for batch-norm to change"
    return StopError("E_ADAPT", found, fix="use another method, such as standardise")


def too_few(n_scans: int, whose: str = "") -> StopError:
    """So few scans that they do not tell what their site is like."""
    found = f"{whose}{n_scans} scans do not tell what a site is like"
    return StopError("E_ADAPT", found, fix=f"give at least {FEWEST}")


def _require_enough(n_scans: int) -> None:
    if n_scans < FEWEST:
        raise too_few(n_scans)
