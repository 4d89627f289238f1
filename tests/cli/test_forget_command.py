"""`latentdx forget`: what is left of a patient in the files of a run, byte by byte."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from latentdx_command import Ended, table
from phantom_hospital import PLANTED, Study

from latentdx.collection.forgotten import forgotten_notes
from latentdx.collection.store import Collection
from latentdx.collection.table import ScanRow
from latentdx.core.hashing import hash_bytes
from latentdx.scans.deidentify import pseudonym, user_key
from latentdx.scans.identity_map import IdentityMap, seal_identity
from latentdx.study.folder import _KNOWN, FOLD_PREDICTIONS, LEFT_OUT_PREDICTIONS, RunFolder
from latentdx.study.forget_left import LOOKED_INTO
from latentdx.study.settings import read_toml, settings_from

pytestmark = pytest.mark.slow

Here = Callable[..., Ended]


@pytest.fixture
def out(study: Study, tmp_path: Path) -> Path:
    """A finished run that may be changed."""
    return Path(shutil.copytree(study.out, tmp_path / "study"))


def bytes_of(folder: Path) -> dict[Path, bytes]:
    return {
        path.relative_to(folder): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def traces(out: Path, patient: str) -> dict[str, list[bytes]]:
    """All by which the patient could be known again, by kind."""
    collection = Collection.open(out / "collection")
    scans = collection.metadata()
    own = np.flatnonzero(scans.patient == patient)
    text = {
        name: [str(value).encode() for value in getattr(scans, name)[own] if value]
        for name in ("scan_id", "path", "content_hash", "file_hash", "study", "series")
    }
    pixels = [collection.levels(np.array([row])).tobytes() for row in own]
    return {**text, "patient": [patient.encode()], "pixels": pixels}


def found_in(out: Path, wanted: dict[str, list[bytes]]) -> set[str]:
    """The kinds of traces that any file holds, or any path."""
    files = bytes_of(out)
    searched = [*files.values(), *(str(path).encode() for path in files)]
    return {
        kind
        for kind, needles in wanted.items()
        if any(needle in data for needle in needles for data in searched)
    }


def patient_of(out: Path, part: str) -> str:
    """One whose labelled scans are all tested, or all learned from."""
    tested = {row["patient"] for row in table(out / "predictions.csv")}
    scans = Collection.open(out / "collection").metadata()
    labelled = set(scans.patient[scans.is_labelled].tolist())
    return sorted(labelled & tested if part == "test" else labelled - tested)[0]


@pytest.mark.parametrize("part", ["test", "learned"])
def test_no_file_of_the_run_holds_a_trace_of_the_patient(out: Path, part: str, here: Here) -> None:
    patient = patient_of(out, part)
    if part == "test":  # as a run with --folds, or with places left out, has them
        for name in (FOLD_PREDICTIONS, LEFT_OUT_PREDICTIONS):
            shutil.copy(out / "predictions.csv", out / name)
    wanted = traces(out, patient)
    assert found_in(out, wanted) == set(wanted), "the search finds what is there"
    before = Collection.open(out / "collection")
    n_own = int((before.metadata().patient == patient).sum())
    others = np.flatnonzero(before.metadata().patient != patient)
    ids, pixels = before.metadata().scan_id[others].tolist(), before.pixels(others)
    ended = here("forget", patient, out, "--json")
    assert ended.code == 3, ended.err  # files of the source are left
    assert found_in(out, wanted) == set()
    after = Collection.open(out / "collection")
    assert len(after.versions()) == 1
    assert after.metadata().scan_id.tolist() == ids
    assert np.array_equal(after.pixels(), pixels)
    assert (out / "bundle").exists() == (part == "test")
    assert bool(ended.json["retrain"]) == (part == "learned")
    assert "data:image" not in (out / "report.html").read_text()
    [record] = json.loads((out / "collection" / "forgotten.json").read_text())
    assert (record["n_patients"], record["n_scans"]) == (1, n_own)
    RunFolder(out).check(settings_from(read_toml(out / "config.toml")))  # the same call goes on


def test_the_hospitals_own_number_names_the_patient_and_what_is_left_is_told(
    study: Study, out: Path, here: Here, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    number = next(iter(sorted(study.cohort.scans.glob("[=+@-]*-1.dcm")))).name[1:].split("-")[0]
    own = f"{PLANTED['PatientID']}{number}"
    key, patient = user_key(), pseudonym(own, user_key(), "patient")
    assert patient is not None
    known = IdentityMap(key)
    known.add([seal_identity({"patient": name, "study": "1.2.3"}, key) for name in (own, "else")])
    before = bytes_of(out)
    told = here("forget", own, out, "--dry-run", "--json")
    assert (told.code, bytes_of(out), known.who(patient)) == (0, before, own)
    done = here("forget", own, out, "--json")
    assert {**done.json, "done": False} == told.json
    assert (known.who(patient), len(known)) == (None, 2)
    files = {Path(item["path"]).name for item in done.json["left"]}
    assert {path.name for path in study.cohort.scans.glob(f"?{number}-*.dcm")} <= files
    assert own not in done.out + done.err
    again = here("forget", own, out)
    assert (again.code, "E_FORGET" in again.err, own in again.err) == (2, True, False)


def test_an_encoder_forgets_what_it_notes_and_its_weights_are_named(
    tmp_path: Path, here: Here
) -> None:
    rows = [row_of(number) for number in range(12)]
    stored, encoder = tmp_path / "scans", tmp_path / "encoder"
    Collection.create(stored, size=8, channels=1).append(rows)
    encoder.mkdir()
    seen = [hash_bytes(b"p1")[:16], rows[1].content_hash[:16], hash_bytes(b"p2")[:16]]
    (encoder / "encoder.json").write_text(json.dumps({"seen": seen}))
    (encoder / "encoder.safetensors").write_bytes(b"weights")
    ended = here("forget", "id1", stored, encoder, "--json")
    assert (ended.code, ended.json["n_scans"]) == (3, 1)
    assert json.loads((encoder / "encoder.json").read_text())["seen"] == seen[2:]
    assert [item["what"] for item in ended.json["retrain"]] == ["encoder"]
    assert Collection.open(stored).metadata().patient.tolist() == [
        "p0",
        *(f"p{number}" for number in range(2, 12)),
    ]


def test_pictures_that_others_have_too_stay_known(tmp_path: Path, here: Here) -> None:
    twin = replace(row_of(2), content_hash=row_of(1).content_hash)
    Collection.create(tmp_path / "c", size=8, channels=1).append([row_of(1), twin])
    (tmp_path / "e").mkdir()
    told: dict[str, Any] = {"seen": [twin.content_hash[:16]]}
    (tmp_path / "e" / "encoder.json").write_text(json.dumps(told))
    assert here("forget", "p1", tmp_path / "c", tmp_path / "e").code == 0
    assert json.loads((tmp_path / "e" / "encoder.json").read_text()) == told


def test_a_call_that_was_killed_is_finished_by_the_next(tmp_path: Path, here: Here) -> None:
    stored = tmp_path / "c"
    Collection.create(stored, size=8, channels=1).append([row_of(number) for number in range(3)])
    shutil.copytree(stored, tmp_path / ".c.7.tmp")
    stored.rename(tmp_path / ".c.7.old")
    assert here("forget", "p1", stored).code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"c"}
    assert Collection.open(stored).metadata().patient.tolist() == ["p0", "p2"]
    assert "1;" in forgotten_notes(stored)[0]


def test_every_file_that_a_run_may_leave_is_looked_into() -> None:
    assert LOOKED_INTO | {"cohort"} >= _KNOWN  # the demo's cohort is a source


def test_folders_of_another_kind_are_refused(tmp_path: Path, here: Here) -> None:
    for name in ("nothing", "bundle.json"):
        (tmp_path / name).write_text("{}")
        ended = here("forget", "p", tmp_path)
        assert (ended.code, "E_FORGET" in ended.err) == (2, True)


def row_of(number: int) -> ScanRow:
    pixels = np.full((1, 8, 8), number / 16, np.float32)
    name = f"{number:064}"
    return ScanRow(
        f"id{number}", f"{number}.png", pixels, name, patient=f"p{number}", file_hash=name
    )
