"""``python -m benchmarks.privacy``: what is given away, and what differential privacy costs.

On PneumoniaMNIST (28 x 28; patients are not known: a scan is a patient):

- ``price``: the convolutional autoencoder (widths 16, 32, 64) trained on 1,800 scans of train with
  epsilon 1, 3, 8, none (the same training without noise) and by the ordinary engine, for as many
  epochs, and untrained. A default SVM on its features with 400 labels of train: AUROC on test, and
  on its latent alone; the mean squared error on test.
  The attack is by errors of reconstruction, members against 600 left out.
- ``planted``: the same autoencoder made to remember 128 scans (200 epochs), and a training with
  epsilon 8 on the same scans; attacked against scans left out.
- ``classifier``: LiRA on classifiers as a run chooses their strength, on features of the untrained
  network, and on an SVM made to remember: pixels as features, a large C, a third of the labels
  wrong. 400 scans, 32 shadow models.

Intervals (95 %) resample scans. Needs the public set (LATENTDX_DATA). A quarter of an hour.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.machine import RESULTS, TRIALS, data_folder, provenance, write
from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.engine.budget import plan_privacy
from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.settings import FitSettings, Privacy
from latentdx.autoencoder.family import build
from latentdx.collection.labelled import LabelledScans
from latentdx.core.seeds import numpy_generator
from latentdx.diagnosis.head import Head, HeadSettings, fit_head, score_scans, train_head
from latentdx.diagnosis.machines import ClassifierName
from latentdx.diagnosis.shadows import shadow_heads
from latentdx.diagnosis.training_table import training_table
from latentdx.features.extract import embed, reconstruct
from latentdx.features.kinds import DEFAULT, FeatureKind
from latentdx.features.table import FeatureTable
from latentdx.metrics.bootstrap import estimate
from latentdx.metrics.discrimination import auroc
from latentdx.metrics.membership import judge_attack, lira

EPSILONS = (1.0, 3.0, 8.0, math.inf)
WIDTHS = [16, 32, 64]
LABELLED, REMEMBERED = 400, 128
LEARNED, LEFT_OUT = 1800, 600
EPOCHS, DRAWS = 8, 2
CLASSIFIERS: tuple[ClassifierName, ...] = ("svm", "linear-svm", "logistic", "prototypes", "knn")
Pixels = NDArray[np.float32]


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, attack; print and write after each part."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.privacy", description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--parts", nargs="*", choices=("classifier", "planted", "price"))
    parser.add_argument("--learned", type=int, default=LEARNED, help="scans of price")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of price")
    parser.add_argument("--quick", action="store_true", help="two epochs: does it work?")
    asked = parser.parse_args(arguments)
    place = data_folder() / "medmnist" / "pneumoniamnist.npz"
    if not place.is_file():
        print("PneumoniaMNIST is not there: set LATENTDX_DATA")
        return 0
    out = asked.out or (TRIALS if asked.quick else RESULTS) / "privacy.json"
    with np.load(place) as held:
        data = {name: held[name] for name in held.files}
    found: dict[str, Any] = {}
    price = partial(_price, learned=asked.learned, epochs=asked.epochs)
    for name, part in (("classifier", _classifier), ("planted", _planted), ("price", price)):
        if asked.parts and name not in asked.parts:
            continue
        found[name] = {}
        for label, told in part(data, quick=asked.quick):
            found[name][label] = told
            print(name, label, {key: _short(value) for key, value in told.items()}, flush=True)
            write(out, {"quick": asked.quick, **provenance(), "results": found})
    return 0


def _short(value: Any) -> Any:
    if isinstance(value, dict) and "value" in value:
        return [value["value"], value["low"], value["high"]]
    if isinstance(value, dict):
        return {key: _short(each) for key, each in value.items()}
    return value


def _pixels(images: NDArray[Any]) -> Pixels:
    found: Pixels = images[:, None].astype(np.float32) / 255
    return found


def _scans(data: dict[str, NDArray[Any]], name: str, rows: NDArray[Any]) -> LabelledScans:
    pixels, labels = _pixels(data[f"{name}_images"][rows]), data[f"{name}_labels"].ravel()[rows]
    ids = np.array([f"{name}{row}" for row in rows.tolist()])
    parts = np.full(len(rows), name)
    return LabelledScans(
        pixels, labels.astype(np.int64), ids, ids, parts, ("normal", "pneumonia"), ""
    )


def _network() -> Autoencoder:
    network = build("convolutional", {"channels": 1, "size": 28, "widths": WIDTHS})
    network.set_normalisation(torch.tensor([0.5]), torch.tensor([0.25]))
    return network


def _price(data: dict[str, NDArray[Any]], *, learned: int, epochs: int, quick: bool) -> Any:
    """Of each epsilon the AUROC on test, and how well its members are told."""
    order = numpy_generator(0, "privacy").permutation(len(data["train_images"]))
    own, others = order[: 600 if quick else learned], order[-LEFT_OUT:]
    pixels = _pixels(data["train_images"])
    for label, settings in _trainings(2 if quick else epochs):
        network, started = _network(), time.perf_counter()
        told: dict[str, Any] = {}
        if settings is not None:
            pretrain(network, Pool(pixels[own], pixels[others]), settings, seed=0)
        if settings is not None and settings.privacy is not None:
            told["spent"] = plan_privacy(settings, np.arange(len(own)), (1, 28, 28)).as_json()
            told["spent"]["epsilon"] = label
        told["seconds"] = round(time.perf_counter() - started, 1)
        told["auroc"] = _tested(network, data, own, DEFAULT)
        told["auroc_of_latent"] = _tested(network, data, own, "latent")
        test = _pixels(data["test_images"])
        told["test_error"] = float(((reconstruct(network, test) - test) ** 2).mean())
        told["attack"] = _attacked(network, pixels[own], pixels[others])
        yield label, told


def _trainings(epochs: int) -> list[tuple[str, FitSettings | None]]:
    private: list[tuple[str, FitSettings | None]] = [
        (f"{epsilon:g}", FitSettings(epochs=epochs, privacy=Privacy(epsilon)))
        for epsilon in EPSILONS
    ]
    plain = FitSettings(epochs=epochs, weight_decay=0.0, precision="fp32")
    return [("untrained", None), ("ordinary", plain), *private]


def _tested(
    network: Autoencoder, data: dict[str, NDArray[Any]], order: NDArray[np.int64], kind: FeatureKind
) -> dict[str, Any]:
    """AUROC on test of an SVM on features of 400 labelled scans; mean of two draws."""
    test = _scans(data, "test", np.arange(len(data["test_images"])))

    def extract(pixels: Pixels) -> Pixels:
        return embed(network, pixels, kind)

    scores = []
    for draw in range(DRAWS):
        rows = numpy_generator(draw, "labels").permutation(order)[: LABELLED + 100]
        train, held = (_scans(data, "train", part) for part in (rows[:LABELLED], rows[LABELLED:]))
        head = train_head(train, held, extract, HeadSettings(fewest_copies=0, rows=1600), seed=0)
        scores.append(score_scans(head, test, extract, flip=True)[:, 0])
    drawn = [float(auroc(test.labels, each)) for each in scores]
    ranks = np.mean([each.argsort().argsort() for each in scores], axis=0)
    generator = numpy_generator(0, "test")
    joined = estimate(auroc, test.labels, ranks, test.patients, generator=generator)
    return {"mean": float(np.mean(drawn)), "draws": drawn, "ranks_joined": joined.as_json()}


def _attacked(network: Autoencoder, members: Pixels, others: Pixels) -> dict[str, Any]:
    """By errors of reconstruction."""
    pixels = np.concatenate([members, others])
    errors = ((reconstruct(network, pixels) - pixels) ** 2).mean(axis=(1, 2, 3))
    is_member = np.arange(len(pixels)) < len(members)
    scores = -np.log(errors + 1e-12).astype(np.float64)
    return judge_attack(
        scores[None], is_member[None], list(range(len(pixels))), generator=numpy_generator(0, "a")
    ).as_json()


def _planted(data: dict[str, NDArray[Any]], *, quick: bool) -> Any:
    order = numpy_generator(1, "privacy").permutation(len(data["train_images"]))
    pixels = _pixels(data["train_images"])
    members, others = pixels[order[:REMEMBERED]], pixels[order[-LEFT_OUT:]]
    epochs = 2 if quick else 200
    plain = FitSettings(
        epochs=epochs, weight_decay=0.0, precision="fp32", schedule="constant", patience=1.0
    )
    private = FitSettings(epochs=epochs // 8 or 1, privacy=Privacy(8.0))
    for label, settings in (("remembers", plain), ("epsilon 8", private)):
        network = _network()
        pretrain(network, Pool(members, members[:8]), settings, seed=0)
        yield label, _attacked(network, members, others)


def _classifier(data: dict[str, NDArray[Any]], *, quick: bool) -> Any:
    """LiRA on classifiers as a run fits them, copies and all, and on one that remembers."""
    rows = numpy_generator(2, "privacy").permutation(len(data["train_images"]))[:LABELLED]
    scans = _scans(data, "train", rows)
    network = _network()
    for name in CLASSIFIERS[: 2 if quick else None]:
        settings = HeadSettings(name, fewest_copies=0, rows=1600)
        table = training_table(scans, lambda pixels: embed(network, pixels), settings, seed=0)
        head = fit_head(table, settings, n_scans=len(scans), seed=0)
        told = _lira(head, table, len(scans), quick=quick)
        yield name, {**told, "strength": head.strength}
    wrong = numpy_generator(3, "privacy").random(len(scans)) < 1 / 3
    labels = np.where(wrong, 1 - scans.labels, scans.labels)
    flat = scans.pixels.reshape(len(scans), -1)
    table = FeatureTable(
        flat, labels, scans.patients, scans.scan_ids, scans.parts, scans.classes, "", ""
    )
    head = fit_head(table, HeadSettings(), n_scans=len(table), seed=0)
    yield "planted", _lira(replace(head, strength=100.0), table, len(table), quick=quick)


def _lira(head: Head, table: FeatureTable, n_scans: int, *, quick: bool) -> dict[str, Any]:
    made = shadow_heads(head, table, n_scans=n_scans, count=4 if quick else 32, seed=0)
    return judge_attack(
        lira(made.confidences, made.members),
        made.members,
        table.patients[:n_scans],
        generator=numpy_generator(0, "lira"),
    ).as_json()


if __name__ == "__main__":
    sys.exit(main())
