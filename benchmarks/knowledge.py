"""``python -m benchmarks.knowledge``: what presets of reading, regions and a focus are worth.

Each step of a preset by itself against the same study without it: an encoder trained without
labels on the scans of half of the patients, its features, and the diagnosis' own classifier (but
without augmented copies) with all labels of that half, tested on the other half. Phantoms of chest
CT in HU and of brain MR (see `benchmarks.knowledge_phantoms`), phantoms of chest X-rays with
shutters of any width, slices of brain MR and every second of NIH's chests, where they are there.
Differences are paired, with 95 % intervals over patients.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.knowledge_phantoms import Drawn, ct_chest, mr_brain
from benchmarks.machine import RESULTS, TRIALS, data_folder, provenance, write
from latentdx.autoencoder.engine.data import ArraySource
from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.family import build
from latentdx.collection.labelled import LabelledScans
from latentdx.collection.phantoms import PhantomSettings, write_phantoms
from latentdx.core.hashing import hash_bytes
from latentdx.core.seeds import numpy_generator
from latentdx.diagnosis.head import HeadSettings, fit_head, score_scans
from latentdx.features.extract import embed
from latentdx.features.kinds import DEFAULT
from latentdx.features.table import extract_table
from latentdx.metrics.discrimination import auroc
from latentdx.metrics.ranks import auroc_difference
from latentdx.scans.open import open_scan
from latentdx.scans.policy import WINDOWS, Policy
from latentdx.scans.prepared import prepared
from latentdx.scans.request import Request
from latentdx.scans.scan import Scan
from latentdx.scans.volume_scans import scans_of

THREE = tuple(WINDOWS[name] for name in ("lung", "soft-tissue", "bone"))
SLICE = Policy(every=1)


@dataclass(frozen=True)
class Way:
    """How scans are read, and the network's settings."""

    policy: Policy = SLICE
    network: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cohort:
    """Patients of one scan or more: names, labels, and a scan by its number, read by a policy."""

    patients: Sequence[str]
    labels: Sequence[int]
    read: Callable[[int, Policy], Scan]
    ways: dict[str, Way]
    size: int = 48


def ct(count: int) -> Cohort:
    """The first way is what CT without a window is read with."""
    soft = replace(SLICE, window=WINDOWS["soft-tissue"])
    ways = {
        "soft-tissue window": Way(soft),
        "lung window": Way(replace(SLICE, window=WINDOWS["lung"])),
        "three windows": Way(replace(SLICE, windows=THREE)),
        "body": Way(replace(soft, region="body")),
        "ct-chest: both": Way(replace(SLICE, windows=THREE, region="body")),
    }
    return _drawn(ct_chest, count, ways)


def mr(count: int) -> Cohort:
    """The first way is by percentiles."""
    ways = {
        "percentiles": Way(),
        "body": Way(replace(SLICE, region="body")),
        "scale by the body": Way(replace(SLICE, scale="body")),
        "bias field": Way(replace(SLICE, bias_field=True)),
        "mr: body and scale": Way(replace(SLICE, region="body", scale="body")),
    }
    return _drawn(mr_brain, count, ways)


def brain_pictures(_: int) -> Cohort | None:
    """Slices of brain MR from the web, tumour or none; None where they are not there."""
    folder = data_folder() / "brain_mri_tumor_yesno"
    if not folder.is_dir():
        return None
    paths = sorted(path for path in folder.rglob("*.*") if path.parent.name in ("yes", "no"))
    labels = [int(path.parent.name == "yes") for path in paths]
    copies = [hash_bytes(open_scan(path, policy=SLICE).pixels.tobytes()) for path in paths]

    def read(number: int, policy: Policy) -> Scan:
        return open_scan(paths[number], policy=policy)

    ways = {
        "whole": Way(),
        "body": Way(replace(SLICE, region="body")),
        "brain": Way(replace(SLICE, region="brain")),
        "scale by the body": Way(replace(SLICE, scale="body")),
        "mr: body and scale": Way(replace(SLICE, region="body", scale="body")),
        "whole, focus on the body": Way(network={"reconstruction": "body:ssim-gradient"}),
    }
    return Cohort(copies, labels, read, ways)


def _drawn(draw: Callable[[int], Drawn], count: int, ways: dict[str, Way]) -> Cohort:
    made = [draw(number) for number in range(count)]

    def read(number: int, policy: Policy) -> Scan:
        return next(scans_of(made[number].volume, policy))

    return Cohort([str(n) for n in range(count)], [each.label for each in made], read, ways)


def x_ray(count: int) -> Cohort:
    """Phantoms of the demo, each with black shutters of its own at all four sides."""
    folder = Path(tempfile.mkdtemp())
    cohort = write_phantoms(folder, PhantomSettings(count, labelled_fraction=1.0, size=96))
    with cohort.labels.open(newline="") as file:
        rows = list(csv.DictReader(file))
    scans = [open_scan(cohort.scans / row["path"]) for row in rows]

    def read(number: int, policy: Policy) -> Scan:
        rng = np.random.default_rng([9, number])
        height, width = scans[number].pixels.shape[1:]
        before, after = (rng.uniform(0, 0.45, 2) * (height, width) for _ in range(2))
        sides = [(int(a), int(b)) for a, b in zip(before, after, strict=True)]
        shut = np.pad(scans[number].pixels, ((0, 0), *sides))
        drawn = np.pad(np.ones((height, width), bool), sides)
        return prepared(replace(scans[number], pixels=shut, mask=drawn), policy)

    ways = {
        "whole": Way(),
        "field (cxr)": Way(replace(SLICE, region="field")),
        "mask of the field": Way(replace(SLICE, region="mask")),
    }
    labels = [int(row["label"] == "diseased") for row in rows]
    return Cohort([str(scan.patient) for scan in scans], labels, read, ways)


