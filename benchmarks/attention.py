"""``python -m benchmarks.attention``: scans of a patient joined by their mean, or by attention.

Patients are diagnosed, not scans. ``one of several``: phantoms of which each diseased patient shows
the lesion in one scan of up to three, and in the others the same chest without it; drawn for this
benchmark alone, with a seed of their own. ``phantoms`` and ``nih``: the training part of fold 0 of
`benchmarks.worth`, whose scans of a patient are alike ill (a patient of NIH whose scans differ in
their label is two). Features are those of the encoder of `benchmarks.worth`. Three folds by
patient; of those who may be learned from all have a label, or in two draws a fold a tenth, four of
a class at least; an eighth of them calibrates. AUROC, log-loss and balanced accuracy of patients,
those with one scan among them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.few_labels import Features, features_of
from benchmarks.machine import RESULTS, TRIALS, provenance, write
from benchmarks.worth_encoders import CACHE, POOLS, VARIANTS, encoder
from benchmarks.worth_sets import load
from latentdx.collection.cases import Cases
from latentdx.collection.ingest import ingest
from latentdx.collection.labelled import LabelledScans, load_parts
from latentdx.collection.phantom_dicom import phantom_dicom
from latentdx.collection.phantom_draw import expose
from latentdx.collection.phantoms import PhantomSettings, write_phantoms
from latentdx.collection.plan import IngestSettings
from latentdx.collection.split import Split
from latentdx.collection.store import Collection
from latentdx.core.seeds import numpy_generator
from latentdx.diagnosis.folds import patient_folds
from latentdx.diagnosis.head import Head, HeadSettings, fit_calibrated
from latentdx.diagnosis.views import Viewed
from latentdx.metrics.calibration import log_loss
from latentdx.metrics.decisions import balanced_accuracy
from latentdx.metrics.discrimination import auroc
from latentdx.scans.policy import Policy

ONE = "one of several"
SETS = (ONE, "phantoms", "nih")
WAYS = ("mean", "attention")
_COHORT = PhantomSettings(patients=400, labelled_fraction=1.0, diseased_fraction=0.4, seed=1)
_KEY = b"benchmark".ljust(32)
FOLDS, DRAWS, FEW, FEWEST = 3, 2, 0.1, 4
Ints = NDArray[np.int64]


def lesion_in_one(place: Path) -> Collection:
    """Phantoms with the lesion in one scan of each diseased patient; made at the first use."""
    stored = place / "one-of-several.collection"
    if not stored.exists():
        root = place / "one-of-several"
        cohort = write_phantoms(root, _COHORT)
        for number in range(_COHORT.patients):
            patient = _COHORT.describe(number)
            kept = number % patient.n_scans
            for scan in range(patient.n_scans):
                if patient.lesion and scan != kept:
                    healthy = expose(patient, scan, seed=1, size=_COHORT.size, with_lesion=False)
                    data = phantom_dicom(healthy.pixels, patient, scan=scan, seed=1)
                    (cohort.scans / f"{patient.name}-{scan + 1}.dcm").write_bytes(data)
        settings = IngestSettings(
            labels=cohort.labels,
            size=64,
            channels=1,
            policy=Policy(burned_in="keep", gate=True),
            key=_KEY,
        )
        ingest([cohort.scans], stored, settings)
    return Collection.open(stored)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, judge, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attention", description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--sets", nargs="*", choices=SETS, default=SETS)
    parser.add_argument("--short", action="store_true", help="two copies, all labels")
    parser.add_argument("--quick", action="store_true", help="one fold of phantoms: does it work?")
    asked = parser.parse_args(arguments)
    names, folds = (SETS[1:2], 1) if asked.quick else (asked.sets, FOLDS)
    out = asked.out or (TRIALS if asked.quick else RESULTS) / "attention.json"
    made = {"quick": asked.quick, **provenance(), "machine_was_shared": True, "folds": folds}
    sets = {each: found for each in POOLS[64] if (found := load(each, CACHE))}
    network = encoder(sets, list(sets), VARIANTS["default"], 0, trained=True)
    results: dict[str, Any] = {}
    for name in names:
        scans = _one_of_several() if name == ONE else sets[name].scans(sets[name].learned(0))
        known = features_of(network, scans, 2 if asked.short else HeadSettings().most_copies)
        shares = (1.0,) if asked.short else (1.0, FEW)
        results[name] = _of(known, scans, name, shares, folds)
        print(name, results[name], flush=True)
        write(out, {**made, "results": results})
    return 0


def _one_of_several() -> LabelledScans:
    collection = lesion_in_one(CACHE)
    table = collection.metadata()
    parts = np.full(len(table), "train")
    split = Split(parts, Split.hash_of(table, parts))
    return load_parts(collection, split, ("healthy", "diseased"), "train")


def _of(
    known: Features, scans: LabelledScans, name: str, shares: Sequence[float], folds: int
) -> dict[str, Any]:
    names = np.char.add(np.char.add(scans.patients, " "), scans.labels.astype(str))
    counts = np.bincount(Cases.of(names).number)
    told: dict[str, Any] = {"scans": len(scans), "by_patient": np.bincount(counts).tolist()}
    for share in shares:
        fits = list(_fits(known, names, name, share, folds))
        told[f"{100 * share:g} %"] = {
            way: {
                metric: _told([fit[way][metric] for fit in fits])
                for metric in ("auroc", "log_loss", "balanced_accuracy")
            }
            for way in WAYS
        } | {"gain": _told([fit["attention"]["auroc"] - fit["mean"]["auroc"] for fit in fits])}
    return told


def _fits(
    known: Features, names: NDArray[np.str_], name: str, share: float, folds: int
) -> Iterator[dict[str, dict[str, float]]]:
    labels, patients = known.plain.labels, known.patients
    for number, (learned, tested) in enumerate(patient_folds(labels, patients, FOLDS, seed=0)):
        if number >= folds:
            return
        for draw in range(DRAWS if share < 1 else 1):
            generator = numpy_generator(0, "attention", name, number, draw)
            train, calibrate, others = _drawn(known, learned, share, generator)
            rows = train, calibrate, others, tested
            found = {way: _judged(known, names, rows, way, number) for way in WAYS}
            print(name, share, number, draw, found, flush=True)
            yield found


def _drawn(
    known: Features, learned: Ints, share: float, generator: np.random.Generator
) -> tuple[Ints, Ints, Ints]:
    """Rows of train, of calibrate, and of those without a label."""
    labels, patients = known.plain.labels[learned], known.patients[learned]
    part: dict[int, int] = {}
    for label in np.unique(labels):
        drawn = generator.permutation(np.unique(patients[labels == label])).tolist()
        drawn = [patient for patient in drawn if patient not in part]
        count = max(FEWEST, round(share * len(drawn)))
        held = max(1, round(count / 8))
        for place, patient in enumerate(drawn):
            part[patient] = 2 if place >= count else int(place < held)
    of = np.array([part[patient] for patient in patients.tolist()])
    return learned[of == 0], learned[of == 1], learned[of == 2]


def _judged(
    known: Features,
    names: NDArray[np.str_],
    rows: tuple[Ints, Ints, Ints, Ints],
    way: Any,
    seed: int,
) -> dict[str, float]:
    train, calibrate, others, tested = rows
    settings = HeadSettings(pool=way)
    table = known.learned(train, settings)
    table = replace(table, cases=np.tile(names[train], len(table) // len(train)))
    head = fit_calibrated(
        table,
        _viewed(known, calibrate, names),
        settings,
        n_scans=len(train),
        seed=seed,
        others=known.plain.take(others) if len(others) else None,
    )
    return _scored(head, _viewed(known, tested, names))


def _scored(head: Head, seen: Viewed) -> dict[str, float]:
    scores, labels = seen.scores(head), seen.decided.labels
    probabilities = head.probabilities(scores)
    return {
        "auroc": auroc(labels, scores[:, 0]),
        "log_loss": log_loss(labels, probabilities),
        "balanced_accuracy": balanced_accuracy(labels, head.decide(probabilities)),
    }


def _viewed(known: Features, rows: Ints, names: NDArray[np.str_]) -> Viewed:
    table = known.plain.take(rows)
    scans = LabelledScans(
        np.zeros((len(rows), 1, 1, 1), np.float32),
        *(table.labels, table.patients, table.scan_ids, table.parts, table.classes, ""),
        cases=names[rows],
    )
    return Viewed(scans, (table.embeddings, known.mirrored.embeddings[rows]))


def _told(values: Sequence[float]) -> list[float]:
    """Mean and standard error over fits."""
    found = np.asarray(values)
    return [round(float(found.mean()), 4), round(float(found.std() / np.sqrt(len(found))), 4)]


if __name__ == "__main__":
    sys.exit(main())
