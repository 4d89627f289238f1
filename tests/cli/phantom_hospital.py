"""A phantom cohort as a hospital might send it: patients named in files, odd and broken ones."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import pydicom
from latentdx_command import QUICK, Ended, table

from latentdx.collection.phantoms import PhantomSettings, write_phantoms

PLANTED = {
    "PatientName": "Quirinus^Zephaniah",
    "PatientID": "MRN-7723184",
    "OtherPatientIDs": "OLD-9911827",
    "PatientAddress": "Primrose Terrace",
    "AccessionNumber": "ACC55512345",
    "InstitutionName": "Xanadu Infirmary",
    "ReferringPhysicianName": "Ozymandias^Dr",
    "StationName": "XANADU-CR-2",
}
SHORT = "=short.dcm"
MISSING = "-absent.dcm"
LETTERS = "letter.dcm"


@dataclass(frozen=True)
class Cohort:
    """A folder of DICOM files whose names look like formulas, and its table."""

    scans: Path
    labels: Path


@dataclass(frozen=True)
class Study:
    """A finished study."""

    cohort: Cohort
    out: Path
    ended: Ended


def run_of(study: Study, out: Path, *more: object) -> tuple[object, ...]:
    """The words of a quick run on the cohort of a study."""
    cohort = study.cohort
    return ("run", cohort.scans, "--labels", cohort.labels, "--out", out, *QUICK, *more)


def write_hospital(root: Path) -> Cohort:
    """60 patients; one file is cut short, one is a letter, one row of the table leads nowhere."""
    drawn = write_phantoms(root, PhantomSettings(60, labelled_fraction=0.7, size=32, seed=1))
    labels = {row["path"]: row["label"] for row in table(drawn.labels)}
    rows = []
    for number, path in enumerate(sorted(drawn.scans.iterdir())):
        renamed = path.with_name("=+-@"[number % 4] + path.name)
        _with_identity(path, renamed, path.name.partition("-")[0])
        if path.name in labels:
            rows.append((renamed.name, labels[path.name]))
    whole = next(iter(drawn.scans.iterdir())).read_bytes()
    (drawn.scans / SHORT).write_bytes(whole[: len(whole) // 2])
    (drawn.scans / LETTERS).write_text("Dear colleague, thank you for referring this patient.\n")
    listed = root / "table.csv"
    with listed.open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label"), *rows, (MISSING, "healthy")])
    return Cohort(drawn.scans, listed)


def _with_identity(path: Path, renamed: Path, number: str) -> None:
    scan = pydicom.dcmread(path)
    for keyword, value in PLANTED.items():
        setattr(scan, keyword, value)
    scan.PatientID = f"{PLANTED['PatientID']}{number}"
    private = scan.private_block(0x0011, "XANADU", create=True)
    private.add_new(0x01, "LO", PLANTED["PatientName"])
    scan.save_as(renamed)
    path.unlink()
