"""The last step of several findings a scan: the report, the bundle, and the files for others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from latentdx.autoencoder.engine.checkpoint import Epoch
from latentdx.autoencoder.family import name_of
from latentdx.bundle.save import save_bundle
from latentdx.collection.split import LABELLED_PARTS
from latentdx.core.files import write_atomic, write_json
from latentdx.core.seeds import numpy_generator
from latentdx.report.checklist_text import checklists_of
from latentdx.report.findings_card import findings_section
from latentdx.report.findings_content import FindingExamples, FindingsContent
from latentdx.report.findings_page import render_findings
from latentdx.report.language import in_language
from latentdx.report.model_card import render_card
from latentdx.report.seen_card import seen_section
from latentdx.report.shortcut_card import shortcut_section
from latentdx.report.terms_card import terms_section
from latentdx.study.findings_assess import FindingsAssessment
from latentdx.study.folder import RunFolder, write_csv
from latentdx.study.learn import history_rows
from latentdx.study.predictions_file import case_cells
from latentdx.study.prepare import Prepared
from latentdx.study.pretrained import Pretrained
from latentdx.study.publish import (
    calibration_of,
    map_points,
    map_rows,
    provenance_of,
    shown_settings,
)
from latentdx.study.settings import RunSettings

_EXAMPLES = 12
_WORST = 6


@dataclass(frozen=True)
class FindingsMade:
    """What a run has made and is to be told of."""

    settings: RunSettings
    prepared: Prepared
    assessment: FindingsAssessment


def publish_findings(folder: RunFolder, made: FindingsMade, pretrained: Pretrained) -> str:
    """Write all that `publish` writes; returns the bundle's SHA-256 (hex)."""
    prepared, assessment = made.prepared, made.assessment
    content = findings_content(made, provenance_of(prepared, pretrained), pretrained.history)
    write_findings(folder.root / "predictions.csv", made)
    sections = (
        findings_section(content),
        terms_section(made.settings.terms),
        shortcut_section(content.metrics),
        seen_section(assessment.model.seen),
    )
    more = "\n\n".join(section for section in sections if section)
    bundle = save_bundle(
        assessment.model,
        folder.bundle,
        card=render_card(content, _bundle_facts(made), more),
        split_hash=prepared.split.hash,
        counts={name: count for name, count in prepared.split.counts().items() if count},
        seed=made.settings.seed,
    )
    content = replace(content, provenance={**content.provenance, "bundle": bundle})
    page = in_language(render_findings(content), made.settings.language)
    write_atomic(folder.root / "report.html", page)
    write_json(folder.root / "checklists.json", checklists_of(content))
    write_json(folder.root / "metrics.json", assessment.metrics)
    return bundle


def findings_content(
    made: FindingsMade, provenance: Mapping[str, str], history: Sequence[Epoch]
) -> FindingsContent:
    """Everything that the report shows."""
    prepared, assessment, seed = made.prepared, made.assessment, made.settings.seed
    model, result = assessment.model, assessment.result
    shown = map_rows(len(result.scans), seed)
    first = result.each[0].outputs
    targets = result.tested.targets
    return FindingsContent(
        name=Path(made.settings.source).resolve().name,
        classes=model.findings.names,
        negative=model.findings.negative,
        verdict=assessment.verdict,
        metrics=assessment.metrics,
        audit=prepared.audit.as_json(),
        parts=_part_counts(made),
        n_quarantined=prepared.n_quarantined,
        targets=targets,
        probabilities=_columns(assessment, "probabilities"),
        thresholds=assessment.metrics["thresholds"],
        map_points=map_points(first.embeddings[shown], seed),
        map_labels=targets[shown].max(axis=1),
        examples=_examples_of(assessment, _drawn(assessment, seed)),
        worst=_examples_of(assessment, _worst(assessment)),
        strata=tuple(_examples_of(assessment, rows.tolist()) for rows in assessment.strata.shown),
        history=history_rows(history),
        settings=shown_settings(made.settings),
        provenance=provenance,
        invalid=prepared.invalid,
        decided=assessment.decided,
    )


