"""Folders as runs leave them, as far as `latentdx diff` reads them."""

import csv
import json

import numpy as np
from sklearn.metrics import roc_auc_score

from latentdx.report.model_metrics import model_metrics
from latentdx.report.predictions import Predictions
from latentdx.study.settings import RunSettings

CLASSES = ("benign", "malignant")
FIVE = {"value", "low", "high", "n_scans", "n_patients"}


def told(n_scans=120, skill=2.0, seed=0, label_seed=7):
    """Labels that are those of `label_seed`, and a model's probabilities of them."""
    labels = np.random.default_rng(label_seed).integers(0, 2, n_scans)
    noise = np.random.default_rng(seed).normal(size=n_scans)
    return labels, 1 / (1 + np.exp(-noise - skill * (labels - 0.5)))


def write_run(folder, labels, scores, *, start=0, warnings=(), classes=CLASSES, **settings):
    """A folder as `latentdx run` leaves it, as far as it is read."""
    folder.mkdir()
    table = np.stack([1 - scores, scores], axis=1)
    decisions = (scores >= 0.5).astype(int)
    names = np.array([f"p{(start + i) // 2}" for i in range(len(labels))])
    rows = [
        {
            "path": f"{i}.png", "scan_id": f"{start + i:016x}", "patient": names[i],
            "label": classes[labels[i]], "decision": classes[decisions[i]],
            f"probability:{classes[0]}": repr(float(table[i, 0])),
            f"probability:{classes[1]}": repr(float(table[i, 1])),
        }
        for i in range(len(labels))
    ]  # fmt: skip
    write_rows(folder, rows)
    found = model_metrics(Predictions(labels, names, table, decisions), 0, None)
    write_metrics(folder, {**found, "warnings": list(warnings)})
    if settings.pop("config", True):
        told = RunSettings(source=f"/somewhere/{folder.name}/scans", **settings)
        (folder / "config.toml").write_text(told.to_toml())
    return folder


def write_rows(folder, rows):
    with (folder / "predictions.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def write_metrics(folder, metrics):
    (folder / "metrics.json").write_text(json.dumps(metrics))


def write_values(folder, values, predicted):
    folder.mkdir()
    rows = [
        {"path": f"{i}.png", "scan_id": f"{i:016x}", "patient": f"p{i // 2}",
         "value": value, "prediction": told}
        for i, (value, told) in enumerate(zip(values.tolist(), predicted.tolist(), strict=True))
    ]  # fmt: skip
    write_rows(folder, rows)
    write_metrics(folder, {"task": "regression", "test": {}, "warnings": []})
    return folder


def write_findings(folder, seed):
    folder.mkdir()
    generator = np.random.default_rng(seed)
    truth = np.random.default_rng(5).random((90, 2)) < 0.4
    scores = np.clip(0.3 * truth + generator.random((90, 2)) * 0.7, 0, 1)
    names = ("mass", "edema")

    def label(row):
        return ";".join(name for name, held in zip(names, row, strict=True) if held) or "none"

    rows = [
        {"path": f"{i}.png", "scan_id": f"{i:016x}", "patient": f"p{i}",
         "label": label(truth[i]), "decision": label(scores[i] > 0.5),
         **{f"probability:{name}": scores[i, k] for k, name in enumerate(names)}}
        for i in range(90)
    ]  # fmt: skip
    write_rows(folder, rows)
    write_metrics(folder, {"test": {}, "findings": {}, "warnings": []})
    return [roc_auc_score(truth[:, k], scores[:, k]) for k in (0, 1)]


def write_left_out(folder, labels, scores, places, *, start=0):
    rows = [
        {
            "scan_id": f"{start + i:016x}", "patient": f"p{i // 2}",
            "label": CLASSES[labels[i]], "decision": CLASSES[int(scores[i] >= 0.5)],
            "probability:benign": repr(float(1 - scores[i])),
            "probability:malignant": repr(float(scores[i])), "left_out": places[i],
        }
        for i in range(len(labels))
    ]  # fmt: skip
    with (folder / "left-out-predictions.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
