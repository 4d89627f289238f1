"""The last step: the report, the bundle, and the files that others read."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from latentdx.autoencoder.engine.checkpoint import Epoch
from latentdx.autoencoder.engine.precision import uses_bf16
from latentdx.autoencoder.engine.processes import best_device
from latentdx.autoencoder.family import name_of
from latentdx.bundle.save import save_bundle
from latentdx.collection.split import LABELLED_PARTS
from latentdx.core.files import write_atomic, write_json
from latentdx.core.seeds import derive_seed, numpy_generator
from latentdx.core.version import VERSION
from latentdx.diagnosis.calibrations import name_of as calibration_name
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.report.alignment import alignment_words, focus_words, looks_words
from latentdx.report.alike import alike_paths
from latentdx.report.checklist_text import checklists_of
from latentdx.report.content import Examples, ReportContent
from latentdx.report.language import in_language
from latentdx.report.model_card import render_card
from latentdx.report.page import render
from latentdx.report.seen_card import seen_section
from latentdx.report.shortcut_card import shortcut_section
from latentdx.report.terms_card import terms_section
from latentdx.study.ancestor import told_place
from latentdx.study.assess import Assessment
from latentdx.study.folder import FOLD_PREDICTIONS, LEFT_OUT_PREDICTIONS, RunFolder
from latentdx.study.learn import history_rows
from latentdx.study.predictions_file import (
    write_fold_predictions,
    write_left_out_predictions,
    write_predictions,
)
from latentdx.study.prepare import Prepared
from latentdx.study.pretrained import Pretrained
from latentdx.study.settings import RunSettings

_EXAMPLES = 12
_WORST = 6
_MAP_SCANS = 1500


@dataclass(frozen=True)
class Made:
    """What a run has made and is to be told of."""

    settings: RunSettings
    prepared: Prepared
    assessment: Assessment


def publish(folder: RunFolder, made: Made, pretrained: Pretrained, model: DiagnosticModel) -> str:
    """Write ``predictions.csv``, ``bundle/``, ``report.html`` and last ``metrics.json``.

    Returns the bundle's SHA-256 (hex).
    """
    content = content_of(made, provenance_of(made.prepared, pretrained), pretrained.history)
    write_predictions(folder.root / "predictions.csv", made.prepared, made.assessment.result)
    write_fold_predictions(folder.root / FOLD_PREDICTIONS, made.assessment.repeated.folds)
    write_left_out_predictions(
        folder.root / LEFT_OUT_PREDICTIONS, made.assessment.repeated.left_out
    )
    bundle = save_bundle(
        model,
        folder.bundle,
        card=render_card(content, _bundle_facts(model, made), _more(content, made, model)),
        split_hash=made.prepared.split.hash,
        counts={name: count for name, count in made.prepared.split.counts().items() if count},
        seed=made.settings.seed,
    )
    provenance = {**content.provenance, "bundle": bundle}
    page = render(replace(content, provenance=provenance))
    write_atomic(folder.root / "report.html", in_language(page, made.settings.language))
    write_json(folder.root / "checklists.json", checklists_of(content))
    write_json(folder.root / "metrics.json", made.assessment.metrics)
    return bundle


def _more(content: ReportContent, made: Made, model: DiagnosticModel) -> str:
    sections = (
        terms_section(made.settings.terms),
        shortcut_section(content.metrics),
        seen_section(model.seen),
    )
    return "\n\n".join(section for section in sections if section)


def content_of(
    made: Made, provenance: Mapping[str, str], history: Sequence[Epoch]
) -> ReportContent:
    """Everything that the report shows."""
    prepared, assessment, seed = made.prepared, made.assessment, made.settings.seed
    result = assessment.result
    shown = map_rows(len(result.scans), seed)
    return ReportContent(
        name=Path(made.settings.source).resolve().name,
        classes=prepared.classes,
        verdict=assessment.verdict,
        metrics=assessment.metrics,
        audit=prepared.audit.as_json(),
        alike=_alike(prepared),
        parts=_part_counts(prepared),
        n_quarantined=prepared.n_quarantined,
        labels=result.predictions.labels,
        probabilities=result.predictions.probabilities,
        decisions=result.predictions.decisions,
        threshold=assessment.threshold,
        decided=assessment.decided,
        rivals={name: rival.probabilities for name, rival in assessment.rivals.items()},
        map_points=map_points(result.outputs.embeddings[shown], seed),
        map_labels=result.predictions.labels[shown],
        examples=_examples_of(assessment, _drawn(assessment, seed)),
        worst=_examples_of(assessment, worst_rows(assessment)),
        strata=tuple(_examples_of(assessment, rows) for rows in _failing(assessment)),
        history=history_rows(history),
        settings=shown_settings(made.settings),
        provenance=provenance,
        invalid=prepared.invalid,
    )


def shown_settings(settings: RunSettings) -> dict[str, Any]:
    """What is set, without the folders of this machine."""
    values = settings.model_dump(mode="json", exclude={"unlabelled"})
    for name in ("source", "labels"):
        values[name] = values[name] and Path(values[name]).name
    values["start"] = settings.start and told_place(settings.start)
    return {name: value for name, value in values.items() if value not in (None, {}, [])}


def _alike(prepared: Prepared) -> dict[str, NDArray[np.float32]]:
    """Pixels of the scans that are shown as nearly equal, by path."""
    groups = alike_paths(prepared.audit.as_json())
    shown = sorted({path for group in groups for path in group})
    rows = np.flatnonzero(np.isin(prepared.table.path, shown)) if shown else np.empty(0, np.int64)
    return dict(
        zip(prepared.table.path[rows].tolist(), prepared.collection.pixels(rows), strict=True)
    )


def _part_counts(prepared: Prepared) -> dict[str, dict[str, tuple[int, int]]]:
    table, parts = prepared.table, prepared.split.parts
    patients = table.patient_or_scan()
    labels = np.where(table.is_labelled, table.label, "")
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for part in (*LABELLED_PARTS, "pretrain", "excluded"):
        for name in (*prepared.classes, ""):
            rows = (parts == part) & (labels == name)
            if rows.any():
                counts = (int(rows.sum()), len(np.unique(patients[rows])))
                found.setdefault(part, {})[name] = counts
    return found


def provenance_of(prepared: Prepared, pretrained: Pretrained) -> dict[str, str]:
    """Versions, processor, and what the encoder was made from."""
    device, begun, spent = best_device(), pretrained.descent.ancestry, pretrained.spent
    aligned, looks, focus = pretrained.alignment, pretrained.looks, pretrained.focus
    name = torch.cuda.get_device_name() if device.type == "cuda" else platform.machine()
    return {
        "latentdx": VERSION,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": f"{device.type} ({name}), {torch.get_num_threads()} threads",
        "bfloat16": "native" if uses_bf16("auto", device) else "not used",
        "collection": prepared.table.fingerprint(),
        "split": prepared.split.hash,
        "scans for pretraining": str(pretrained.n_scans),
        **({"began from": begun[0]["sha256"]} if begun else {}),
        **({"differential privacy": spent.words} if spent else {}),
        **({"domain alignment": alignment_words(aligned)} if aligned else {}),
        **({"views borrow": looks_words(looks)} if looks else {}),
        **({"masks of the focus": focus_words(focus)} if focus else {}),
    }


def _bundle_facts(model: DiagnosticModel, made: Made) -> dict[str, Any]:
    return {
        "format": "latentdx-bundle",
        "version": 1,
        "autoencoder": name_of(model.encoder),
        "classifier": made.settings.classifier,
        "size": list(model.encoder.size),
        "channels": model.encoder.channels,
        "n_parameters": sum(weight.numel() for weight in model.encoder.parameters()),
        "calibration": calibration_of(model),
        "seed": made.settings.seed,
        "split_hash": made.prepared.split.hash,
    }


def calibration_of(model: DiagnosticModel) -> str:
    """The name of the model's calibration."""
    assert model.head.calibration is not None, "calibrate first"
    return calibration_name(model.head.calibration)


