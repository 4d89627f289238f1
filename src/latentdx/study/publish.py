"""The last step: the report, the bundle, and the files that others read."""

from __future__ import annotations

import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from latentdx.autoencoder.device import best_device, uses_bf16
from latentdx.autoencoder.family import name_of
from latentdx.bundle.save import save_bundle
from latentdx.collection.split import LABELLED_PARTS
from latentdx.core.files import write_atomic, write_json
from latentdx.core.seeds import derive_seed, numpy_generator
from latentdx.core.version import VERSION
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.report.card import render_card
from latentdx.report.content import Examples, ReportContent
from latentdx.report.page import render
from latentdx.study.assess import Assessment
from latentdx.study.folder import RunFolder, write_csv
from latentdx.study.learn import Pretrained, history_rows
from latentdx.study.prepare import Prepared
from latentdx.study.settings import RunSettings

_EXAMPLES = 12
_MAP_SCANS = 1500
_PRIVATE = {"source", "labels", "unlabelled"}


def publish(
    folder: RunFolder,
    settings: RunSettings,
    prepared: Prepared,
    pretrained: Pretrained,
    model: DiagnosticModel,
    assessment: Assessment,
) -> str:
    """Write ``predictions.csv``, ``bundle/``, ``report.html`` and last ``metrics.json``.

    Returns the bundle's SHA-256 (hex).
    """
    content = _content(settings, prepared, pretrained, assessment)
    _write_predictions(folder.root / "predictions.csv", prepared, assessment)
    counts = {name: count for name, count in prepared.split.counts().items() if count}
    bundle = save_bundle(
        model,
        folder.bundle,
        card=render_card(content, _bundle_facts(model, settings, prepared)),
        split_hash=prepared.split.hash,
        counts=counts,
    )
    provenance = {**content.provenance, "bundle": bundle}
    write_atomic(folder.root / "report.html", render(replace(content, provenance=provenance)))
    write_json(folder.root / "metrics.json", assessment.metrics)
    return bundle


def _content(
    settings: RunSettings, prepared: Prepared, pretrained: Pretrained, assessment: Assessment
) -> ReportContent:
    result = assessment.result
    shown = _map_rows(len(result.scans), settings.seed)
    return ReportContent(
        name=Path(settings.source).name,
        classes=prepared.classes,
        verdict=assessment.verdict,
        metrics=assessment.metrics,
        audit=prepared.audit.as_json(),
        parts=_part_counts(prepared),
        n_quarantined=len(prepared.report.quarantine),
        labels=result.predictions.labels,
        probabilities=result.predictions.probabilities,
        decisions=result.predictions.decisions,
        threshold=assessment.threshold,
        rivals={name: rival.probabilities for name, rival in assessment.rivals.items()},
        map_points=_map(result.outputs.embeddings[shown], settings.seed),
        map_labels=result.predictions.labels[shown],
        examples=_examples(assessment, settings.seed),
        history=history_rows(pretrained.history),
        settings={
            name: Path(str(value)).name if name in _PRIVATE and isinstance(value, str) else value
            for name, value in settings.model_dump(mode="json", exclude={"unlabelled"}).items()
            if value not in (None, {}, [])
        },
        provenance=_provenance(prepared, pretrained),
        invalid=prepared.invalid,
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


def _provenance(prepared: Prepared, pretrained: Pretrained) -> dict[str, str]:
    device = best_device()
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
    }


def _bundle_facts(
    model: DiagnosticModel, settings: RunSettings, prepared: Prepared
) -> dict[str, Any]:
    return {
        "format": "latentdx-bundle",
        "version": 1,
        "autoencoder": name_of(model.encoder),
        "classifier": settings.classifier,
        "size": model.encoder.size,
        "channels": model.encoder.channels,
        "n_parameters": sum(weight.numel() for weight in model.encoder.parameters()),
        "calibration": "sigmoid",
        "seed": settings.seed,
        "split_hash": prepared.split.hash,
    }


def _map_rows(n_scans: int, seed: int) -> NDArray[np.int64]:
    if n_scans <= _MAP_SCANS:
        return np.arange(n_scans)
    drawn = numpy_generator(seed, "map").choice(n_scans, _MAP_SCANS, replace=False)
    return np.sort(drawn)


def _map(embeddings: NDArray[np.float32], seed: int) -> NDArray[np.float64]:
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


def _examples(assessment: Assessment, seed: int) -> Examples:
    """Test scans of every class in turn, drawn."""
    labels = assessment.result.predictions.labels
    order = numpy_generator(seed, "examples").permutation(len(labels))
    by_class = [[row for row in order.tolist() if labels[row] == k] for k in np.unique(labels)]
    turns = [row for turn in range(_EXAMPLES) for rows in by_class for row in rows[turn : turn + 1]]
    rows = np.array(turns[:_EXAMPLES], np.int64)
    return Examples(
        assessment.result.scans.pixels[rows],
        assessment.result.outputs.reconstructions[rows],
        labels[rows],
        assessment.result.predictions.probabilities[rows],
    )


def _write_predictions(path: Path, prepared: Prepared, assessment: Assessment) -> None:
    """One row a test scan; patients by pseudonym."""
    classes, outputs = prepared.classes, assessment.result.outputs
    scans = assessment.result.scans
    paths = dict(zip(prepared.table.scan_id.tolist(), prepared.table.path.tolist(), strict=True))
    header = (
        *("path", "scan_id", "patient", "label", "decision"),
        *(f"probability:{name}" for name in classes),
        *("prediction_set", "anomaly_score"),
    )
    rows = []
    for row, scan_id in enumerate(scans.scan_ids.tolist()):
        inside = [name for name, held in zip(classes, outputs.sets[row], strict=True) if held]
        rows.append(
            (
                *(paths[scan_id], scan_id, str(scans.patients[row])),
                *(classes[int(scans.labels[row])], classes[int(outputs.decisions[row])]),
                *(f"{value:.6f}" for value in outputs.probabilities[row]),
                *(";".join(inside), f"{outputs.anomaly[row]:.6f}"),
            )
        )
    write_csv(path, header, sorted(rows))
