"""What the results of a run, or of one of its folds, depend on."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn

from latentdx.autoencoder.own_module import fingerprint
from latentdx.collection.stored_masks import StoredMasks
from latentdx.core.hashing import hash_json
from latentdx.core.version import VERSION
from latentdx.features.covariate_values import columns_of
from latentdx.study.ancestor import load_ancestor
from latentdx.study.domains import asked, column_of
from latentdx.study.prepare import Prepared
from latentdx.study.settings import RunSettings


def study_key(settings: RunSettings, prepared: Prepared, module: nn.Module | None) -> str:
    """A hash of settings, scans, split, program and a user's own module."""
    values = settings.model_dump(mode="json", exclude={"minutes", "track"})
    facts: list[Any] = [VERSION, values, prepared.table.fingerprint(), prepared.split.hash]
    if prepared.covariates is not None:
        facts.append(columns_of(prepared.table, prepared.covariates.names))
    if settings.start is not None:
        facts.append(load_ancestor(settings.start, module).sha256)
    if settings.leave_out is not None:
        facts.append(columns_of(prepared.table, [settings.leave_out]))
    if asked(settings):
        facts.append(columns_of(prepared.table, [column_of(settings)]))
    if prepared.collection.has_masks:
        facts.append(StoredMasks.of(prepared.collection, np.argsort(prepared.table.scan_id)).hash)
    return hash_json(facts if module is None else [*facts, fingerprint(module)])
