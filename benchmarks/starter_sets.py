"""What a starter encoder learns from: scans of several public sets, none of which is tested.

Of the sets that are tested, the scans of fold 0 of ``benchmarks.worth`` that are learned from (of
Kermany its given training part without patients of its test part). MedNIST's hands, heads, chests,
breasts and abdomens in CT and MR: of its folds those that are learned from; not its class of chest
X-rays, which come from the NIH's set and may be of patients who are tested there. Of the
hippocampus volumes slices along the third axis; no volume of that set is tested anywhere here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import data_folder
from benchmarks.worth_sets import load, unlabelled
from latentdx.collection.ingest import ingest
from latentdx.collection.plan import IngestSettings
from latentdx.collection.store import Collection
from latentdx.scans.policy import Policy

TESTED = ("kermany", "nih", "brain-mr", "phantoms")
SETS = (*TESTED, "mednist", "hippocampus")
MOST = 800
"""Scans of a set: none may drown the others."""
FOLD = 0
_EVERY = 12
_KEY = b"benchmark".ljust(32)

LICENCES = {
    "kermany": "CC BY 4.0 (Kermany et al., 2018)",
    "nih": "NIH Clinical Center, free with credit (Wang et al., 2017)",
    "brain-mr": "data: not stated by its source; repository Apache-2.0",
    "phantoms": "made by latentdx",
    "mednist": "CC BY-SA 4.0 (B. Erickson, Mayo Clinic)",
    "hippocampus": "CC BY-SA 4.0 (Medical Segmentation Decathlon)",
}


@dataclass(frozen=True)
class Part:
    """Unlabelled scans of a set: uint16 (N, 1, 64, 64), and a hash of each one's own pixels."""

    name: str
    levels: NDArray[np.uint16]
    content: tuple[str, ...]


def part(name: str, cache: Path, *, most: int | None = MOST) -> Part | None:
    """The scans of a set to learn from; of more than `most` so many. None if it is absent."""
    place = cache / f"{name}.collection"
    if name == "hippocampus":
        if not place.exists() and not _slices(place):
            return None
        collection = Collection.open(place)
        rows = np.arange(len(collection))
    else:
        scans = load(name, cache)
        if scans is None:
            return None
        collection = Collection.open(place)
        table = collection.metadata()
        learned = np.isin(table.scan_id, scans.names[scans.learned(FOLD)])
        learned[unlabelled(table)] = True
        rows = np.flatnonzero(learned & (table.label != "CXR"))
    table = collection.metadata()
    rows = rows[np.argsort(table.scan_id[rows], kind="stable")]
    if most is not None and len(rows) > most:
        drawn = np.random.default_rng(0).permutation(len(rows))[:most]
        rows = rows[np.sort(drawn)]
    return Part(name, collection.levels(rows), tuple(table.content_hash[rows].tolist()))


def _slices(place: Path) -> bool:
    """Store slices of the hippocampus volumes; False where they are not in the data folder."""
    source = data_folder() / "mri_hippocampus_nifti" / "images"
    if not source.exists():
        return False
    policy = Policy(every=_EVERY, burned_in="keep", gate=True)
    given = {"one_scan_per_patient": True, "size": 64, "channels": 1, "for_training": False}
    settings = IngestSettings(policy=policy, key=_KEY, **given)
    ingest([source], place, settings)
    return True
