"""``evaluate`` tells what of the scans the bundle has seen, and stops where labels were."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from choice_scans import COUNTS, UNLABELLED, write_collection
from test_study_folds import rows_of, settings_of
from typer.testing import CliRunner

from latentdx.bundle.load import load_bundle
from latentdx.bundle.save import save_bundle
from latentdx.cli.app import app
from latentdx.collection.audit import Finding
from latentdx.collection.seen_record import SeenRecord, patient_name
from latentdx.collection.store import Collection
from latentdx.core.errors import LeakageError
from latentdx.report.language import looked_up
from latentdx.scans.deidentify import user_key
from latentdx.study.exposure import Exposure
from latentdx.study.external import Wanted, evaluate_bundle
from latentdx.study.reporter import Silent
from latentdx.study.run import run_study
from latentdx.study.separate import fit_collection, pretrain_collection

pytestmark = pytest.mark.slow

SILENT = Silent()


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scans of other patients, all of them labelled."""
    return write_collection(tmp_path_factory.mktemp("target") / "c", prefix="there ")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_collection(tmp_path_factory.mktemp("own") / "c")


@pytest.fixture(scope="module")
def bundle(own: Path, target: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a run whose encoder learned from the target's scans, too, without their labels."""
    root = tmp_path_factory.mktemp("run")
    run_study(settings_of(own, unlabelled=(str(target),)), root / "run")
    return root / "run" / "bundle"


@pytest.fixture(scope="module")
def plain(own: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("plain")
    run_study(settings_of(own), root / "run")
    return root / "run" / "bundle"


def test_an_encoder_that_learned_from_the_target_is_told_to_be_transductive(
    bundle: Path, plain: Path, target: Path, tmp_path: Path
) -> None:
    metrics, sentence = evaluate_bundle(bundle, target, tmp_path / "o", SILENT)
    n_scans = sum(COUNTS.values())
    told = metrics["seen"]
    assert (told["record"], told["transductive"], told["n_scans"]) == ("read", True, n_scans)
    assert told["without_labels"] == {"scans": n_scans, "themselves": n_scans}
    assert told["with_labels"]["scans"] == 0
    said = f"ransductive: {n_scans} of the {n_scans} scans here were seen, without labels"
    assert f"T{said}" in sentence
    assert any(warning.startswith(f"t{said}") for warning in metrics["warnings"])
    page = (tmp_path / "o" / "report.html").read_text()
    assert f"T{said}" in page
    assert "kept apart from all of it" not in page
    metrics, sentence = evaluate_bundle(plain, target, tmp_path / "plain", SILENT)
    assert metrics["seen"]["transductive"] is False
    assert "ransductive" not in (tmp_path / "plain" / "report.html").read_text() + sentence
    assert "kept apart from all of it" in (tmp_path / "plain" / "report.html").read_text()


def test_other_scans_of_a_patient_that_was_seen_count_too(bundle: Path, tmp_path: Path) -> None:
    """Other pictures, of the same patients."""
    later = write_collection(tmp_path / "c", prefix="there ")
    table = Collection.open(later).metadata()
    renamed = [f"{number:064x}" for number in range(len(table))]
    Collection.open(later).update(table.scan_id.tolist(), {"content_hash": renamed})
    metrics, _ = evaluate_bundle(bundle, later, tmp_path / "o", SILENT)
    n_scans = sum(COUNTS.values())
    assert metrics["seen"]["without_labels"] == {"scans": n_scans, "themselves": 0}


def grown(path: Path) -> Path:
    """The collection that the models were made from, and ten other patients."""
    write_collection(path)
    more = write_collection(path.with_name("more"), prefix="new ")
    fresh = Collection.open(more)
    chosen = fresh.metadata().scan_id[: COUNTS["train"]].tolist()
    Collection.open(path).append(fresh.rows(chosen))
    return path


def test_scans_whose_labels_it_learned_stop_the_evaluation(plain: Path, tmp_path: Path) -> None:
    where = grown(tmp_path / "c")
    with pytest.raises(LeakageError, match="E_LEAKAGE") as caught:
        evaluate_bundle(plain, where, tmp_path / "o", SILENT)
    learned = COUNTS["train"] + COUNTS["tune"] + COUNTS["calibrate"]
    assert f"labels of {learned} of the {sum(COUNTS.values()) + COUNTS['train']} " in str(
        caught.value
    )
    assert not (tmp_path / "o").exists()


def test_they_can_be_left_out(plain: Path, tmp_path: Path) -> None:
    where = grown(tmp_path / "c")
    wanted = Wanted(overlap="drop")
    metrics, sentence = evaluate_bundle(plain, where, tmp_path / "o", SILENT, wanted=wanted)
    paths = {row["path"] for row in rows_of(tmp_path / "o" / "predictions.csv")}
    assert len(paths) == COUNTS["test"] + COUNTS["train"]
    assert not [path for path in paths if path.startswith(("train", "tune", "calibrate"))]
    learned = COUNTS["train"] + COUNTS["tune"] + COUNTS["calibrate"]
    assert metrics["seen"]["left_out"] == learned
    assert f"{learned} scans were left out" in sentence
    assert f"{learned} scans were left out" in (tmp_path / "o" / "report.html").read_text()
    alone, _ = evaluate_bundle(plain, only(where, paths, tmp_path), tmp_path / "p", SILENT)
    assert alone["test"] == metrics["test"]


def only(where: Path, paths: set[str], tmp_path: Path) -> Path:
    table = Collection.open(where).metadata()
    rows = Collection.open(where).rows(table.scan_id[np.isin(table.path, list(paths))].tolist())
    made = Collection.create(tmp_path / "only", 16, 1)
    made.append([replace(row, given_part=None) for row in rows])
    made.mark_complete({})
    return made.path


def test_they_can_be_kept_and_then_every_score_is_invalid(plain: Path, tmp_path: Path) -> None:
    where = grown(tmp_path / "c")
    call = ["evaluate", str(plain), str(where), "--out", str(tmp_path / "o")]
    result = CliRunner().invoke(app, [*call, "--overlap", "allow"])
    assert result.exit_code == 0, result.output
    assert "scores are invalid" in result.stdout
    metrics = json.loads((tmp_path / "o" / "metrics.json").read_text())
    assert metrics["warnings"][0].startswith("INVALID: ")
    learned = COUNTS["train"] + COUNTS["tune"] + COUNTS["calibrate"]
    assert metrics["seen"]["with_labels"] == {"scans": learned, "themselves": learned}
    page = (tmp_path / "o" / "report.html").read_text()
    assert "<strong>INVALID.</strong>" in page


def test_its_own_test_part_is_none_of_it(plain: Path, tmp_path: Path) -> None:
    own = plain.with_name("collection")
    metrics, sentence = evaluate_bundle(plain, own, tmp_path / "o", SILENT)
    assert "seen" not in metrics
    assert sentence.startswith("These are the test scans")


def test_where_all_were_learned_from_nothing_is_left(plain: Path, tmp_path: Path) -> None:
    where = write_collection(
        tmp_path / "c", lambda part, number, label: label if part == "train" else None
    )
    for wanted in (Wanted(), Wanted(overlap="drop")):
        with pytest.raises(LeakageError, match="give other scans"):
            evaluate_bundle(plain, where, tmp_path / "o", SILENT, wanted=wanted)


def test_without_labels_it_is_told_and_nothing_stops(bundle: Path, tmp_path: Path) -> None:
    for prefix, kind in (("there ", "without_labels"), ("", "with_labels")):
        where = write_collection(
            tmp_path / f"{kind}", lambda part, number, label: None, prefix=prefix
        )
        out = tmp_path / f"of {kind}"
        metrics, sentence = evaluate_bundle(bundle, where, out, SILENT)
        told = metrics["seen"][kind]["scans"]
        assert told >= COUNTS["train"]
        assert f"{told} of the {sum(COUNTS.values()) + UNLABELLED} scans here" in sentence
        assert f"{told} of the " in (out / "report.html").read_text()
        assert all(looked_up(each, "zh") for each in metrics["seen"]["sentences"])


def test_another_key_cannot_ask_and_an_older_bundle_keeps_no_record(
    bundle: Path, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_bundle(bundle)
    saved = tmp_path / "older"
    save_bundle(replace(model, seen=None), saved, card="", split_hash="", counts={}, seed=0)
    metrics, sentence = evaluate_bundle(saved, target, tmp_path / "o", SILENT)
    assert (metrics["seen"]["record"], metrics["seen"]["transductive"]) == ("none", False)
    assert "keeps no record" in sentence
    assert any("keeps no record" in warning for warning in metrics["warnings"])
    monkeypatch.setenv("LATENTDX_KEY_FILE", str(tmp_path / "another.key"))
    metrics, sentence = evaluate_bundle(bundle, target, tmp_path / "p", SILENT)
    assert (metrics["seen"]["record"], metrics["seen"]["transductive"]) == ("other-key", False)
    assert "is not known here" in sentence
    assert "is not known here" in (tmp_path / "p" / "report.html").read_text()


def test_an_encoder_made_apart_tells_its_bundle_what_it_saw(
    own: Path, target: Path, tmp_path: Path
) -> None:
    """Also what it began from saw: three trainings, each from the one before."""
    first, second = tmp_path / "first", tmp_path / "second"
    blank = write_collection(tmp_path / "c", lambda *_: None, prefix="there ")
    none = settings_of(blank)
    pretrain_collection(blank, first, none, SILENT)
    settings = settings_of(own, start=str(first))
    pretrain_collection(own, second, settings, SILENT)
    fit_collection(own, second, tmp_path / "bundle", settings_of(own), SILENT)
    metrics, _ = evaluate_bundle(tmp_path / "bundle", target, tmp_path / "o", SILENT)
    # What the source holds out was not pretrained on.
    assert metrics["seen"]["without_labels"]["scans"] == COUNTS["train"]
    card = (tmp_path / "bundle" / "README.md").read_text()
    assert "hashes under the key of the pseudonyms" in card


def test_no_file_of_the_bundle_holds_a_hash_that_others_could_compute(
    bundle: Path, own: Path, target: Path
) -> None:
    data = b"".join(path.read_bytes() for path in sorted(bundle.iterdir()))
    for where in (own, target):
        for digest in Collection.open(where).metadata().content_hash.tolist():
            assert digest[:16].encode() not in data
            assert bytes.fromhex(digest[:16]) not in data
            assert bytes.fromhex(digest[:16])[::-1] not in data


def test_every_sentence_is_known_in_chinese() -> None:
    some = np.array([[True, False, False], [False, True, False]])
    nobody = np.zeros((2, 3), np.bool_)
    paths = np.array(["a", "b", "c"])
    found = [
        Exposure("read", False, some, nobody, paths, 3),
        Exposure("none", True, nobody, nobody, paths),
        Exposure("other-key", True, nobody, nobody, paths),
    ]
    told: list[Finding] = []
    for each in found:
        for scored in (True, False):
            told += each.findings(scored=scored)
            assert all(looked_up(said, "zh") for said in each.sentences(scored=scored))
    assert len(told) == 10
    assert all(looked_up(finding.text, "zh") for finding in told)
    assert "影像中有" in str(looked_up(f"INVALID: {told[0].text}", "zh"))


def test_a_declared_patient_of_one_scan_is_no_patient_elsewhere(
    plain: Path, tmp_path: Path
) -> None:
    """It is named by the place of its file, and other files may lie at the same."""
    model = load_bundle(plain)
    own = write_collection(tmp_path / "c", prefix="new ")
    table = Collection.open(own).metadata()
    alone = [f"scan:{number:016x}" for number in range(len(table))]
    Collection.open(own).update(table.scan_id.tolist(), {"patient": alone})
    record = SeenRecord.of(
        user_key(), "", labelled=map(patient_name, alone), unlabelled=[], complete=True
    )
    saved = tmp_path / "b"
    save_bundle(replace(model, seen=record), saved, card="", split_hash="", counts={}, seed=0)
    metrics, _ = evaluate_bundle(saved, own, tmp_path / "o", SILENT)
    assert metrics["seen"]["with_labels"]["scans"] == 0
