"""The labelled sets on which the worth of training is measured, stored once, and their folds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import data_folder
from latentdx.collection.ingest import ingest
from latentdx.collection.labelled import LabelledScans
from latentdx.collection.labels import order_classes
from latentdx.collection.phantoms import PhantomSettings, write_phantoms
from latentdx.collection.plan import IngestSettings
from latentdx.collection.store import Collection
from latentdx.collection.table import CollectionTable
from latentdx.core.seeds import numpy_generator
from latentdx.scans.policy import Policy

FOLDS = 3
PHANTOMS = 1000  # patients; of 400 a tenth of the labels held three diseased ones
SHARED = -2
"""The fold of training scans whose patient is in a given test part: used for nothing."""

_KERMANY = r"person\d+_[a-z]+|(?:NORMAL2-)?IM-\d+"
_KEY = b"benchmark".ljust(32)


@dataclass(frozen=True)
class Case:
    """A set: where it lies, its side in pixels, how it is told of patients."""

    source: str
    size: int = 64
    labels: str | None = None
    pattern: str | None = None
    given_test: bool = False


CASES = {
    "kermany": Case("cxr_pneumonia_kermany_small", pattern=_KERMANY, given_test=True),
    "nih": Case("cxr_nih_pneumonia_224", labels="cxr_nih_pneumonia_224/metadata.csv"),
    "brain-mr": Case("brain_mri_tumor_yesno"),
    "phantoms": Case("PHANTOMS"),
    "pneumoniamnist": Case("medmnist/pneumoniamnist.npz", size=28, given_test=True),
}
MULTICLASS = {"mednist": Case("mednist_64_subset")}
"""Sets of more than two classes: for label curves, not for the worth of training."""


@dataclass(frozen=True)
class Scans:
    """A set in memory.

    Attributes
    ----------
    levels: uint8 or uint16 (N, 1, S, S). folds: (N,), the fold in which a scan is tested, or -1
    for one that is only learned from. labels, patients, names: (N,). unlabelled: of patients none
    of whose scans has a label.
    """

    name: str
    levels: NDArray[np.uint16]
    labels: NDArray[np.int64]
    patients: NDArray[np.str_]
    names: NDArray[np.str_]
    folds: NDArray[np.int64]
    classes: tuple[str, ...]
    unlabelled: NDArray[np.uint16]

    def pooled(self, fold: int) -> NDArray[np.uint16]:
        """What an encoder learns from in a fold: learned scans, and all those without label."""
        return np.concatenate([self.levels[self.learned(fold)], self.unlabelled])

    def scans(self, rows: NDArray[np.bool_]) -> LabelledScans:
        """Of some rows, as the classifier's training takes them."""
        pixels = self.levels[rows].astype(np.float32) / np.float32(65535)
        parts = np.full(int(rows.sum()), "train")
        given = (self.labels[rows], self.patients[rows], self.names[rows], parts)
        return LabelledScans(pixels, *given, self.classes, "")

    def tested(self, fold: int) -> NDArray[np.bool_]:
        """Scans that are tested in a fold: a given test part is tested in every fold."""
        has_given = bool((self.folds == FOLDS).any())
        return self.folds == (FOLDS if has_given else fold)

    def learned(self, fold: int) -> NDArray[np.bool_]:
        """Scans that may be learned from in a fold."""
        return ~self.tested(fold) & (self.folds != SHARED)


def load(name: str, cache: Path) -> Scans | None:
    """A set, ingested at its first use; None where it is not in the data folder."""
    case = {**CASES, **MULTICLASS}[name]
    place = cache / f"{name}.collection"
    if not place.exists():
        source = _source(case, cache)
        if not source.exists():
            return None
        labels = None if case.labels is None else data_folder() / case.labels
        if case.source == "PHANTOMS":
            labels = source.parent / "labels.csv"
        _store(source, place, case, labels)
    return _read(name, Collection.open(place), case)


def _store(source: Path, place: Path, case: Case, labels: Path | None) -> None:
    settings = IngestSettings(
        labels=labels,
        patient_pattern=case.pattern,
        one_scan_per_patient=case.source != "PHANTOMS" and case.pattern is None,
        size=case.size,
        channels=1,
        policy=Policy(burned_in="keep", gate=True),
        key=_KEY,
    )
    ingest([source], place, settings)


def phantom_scans(patients: int, cache: Path) -> LabelledScans:
    """A cohort of other phantoms, all labelled, of which no encoder has seen any."""
    source, place = cache / f"phantoms-{patients}", cache / f"phantoms-{patients}.collection"
    if not place.exists():
        write_phantoms(source, PhantomSettings(patients=patients, labelled_fraction=1, seed=1))
        _store(source / "scans", place, Case("PHANTOMS"), source / "labels.csv")
    found = _read("phantoms", Collection.open(place), Case("PHANTOMS"))
    return found.scans(np.full(len(found.labels), True))


def _source(case: Case, cache: Path) -> Path:
    if case.source != "PHANTOMS":
        return data_folder() / case.source
    place = cache / "phantoms"
    if not place.exists():
        write_phantoms(place, PhantomSettings(patients=PHANTOMS))
    return place / "scans"


def _read(name: str, collection: Collection, case: Case) -> Scans:
    table = collection.metadata()
    rows = np.flatnonzero(table.is_labelled)
    rows = rows[np.argsort(table.scan_id[rows], kind="stable")]
    classes = tuple(order_classes(table.classes))
    patients = _with_twins(table.patient_or_scan()[rows], table.content_hash[rows])
    labels = np.array([classes.index(label) for label in table.label[rows].tolist()], np.int64)
    given = table.given_part[rows] == "test" if case.given_test else None
    return Scans(
        name,
        collection.levels(rows),
        labels,
        patients,
        table.scan_id[rows],
        _folds(patients, labels, given),
        classes,
        collection.levels(unlabelled(table)),
    )


def unlabelled(table: CollectionTable) -> NDArray[np.int64]:
    """Rows of patients without any label who share no picture with one that has some."""
    patients = _with_twins(table.patient_or_scan(), table.content_hash)
    return np.flatnonzero(~np.isin(patients, patients[table.is_labelled]))


def _with_twins(patients: NDArray[np.str_], hashes: NDArray[np.str_]) -> NDArray[np.str_]:
    """Patients who share a picture are one: its copies must not be parted."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.get(name, name) != name:
            name = parent[name]
        return name

    for patient, picture in zip(patients.tolist(), hashes.tolist(), strict=True):
        parent[root(f"picture {picture}")] = root(patient)
    return np.array([root(patient) for patient in patients.tolist()])


def _folds(
    patients: NDArray[np.str_], labels: NDArray[np.int64], given: NDArray[np.bool_] | None
) -> NDArray[np.int64]:
    """By patient, balanced by label; the patients of a given test part are nowhere else."""
    if given is not None:
        shared = np.isin(patients, patients[given])
        found = np.where(given, FOLDS, np.where(shared, SHARED, -1))
        return found.astype(np.int64)
    from sklearn.model_selection import StratifiedGroupKFold

    seed = int(numpy_generator(0, "worth").integers(2**31))
    folds = np.empty(len(labels), np.int64)
    splits = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for number, (_, tested) in enumerate(splits.split(labels, labels, patients)):
        folds[tested] = number
    return folds
