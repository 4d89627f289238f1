"""Small trained models, made once each, and the scans that they know."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.family import AutoencoderName, build
from latentdx.bundle.save import save_bundle
from latentdx.collection.labelled import LabelledScans
from latentdx.diagnosis.gate_fit import fit_gate
from latentdx.diagnosis.gate_header import Headers
from latentdx.diagnosis.head import HeadSettings, score_pixels, train_head
from latentdx.diagnosis.machines import ClassifierName
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.set_rule import SetRule, fit_sets
from latentdx.features.extract import embed
from latentdx.features.kinds import FeatureKind

SIZE = 16
CARD = "# A model\n\nFor tests only.\n"
NAMES = ("bundle.json", "encoder.safetensors", "head.safetensors", "README.md", "checksums.json")


class Recipe(NamedTuple):
    """What a model is made of."""

    autoencoder: AutoencoderName = "convolutional"
    classifier: ClassifierName = "svm"
    kind: FeatureKind = "pooled"
    n_classes: int = 2


RECIPES = (
    Recipe(),
    Recipe("invariant", "svm", "latent"),
    Recipe("invariant", "logistic", "pooled", 3),
    Recipe("convolutional", "knn", "latent", 3),
    Recipe("convolutional", "knn"),
    Recipe("invariant", "prototypes", "multi-scale"),
    Recipe("convolutional", "logistic", "second-order"),
)


def bars(count: int, *, n_classes: int = 2, seed: int = 0) -> LabelledScans:
    """Scans of a soft ground with as many bright bars as the class says."""
    generator = np.random.default_rng(seed)
    rows = np.arange(count)
    labels = rows % n_classes
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    phase = generator.uniform(0, 6, (count, 1, 1))
    ground = 0.3 + 0.1 * np.sin(4 * y + phase)
    lines = np.sin(phase + 3 * np.pi * x * (labels[:, None, None] + 1))
    pixels = ground + 0.3 * lines.clip(0) + generator.uniform(0, 0.05, (count, SIZE, SIZE))
    names = np.array([f"{seed} {row}" for row in rows])
    return LabelledScans(
        pixels[:, None].astype(np.float32),
        labels,
        names,
        names,
        np.full(count, "train"),
        tuple(f"{k + 1} bars" for k in range(n_classes)),
        "the split",
    )


@cache
def model_of(recipe: Recipe) -> DiagnosticModel:
    """A model as a study makes it, small."""
    train, calibrate, tune = (
        bars(count, n_classes=recipe.n_classes, seed=count) for count in (48, 30, 36)
    )
    settings = {"channels": 1, "size": SIZE, "widths": (8, 16)}
    network = build(recipe.autoencoder, settings)
    network.fit_normalisation(torch.from_numpy(train.pixels))
    pretrain(network, Pool(train.pixels, tune.pixels), FitSettings(epochs=2), seed=0)

    def extract(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        return embed(network, pixels, recipe.kind)

    chosen = HeadSettings(classifier=recipe.classifier, rows=100, components=8)
    head = train_head(train, calibrate, extract, chosen, seed=0)
    gate = fit_gate(network, train, calibrate, headers=Headers(("CR",), (0.5, 1.5)), rate=0.01)
    every = SetRule("marginal", (0.0,))
    model = DiagnosticModel(network, head, train.classes, recipe.kind, True, every, gate)
    scores = score_pixels(head, tune.pixels, extract, flip=True)
    return replace(model, sets=fit_sets(head.probabilities(scores), tune.labels))


def saved(model: DiagnosticModel, path: Path) -> str:
    """Save with made-up provenance; returns the bundle's hash."""
    return save_bundle(model, path, card=CARD, split_hash="the split", counts={"train": 48}, seed=0)


def renew_checksums(path: Path) -> None:
    """As someone would who changes a bundle on purpose."""
    sums = {name: hashlib.sha256((path / name).read_bytes()).hexdigest() for name in NAMES[:-1]}
    (path / "checksums.json").write_text(json.dumps(sums, indent=2) + "\n")


def rewrite(path: Path, **changes: Any) -> None:
    """Change entries of ``bundle.json``, by their path joined with ``__``; make checksums fit."""
    file = path / "bundle.json"
    told = json.loads(file.read_text())
    for place, value in changes.items():
        *parents, last = place.split("__")
        entry = told
        for parent in parents:
            entry = entry[parent]
        entry[last] = value
    file.write_text(json.dumps(told))
    renew_checksums(path)
