"""`forget` in folders of `compare` and `search`, and in bundles: searched file by file."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from choice_scans import COUNTS, write_collection
from test_study_folds import settings_of

from latentdx.bundle.load import load_bundle, read_seen
from latentdx.bundle.save import save_bundle
from latentdx.collection.seen_record import patient_name, picture_name
from latentdx.collection.store import Collection
from latentdx.core.errors import StopError
from latentdx.core.hashing import hash_file
from latentdx.diagnosis.probe import Probe
from latentdx.scans.deidentify import user_key
from latentdx.study.choice_folder import WORK
from latentdx.study.compare import CompareSettings, compare, recipe_of
from latentdx.study.compare_result import read_entry
from latentdx.study.encoder import load_encoder
from latentdx.study.forget import forget
from latentdx.study.reporter import Silent
from latentdx.study.run import run_study
from latentdx.study.search import SearchSettings, search
from latentdx.study.search_result import Budget
from latentdx.study.search_space import space_of
from latentdx.study.separate import fit_collection, pretrain_collection
from latentdx.study.settings import RunSettings

pytestmark = pytest.mark.slow

SILENT = Silent()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection, a comparison and a search."""
    root = tmp_path_factory.mktemp("made")
    path = write_collection(root / "collection")
    base = RunSettings(source=str(path), epochs=1, precision="fp32")
    recipes = (recipe_of("convolutional"),)
    compare(path, root / "compared", CompareSettings(base, recipes, labelled=12), SILENT)
    space = space_of(("convolutional",), ())
    asked = SearchSettings(base, space, labelled=12)
    search(path, root / "searched", asked, Budget(trials=1), SILENT)
    return root


@pytest.fixture
def here(made: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(made, tmp_path / "made"))


def traces(collection: Path, patient: str) -> dict[str, list[bytes]]:
    """By what a patient can be known again in files, and by what others have computed of them."""
    table = Collection.open(collection).metadata()
    own = np.flatnonzero(table.patient == patient)
    pictures = [str(table.content_hash[row]) for row in own]
    return {
        "patient": [f'"{patient}"'.encode(), f'\\"{patient}\\"'.encode()],
        "hash": [patient_name(patient).encode()],
        "picture": [picture_name(name).encode() for name in pictures],
        "id": [str(table.scan_id[row]).encode() for row in own],
        "path": [str(table.path[row]).encode() for row in own],
    }


def held(folder: Path, wanted: dict[str, list[bytes]]) -> set[str]:
    """The kinds of traces that any file under a folder holds, or any path."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    data = [*(path.read_bytes() for path in files), *(str(path).encode() for path in files)]
    return {
        kind
        for kind, needles in wanted.items()
        if any(needle in text for needle in needles for text in data)
    }


@pytest.mark.parametrize(
    ("patient", "kinds"),
    [("tune-3", {"patient"}), ("train-3", {"hash", "picture"}), ("more-2", {"hash", "picture"})],
)
def test_no_file_of_a_comparison_holds_a_trace(here: Path, patient: str, kinds: set[str]) -> None:
    compared = here / "compared"
    wanted = traces(here / "collection", patient)
    # Scan ids are beginnings of the digest that stands for the picture here.
    found = held(compared, wanted) - {"id"}
    assert found == kinds, "the search finds what is there"
    plan = forget(patient, [compared, here / "collection"])
    assert held(compared, wanted) == set()
    assert held(here / "collection", wanted) == set()
    learned = patient != "tune-3"
    assert [item.what for item in plan.retrain] == (["encoder"] if learned else [])
    told = json.loads((compared / "compare.json").read_text())
    assert "a patient was forgotten since" in told["warnings"][0]
    load_encoder(compared / "encoders" / "convolutional-0")


def test_the_rows_of_others_stay_as_they_were(here: Path) -> None:
    path = here / "compared" / WORK / "pixels-0.safetensors"
    before, plan = probe(path), forget("tune-3", [here / "compared", here / "collection"])
    after = probe(path)
    kept = before.patients != "tune-3"
    assert (~kept).sum() == 2
    assert after.patients.tolist() == before.patients[kept].tolist()
    np.testing.assert_array_equal(after.probabilities, before.probabilities[:, kept])
    np.testing.assert_array_equal(after.labels, before.labels[kept])
    rows = [change for change in plan.changes if change.what == "rows removed"]
    assert len(rows) == len(list((here / "compared" / WORK).glob("*.safetensors")))


def probe(path: Path) -> Probe:
    entry = read_entry(path)
    assert entry is not None
    return entry.probe


def test_what_is_half_done_goes_too(here: Path) -> None:
    """A training that was stopped has weights of the patient, and a torn file may have anything."""
    work = here / "compared" / WORK
    training, torn, half = work / "x-0.training", work / "x-0.safetensors", work / ".y.12.tmp"
    training.mkdir()
    (training / "weights").write_bytes(b"train-3")
    torn.write_bytes(b'"train-3"')
    half.write_bytes(b'"train-3"')
    forget("train-3", [here / "compared", here / "collection"])
    assert not any(path.exists() for path in (training, torn, half))


def test_a_patient_who_was_not_looked_at_changes_nothing(here: Path) -> None:
    """Of calibrate and test a comparison reads no scan."""
    before = {
        path: hash_file(path) for path in (here / "compared").rglob("*") if path.is_file()
    }  # fmt: skip
    plan = forget("test-3", [here / "compared", here / "searched", here / "collection"])
    assert {path: hash_file(path) for path in before} == before
    assert [change.path.name for change in plan.changes] == ["collection"]
    assert (plan.retrain, plan.left) == ([], [])


@pytest.mark.parametrize("patient", ["train-3", "tune-3", "more-2"])
def test_a_search_is_named_as_what_must_be_made_again(here: Path, patient: str) -> None:
    searched = here / "searched"
    wanted = traces(here / "collection", patient)
    plan = forget(patient, [searched, here / "collection"])
    assert held(searched, wanted) == set()
    assert [item.what for item in plan.retrain] == ["search"]
    told = json.loads((searched / "search.json").read_text())
    assert "a patient was forgotten since" in told["warnings"][0]


def test_without_the_collection_as_it_was_it_is_told_what_is_not_known(here: Path) -> None:
    other = write_collection(here / "other", prefix="new ")
    plan = forget("new tune-3", [here / "searched", here / "compared", other])
    assert {item.what for item in plan.left} == {"search", "comparison"}
    assert "give its collection" in plan.left[0].why


def test_what_others_have_put_there_is_named(here: Path) -> None:
    for name in ("compared", "searched"):
        (here / name / "notes.txt").write_text("mine")
        plan = forget("tune-3", [here / name, here / "collection"], dry_run=True)
        assert [item.path.name for item in plan.left] == ["notes.txt"]


def test_a_patient_of_tune_is_known_by_the_comparison_alone(here: Path) -> None:
    plan = forget("tune-3", [here / "compared"], dry_run=True)
    assert {change.what for change in plan.changes} == {"rows removed", "warning added"}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run and a fitted bundle, both of encoders that began from one of other patients."""
    root = tmp_path_factory.mktemp("bundles")
    first = write_collection(root / "first", lambda *_: None, prefix="before ")
    second = write_collection(root / "second")
    pretrain_collection(first, root / "encoder", settings_of(first), SILENT)
    settings = settings_of(second, start=str(root / "encoder"))
    run_study(settings, root / "run")
    pretrain_collection(second, root / "next", settings, SILENT)
    fit_collection(second, root / "next", root / "bundle", settings_of(second), SILENT)
    return root


