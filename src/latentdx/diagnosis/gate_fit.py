"""`fit_gate`: the gate of a model from its scans: densities of `train`, p-values of `calibrate`."""

from __future__ import annotations

import numpy as np

from latentdx.autoencoder.base import Autoencoder
from latentdx.collection.labelled import LabelledScans
from latentdx.core.seeds import numpy_generator
from latentdx.diagnosis.anomaly import AnomalyGate
from latentdx.diagnosis.gate_evidence import gather
from latentdx.diagnosis.gate_header import Headers
from latentdx.features.extract import reconstruct

_MOST_SCANS = 1500


def fit_gate(
    network: Autoencoder,
    train: LabelledScans,
    calibrate: LabelledScans,
    *,
    headers: Headers | None = None,
    rate: float | None = None,
    seed: int = 0,
) -> AnomalyGate:
    """The gate of an encoder; of more than 1500 training scans that many are drawn.

    The scans of `calibrate` must be none that `network` or a density was fitted on.
    """
    rows = np.arange(len(train))
    if len(rows) > _MOST_SCANS:
        drawn = numpy_generator(seed, "gate scans").choice(rows, _MOST_SCANS, replace=False)
        rows = np.sort(drawn)
    learned = train.take(rows)
    seen, held = (
        gather(network, part.pixels, reconstruct(network, part.pixels))
        for part in (learned, calibrate)
    )
    return AnomalyGate.fit(seen, learned.patients, held, rate=rate, headers=headers, seed=seed)
