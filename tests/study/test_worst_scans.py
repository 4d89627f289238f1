"""Which test scans are shown as the worst."""

from types import SimpleNamespace

import numpy as np

from latentdx.report.predictions import Predictions
from latentdx.study.publish import worst_rows


def test_errors_come_gravest_first_and_what_is_right_is_no_error():
    labels = np.array([0, 1, 1, 0, 1])
    positive = np.array([0.9, 0.4, 0.1, 0.2, 0.8])
    patients = np.arange(5).astype(str)
    table = np.stack([1 - positive, positive], axis=1)
    told = Predictions(labels, patients, table, (positive >= 0.5).astype(int))
    assessment = SimpleNamespace(result=SimpleNamespace(predictions=told))
    assert worst_rows(assessment).tolist() in ([0, 2, 1], [2, 0, 1])
    right = Predictions(labels, patients, table, labels)
    assessment = SimpleNamespace(result=SimpleNamespace(predictions=right))
    assert worst_rows(assessment).tolist() == []