def test_a_bundle_by_itself_goes_where_it_notes_the_patient(bundles: Path, tmp_path: Path) -> None:
    """Also one whom only the encoder saw that it began from; nobody else's bundle does."""
    for patient, goes in (("before train-3", True), ("train-3", True), ("test-3", False)):
        bundle = tmp_path / patient / "bundle"
        shutil.copytree(bundles / "bundle", bundle)
        name = hash_file(bundle / "checksums.json")
        collection = shutil.copytree(
            bundles / ("first" if "before" in patient else "second"), tmp_path / patient / "c"
        )
        plan = forget(patient, [bundle, collection])
        assert bundle.exists() == (not goes)
        assert [name in item.why for item in plan.retrain] == ([True] if goes else [])


def test_the_run_of_such_a_bundle_loses_it_too(bundles: Path, tmp_path: Path) -> None:
    """The patient has no scan in the run: only what it began from saw them."""
    run = shutil.copytree(bundles / "run", tmp_path / "run")
    plan = forget("before train-3", [run])
    assert not (run / "bundle").exists()
    assert not (run / ".work").exists()
    assert [item.what for item in plan.retrain] == ["encoder and classifier"]
    assert "data:image" not in (run / "report.html").read_text()
    kept = shutil.copytree(bundles / "run", tmp_path / "kept")
    forget("test-3", [kept])
    assert (kept / "bundle").exists()


def test_a_kept_bundle_notes_nobody_of_the_test_part(bundles: Path) -> None:
    record = read_seen(bundles / "run" / "bundle")
    assert record is not None
    table = Collection.open(bundles / "run" / "collection").metadata()
    for part, noted in (("train", True), ("tune", True), ("calibrate", True), ("test", False)):
        names = [patient_name(f"{part}-{number}") for number in range(COUNTS[part] // 2)]
        pictures = table.content_hash[np.char.startswith(table.path, f"{part}-")].tolist()
        for told in (names, [picture_name(name) for name in pictures]):
            assert record.has_labelled(told, user_key()).tolist() == [noted] * len(told)
            seen = record.has_unlabelled(told, user_key()).tolist()
            assert seen == [part == "train"] * len(told)


def test_a_bundle_that_does_not_tell_is_refused(
    bundles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = tmp_path / "older"
    model = replace(load_bundle(bundles / "bundle"), seen=None)
    save_bundle(model, older, card="", split_hash="", counts={}, seed=0)
    with pytest.raises(StopError, match=r"E_FORGET.*does not tell here"):
        forget("train-3", [older])
    monkeypatch.setenv("LATENTDX_KEY_FILE", str(tmp_path / "another.key"))
    with pytest.raises(StopError, match=r"E_FORGET.*does not tell here"):
        forget("train-3", [bundles / "bundle"])
