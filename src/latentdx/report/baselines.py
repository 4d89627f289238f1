"""The rivals: what the same classifier does without the autoencoder. Printed beside every score."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.family import untrained
from latentdx.collection.labelled import LabelledScans
from latentdx.collection.table import CollectionTable
from latentdx.core.seeds import derive_seed
from latentdx.diagnosis.answers import answered
from latentdx.diagnosis.calibration_cumulative import median_class
from latentdx.diagnosis.classifiers import choose_strength, fit_classifier
from latentdx.diagnosis.head import Head, HeadSettings, score_scans, train_head
from latentdx.features.extract import embed
from latentdx.features.kinds import DEFAULT, FeatureKind
from latentdx.features.metadata import (
    Column,
    MetadataEncoder,
    metadata_columns,
    names_the_label,
)
from latentdx.features.pixels import flat_pixels, hog
from latentdx.features.table import Extract, FeatureTable
from latentdx.report.predictions import Predictions

Table = NDArray[np.float64]
Ints = NDArray[np.int64]
Step = Callable[[str], None]
Aim = Callable[[Head, Extract], Head]
Said = TypeVar("Said", covariant=True)


class Competing(Protocol[Said]):
    """What makes the baselines of a task, each of them some predictions of its kind."""

    def majority(self) -> Said:
        """By the training part's labels alone."""

    def with_features(self, extract: Extract) -> Said:
        """The model's classifier on other features."""

    def fresh_network(self) -> Autoencoder:
        """The model's encoder, untrained."""


@dataclass(frozen=True)
class Rivals:
    """What the baselines are made from: labelled parts, and the network to be left untrained.

    `aim` gives a head the threshold that the model's own was given; `unlabelled` the features of
    the unlabelled scans by which features are scaled.
    """

    scans: LabelledScans
    network: Autoencoder
    settings: HeadSettings
    seed: int
    aim: Aim | None = None
    unlabelled: Callable[[Extract], FeatureTable] | None = None

    def majority(self) -> Predictions:
        """Every scan gets the training part's commonest class, of grades the median one.

        Their shares are the probabilities.
        """
        train, test = (self.scans.part(name).decided() for name in ("train", "test"))
        counts = np.bincount(train.labels, minlength=len(train.classes))
        share = np.tile(counts / counts.sum(), (len(test), 1))
        decided = median_class(share) if self.settings.ordered else share.argmax(axis=1)
        return self._predictions(share, decided)

    def with_features(self, extract: Extract) -> Predictions:
        """The same augmented, balanced, calibrated SVM as the model's, on other features."""
        head = train_head(
            self.scans.part("train"),
            self.scans.part("calibrate"),
            extract,
            self.settings,
            seed=derive_seed(self.seed, "head"),
            unlabelled=None if self.unlabelled is None else self.unlabelled(extract),
        )
        if self.aim is not None:
            head = self.aim(head, extract)
        return self.said_by(head, extract)

    def said_by(self, head: Head, extract: Extract) -> Predictions:
        """What a calibrated head on features says of the test part."""
        test = self.scans.part("test")
        scores = score_scans(head, test, extract, flip=self.settings.flip)
        table = head.probabilities(scores)
        return self._predictions(table, head.decide(table))

    def _predictions(self, table: Table, decisions: Ints) -> Predictions:
        test = self.scans.part("test").decided()
        return Predictions(test.labels, test.patients, table, decisions, self.settings.ordered)

    def fresh_network(self) -> Autoencoder:
        """The same encoder with random weights, which has seen the training part's statistics."""
        return seen_but_untrained(self.network, self.scans.part("train").pixels, self.seed)


def metadata_baseline(
    table: CollectionTable, scans: LabelledScans, seed: int, *, ordered: bool = False
) -> tuple[Predictions | None, list[str]]:
    """Logistic regression on all but the picture; None where nothing but the picture is known.

    Also the columns left out since they are the label in other words.
    """
    columns, told = columns_beside(table, scans)
    return (by_metadata(columns, scans, seed, ordered=ordered) if columns else None), told


def columns_beside(
    table: CollectionTable, scans: LabelledScans
) -> tuple[dict[str, Column], list[str]]:
    """What is known of scans but the picture, and which columns are the label in other words."""
    rows = {name: index for index, name in enumerate(table.scan_id.tolist())}
    columns = metadata_columns(table.take([rows[name] for name in scans.scan_ids.tolist()]))
    told = [name for name, values in columns.items() if names_the_label(values, scans.labels)]
    return {name: values for name, values in columns.items() if name not in told}, told


def by_metadata(
    columns: Mapping[str, Column], scans: LabelledScans, seed: int, *, ordered: bool = False
) -> Predictions:
    """Logistic regression on columns, each (N,) as the scans."""
    train = scans.parts == "train"
    encode = MetadataEncoder.fit({name: _at(values, train) for name, values in columns.items()})
    features = encode(dict(columns))
    strength = choose_strength(
        "logistic",
        features[train],
        scans.labels[train],
        scans.patients[train].tolist(),
        seed=derive_seed(seed, "metadata"),
        ordered=ordered,
    )
    machine = fit_classifier(
        "logistic",
        features[train],
        scans.labels[train],
        n_classes=len(scans.classes),
        strength=strength,
        ordered=ordered,
    )
    scores, cases = scans.pooled(machine.scores(features)), scans.decided()
    held, test = cases.parts == "calibrate", cases.part("test")
    found = answered(scores[held], cases.labels[held], scores[cases.parts == "test"], ordered)
    return Predictions(test.labels, test.patients, *found, ordered)


def run_baselines(
    rivals: Competing[Said],
    extra: Mapping[str, Said],
    step: Step,
    kind: FeatureKind = DEFAULT,
) -> dict[str, Said]:
    """All baselines by name, in the order in which they are shown.

    The untrained encoder's features are of the `kind` of the model's.

    Fitting an SVM keeps one core busy and leaves Python free: they are fitted side by side.
    """
    fresh = rivals.fresh_network()
    made: dict[str, Extract] = {
        "pixels-pca-svm": flat_pixels,
        "hog-svm": hog,
        "untrained-encoder": lambda pixels: embed(fresh, pixels, kind),
    }
    found = {"majority": rivals.majority(), **extra}
    with ThreadPoolExecutor(max_workers=2) as pool:
        running = {name: pool.submit(rivals.with_features, make) for name, make in made.items()}
        for name, future in running.items():
            step(name)
            found[name] = future.result()
    return found


def seen_but_untrained(network: Autoencoder, pixels: NDArray[np.float32], seed: int) -> Autoencoder:
    """A network with random weights, which has seen the statistics of scans (N, C, *spatial)."""
    fresh = untrained(network, seed=derive_seed(seed, "untrained"))
    train = torch.from_numpy(pixels)
    fresh.fit_normalisation(train)
    settle_statistics(fresh, train)
    return fresh


@torch.no_grad()
def settle_statistics(network: Autoencoder, pixels: torch.Tensor) -> None:
    """Let batch normalisation see the training scans: without it random weights do worse."""
    network.train()
    batches = pixels.split(256)
    for number in range(40):
        batch = batches[number % len(batches)]
        if len(batch) > 1:
            network.layers(batch)
    network.eval()


def _at(values: tuple[str, ...], mask: Any) -> tuple[str, ...]:
    return tuple(value for value, kept in zip(values, mask.tolist(), strict=True) if kept)