def nih(_: int) -> Cohort | None:
    """Adults' chests, pneumonia or nothing; None where they are not there."""
    folder = data_folder() / "cxr_nih_pneumonia_224"
    if not folder.is_dir():
        return None
    with (folder / "metadata.csv").open(newline="") as file:
        told = {Path(row["file"]).name: row["patient_id"] for row in csv.DictReader(file)}
    paths = sorted(path for path in folder.rglob("*.png") if path.name in told)[::2]
    labels = [int(path.parent.name != "no_finding") for path in paths]

    def read(number: int, policy: Policy) -> Scan:
        return open_scan(paths[number], policy=policy)

    ways = {
        "whole": Way(),
        "lung": Way(replace(SLICE, region="lung")),
        "whole, focus on the body": Way(network={"reconstruction": "body:ssim-gradient"}),
        "whole, focus on the lungs": Way(network={"reconstruction": "lung:ssim-gradient"}),
    }
    return Cohort([told[path.name] for path in paths], labels, read, ways)


MAKERS: dict[str, Callable[[int], Cohort | None]] = {
    "ct": ct,
    "mr": mr,
    "brain-mr": brain_pictures,
    "x-ray": x_ray,
    "nih": nih,
}


def scored(cohort: Cohort, way: Way, *, epochs: int) -> tuple[LabelledScans, NDArray[np.float64]]:
    """The tested scans and their scores (N,)."""
    names = np.unique(cohort.patients)
    drawn = numpy_generator(0, "halves").permutation(names)[: len(names) // 2]
    channels = 3 if way.policy.windows else 1
    request = Request(cohort.size, channels, policy=way.policy)
    scans = [request.fit(cohort.read(k, way.policy)) for k in range(len(cohort.labels))]
    patients = np.array(cohort.patients)
    every = LabelledScans(
        np.stack([scan.pixels for scan in scans]).astype(np.float32),
        np.array(cohort.labels),
        patients,
        np.array([f"{k:05}" for k in range(len(scans))]),
        np.where(np.isin(patients, drawn), "train", "test"),
        ("no", "yes"),
        "",
    )
    learned, tested = every.part("train"), every.part("test")
    network = build("invariant", {"channels": channels, "size": cohort.size, **way.network}, seed=0)
    source = ArraySource(learned.pixels)
    network.set_normalisation(*source.moments())
    pretrain(network, Pool(source, learned.pixels[:0]), FitSettings(epochs=epochs), seed=0)

    def extract(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        return embed(network, pixels, DEFAULT)

    table = extract_table(learned, extract, extractor_hash="")
    head = fit_head(table, HeadSettings(), n_scans=len(learned), seed=0)
    return tested, score_scans(head, tested, extract, flip=True)[:, 0].astype(np.float64)


def compared(cohort: Cohort, *, epochs: int) -> dict[str, Any]:
    """AUROC of each way, and its difference from the first."""
    found: dict[str, Any] = {}
    first: NDArray[np.float64] | None = None
    for name, way in cohort.ways.items():
        began = time.monotonic()
        tested, scores = scored(cohort, way, epochs=epochs)
        first = scores if first is None else first
        generator = numpy_generator(0, "bootstrap")
        gain = auroc_difference(
            tested.labels, scores, first, tested.patients, generator=generator
        ).as_json()
        ends = {end: round(gain[end], 4) for end in ("value", "low", "high")}
        found[name] = {"auroc": round(float(auroc(tested.labels, scores)), 4), "gain": ends}
        print(f"  {name}: {found[name]} in {time.monotonic() - began:.0f} s", flush=True)
    counts = {"tested": len(tested), "learned_from": len(cohort.labels) - len(tested)}
    return {**counts, "patients_tested": len(np.unique(tested.patients)), "ways": found}


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare all ways in all cohorts, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.knowledge", description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--quick", action="store_true", help="few scans: does it work?")
    parser.add_argument("--sets", nargs="*", choices=list(MAKERS), default=list(MAKERS))
    asked = parser.parse_args(arguments)
    count, epochs = (40, 1) if asked.quick else (400, 15)
    out = asked.out or (TRIALS if asked.quick else RESULTS) / "knowledge.json"
    made = {"quick": asked.quick, **provenance(), "machine_was_shared": True, "epochs": epochs}
    results: dict[str, Any] = {}
    if out.exists():  # what was measured before of other sets stays
        results = json.loads(out.read_text())["results"]
    for name in asked.sets:
        cohort = MAKERS[name](count)
        if cohort is not None:
            print(name, flush=True)
            results[name] = compared(cohort, epochs=epochs)
            write(out, {**made, "results": results})
    return 0


if __name__ == "__main__":
    sys.exit(main())
