"""Phantoms: a cohort of synthetic patients with labels and lesions, as real DICOM files.

Nothing in it comes from a person. What makes it worth diagnosing: healthy chests hold scars,
wires, electrodes and folds of skin too; three sites differ in format, depth, sharpness and window;
dose and position change from scan to scan; most scans have no label; disease is a matter of local
shape and texture. How hard that is was measured: ``docs/decisions/0002-phantom-hardness.md``.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image as Picture

from latentdx.collection.phantom_dicom import phantom_dicom
from latentdx.collection.phantom_draw import Phantom, expose
from latentdx.collection.phantom_faults import copies, with_parts
from latentdx.collection.phantom_patient import PhantomPatient, describe_patient
from latentdx.collection.phantom_tables import Row, labels_table, lesions_table
from latentdx.core.errors import StopError
from latentdx.core.files import write_atomic

_FORMAT = 1
_MINIMUM_SIZE = 32


@dataclass(frozen=True)
class PhantomSettings:
    """What to draw.

    Attributes
    ----------
    patients: how many; each has 1 to 3 scans. More patients change nothing in the first ones.
    labelled_fraction: of the patients; the scans of the others are for pretraining.
    diseased_fraction: of the patients.
    size: the longer side in pixels.
    seed: of everything.
    shortcut: a laterality marker is burned into most diseased scans and few healthy ones.
    duplicates_across_parts: pictures of the train part lie in the test part, under other names.
    patient_in_two_parts: patients have scans in train and in test.
    """

    patients: int = 400
    labelled_fraction: float = 0.4
    diseased_fraction: float = 0.3
    size: int = 128
    seed: int = 0
    shortcut: bool = False
    duplicates_across_parts: bool = False
    patient_in_two_parts: bool = False

    def describe(self, number: int) -> PhantomPatient:
        """The patient with this number, counted from 0."""
        return describe_patient(
            number,
            self.seed,
            labelled_fraction=self.labelled_fraction,
            diseased_fraction=self.diseased_fraction,
            shortcut=self.shortcut,
        )


@dataclass(frozen=True)
class PhantomCohort:
    """Where a cohort lies.

    Attributes
    ----------
    scans: a folder of DICOM files: the source.
    labels: a CSV of the labelled scans: ``path``, ``label`` (``healthy``, ``diseased``), and
        ``part`` where a planted fault needs one.
    masks: PNG files (0 and 255) of the lesions, named like the scans.
    lesions: a CSV of all scans with what no model may see: true label, kind and area of the
        lesion, site, marker. Not a table of covariates: keep it out of training.
    """

    root: Path
    scans: Path
    labels: Path
    masks: Path
    lesions: Path
    n_scans: int
    n_labelled: int


def draw_phantom(
    number: int,
    scan: int = 0,
    *,
    settings: PhantomSettings | None = None,
    with_lesion: bool = True,
) -> Phantom:
    """One scan of the patient with this number, in memory.

    `with_lesion=False` gives a diseased patient's healthy twin: same anatomy, position and noise.

    Raises `StopError` ``E_PHANTOM`` where the patient has no such scan.

    Examples
    --------
    >>> draw_phantom(0).pixels.ndim
    2
    """
    settings = settings or PhantomSettings()
    patient = settings.describe(number)
    if not 0 <= scan < patient.n_scans:
        found = f"scan {scan} of a patient with {patient.n_scans}"
        raise StopError("E_PHANTOM", found, fix="scans count from 0")
    return expose(patient, scan, seed=settings.seed, size=settings.size, with_lesion=with_lesion)


def write_phantoms(
    root: Path,
    settings: PhantomSettings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PhantomCohort:
    """Write the cohort below `root`; the same settings give the same bytes again.

    `progress` is called with the numbers of patients done and to be done.
    Raises `StopError`: ``E_PHANTOM`` (settings that cannot be drawn), ``E_DESTINATION`` (other
    things lie at `root`).
    """
    settings = settings or PhantomSettings()
    root = Path(root)
    _check(settings)
    _claim(root, settings)
    rows: list[Row] = []
    for number in range(settings.patients):
        rows += _write_patient(root, settings.describe(number), settings)
        if progress is not None:
            progress(number + 1, settings.patients)
    rows = _with_faults(root, rows, settings)
    return _write_tables(root, rows)


def _with_faults(root: Path, rows: list[Row], settings: PhantomSettings) -> list[Row]:
    if not (settings.duplicates_across_parts or settings.patient_in_two_parts):
        return rows
    found = with_parts(rows, settings.seed, split_patients=settings.patient_in_two_parts)
    pairs = copies(found, settings.patients) if settings.duplicates_across_parts else []
    for original, copy in pairs:
        _write_scan(root, copy, _drawn(original, settings), settings.seed)
    return [*found, *(copy for _, copy in pairs)]


def _check(settings: PhantomSettings) -> None:
    fractions = (settings.labelled_fraction, settings.diseased_fraction)
    if settings.patients < 1 or settings.size < _MINIMUM_SIZE:
        found = f"{settings.patients} patients of {settings.size} pixels"
        fix = f"ask for at least 1 patient and {_MINIMUM_SIZE} pixels"
        raise StopError("E_PHANTOM", found, fix=fix)
    if not all(0 <= fraction <= 1 for fraction in fractions):
        raise StopError("E_PHANTOM", f"the fractions {fractions}", fix="give fractions in 0..1")


def _claim(root: Path, settings: PhantomSettings) -> None:
    """Take an empty folder, or the one that the same settings were written to before."""
    mark = root / "phantoms.json"
    text = json.dumps({"format": _FORMAT, **asdict(settings)}, indent=2) + "\n"
    if mark.is_file() and mark.read_text(encoding="utf-8") == text:
        return
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        found = "other files lie here, or phantoms of other settings"
        raise StopError("E_DESTINATION", found, fix="give a new folder", path=root)
    for folder in ("scans", "masks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    write_atomic(mark, text)


def _write_patient(root: Path, patient: PhantomPatient, settings: PhantomSettings) -> Iterator[Row]:
    for scan in range(patient.n_scans):
        row = Row(f"{patient.name}-{scan + 1}.dcm", patient, scan)
        drawn = _drawn(row, settings)
        row = replace(row, lesion_mm2=drawn.lesion_mm2)
        _write_scan(root, row, drawn, settings.seed)
        yield row


def _drawn(row: Row, settings: PhantomSettings) -> Phantom:
    return expose(row.patient, row.scan, seed=settings.seed, size=settings.size)


def _write_scan(root: Path, row: Row, drawn: Phantom, seed: int) -> None:
    data = phantom_dicom(drawn.pixels, row.patient, scan=row.scan, seed=seed)
    _write(root / "scans" / row.path, data)
    if drawn.mask.any():
        _write((root / "masks" / row.path).with_suffix(".png"), _png(drawn))


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all; unlike `write_atomic` without waiting for the disk, file by file.

    A file that holds these bytes already is left alone: whoever has read it, knows it by its time.
    """
    if path.is_file() and path.read_bytes() == data:
        return
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(data)
    temporary.replace(path)


def _png(drawn: Phantom) -> bytes:
    buffer = io.BytesIO()
    Picture.fromarray(drawn.mask.astype(np.uint8) * 255).save(buffer, "PNG")
    return buffer.getvalue()


def _write_tables(root: Path, rows: Sequence[Row]) -> PhantomCohort:
    write_atomic(root / "labels.csv", labels_table(rows))
    write_atomic(root / "lesions.csv", lesions_table(rows))
    return PhantomCohort(
        root,
        scans=root / "scans",
        labels=root / "labels.csv",
        masks=root / "masks",
        lesions=root / "lesions.csv",
        n_scans=len(rows),
        n_labelled=sum(row.patient.labelled for row in rows),
    )
