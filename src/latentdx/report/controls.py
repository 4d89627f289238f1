"""The control that must fail: the same features and classifier on labels that mean nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from latentdx.collection.labelled import LabelledScans
from latentdx.core.seeds import derive_seed, numpy_generator
from latentdx.diagnosis.answers import answered
from latentdx.diagnosis.fit_like import fit_like
from latentdx.diagnosis.head import Head
from latentdx.metrics.bootstrap import patient_groups
from latentdx.metrics.estimate import Estimate
from latentdx.metrics.grades import FROM_GRADES
from latentdx.metrics.summary import NAMES
from latentdx.report.predictions import Predictions

Floats = NDArray[np.float32]
Label = TypeVar("Label", np.int64, np.float64)

N_SHUFFLES = 20
MOST_SCANS = 1500


@dataclass(frozen=True)
class ControlScans:
    """Scans of train, calibrate and test with their reduced features (N, M)."""

    scans: LabelledScans
    features: Floats

    def part(self, name: str) -> ControlScans:
        """The scans of one part."""
        rows = self.scans.parts == name
        return ControlScans(self.scans.take(rows), self.features[rows])

    def can_be_learnt(self) -> bool:
        """Whether train has every class, which a shuffle can take from it where one is rare."""
        train = self.scans.labels[self.scans.parts == "train"]
        return len(np.unique(train)) == len(self.scans.classes)


def shuffled_labels(head: Head, control: ControlScans, seed: int) -> dict[str, Estimate]:
    """The mean of each metric over classifiers fitted again on shuffled labels.

    Labels are permuted among the patients of all parts at once, and the classifier (at most 1500
    scans, no copies) and its calibration are fitted again. Nothing is left to be learnt but who
    the patient is: an AUROC far from .5 means that test holds patients of train (a slice-level
    split scored .96 that way: Yagis et al., Scientific Reports 11, 2021), or another leak. One
    shuffle says little; the interval is Student's of the mean of 20.
    """
    found = [one for one in shuffles(head, control, seed) if one is not None]
    test = control.part("test").scans
    names = (*FROM_GRADES, *NAMES) if head.ordered else NAMES
    return mean_of(found, len(test), len(np.unique(test.patients)), names)


def shuffles(
    head: Head, control: ControlScans, seed: int
) -> Iterator[Mapping[str, Estimate] | None]:
    """The metrics of each of 20 shuffles; None where it took a class from train.

    Patients take over each other's labels in the same way whatever the labels are.
    """
    for number in range(N_SHUFFLES):
        scans = _shuffled(control, derive_seed(seed, "shuffle", number))
        yield _one(head, scans, seed) if scans.can_be_learnt() else None


def mean_of(
    found: Sequence[Mapping[str, Estimate]],
    n_scans: int,
    n_patients: int,
    names: Sequence[str] = NAMES,
) -> dict[str, Estimate]:
    """The mean of each of `names` over shuffles, with the interval of that mean."""
    return {name: _mean([one[name] for one in found], n_scans, n_patients) for name in names}


def _one(head: Head, shuffled: ControlScans, seed: int) -> Mapping[str, Estimate]:
    train, calibrate = shuffled.part("train"), shuffled.part("calibrate")
    test = shuffled.part("test")
    drawn = numpy_generator(seed, "rows").permutation(len(train.scans))[:MOST_SCANS]
    labels = train.scans.labels[drawn]
    if len(np.unique(labels)) < len(train.scans.classes):
        drawn, labels = np.arange(len(train.scans)), train.scans.labels
    machine = fit_like(
        head, train.features[drawn], labels, train.scans.patients[drawn], len(train.scans.classes)
    )
    known, asked = (machine.scores(part.features) for part in (calibrate, test))
    found = answered(known, calibrate.scans.labels, asked, head.ordered)
    told = Predictions(test.scans.labels, test.scans.patients, *found, head.ordered)
    return told.metrics(seed, 0)


def _shuffled(control: ControlScans, seed: int) -> ControlScans:
    labels = _permuted(control.scans, seed)
    return replace(control, scans=replace(control.scans, labels=labels))


def _permuted(scans: LabelledScans, seed: int) -> NDArray[np.int64]:
    return permuted(scans.labels, scans.patients, seed)


def permuted(labels: NDArray[Label], patients: NDArray[np.str_], seed: int) -> NDArray[Label]:
    """Patients in drawn order take over the labels in the old order: each stays as common."""
    # By first appearance, not by name: another key of the pseudonyms draws the same.
    groups = patient_groups(patients)
    drawn = numpy_generator(seed).permutation(len(np.unique(groups)))
    order = np.argsort(groups, kind="stable")
    target = np.argsort(drawn[groups], kind="stable")
    found = np.empty_like(labels)
    found[target] = labels[order]
    return found


def _mean(estimates: list[Estimate], n_scans: int, n_patients: int) -> Estimate:
    values = np.array([item.value for item in estimates if item.value is not None])
    if len(values) < 2:
        return Estimate(None, None, None, n_scans, n_patients)
    mean, error = float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))
    half = float(stdtrit(len(values) - 1, 0.975)) * error
    return Estimate(mean, mean - half, mean + half, n_scans, n_patients)
