"""`fit_like`: another classifier of a head's kind and strength, on other rows or labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from latentdx.diagnosis.classifiers import fit_classifier
from latentdx.diagnosis.machine import Machine

if TYPE_CHECKING:
    from latentdx.diagnosis.head import Head


def fit_like(
    head: Head,
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    patients: NDArray[np.str_],
    n_classes: int,
) -> Machine:
    """A machine fitted as the head's own was, on reduced features (N, M) of these scans.

    labels, patients: (N,). Calibration and threshold are the head's alone.
    """
    return fit_classifier(
        head.classifier,
        features,
        labels,
        n_classes=n_classes,
        strength=head.strength,
        patients=patients.tolist(),
        ordered=head.ordered,
    )
