"""What a model notes of the scans that it has seen."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from typing import TypeVar

from latentdx.bundle.save import AnyModel
from latentdx.collection.seen_record import SeenRecord, names_of
from latentdx.collection.split import Part
from latentdx.scans.deidentify import user_key
from latentdx.study.encoder import Descent
from latentdx.study.prepare import Prepared

Model = TypeVar("Model", bound=AnyModel)


def knowing_seen(model: Model, prepared: Prepared, before: Descent) -> Model:
    """The model with a record of all that was learned from, in tokens of this user's key.

    With labels: train, tune (by which is decided) and calibrate. Without: train and pretrain, and
    what the encoder, or what it began from, had seen `before`.
    """
    labelled = _named(prepared, "train", "tune", "calibrate")
    record = SeenRecord.of(
        user_key(),
        prepared.split.hash,
        labelled=labelled,
        unlabelled=before.seen | _named(prepared, "train", "pretrain"),
        complete=before.seen_all,
    )
    return replace(model, seen=record)


def _named(prepared: Prepared, *parts: Part) -> Set[str]:
    rows = prepared.split.rows(*parts).tolist()
    return frozenset[str]().union(*names_of(prepared.table, rows))
