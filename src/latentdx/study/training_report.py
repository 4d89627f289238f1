"""The page beside an encoder: how it learned, and what it makes of scans that it did not see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from latentdx.autoencoder.family import name_of
from latentdx.collection.labelled import ordered_rows
from latentdx.core.files import write_atomic
from latentdx.core.seeds import numpy_generator
from latentdx.features.extract import reconstruct
from latentdx.report.ancestry import ancestry_sentences
from latentdx.study.prepare import Prepared
from latentdx.study.pretrained import Pretrained
from latentdx.study.settings import RunSettings

if TYPE_CHECKING:
    from latentdx.report.training_page import TrainingContent

PAGE = "report.html"

_MEASURED = 64


@dataclass(frozen=True)
class TrainingMade:
    """What a training has made, and from what."""

    settings: RunSettings
    prepared: Prepared
    pretrained: Pretrained


def write_training_report(
    to: Path, made: TrainingMade, seconds: Mapping[str, float], told: Sequence[str] = ()
) -> None:
    """Write ``report.html`` into the encoder's folder `to`; `seconds` by step.

    `told`: sentences on how it was trained.
    """
    from latentdx.report.training_page import training_page  # drawing takes a second to import

    content = content_of(made, seconds.get("pretrain"))
    write_atomic(to / PAGE, training_page(replace(content, begun=[*content.begun, *told])))


def content_of(made: TrainingMade, seconds: float | None) -> TrainingContent:
    """Everything that the page shows: of up to 64 drawn scans, of the tune part where it has any.

    Where nothing was held out (a collection without labels), they are scans it learned from.
    """
    from latentdx.report.training_page import TrainingContent
    from latentdx.study.publish import provenance_of, shown_settings

    prepared, pretrained = made.prepared, made.pretrained
    tune = ordered_rows(prepared.table, prepared.split, "tune")
    learned = ordered_rows(prepared.table, prepared.split, "train", "pretrain")
    rows = _drawn(tune if len(tune) else learned, made.settings.seed)
    pixels = prepared.collection.pixels(rows)
    return TrainingContent(
        name=Path(made.settings.source).resolve().name,
        autoencoder=name_of(pretrained.network),
        history=pretrained.history,
        n_scans=pretrained.n_scans,
        n_tune=len(tune),
        held_out=len(tune) > 0,
        pixels=pixels,
        reconstructions=reconstruct(pretrained.network, pixels),
        seconds=seconds,
        settings=shown_settings(made.settings),
        provenance=provenance_of(prepared, pretrained),
        begun=ancestry_sentences(pretrained.descent.ancestry),
    )


def _drawn(rows: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    return rows[numpy_generator(seed, "examples").permutation(len(rows))[:_MEASURED]]
