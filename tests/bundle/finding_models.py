"""A small model of several findings, made once, and the scans that it knows."""

from __future__ import annotations

from functools import cache, partial

import numpy as np
import torch

from latentdx.autoencoder.family import build
from latentdx.collection.finding_scans import FindingScans
from latentdx.collection.findings import Findings, question_classes
from latentdx.collection.labelled import LabelledScans
from latentdx.diagnosis.findings_head import train_heads
from latentdx.diagnosis.findings_model import FindingsModel
from latentdx.diagnosis.gate_fit import fit_gate
from latentdx.diagnosis.head import HeadSettings
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.set_rule import fit_sets
from latentdx.diagnosis.views import Viewed
from latentdx.features.extract import embed

SIZE = 16
FINDINGS = Findings(("bar", "spot"), "normal")
QUICK = HeadSettings(rows=120, components=8)


def pictures(count: int, seed: int) -> FindingScans:
    """Scans with a bright bar, a dark spot, both or neither."""
    generator = np.random.default_rng(seed)
    targets = np.stack([np.arange(count) % 2, np.arange(count) // 2 % 2], axis=1)
    y, x = np.mgrid[:SIZE, :SIZE]
    pixels = generator.uniform(0.3, 0.6, (count, SIZE, SIZE))
    for row, (bar, spot) in enumerate(targets.tolist()):
        across = int(generator.integers(2, SIZE - 4))
        pixels[row][:, across : across + 2] += 0.35 * bar
        middle = generator.integers(4, SIZE - 4, 2)
        pixels[row][(x - middle[0]) ** 2 + (y - middle[1]) ** 2 < 10] *= 1 - 0.9 * spot
    names = np.array([f"{seed} {row}" for row in range(count)])
    scans = LabelledScans(
        pixels[:, None].astype(np.float32),
        np.full(count, -1),
        names,
        names,
        np.full(count, "train"),
        FINDINGS.names,
        "the split",
    )
    return FindingScans(scans, targets, FINDINGS.names)


@cache
def findings_model() -> FindingsModel:
    """As a study makes it, small."""
    train, calibrate, tune = (pictures(count, seed=count) for count in (64, 40, 44))
    network = build("convolutional", {"channels": 1, "size": SIZE, "widths": (8, 16)})
    network.fit_normalisation(torch.from_numpy(train.scans.pixels))
    extract = partial(embed, network, kind="pooled")
    heads = train_heads(train, calibrate, extract, QUICK, seed=0)
    gate = fit_gate(network, train.scans, calibrate.scans, rate=0.01)
    seen = Viewed.of(tune.scans, extract, flip=True)
    models = []
    for number, head in enumerate(heads):
        classes = question_classes(FINDINGS.names[number])
        sets = fit_sets(head.probabilities(seen.scores(head)), tune.targets[:, number])
        models.append(DiagnosticModel(network, head, classes, "pooled", True, sets, gate))
    return FindingsModel(tuple(models), FINDINGS)