def write_findings(path: Path, made: FindingsMade) -> None:
    """One row a test scan as `write_predictions` writes them: of several findings, `;` between."""
    assessment, table = made.assessment, made.prepared.table
    findings, result = assessment.model.findings, assessment.result
    paths = dict(zip(table.scan_id.tolist(), table.path.tolist(), strict=True))
    cases = case_cells(made.prepared)
    header = (
        *("path", "scan_id", "patient", "label", "decision"),
        *(f"probability:{name}" for name in findings.names),
        *("prediction_set", "anomaly_score"),
        *(("case", "paths") if cases else ()),
    )
    decided = _columns(assessment, "decisions")
    probabilities = _columns(assessment, "probabilities")
    inside = np.stack([one.outputs.sets[:, 1] for one in result.each], axis=1)
    strange = result.each[0].outputs.anomaly
    rows = []
    for row, scan_id in enumerate(result.scans.scan_ids.tolist()):
        possible = [name for name, held in zip(findings.names, inside[row], strict=True) if held]
        rows.append(
            (
                *(paths[scan_id], scan_id, str(result.scans.patients[row])),
                *(findings.label(held[row] == 1) for held in (result.tested.targets, decided)),
                *(repr(float(value)) for value in probabilities[row]),
                *(";".join(possible), f"{strange[row]:.6f}"),
                *cases.get(scan_id, ()),
            )
        )
    write_csv(path, header, sorted(rows))


def _columns(assessment: FindingsAssessment, name: str) -> Any:
    """(N, L): the decisions, or the probabilities of the findings, side by side."""
    found = [getattr(one.outputs, name) for one in assessment.result.each]
    return np.stack([each if each.ndim == 1 else each[:, 1] for each in found], axis=1)


def _drawn(assessment: FindingsAssessment, seed: int) -> list[int]:
    """Test scans of every set of findings in turn, drawn."""
    targets = assessment.result.tested.targets
    labels = [assessment.model.findings.label(row == 1) for row in targets]
    by_label: dict[str, list[int]] = {}
    for row in numpy_generator(seed, "examples").permutation(len(labels)).tolist():
        by_label.setdefault(labels[row], []).append(row)
    turns = [
        row for turn in range(_EXAMPLES) for rows in by_label.values() for row in rows[turn:][:1]
    ]
    return turns[:_EXAMPLES]


def _worst(assessment: FindingsAssessment) -> list[int]:
    """Scans with a finding decided wrongly, the least probability for what it is labelled first."""
    targets = assessment.result.tested.targets
    probabilities = _columns(assessment, "probabilities")
    wrong = _columns(assessment, "decisions") != targets
    own = np.where(targets == 1, probabilities, 1 - probabilities)
    least = np.where(wrong, own, np.inf).min(axis=1)
    order: list[int] = np.argsort(least, kind="stable").tolist()
    return [row for row in order if np.isfinite(least[row])][:_WORST]


def _examples_of(assessment: FindingsAssessment, rows: list[int]) -> FindingExamples:
    result, findings = assessment.result, assessment.model.findings
    decided = _columns(assessment, "decisions")[rows]
    probabilities = _columns(assessment, "probabilities")[rows]
    top = probabilities.argmax(axis=1).tolist()
    return FindingExamples(
        result.scans.pixels[rows],
        result.each[0].outputs.reconstructions[rows],
        [findings.label(row == 1) for row in result.tested.targets[rows]],
        [findings.label(row == 1) for row in decided],
        [(findings.names[k], float(probabilities[i, k])) for i, k in enumerate(top)],
    )


def _part_counts(made: FindingsMade) -> dict[str, dict[str, tuple[int, int]]]:
    """By part and finding the scans and patients; a scan counts for each of its findings."""
    table, parts = made.prepared.table, made.prepared.split.parts
    findings, patients = made.assessment.model.findings, table.patient_or_scan()
    masks = {name: table.has(name) for name in findings.names}
    masks[findings.negative] = table.is_labelled & ~np.any(list(masks.values()), axis=0)
    masks[""] = ~table.is_labelled
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for part in (*LABELLED_PARTS, "pretrain", "excluded"):
        for name, mask in masks.items():
            rows = mask & (parts == part)
            if rows.any():
                counts = (int(rows.sum()), len(np.unique(patients[rows])))
                found.setdefault(part, {})[name] = counts
    return found


def _bundle_facts(made: FindingsMade) -> dict[str, Any]:
    model = made.assessment.model
    calibrations = sorted({calibration_of(one) for one in model.models})
    return {
        "format": "latentdx-bundle",
        "version": 2,
        "autoencoder": name_of(model.encoder),
        "classifier": made.settings.classifier,
        "size": list(model.encoder.size),
        "channels": model.encoder.channels,
        "n_parameters": sum(weight.numel() for weight in model.encoder.parameters()),
        "calibration": ", ".join(calibrations),
        "seed": made.settings.seed,
        "split_hash": made.prepared.split.hash,
    }
