"""Public sets with known duplicates and known patients."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from latentdx.collection.audit import Audit, Finding, audit
from latentdx.collection.ingest import ingest
from latentdx.collection.plan import IngestSettings
from latentdx.collection.split import split_by_patient
from latentdx.collection.store import Collection
from latentdx.collection.table import CollectionTable
from latentdx.core.errors import LeakageError, StopError
from latentdx.scans.policy import Policy

Settings = Callable[..., IngestSettings]
Stored = Callable[..., CollectionTable]

pytestmark = pytest.mark.slow


@pytest.fixture
def stored(shared: Path, tmp_path: Path, settings: Settings) -> Stored:
    def store(name: str, **options: object) -> CollectionTable:
        keep = Policy(gate=True, burned_in="keep")
        options = {"workers": 2, "size": 16, "policy": keep, **options}
        report = ingest([shared / name], tmp_path / "c", settings(**options))
        assert report.quarantine == ()
        return Collection.open(tmp_path / "c").metadata()

    return store


def only(result: Audit, code: str) -> Finding | None:
    found = [finding for finding in result.findings if finding.code == code]
    assert len(found) <= 1
    return found[0] if found else None


def test_brain_mri_duplicates(stored: Stored, shared: Path) -> None:
    table = stored("brain_mri_tumor_yesno", one_scan_per_patient=True)
    root = shared / "brain_mri_tumor_yesno"
    hashes = {path: hashlib.sha256((root / path).read_bytes()).digest() for path in table.path}
    counts = Counter(hashes.values())
    groups = {tuple(p for p in hashes if hashes[p] == h) for h, n in counts.items() if n > 1}
    assert len(groups) == 22
    duplicates = only(audit(table), "duplicate")
    assert duplicates is not None
    assert groups <= set(duplicates.examples)
    assert audit(table, split_by_patient(table, seed=0).parts).valid


def test_pictures_from_the_web_hold_text(shared: Path, tmp_path: Path, settings: Settings) -> None:
    options = {"workers": 2, "size": 16, "one_scan_per_patient": True}
    report = ingest([shared / "brain_mri_tumor_yesno"], tmp_path / "c", settings(**options))
    assert {item.code for item in report.quarantine} == {"E_BURNED_IN"}
    assert 10 <= len(report.quarantine) <= 20
    assert report.n_scans + len(report.quarantine) == 253


def test_pneumoniamnist_shares_pictures_between_train_and_val(stored: Stored) -> None:
    table = stored("medmnist/pneumoniamnist.npz", one_scan_per_patient=True)
    shared_pictures = only(audit(table), "duplicate-across-parts")
    assert shared_pictures is not None
    assert (shared_pictures.count, shared_pictures.severity) == (8, "warning")
    split = split_by_patient(table, seed=0)
    assert only(audit(table, split.parts), "duplicate-across-parts") is None
    assert split.counts()["test"] == 624


def test_nih_patients_are_kept_apart(stored: Stored, shared: Path) -> None:
    csv = shared / "cxr_nih_pneumonia_224" / "metadata.csv"
    with pytest.raises(StopError, match="E_PATIENT") as caught:
        stored("cxr_nih_pneumonia_224")
    assert str(csv) in caught.value.fix
    table = stored("cxr_nih_pneumonia_224", labels=csv)
    patients = {line.split(",")[2] for line in csv.read_text().splitlines()[1:]}
    assert len(set(table.patient.tolist())) == len(patients) > 600
    split = split_by_patient(table, seed=0)
    assert only(audit(table, split.parts), "patient-across-parts") is None
    assert min(split.counts()[part] for part in ("train", "tune", "calibrate", "test")) > 50


def test_kermany_patients_are_what_the_pattern_says(
    stored: Stored, shared: Path, tmp_path: Path, settings: Settings
) -> None:
    name = "cxr_pneumonia_kermany_small"
    table = stored(name, patient_pattern=r"(person\d+_[a-z]+|(?:NORMAL2-)?IM-\d+)")
    assert only(audit(table), "patient-across-parts") is None
    split_by_patient(table, seed=0)
    wide = settings(patient_pattern=r"(person\d+|(?:NORMAL2-)?IM-\d+)", size=16, workers=2)
    ingest([shared / name], tmp_path / "wide", wide)
    table = Collection.open(tmp_path / "wide").metadata()
    across = only(audit(table), "patient-across-parts")
    assert across is not None
    assert (across.count, across.severity) == (170, "error")
    with pytest.raises(LeakageError, match="170 patients"):
        split_by_patient(table, seed=0)
    split = split_by_patient(table, seed=0, overlap="drop")
    assert audit(table, split.parts).valid
    assert split.counts()["test"] == 624
