"""`fine_tune`: an encoder goes on learning, from labels; how long may be chosen within them.

    for each fold of the labelled patients, held out:   train on the others, score it every epoch
    epochs = where the held-out scores have the least log-loss
    train on all labelled scans, for so many epochs

No scan of another part is looked at. A linear layer, then more and more of a network: Yosinski,
Clune, Bengio & Lipson, "How transferable are features in deep neural networks?", NIPS 2014.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from latentdx.autoencoder.base import Autoencoder
from latentdx.collection.labelled import LabelledScans
from latentdx.core.seeds import derive_seed
from latentdx.diagnosis.calibrate import SigmoidCalibration
from latentdx.diagnosis.fine_tune_blocks import tuned_names
from latentdx.diagnosis.fine_tune_loop import Lessons, train_epochs
from latentdx.diagnosis.fine_tune_network import LabelledNetwork
from latentdx.diagnosis.fine_tune_settings import FineTuneSettings
from latentdx.diagnosis.fine_tuned import FineTuned, FineTuneFacts, log_odds
from latentdx.diagnosis.folds import patient_folds
from latentdx.diagnosis.machines_linear import Linear
from latentdx.diagnosis.sampling import class_shares
from latentdx.features.extract import embed
from latentdx.features.whiten import Standardiser
from latentdx.metrics.bootstrap import patient_groups
from latentdx.metrics.calibration import log_loss

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Tell = Callable[[int, int], None]

_FOLDS, _MANY_FOLDS = 3, 5
_MANY = 1000  # scans: from here on a fifth of them, held out once, says enough
_MOST_FOR_SCALE = 2000


def fine_tune(
    encoder: Autoencoder,
    train: LabelledScans,
    settings: FineTuneSettings,
    *,
    seed: int,
    unlabelled: Floats | None = None,
    tell: Tell = lambda done, total: None,
) -> FineTuned:
    """A fine-tuned copy of `encoder`, which itself stays as it is.

    `train` are labelled scans of the training part; `unlabelled` (M, C, *spatial) are scans of the
    training side by which features are scaled and, where `settings.consistency` says so, from which
    the network learns. `tell` hears of epochs done, of how many in all.
    """
    none = np.empty((0, *train.pixels.shape[1:]), np.float32)
    others = none if unlabelled is None else unlabelled
    basis = np.concatenate([train.pixels, others[:_MOST_FOR_SCALE]])
    standardiser = Standardiser.fit(embed(encoder, basis, "pooled"))
    lessons = Lessons(train.pixels, train.labels, len(train.classes), others)
    folds = _folds(train, seed) if settings.choose else []
    total = settings.epochs * (len(folds) + 1)
    names = tuned_names(encoder, settings.which)

    def fresh() -> LabelledNetwork:
        return LabelledNetwork(copy.deepcopy(encoder), names, standardiser, lessons.n_classes)

    tables = []
    for number, (rows, held_out) in enumerate(folds):
        part = Lessons(train.pixels[rows], train.labels[rows], lessons.n_classes, others)
        scores = []
        training = train_epochs(fresh(), part, settings, seed=derive_seed(seed, "fold", number))
        for epoch, network in enumerate(training):
            logits = _logits(network, train.pixels[held_out])
            scores.append(log_odds(logits))
            tell(number * settings.epochs + epoch + 1, total)
        tables.append(np.stack(scores))
    held = [train.labels[held_out] for _, held_out in folds]
    epochs = _best_epoch(tables, held, settings) if settings.choose else settings.epochs
    whole = train_epochs(fresh(), lessons, settings, seed=derive_seed(seed, "whole"))
    for epoch, network in enumerate(whole, 1):
        tell(len(folds) * settings.epochs + epoch, total)
        if epoch == epochs:
            return _finished(network, standardiser, lessons, settings, epochs)
    raise AssertionError("an epoch was chosen that there is not")


def _facts(settings: FineTuneSettings, epochs: int, n_unlabelled: int) -> FineTuneFacts:
    return FineTuneFacts(
        settings.which,
        epochs,
        settings.loss.words,
        settings.loss.class_weights,
        settings.sampling,
        settings.consistency > 0 and n_unlabelled > 0,
        settings.choose,
    )


def _folds(train: LabelledScans, seed: int) -> list[tuple[Ints, Ints]]:
    """(rows to train on, rows held out): three of few scans, of many one of five."""
    groups = patient_groups(train.patients)
    if len(train) < _MANY:
        return patient_folds(train.labels, groups, _FOLDS, seed=seed)
    return patient_folds(train.labels, groups, _MANY_FOLDS, seed=seed)[:1]


def _best_epoch(tables: list[Floats], labels: list[Ints], settings: FineTuneSettings) -> int:
    """The epoch, from 1, whose held-out scores, made probabilities, have the least log-loss.

    A sigmoid makes them so, fitted on themselves, as the diagnosis' scores are calibrated later: an
    epoch is chosen for what it knows and not for how sure it is. Without folds half of the epochs.
    """
    if not tables:
        return -(-settings.epochs // 2)
    known = np.concatenate(labels)
    losses = []
    for scores in np.concatenate(tables, axis=1):
        table = SigmoidCalibration.fit(scores, known).probabilities(scores)
        losses.append(log_loss(known, table))
    return 1 + int(np.argmin(losses))


@torch.no_grad()
def _logits(network: LabelledNetwork, pixels: Floats) -> Floats:
    device = network.mean.device
    parts = [network(torch.from_numpy(part).to(device)) for part in _blocks(pixels)]
    return torch.cat(parts).float().cpu().numpy()


def _blocks(pixels: Floats) -> list[Floats]:
    return [pixels[start : start + 256] for start in range(0, len(pixels), 256)]


def _finished(
    network: LabelledNetwork,
    standardiser: Standardiser,
    lessons: Lessons,
    settings: FineTuneSettings,
    epochs: int,
) -> FineTuned:
    """What is kept: weights and the last layer, without what only the training needed."""
    shares = class_shares(lessons.labels, lessons.n_classes, settings.sampling)
    offsets = settings.loss.balancing(torch.from_numpy(shares).float()).numpy()
    weights = network.linear.weight.detach().cpu().numpy().copy()
    intercepts = network.linear.bias.detach().cpu().numpy() - offsets
    encoder = copy.deepcopy(network.encoder).eval().requires_grad_(False)
    return FineTuned(
        encoder,
        network.names,
        standardiser,
        Linear(weights, intercepts),
        _facts(settings, epochs, len(lessons.unlabelled)),
    )
