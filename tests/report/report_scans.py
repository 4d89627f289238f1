"""Scans that are told by a few numbers, for the tests of what is measured on them."""

from __future__ import annotations

import numpy as np

from latentdx.collection.labelled import LabelledScans
from latentdx.collection.table import ScanRow, table_of
from latentdx.diagnosis.outputs import Outputs
from latentdx.report.evaluate import TestResult
from latentdx.report.predictions import Predictions

CLASSES = ("no", "yes")


def scans_of(labels, parts=None, patients=None, pixels=None):
    """Scans in the order of their ids, a patient each unless told otherwise."""
    n_scans = len(labels)
    return LabelledScans(
        np.zeros((n_scans, 1, 8, 8), np.float32) if pixels is None else pixels,
        np.asarray(labels, np.int64),
        np.array([f"p{i:03}" for i in range(n_scans)] if patients is None else patients),
        np.array([f"{i:016x}" for i in range(n_scans)]),
        np.array(["test"] * n_scans if parts is None else parts),
        CLASSES,
        "a split",
    )


def table_for(scans, **columns):
    """The collection's table of these scans; each column one value a scan."""
    return table_of(
        ScanRow(
            str(scan_id),
            f"{row}.png",
            scans.pixels[row],
            str(row),
            patient=str(scans.patients[row]),
            label=CLASSES[scans.labels[row]],
            **{name: values[row] for name, values in columns.items()},
        )
        for row, scan_id in enumerate(scans.scan_ids.tolist())
    )


def binary(scores):
    """Probabilities (N, 2) of the second class's scores."""
    scores = np.asarray(scores, np.float64)
    return np.stack([1 - scores, scores], axis=1)


def predictions_of(labels, scores, patients=None):
    labels = np.asarray(labels, np.int64)
    names = np.array([f"p{i:03}" for i in range(len(labels))] if patients is None else patients)
    table = binary(scores)
    return Predictions(labels, names, table, (table[:, 1] >= 0.5).astype(np.int64))


def result_of(scans, scores, sets=None, rebuilt=None):
    n_scans, table = len(scans), binary(scores)
    decisions = (table[:, 1] >= 0.5).astype(np.int64)
    outputs = Outputs(
        np.asarray(scores, np.float32)[:, None],
        table,
        decisions,
        np.ones((n_scans, 2), bool) if sets is None else np.asarray(sets, bool),
        np.zeros(n_scans),
        np.zeros(n_scans, bool),
        np.zeros((n_scans, 1), np.float32),
        scans.pixels if rebuilt is None else rebuilt,
        np.full(n_scans, "features"),
    )
    return TestResult(scans, outputs, Predictions(scans.labels, scans.patients, table, decisions))