def map_rows(n_scans: int, seed: int) -> NDArray[np.int64]:
    """The scans that the map shows."""
    if n_scans <= _MAP_SCANS:
        return np.arange(n_scans)
    drawn = numpy_generator(seed, "map").choice(n_scans, _MAP_SCANS, replace=False)
    return np.sort(drawn)


def map_points(embeddings: NDArray[np.float32], seed: int) -> NDArray[np.float64]:
    """2-D coordinates by t-SNE (van der Maaten & Hinton, JMLR 9, 2008), from 50 components."""
    from sklearn.manifold import TSNE

    from latentdx.features.whiten import PrincipalComponents, Standardiser

    if len(embeddings) < 8:
        return np.zeros((len(embeddings), 2))
    scaled = Standardiser.fit(embeddings)(embeddings)
    components = PrincipalComponents.fit(scaled, 50)(scaled)
    tsne = TSNE(
        perplexity=min(30.0, (len(embeddings) - 1) / 3),
        init="pca",
        random_state=derive_seed(seed, "map") % 2**32,
    )
    return np.asarray(tsne.fit_transform(components), np.float64)


def _drawn(assessment: Assessment, seed: int) -> NDArray[np.int64]:
    """Test scans of every class in turn, drawn."""
    labels = assessment.result.predictions.labels
    order = numpy_generator(seed, "examples").permutation(len(labels))
    by_class = [[row for row in order.tolist() if labels[row] == k] for k in np.unique(labels)]
    turns = [row for turn in range(_EXAMPLES) for rows in by_class for row in rows[turn : turn + 1]]
    return np.array(turns[:_EXAMPLES], np.int64)


def worst_rows(assessment: Assessment) -> NDArray[np.int64]:
    """Test scans that were decided wrongly, the least probability for the own label first."""
    told = assessment.result.predictions
    own = told.probabilities[np.arange(len(told.labels)), told.labels]
    wrong = np.flatnonzero(told.decisions != told.labels)
    return wrong[np.argsort(own[wrong], kind="stable")][:_WORST]


def _failing(assessment: Assessment) -> tuple[NDArray[np.int64], ...]:
    return () if assessment.strata is None else assessment.strata.shown


def _examples_of(assessment: Assessment, rows: NDArray[np.int64]) -> Examples:
    result = assessment.result
    return Examples(
        result.scans.pixels[rows],
        result.outputs.reconstructions[rows],
        result.predictions.labels[rows],
        result.predictions.probabilities[rows],
    )
