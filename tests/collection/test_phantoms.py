"""The phantoms: reproducible, valid DICOM, lesions where their masks say, faults that are found."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import FileDataset
from scipy import ndimage

from latentdx.collection.audit import audit
from latentdx.collection.ingest import ingest
from latentdx.collection.phantom_draw import expose
from latentdx.collection.phantom_patient import LESION_KINDS
from latentdx.collection.phantom_scanner import SITES
from latentdx.collection.phantoms import (
    PhantomCohort,
    PhantomSettings,
    draw_phantom,
    write_phantoms,
)
from latentdx.collection.plan import IngestSettings
from latentdx.collection.split import split_by_patient
from latentdx.collection.store import Collection
from latentdx.collection.table import CollectionTable
from latentdx.core.errors import StopError
from latentdx.scans.open import open_scan

SMALL = PhantomSettings(patients=36, size=64, labelled_fraction=0.8)
SMALL_ILL = replace(SMALL, diseased_fraction=1.0)

# Type 1 attributes (present, not empty) and type 2 (present) of PS3.3 A.2 and A.26.
FILLED = (
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality"),
    *("SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "BitsAllocated"),
    *("BitsStored", "HighBit", "PixelRepresentation", "PixelData", "ImageType"),
    *("WindowCenter", "WindowWidth", "PixelSpacing", "ImagerPixelSpacing", "PatientOrientation"),
)
PRESENT = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime"),
    *("ReferringPhysicianName", "StudyID", "AccessionNumber", "SeriesNumber", "Manufacturer"),
    *("BodyPartExamined", "ViewPosition", "InstanceNumber"),
)
FILLED_DX = (
    *("PresentationIntentType", "ImageLaterality", "PixelIntensityRelationship"),
    *("PixelIntensityRelationshipSign", "RescaleIntercept", "RescaleSlope", "RescaleType"),
    *("PresentationLUTShape", "LossyImageCompression", "BurnedInAnnotation", "DetectorType"),
)
PRESENT_DX = ("AnatomicRegionSequence", "ViewCodeSequence", "AcquisitionContextSequence")

KEY = b"a key for tests only".ljust(32)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> PhantomCohort:
    return write_phantoms(tmp_path_factory.mktemp("phantoms") / "cohort", SMALL)


@pytest.fixture(scope="module")
def files(cohort: PhantomCohort) -> dict[str, FileDataset]:
    return {path.name: dcmread(path) for path in sorted(cohort.scans.iterdir())}


@pytest.fixture
def collected(tmp_path: Path) -> Callable[[PhantomSettings], CollectionTable]:
    """Write and ingest a cohort; its table."""

    def make(settings: PhantomSettings) -> CollectionTable:
        made = write_phantoms(tmp_path / "cohort", settings)
        options = IngestSettings(labels=made.labels, size=32, key=KEY, workers=1)
        report = ingest([made.scans], tmp_path / "collection", options)
        assert (report.n_scans, report.n_labelled) == (made.n_scans, made.n_labelled)
        assert report.quarantine == ()
        return Collection.open(tmp_path / "collection").metadata()

    return make


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


# Reproducible


def test_the_same_settings_give_the_same_bytes(cohort: PhantomCohort, tmp_path: Path) -> None:
    again = write_phantoms(tmp_path / "again", SMALL)
    assert contents(again.root) == contents(cohort.root)
    before = {path: path.stat().st_mtime_ns for path in again.scans.iterdir()}
    spoiled = min(before)
    spoiled.write_bytes(b"half")
    assert write_phantoms(tmp_path / "again", SMALL) == again  # over itself
    assert contents(again.root) == contents(cohort.root)
    after = {path: path.stat().st_mtime_ns for path in again.scans.iterdir()}
    assert {path for path in before if after[path] != before[path]} == {spoiled}


def test_another_seed_gives_other_patients(cohort: PhantomCohort, tmp_path: Path) -> None:
    other = write_phantoms(tmp_path / "other", replace(SMALL, patients=3, seed=1))
    first = sorted(other.scans.iterdir())[0]
    assert first.read_bytes() != (cohort.scans / first.name).read_bytes()


def test_a_patient_does_not_depend_on_the_others(cohort: PhantomCohort, tmp_path: Path) -> None:
    few = write_phantoms(tmp_path / "few", replace(SMALL, patients=5))
    for path in few.scans.iterdir():
        assert path.read_bytes() == (cohort.scans / path.name).read_bytes()


def test_nothing_else_is_overwritten(tmp_path: Path) -> None:
    write_phantoms(tmp_path / "cohort", replace(SMALL, patients=1))
    with pytest.raises(StopError, match="E_DESTINATION"):
        write_phantoms(tmp_path / "cohort", replace(SMALL, patients=2))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(StopError, match="E_DESTINATION"):
        write_phantoms(tmp_path / "mine", SMALL)


@pytest.mark.parametrize("wrong", [{"patients": 0}, {"size": 8}, {"labelled_fraction": 1.5}])
def test_impossible_settings_are_refused(wrong: dict[str, float], tmp_path: Path) -> None:
    with pytest.raises(StopError, match="E_PHANTOM"):
        write_phantoms(tmp_path / "cohort", PhantomSettings(**wrong))  # type: ignore[arg-type]
    with pytest.raises(StopError, match="E_PHANTOM"):
        draw_phantom(0, 3, settings=SMALL)


def test_progress_counts_patients(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_phantoms(tmp_path / "c", replace(SMALL, patients=2), lambda *at: seen.append(at))
    assert seen == [(1, 2), (2, 2)]


# Who is in it


def test_classes_labels_and_sites_have_the_proportions_asked_for() -> None:
    settings = PhantomSettings()
    for seed in range(3):
        patients = [replace(settings, seed=seed).describe(number) for number in range(400)]
        labelled = [patient for patient in patients if patient.labelled]
        assert len(labelled) == pytest.approx(160, abs=8)
        diseased = [patient for patient in labelled if patient.lesion]
        assert len(diseased) / len(labelled) == pytest.approx(0.3, abs=0.05)
        assert min(Counter(patient.site for patient in patients).values()) > 120
        kinds = Counter(patient.lesion for patient in patients if patient.lesion)
        assert set(kinds) == set(LESION_KINDS)
        assert min(kinds.values()) > 12
        scans = Counter(patient.n_scans for patient in patients)
        assert set(scans) == {1, 2, 3}


def test_metadata_says_little_of_the_label() -> None:
    patients = [PhantomSettings(seed=3).describe(number) for number in range(3000)]
    ill = np.array([patient.lesion is not None for patient in patients])
    for name in ("site", "n_scans"):
        values = np.array([getattr(patient, name) for patient in patients])
        assert abs(np.corrcoef(values, ill)[0, 1]) < 0.06, name
    for name, value in (("sex", "F"), ("view", "AP")):
        values = np.array([getattr(patient, name) == value for patient in patients])
        assert abs(np.corrcoef(values, ill)[0, 1]) < 0.06, name
    ages = np.array([patient.age for patient in patients])
    assert 0 < ages[ill].mean() - ages[~ill].mean() < 7


def test_tables_tell_labels_and_keep_the_rest_apart(cohort: PhantomCohort) -> None:
    labels, truth = read_table(cohort.labels), read_table(cohort.lesions)
    assert set(labels[0]) == {"path", "label"}
    assert (len(truth), len(labels)) == (cohort.n_scans, cohort.n_labelled)
    assert {row["label"] for row in labels} == {"healthy", "diseased"}
    assert 0 < len(labels) < len(truth)
    by_path = {row["path"]: row for row in truth}
    assert set(by_path) == {path.name for path in cohort.scans.iterdir()}
    assert all(by_path[row["path"]]["label"] == row["label"] for row in labels)
    for row in truth:
        mask = (cohort.masks / row["path"]).with_suffix(".png")
        assert mask.is_file() == (row["lesion"] != "")
        assert (float(row["lesion_area_mm2"] or 0) > 0) == (row["lesion"] != "")


# Valid DICOM


def test_mandatory_attributes_are_there(files: dict[str, FileDataset]) -> None:
    modalities = set()
    for name, ds in files.items():
        is_dx = ds.Modality == "DX"
        modalities.add(ds.Modality)
        for keyword in (*FILLED, *(FILLED_DX if is_dx else ())):
            assert ds.get(keyword) not in (None, "", []), (name, keyword)
        for keyword in (*PRESENT, *(PRESENT_DX if is_dx else ())):
            assert keyword in ds, (name, keyword)
        assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID
        assert len(ds.PixelData) == 2 * ds.Rows * ds.Columns
        assert ds.HighBit == ds.BitsStored - 1
        assert ds.pixel_array.max() < 2**ds.BitsStored
        assert str(ds.PatientName).startswith("PHANTOM^")
    assert modalities == {"CR", "DX"}


def test_uids_are_valid_and_unique(files: dict[str, FileDataset]) -> None:
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
        uids = [ds[keyword].value for ds in files.values()]
        assert all(uid.is_valid and uid.startswith("2.25.") for uid in uids)
        assert len(set(uids)) == len(uids)
    patients = {ds.PatientID for ds in files.values()}
    assert len(patients) == SMALL.patients < len(files)


def test_every_file_opens_with_the_conversions_expected(cohort: PhantomCohort) -> None:
    for path in sorted(cohort.scans.iterdir()):
        scan = open_scan(path, key=KEY)
        kinds = {text.split(" ")[0] for text in scan.conversions}
        assert kinds <= {"window", "MONOCHROME1"}, scan.conversions
        assert scan.pixels.shape == (1, *scan.native_shape)
        assert scan.spacing_mm is not None
        assert None not in (scan.patient, scan.study, scan.site)


def test_the_reader_sees_what_was_drawn(cohort: PhantomCohort) -> None:
    sites = set()
    for number in range(6):
        patient = SMALL.describe(number)
        sites.add(patient.site)
        scan = open_scan(cohort.scans / f"{patient.name}-1.dcm", key=KEY)
        drawn = draw_phantom(number, settings=SMALL)
        assert np.abs(scan.pixels[0] - drawn.pixels).max() < 1 / 2**9
    assert sites == {0, 1, 2}


def test_sites_differ_in_format_depth_and_polarity(files: dict[str, FileDataset]) -> None:
    found = {
        (str(ds.InstitutionName), ds.Rows, ds.Columns, ds.BitsStored, ds.PhotometricInterpretation)
        for ds in files.values()
    }
    assert found == {
        (f"PHANTOM SITE {site.name}", *site.shape(SMALL.size), site.bits, site.photometric)
        for site in SITES
    }
    assert {site.bits for site in SITES} == {10, 12, 16}


def test_lungs_are_darker_than_the_mediastinum_at_every_site(cohort: PhantomCohort) -> None:
    for number in range(12):
        patient = SMALL.describe(number)
        pixels = open_scan(cohort.scans / f"{patient.name}-1.dcm", key=KEY).pixels[0]
        rows, columns = (np.array(pixels.shape) * 0.45).astype(int)
        band = pixels[rows - 4 : rows + 8].mean(axis=0)
        middle = band[int(columns * 1.05) : int(columns * 1.2)].mean()
        lungs = [band[int(columns * at)] for at in (0.65, 1.6)]
        assert min(lungs) < middle - 0.05, patient


# Lesions


@pytest.mark.parametrize("kind", LESION_KINDS)
def test_a_lesion_changes_the_pixels_in_its_mask_alone(kind: str) -> None:
    numbers = [number for number in range(40) if SMALL_ILL.describe(number).lesion == kind][:4]
    assert numbers
    for number in numbers:
        ill = draw_phantom(number, settings=SMALL_ILL)
        twin = draw_phantom(number, settings=SMALL_ILL, with_lesion=False)
        change = np.abs(ill.pixels - twin.pixels)
        near = ndimage.binary_dilation(ill.mask, iterations=2)
        assert ill.lesion_mm2 > 150
        assert not twin.mask.any()
        assert change[ill.mask].mean() > 0.015
        assert change[~near].max() < 0.04
        assert change[ill.mask].sum() > 0.85 * change.sum()


def test_disease_hardly_changes_the_brightness_of_a_scan() -> None:
    ill = [draw_phantom(number, settings=SMALL_ILL).pixels for number in range(40)]
    twins = [
        draw_phantom(number, settings=SMALL_ILL, with_lesion=False).pixels for number in range(40)
    ]
    means, healthy = np.array([p.mean() for p in ill]), np.array([p.mean() for p in twins])
    assert (means - healthy).mean() < healthy.std()


def test_masks_lie_beside_the_scans_they_belong_to(cohort: PhantomCohort) -> None:
    for path in cohort.masks.iterdir():
        mask = np.asarray(Image.open(path))
        ds = dcmread(cohort.scans / f"{path.stem}.dcm", stop_before_pixels=True)
        assert mask.shape == (ds.Rows, ds.Columns)
        assert set(np.unique(mask)) == {0, 255}
    assert not list(cohort.scans.glob("*.png"))


def test_scans_of_a_patient_resemble_each_other_and_differ() -> None:
    several = [n for n in range(20) if SMALL.describe(n).n_scans > 1 and n != 0]
    for number in several[:5]:
        first, second = (draw_phantom(number, scan, settings=SMALL).pixels for scan in (0, 1))
        assert np.abs(first - second).mean() > 0.005
        assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.8


# Planted faults


def test_a_clean_cohort_is_valid(collected: Callable[..., CollectionTable]) -> None:
    table = collected(SMALL)
    split = split_by_patient(table, seed=0)
    codes = {finding.code for finding in audit(table, split.parts).findings}
    assert codes <= {"small-class"}
    assert set(table.given_part.tolist()) == {""}


def test_leaking_patients_and_copied_pictures_are_found(
    collected: Callable[..., CollectionTable],
) -> None:
    both = replace(SMALL, duplicates_across_parts=True, patient_in_two_parts=True)
    result = audit(collected(both))
    errors = {finding.code for finding in result.findings if finding.severity == "error"}
    assert errors == {"duplicate-across-parts", "patient-across-parts"}
    assert not result.valid


@pytest.mark.parametrize("fault", ["duplicates_across_parts", "patient_in_two_parts"])
def test_a_fault_adds_what_it_says_and_no_more(fault: str, tmp_path: Path) -> None:
    settings = replace(SMALL, patients=24, size=32)
    clean = write_phantoms(tmp_path / "clean", settings)
    faulty = write_phantoms(tmp_path / "faulty", replace(settings, **{fault: True}))
    before, after = (
        {path.name: path.read_bytes() for path in cohort.scans.iterdir()}
        for cohort in (clean, faulty)
    )
    assert before.items() <= after.items()
    assert (len(after) > len(before)) == (fault == "duplicates_across_parts")
    truth = {row["path"]: row["patient"] for row in read_table(faulty.lesions)}
    parts: dict[str, set[str]] = {}
    for row in read_table(faulty.labels):
        parts.setdefault(truth[row["path"]], set()).add(row["part"])
    assert {"train"} in parts.values()
    assert {"test"} in parts.values()
    assert ({"train", "test"} in parts.values()) == (fault == "patient_in_two_parts")


@pytest.mark.parametrize(("shortcut", "low", "high"), [(False, -0.15, 0.15), (True, 0.75, 1.0)])
def test_the_marker_tells_the_label_where_it_is_planted(
    shortcut: bool, low: float, high: float
) -> None:
    settings = PhantomSettings(shortcut=shortcut)
    patients = [settings.describe(number) for number in range(300)]
    ill = [patient.lesion is not None for patient in patients]
    marked = [patient.markers[0] for patient in patients]
    assert low < np.corrcoef(ill, marked)[0, 1] < high


def test_a_marker_is_burned_in_at_the_upper_corner() -> None:
    patient = SMALL.describe(0)
    with_it, without = (
        expose(replace(patient, markers=(marked,)), 0, seed=0, size=64).pixels
        for marked in (True, False)
    )
    rows, columns = np.nonzero(with_it != without)
    assert len(rows) > 4
    assert rows.max() < 0.3 * with_it.shape[0]
    assert columns.min() > 0.7 * with_it.shape[1]
    assert with_it[rows, columns].min() > 0.8
