"""The last step where labels are numbers: the report, the bundle, the files that others read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.autoencoder.engine.checkpoint import Epoch
from latentdx.autoencoder.family import name_of
from latentdx.bundle.save import save_bundle
from latentdx.collection.split import LABELLED_PARTS
from latentdx.collection.values import values_of
from latentdx.core.files import write_atomic, write_json
from latentdx.core.seeds import numpy_generator
from latentdx.diagnosis.regression_model import RegressionModel
from latentdx.report.checklist_text import checklists_of
from latentdx.report.language import in_language
from latentdx.report.seen_card import seen_section
from latentdx.report.value_card import render_value_card
from latentdx.report.value_content import PartFacts, ValueContent, ValueExamples
from latentdx.report.value_page import render_values
from latentdx.study.folder import RunFolder, write_csv
from latentdx.study.learn import history_rows
from latentdx.study.predictions_file import case_cells
from latentdx.study.prepare import Prepared
from latentdx.study.pretrained import Pretrained
from latentdx.study.publish import (
    map_points,
    map_rows,
    provenance_of,
    shown_settings,
)
from latentdx.study.regression_assess import ValueAssessment
from latentdx.study.settings import RunSettings

_EXAMPLES = 12
_WORST = 6


@dataclass(frozen=True)
class ValuesMade:
    """What a run has made and is to be told of."""

    settings: RunSettings
    prepared: Prepared
    assessment: ValueAssessment


def publish_values(
    folder: RunFolder, made: ValuesMade, pretrained: Pretrained, model: RegressionModel
) -> str:
    """Write ``predictions.csv``, ``bundle/``, ``report.html`` and last ``metrics.json``.

    Returns the bundle's SHA-256 (hex).
    """
    prepared = made.prepared
    content = value_content(made, provenance_of(prepared, pretrained), pretrained.history)
    write_value_predictions(folder.root / "predictions.csv", made)
    bundle = save_bundle(
        model,
        folder.bundle,
        card=render_value_card(content, _facts(model, made), seen_section(model.seen)),
        split_hash=prepared.split.hash,
        counts={name: count for name, count in prepared.split.counts().items() if count},
        seed=made.settings.seed,
    )
    provenance = {**content.provenance, "bundle": bundle}
    page = render_values(replace(content, provenance=provenance))
    write_atomic(folder.root / "report.html", in_language(page, made.settings.language))
    write_json(folder.root / "checklists.json", checklists_of(content))
    write_json(folder.root / "metrics.json", made.assessment.metrics)
    return bundle


def value_content(
    made: ValuesMade, provenance: Mapping[str, str], history: Sequence[Epoch]
) -> ValueContent:
    """Everything that the report shows."""
    prepared, told, seed = made.prepared, made.assessment, made.settings.seed
    outputs, values = told.result.outputs, told.result.tested.values
    shown = map_rows(len(values), seed)
    drawn = numpy_generator(seed, "examples").permutation(len(values))[:_EXAMPLES]
    drawn = drawn[np.argsort(values[drawn], kind="stable")]
    errs = np.argsort(-np.abs(outputs.values - values), kind="stable")[:_WORST]
    return ValueContent(
        name=Path(made.settings.source).resolve().name,
        units=told.model.units,
        verdict=told.verdict,
        metrics=told.metrics,
        audit=prepared.audit.as_json(),
        parts=_part_facts(prepared),
        n_quarantined=prepared.n_quarantined,
        values=values,
        predicted=outputs.values,
        half_width=told.model.sets.half_width,
        map_points=map_points(outputs.look.views[0][shown], seed),
        map_values=values[shown],
        examples=_examples_of(told, drawn),
        worst=_examples_of(told, errs),
        strata=tuple(_examples_of(told, rows) for rows in told.strata.shown),
        history=history_rows(history),
        settings=shown_settings(made.settings),
        provenance=provenance,
        invalid=prepared.invalid,
        decided=told.decided,
    )


def _examples_of(told: ValueAssessment, rows: NDArray[np.int64]) -> ValueExamples:
    tested, outputs = told.result.tested, told.result.outputs
    return ValueExamples(
        tested.scans.pixels[rows],
        outputs.look.reconstructions[rows],
        tested.values[rows],
        outputs.values[rows],
    )


def _part_facts(prepared: Prepared) -> dict[str, PartFacts]:
    table, patients = prepared.table, prepared.table.patient_or_scan()
    values = values_of(np.where(table.is_labelled, table.label, "").tolist())
    found = {}
    for part in (*LABELLED_PARTS, "pretrain", "excluded"):
        rows = prepared.split.parts == part
        if rows.any():
            known = values[rows & ~np.isnan(values)]
            ends = (
                (float(known.min()), float(np.median(known)), float(known.max()))
                if len(known)
                else None
            )
            found[part] = PartFacts(int(rows.sum()), len(np.unique(patients[rows])), ends)
    return found


def _facts(model: RegressionModel, made: ValuesMade) -> dict[str, Any]:
    return {
        "format": "latentdx-bundle",
        "version": 2,
        "autoencoder": name_of(model.encoder),
        "classifier": model.head.name,
        "size": list(model.encoder.size),
        "channels": model.encoder.channels,
        "n_parameters": sum(weight.numel() for weight in model.encoder.parameters()),
        "seed": made.settings.seed,
        "split_hash": made.prepared.split.hash,
    }


def write_value_predictions(path: Path, made: ValuesMade) -> None:
    """One row a test scan; patients by pseudonym; numbers whole, so that metrics follow."""
    table, result = made.prepared.table, made.assessment.result
    paths = dict(zip(table.scan_id.tolist(), table.path.tolist(), strict=True))
    cases = case_cells(made.prepared)
    header = (
        *("path", "scan_id", "patient", "value", "prediction", "low", "high", "anomaly_score"),
        *(("case", "paths") if cases else ()),
    )
    scans, outputs = result.scans, result.outputs
    rows = [
        (
            *(paths[scan_id], scan_id, str(scans.patients[row])),
            *(float(result.tested.values[row]), float(outputs.values[row])),
            *(float(end) if np.isfinite(end) else "" for end in outputs.intervals[row]),
            f"{outputs.look.anomaly[row]:.6f}",
            *cases.get(scan_id, ()),
        )
        for row, scan_id in enumerate(scans.scan_ids.tolist())
    ]
    write_csv(path, header, sorted(rows))
